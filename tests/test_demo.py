"""The demo, as a person runs it: from the first prediction to the report, again on the same data, and interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

Find = Callable[[Path], list[int]]
COMMAND = [sys.executable, "-c", "from sdk_scripts.cli import main; main()", "demo"]

pytestmark = [pytest.mark.xdist_group("demo"), pytest.mark.timeout(1200)]


@dataclass(frozen=True)
class Run:
    home: Path
    code: int
    summary: dict[str, Any]
    said: str
    """stderr."""


@pytest.fixture(scope="module")
def first(prepare_demo_home: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """`tiebreak demo --exit --json` on a fresh home."""
    home = prepare_demo_home(tmp_path_factory.mktemp("demo") / "home")
    done = subprocess.run(
        [*COMMAND, "--exit", "--json"], env=environment(home), capture_output=True, text=True, check=False
    )
    assert done.stdout, done.stderr
    return Run(home, done.returncode, json.loads(done.stdout), done.stderr)


@pytest.fixture(scope="module")
def second(first: Run) -> Run:
    """`tiebreak demo --json` on the same home, until a person has seen enough and presses Ctrl-C."""
    process = start([*COMMAND, "--json"], first.home)
    said = read_until("Ctrl-C stops everything", process)
    process.send_signal(signal.SIGINT)
    out, rest = process.communicate(timeout=120)
    return Run(first.home, process.returncode, json.loads(out), said + rest)


def test_every_step_is_done_and_verified(first: Run) -> None:
    assert first.code == 0, first.said
    assert [step["name"] for step in first.summary["steps"]] == [
        "data",
        "start",
        "sync",
        "zero-shot",
        "labels",
        "learn",
        "predictions",
        "queue",
        "hard-cases",
        "report",
        "measure",
    ]
    assert all(step["ok"] and step["seconds"] >= 0 for step in first.summary["steps"])


def test_the_summary_counts_real_tasks_labels_and_versions(first: Run) -> None:
    summary = first.summary
    assert summary["label_studio"]["version"] == "1.23.2"
    assert summary["tasks"] == 1500
    assert summary["annotations"] == 1800
    assert summary["annotators"] == 9
    zero_shot, *trained = summary["model_versions"]
    assert zero_shot.startswith("zero-shot-")
    assert trained
    assert all(version.startswith("few-shot-") for version in trained)
    assert summary["predictions"] >= 900 + 1500


def test_the_machine_beats_the_majority_class_and_knows_when_it_is_right(first: Run) -> None:
    metrics = first.summary["metrics"]
    assert metrics["accuracy_held_out"] >= metrics["accuracy_majority_class"] + 0.15
    assert metrics["accuracy_held_out"] >= metrics["accuracy_zero_shot"]
    assert metrics["ece"] <= 0.08


def test_every_hard_case_has_a_review_task(first: Run) -> None:
    assert first.summary["hard_cases"] == 30
    assert first.summary["review_tasks"] == 30


def test_the_report_is_there_in_three_formats(first: Run) -> None:
    files = {name: Path(path) for name, path in first.summary["report"].items()}
    assert "</html>" in files["html"].read_text("utf-8")
    assert zipfile.ZipFile(files["xlsx"]).testzip() is None
    assert json.loads(files["json"].read_text("utf-8"))


def test_no_secret_is_printed(first: Run) -> None:
    known = json.loads((first.home / "embedded" / "credentials.json").read_text())
    said = first.said + json.dumps(first.summary)
    assert known["password"] not in said
    assert known["token"] not in said


def test_a_second_run_doubles_nothing(first: Run, second: Run) -> None:
    assert second.code == 0, second.said
    for name in ("project", "tasks", "annotations", "annotators", "review_tasks", "predictions", "model_versions"):
        assert second.summary[name] == first.summary[name], name


def test_a_person_is_told_how_to_sign_in_and_where_to_click(second: Run) -> None:
    password = json.loads((second.home / "embedded" / "credentials.json").read_text())["password"]
    for words in ("Sign in:", f"password {password}", "/projects/1/data?labeling=1", "Hard cases:", "not persons"):
        assert words in second.said


def test_nothing_is_left_running(second: Run, processes_of: Find) -> None:
    assert gone(second.home, processes_of)


@pytest.mark.parametrize("moment", ["Starting", "Predicting"])
def test_interrupted_it_leaves_nothing_running(moment: str, demo_home: Path, processes_of: Find) -> None:
    process = start(COMMAND, demo_home)
    read_until(moment, process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode == 130
    assert gone(demo_home, processes_of)


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "TIEBREAK_HOME": str(home)}


def start(command: list[str], home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )


def read_until(words: str, process: subprocess.Popen[str]) -> str:
    """What it says on stderr up to the line with these words. Fails where it ends without them."""
    said = ""
    assert process.stderr is not None
    for line in process.stderr:
        said += line
        if words in line:
            return said
    process.wait()
    pytest.fail(f"it ended without saying {words!r}:\n{said}")


def gone(home: Path, processes_of: Find) -> bool:
    deadline = time.monotonic() + 60
    while processes_of(home):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
