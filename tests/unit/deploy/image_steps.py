"""An image's build steps in a clean folder that stands for its file system, and its command run there, contained.

What differs from a container engine's build: the base image is this machine's system and Python, with its users;
absolute paths of the image (PLACES) lie under the folder; uv is the one that is here, and uses its cache; and where its
find-links are set, as the Makefile does, torch comes from there, not from an index of its own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.unit.deploy.composing import ROOT
from tests.unit.deploy.dockerfiles import Instruction, Stage, read

PLACES = ("/opt", "/src", "/data", "/home", "/tmp", "/label-studio/data", "/usr/local/bin")  # noqa: S108  # in the image
APART = ("unshare", "--net", "--mount")
CONTAINED = Path(__file__).with_name("contained.py")


def uv() -> str:
    ours = ROOT / ".venv-uv/bin/uv"
    found = str(ours) if ours.exists() else shutil.which("uv")
    assert found, "make install-dev sets uv up"
    return found


class Image:
    """`instead` maps a RUN of the Dockerfile to what is done in its place."""

    def __init__(self, dockerfile: Path, folder: Path, instead: Mapping[str, Callable[[Image], None]]) -> None:
        self.stages = read(dockerfile.read_text())
        self.folder = folder
        self.instead = dict(instead)
        ours = re.compile("TIEBREAK_|PYTHON|VIRTUAL_ENV")
        self.environment = {name: value for name, value in os.environ.items() if not ours.match(name)}
        self.environment["PATH"] = f"{Path(uv()).parent}:{os.environ['PATH']}"

    def place(self, text: str) -> str:
        """With the image's absolute paths under the folder."""
        text = text.replace("/usr/local/bin/python", os.path.realpath(sys.executable))
        places = "|".join(map(re.escape, PLACES))
        return re.sub(rf"(?<![\w/.$}}-])({places})(?=[/\w\s:\"'-]|$)", lambda found: f"{self.folder}{found[0]}", text)

    def build(self) -> None:
        """Raises CalledProcessError; AssertionError where something of `instead` has no step any more."""
        (self.folder / "tmp").mkdir()
        for stage in self.stages[:-1]:
            self._run_all(stage, dict(self.environment))
        for step in self.stages[-1].each("COPY"):
            if "from" not in step.options:
                self.copy(step, self.folder)
        assert not self.instead, f"no such steps: {list(self.instead)}"

    def _run_all(self, stage: Stage, environment: dict[str, str]) -> None:
        here = self.folder
        for step in stage.instructions:
            if step.name in ("ARG", "ENV"):
                environment |= self._assigned(step, environment)
            elif step.name == "WORKDIR":
                here = Path(self.place(step.rest))
                here.mkdir(parents=True, exist_ok=True)
            elif step.name == "COPY":
                self.copy(step, here)
            elif step.name == "RUN":
                self._run(step.rest, here, environment)
            else:
                raise AssertionError(f"{step.name} in a stage that only builds")

    def _assigned(self, step: Instruction, environment: Mapping[str, str]) -> dict[str, str]:
        pairs = (word.split("=", 1) for word in step.words)
        filled = {name: re.sub(r"\$(\w+)", lambda found: environment[found[1]], value) for name, value in pairs}
        return {name: self.place(value) for name, value in filled.items()}

    def copy(self, step: Instruction, here: Path) -> None:
        *sources, target = step.words
        into = here / self.place(target)
        into.parent.mkdir(parents=True, exist_ok=True)
        for source in (ROOT / source for source in sources):
            if source.is_dir():
                shutil.copytree(source, into, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, into)

    def _run(self, command: str, here: Path, environment: Mapping[str, str]) -> None:
        if replaced := self.instead.pop(command, None):
            replaced(self)
            return
        if command.startswith("pip install --no-cache-dir $UV"):
            return
        if os.environ.get("UV_FIND_LINKS"):
            command = command.replace("--torch-backend $TORCH_BACKEND ", "")
        command = self.place(command.replace("--no-cache ", ""))
        shell = ["/bin/sh", "-c", command]
        done = subprocess.run(shell, cwd=here, env=dict(environment), capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"

    def run(self, *, writable: tuple[str, ...], answers: str, seconds: float, **more: str) -> dict[str, Any]:
        """Start the last stage's command with no network, no privileges, and nothing writable but these folders; what
        contained.py then saw. `answers` is the URL that says that it is up."""
        [folder] = self.stages[-1].each("WORKDIR")
        home = self.place(folder.rest)
        environment = {"PATH": f"{self.place('/usr/local/bin')}:{os.environ['PATH']}", "HOME": home}
        for step in self.stages[-1].each("ENV"):
            environment |= self._assigned(step, environment)
        environment |= {"TMPDIR": str(self.folder / "tmp"), **{name: self.place(value) for name, value in more.items()}}
        order = {
            "command": [word for step in self.stages[-1].each("ENTRYPOINT", "CMD") for word in step.words],
            "environment": environment,
            "folder": str(self.folder),
            "home": home,
            "writable": [self.place(folder) for folder in writable],
            "answers": answers,
            "seconds": seconds,
        }
        run = [*APART, sys.executable, str(CONTAINED)]
        done = subprocess.run(run, input=json.dumps(order), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-5000:]
        return dict(json.loads(done.stdout))


def may_contain() -> bool:
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("setpriv"):
        return False
    return subprocess.run([*APART, "true"], capture_output=True).returncode == 0
