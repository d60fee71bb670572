"""Dockerfiles read into instructions and stages, and the rules that they follow here, hadolint's among them."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.unit.deploy.composing import ROOT


@dataclass(frozen=True)
class Instruction:
    name: str
    """In capitals."""
    rest: str
    """Continued lines joined by a space, without comments."""

    @property
    def options(self) -> dict[str, str]:
        return dict(re.findall(r"^--([a-z-]+)=(\S+)", self.rest, re.MULTILINE)) if self.rest.startswith("--") else {}

    @property
    def words(self) -> list[str]:
        """Of the JSON form, or else of the shell's; without options."""
        rest = re.sub(r"^(--\S+\s+)+", "", self.rest)
        return list(json.loads(rest)) if rest.startswith("[") else shlex.split(rest)


@dataclass
class Stage:
    image: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def each(self, *names: str) -> Iterator[Instruction]:
        return (instruction for instruction in self.instructions if instruction.name in names)


def read(text: str) -> list[Stage]:
    """Its stages, in order."""
    joined = re.sub(r"\s*\\\n\s*", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))
    stages: list[Stage] = []
    for line in filter(None, map(str.strip, joined.splitlines())):
        name, _, rest = line.partition(" ")
        if name.upper() == "FROM":
            image, *named = rest.split()
            stages.append(Stage(image, named[1] if named else ""))
        else:
            stages[-1].instructions.append(Instruction(name.upper(), rest.strip()))
    return stages


Rule = Callable[[list[Stage]], Iterator[str]]


def images_are_pinned(stages: list[Stage]) -> Iterator[str]:
    """DL3006, DL3007: a tag that says the version to the patch, or an earlier stage."""
    earlier: set[str] = set()
    for stage in stages:
        if stage.image not in earlier and not re.search(r":\d+\.\d+\.\d+\S*$", stage.image):
            yield f"{stage.image} is not pinned"
        earlier.add(stage.name)


def the_last_stage_is_lean(stages: list[Stage]) -> Iterator[str]:
    if len(stages) < 2:
        yield "it is built in one stage: what only building needs stays in the image"
    for run in stages[-1].each("RUN"):
        if re.search(r"\b(pip|uv|apt-get|gcc|make)\b", run.rest):
            yield f"the last stage builds: {run.rest}"


def it_does_not_run_as_root(stages: list[Stage]) -> Iterator[str]:
    """DL3002."""
    users = [user.rest for user in stages[-1].each("USER")]
    if not users or users[-1].split(":")[0] in ("root", "0"):
        yield "the last user is root"


def it_starts_one_command_of_the_json_form(stages: list[Stage]) -> Iterator[str]:
    """DL3025, DL4003, DL4004: through a shell, signals would not arrive."""
    for name in ("CMD", "ENTRYPOINT"):
        found = list(stages[-1].each(name))
        if len(found) > 1 or (name == "CMD" and not found):
            yield f"{len(found)} {name}"
        if any(not instruction.rest.startswith("[") for instruction in found):
            yield f"{name} is not of the JSON form"


def it_says_how_it_is(stages: list[Stage]) -> Iterator[str]:
    """DL3055 to DL3059 ask for labels; Compose and people for a health check."""
    labels = " ".join(label.rest for label in stages[-1].each("LABEL"))
    for label in ("title", "version", "licenses"):
        if f"org.opencontainers.image.{label}=" not in labels:
            yield f"no label org.opencontainers.image.{label}"
    if len(list(stages[-1].each("HEALTHCHECK"))) != 1:
        yield "not one HEALTHCHECK"


def folders_are_absolute(stages: list[Stage]) -> Iterator[str]:
    """DL3000, DL3003."""
    for stage in stages:
        for folder in stage.each("WORKDIR"):
            if not folder.rest.startswith("/"):
                yield f"WORKDIR {folder.rest} is not absolute"
        for run in stage.each("RUN"):
            if re.search(r"(^|&& *|; *)cd ", run.rest):
                yield f"cd instead of WORKDIR: {run.rest}"


def commands_are_clean(stages: list[Stage]) -> Iterator[str]:
    """DL3004, DL3009, DL3013, DL3015, DL3042, DL4006, DL3020, DL4000."""
    for stage in stages:
        for forbidden in stage.each("ADD", "MAINTAINER"):
            yield f"{forbidden.name} {forbidden.rest}"
        for run in stage.each("RUN"):
            command = run.rest
            if re.search(r"\bsudo\b", command):
                yield f"sudo: {command}"
            clean = "--no-install-recommends" in command and "rm -rf /var/lib/apt/lists/*" in command
            if "apt-get install" in command and not clean:
                yield f"apt-get leaves more than it must: {command}"
            if re.search(r"\bpip install\b", command):
                wanted = "--no-cache" if "uv pip" in command else "--no-cache-dir"
                if any(wanted not in part for part in command.split("&&") if "pip install" in part):
                    yield f"the cache of pip stays: {command}"
            if re.search(r"\|(?!\|)", command.replace("||", "")) and "set -o pipefail" not in command:
                yield f"a pipe hides errors: {command}"


def no_secret_stays(stages: list[Stage]) -> Iterator[str]:
    for stage in stages:
        for instruction in stage.each("ENV", "ARG"):
            if re.search(r"PASSWORD|SECRET|TOKEN|_KEY", instruction.rest):
                yield f"a secret in {instruction.name} {instruction.rest}"


def copies_are_there(stages: list[Stage]) -> Iterator[str]:
    """DL3021, DL3022, DL3023: from the repository what .dockerignore lets through, or from an earlier stage."""
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    earlier: set[str] = set()
    for stage in stages:
        for copy in stage.each("COPY"):
            if source := copy.options.get("from"):
                if source not in earlier:
                    yield f"there is no stage {source}"
                continue
            for name in copy.words[:-1]:
                if not (ROOT / name).exists():
                    yield f"{name} is not there"
                if not any(Path(name).match(pattern) for pattern in allowed):
                    yield f"{name} is ignored"
        earlier.add(stage.name)


RULES: tuple[Rule, ...] = (
    images_are_pinned,
    the_last_stage_is_lean,
    it_does_not_run_as_root,
    it_starts_one_command_of_the_json_form,
    it_says_how_it_is,
    folders_are_absolute,
    commands_are_clean,
    no_secret_stays,
    copies_are_there,
)
