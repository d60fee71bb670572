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


def run(home: Path) -> Run:
    done = subprocess.run(
        [*COMMAND, "--exit", "--json"],
        env={**os.environ, "TIEBREAK_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return Run(home, done.returncode, json.loads(done.stdout), done.stderr)


@pytest.fixture(scope="module")
def first(prepare_demo_home: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(prepare_demo_home(tmp_path_factory.mktemp("demo") / "home"))


@pytest.fixture(scope="module")
def second(first: Run) -> Run:
    return run(first.home)


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


def test_it_stays_until_ctrl_c_and_then_leaves_nothing_running(second: Run, processes_of: Find) -> None:
    process = subprocess.Popen(
        COMMAND, env={**os.environ, "TIEBREAK_HOME": str(second.home)}, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if "Ctrl-C stops everything" in line:
            break
    assert any(line.startswith("Sign in:") and "password" in line for line in said), "".join(said)
    process.send_signal(signal.SIGINT)
    assert process.wait(120) == 0
    process.stderr.close()
    assert gone(second.home, processes_of)


def test_interrupted_while_it_starts_it_leaves_nothing_running(demo_home: Path, processes_of: Find) -> None:
    process = subprocess.Popen(
        COMMAND, env={**os.environ, "TIEBREAK_HOME": str(demo_home)}, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert any(line.startswith("Starting") for line in process.stderr)
    process.send_signal(signal.SIGINT)
    assert process.wait(120) == 130
    process.stderr.close()
    assert gone(demo_home, processes_of)


def gone(home: Path, processes_of: Find) -> bool:
    deadline = time.monotonic() + 60
    while processes_of(home):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
