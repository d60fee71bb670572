"""`tiebreak export`: the same bytes for the same labels, whole or not at all, and clear refusals."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from unit.analysis import exports
from unit.training_export import labelled

from ml_backend.guideline_history import GuidelineHistory
from ml_backend.labeling.errors import ConfigError, InputError, NotEnoughLabels, TiebreakError, UnknownName
from ml_backend.labeling.results import project_key
from ml_backend.settings import Settings
from sdk_scripts.training_export.collect import collect
from sdk_scripts.training_export.formats import FORMATS, Format, Written
from sdk_scripts.training_export.model import Export
from sdk_scripts.training_export.rows import Wanted
from sdk_scripts.training_export.write import INDEX, write

TIEBREAK = Path(sys.executable).with_name("tiebreak")
VOTES = [["positive", "positive"], ["negative", "negative"], ["neutral", "positive"], ["negative"], *[["neutral"]] * 20]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path, home: Path) -> Run:
    """The command on an export file."""
    config = tmp_path / "config.xml"
    config.write_text(exports.SENTIMENT)

    def command(json_tasks: list[dict[str, Any]], *arguments: str, hash_seed: int = 0) -> Any:
        source = tmp_path / "tasks.json"
        source.write_text(json.dumps(json_tasks))
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TIEBREAK_")}
        return subprocess.run(
            [TIEBREAK, "export", source, "--label-config", config, *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            env={**kept, "TIEBREAK_HOME": str(home), "PYTHONHASHSEED": str(hash_seed)},
        )

    return command


def refused(error: type[TiebreakError], *arguments: object) -> TiebreakError:
    """What the command is refused with, before it reads anything."""
    from typer.testing import CliRunner

    from sdk_scripts.cli import app

    found = CliRunner().invoke(app, ["export", *map(str, arguments)])
    assert isinstance(found.exception, error), found.output
    return found.exception


def made(settings: Settings, votes: list[list[str]] = VOTES) -> Export:
    return collect(exports.dataset(labelled.tasks(votes)), settings)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_command_prints_rows_splits_and_what_was_dropped(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run(labelled.tasks(VOTES), "--out", str(out), "--format", "jsonl", "--format", "parquet", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["rows"] == sum(found["splits"].values()) == 23
    assert found["dropped"] == {"unsure": 1}
    assert sorted(contents(out)) == sorted(found["files"])
    lines = [
        json.loads(line)
        for path in sorted(out.glob("jsonl/sentiment/*.jsonl"))
        for line in path.read_text().splitlines()
    ]
    assert len(lines) == 23
    assert {line["task"]: line["label"] for line in lines}[2] == "negative"


def test_the_same_labels_give_the_same_bytes_in_any_order_and_in_another_process(run: Run, tmp_path: Path) -> None:
    first, second = tmp_path / "one" / "out", tmp_path / "two" / "out"
    formats = ("--format", "jsonl", "--format", "parquet", "--format", "huggingface")
    tasks = labelled.tasks(VOTES)
    assert run(tasks, "--out", str(first), *formats, hash_seed=1).returncode == 0
    random.Random(4).shuffle(tasks)
    for task in tasks:
        task["annotations"].reverse()
    assert run(tasks, "--out", str(second), *formats, hash_seed=2).returncode == 0
    assert contents(first) == contents(second)


@pytest.mark.parametrize("name", ["jsonl", "parquet", "huggingface"])
def test_the_folder_opens_with_datasets(name: str, settings: Settings, tmp_path: Path) -> None:
    import datasets

    export = made(settings)
    write(export, tmp_path / "out", [name], settings)
    found = datasets.load_dataset(str(tmp_path / "out"), "sentiment", cache_dir=str(tmp_path / "cache"))
    assert {split: set(rows["task"]) for split, rows in found.items()} == {
        split: {row.task for row in export.controls[0].of(split)} for split in ("train", "validation", "test")
    }


def test_a_killed_export_leaves_the_one_before(settings: Settings, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(made(settings), out, ["jsonl"], settings)
    before = contents(out)
    script = f"""
import os, signal
from pathlib import Path
from unit.analysis import exports
from unit.training_export import labelled
from ml_backend.settings import Settings
from sdk_scripts.training_export.collect import collect
from sdk_scripts.training_export.formats import FORMATS, Format
from sdk_scripts.training_export.write import write
FORMATS["jsonl"]
def die(export, folder):
    (folder / "half").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
FORMATS.register("dying")(Format(die))
settings = Settings(home=Path({str(settings.home)!r}))
made = collect(exports.dataset(labelled.tasks([["positive"]])), settings)
write(made, Path({str(out)!r}), ["jsonl", "dying"], settings)
"""
    path = os.pathsep.join([str(Path(__file__).parents[3]), str(Path(__file__).parents[2])])
    done = subprocess.run([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": path}, timeout=120)
    assert done.returncode == -signal.SIGKILL
    assert contents(out) == before
    write(made(settings, [["negative"]]), out, ["jsonl"], settings)
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == ["out"]


def test_one_killed_between_the_two_moves_is_found_again(settings: Settings, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(made(settings), out, ["jsonl"], settings)
    before = contents(out)
    out.rename(tmp_path / ".out.tiebreak-old")

    def fails(export: Export, folder: Path) -> Written:
        raise InputError("It cannot be held.")

    FORMATS.register("failing")(Format(fails))
    try:
        with pytest.raises(InputError, match="cannot be held"):
            write(made(settings), out, ["failing"], settings)
    finally:
        FORMATS._members.pop("failing")
    assert contents(out) == before


def test_only_an_earlier_export_as_it_was_written_is_replaced(settings: Settings, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    write(made(settings), out, ["jsonl", "parquet"], settings)
    before = contents(out)
    write(made(settings), out, ["jsonl", "parquet"], settings)
    assert contents(out) == before
    write(made(settings, [["negative"]]), out, ["jsonl"], settings)
    assert not (out / "parquet").exists()
    (out / "README.md").write_text("mine")
    with pytest.raises(InputError, match=r"not as it was written: README\.md"):
        write(made(settings), out, ["jsonl"], settings)
    assert (out / "README.md").read_text() == "mine"
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "thesis.txt").write_text("years")
    with pytest.raises(InputError, match=r"no earlier export \(thesis\.txt\)"):
        write(made(settings), tmp_path / "else", ["jsonl"], settings)


def test_what_cannot_be_done_is_said_before_anything_is_written(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.xml").write_text(exports.SENTIMENT)
    (tmp_path / "tasks.json").write_text(json.dumps(labelled.tasks(VOTES)))
    (tmp_path / "empty.json").write_text(json.dumps(labelled.tasks([[]])))
    (tmp_path / "mapping.yaml").write_text("sentiment:\n  labels: {negative: bad}\n")
    config, out = ("--label-config", tmp_path / "config.xml"), ("--out", tmp_path / "out")
    some = tmp_path / "tasks.json"
    monkeypatch.setenv("TIEBREAK_HOME", str(home))
    assert "there are no labels" in str(refused(NotEnoughLabels, tmp_path / "empty.json", *config, *out)).lower()
    (tmp_path / "torn.json").write_text(json.dumps(labelled.tasks([["positive", "negative"]])))
    said = str(refused(NotEnoughLabels, tmp_path / "torn.json", *config, *out))
    assert "No label is left to export: 1 unsure." in said
    assert "control named 'mood'" in str(refused(UnknownName, some, *config, *out, "--control", "mood"))
    assert "format of training sets named 'csv'" in str(refused(UnknownName, some, *config, *out, "--format", "csv"))
    said = str(refused(ConfigError, some, *config, *out, "--mapping", tmp_path / "mapping.yaml"))
    assert "mapping.yaml:1: sentiment: the label 'neutral' is neither mapped nor dropped" in said
    assert "three shares" in str(refused(InputError, some, *config, *out, "--splits", "1,2,3"))
    assert "is a file" in str(refused(InputError, some, *config, "--out", some))
    said = str(refused(InputError, some, *config, *out, "--format", "coco"))
    assert "holds boxes; the controls exported are sentiment (choices)" in said
    assert not (tmp_path / "out").exists()


def test_the_help_names_every_format() -> None:
    from typer.testing import CliRunner

    from sdk_scripts.cli import app

    said = CliRunner().invoke(app, ["export", "--help"]).output
    assert [name for name in FORMATS if name not in said] == []


def test_nobody_s_address_is_in_an_export(settings: Settings, tmp_path: Path) -> None:
    json_tasks = labelled.tasks(VOTES)
    for task in json_tasks:
        task["data"]["buyer"] = "buyer@nobody.test"
        for annotation in task["annotations"]:
            annotation["completed_by"] = {
                "id": annotation["id"] % 100,
                "email": f"p{annotation['id'] % 100}@nobody.test",
            }
    export = collect(exports.dataset(json_tasks), settings)
    write(export, tmp_path / "out", ["jsonl", "parquet", "huggingface"], settings)
    assert [name for name, content in contents(tmp_path / "out").items() if b"nobody.test" in content] == []


def test_a_project_s_rows_bear_the_guidelines_of_their_time(settings: Settings) -> None:
    project = {"id": 4, "created_at": "2026-01-01T00:00:00Z"}
    history = GuidelineHistory(settings.models)
    history.note(project_key(project), "v1", datetime(2025, 1, 1, tzinfo=UTC))
    history.note(project_key(project), "v2", datetime(2027, 1, 1, tzinfo=UTC))
    export = collect(exports.dataset(labelled.tasks(VOTES), project=project), settings)
    assert {row.policy for row in export.controls[0].rows} == {"v1"}


@pytest.mark.parametrize("value", [None, True, 3, 2.5, float("nan"), 2**70, "é\ud800", [1, {"a": None}], {"b": [2.0]}])
def test_any_task_data_is_held(value: object, settings: Settings, tmp_path: Path) -> None:
    import polars as pl

    json_tasks = labelled.tasks([["positive"], ["negative"], ["negative"]])
    json_tasks[0]["data"]["more"] = value
    json_tasks[1]["data"]["more"] = 1.5
    export = collect(exports.dataset(json_tasks), settings, Wanted((), (1.0, 0.0, 0.0), columns=("more",)))
    write(export, tmp_path / "out", ["jsonl", "parquet", "huggingface"], settings)
    lines = (tmp_path / "out/jsonl/sentiment/train.jsonl").read_text().splitlines()
    refuse = pytest.fail
    assert [json.loads(line, parse_constant=refuse)["task"] for line in lines] == [1, 2, 3]
    assert pl.read_parquet(tmp_path / "out/parquet/sentiment/train.parquet")["task"].to_list() == [1, 2, 3]


def test_a_format_gets_the_controls_it_can_hold(settings: Settings, tmp_path: Path) -> None:
    span = {"from_name": "spans", "to_name": "text", "type": "labels"}
    regions = [{**span, "value": {"start": 0, "end": 4, "labels": ["brand"]}}, exports.choice("verdict", "allow")]
    json_tasks = [exports.task(id, labelled.text(id), [exports.annotation(id, 1, *regions)]) for id in range(1, 4)]
    export = collect(exports.dataset(json_tasks, exports.EVERY_KIND), settings)
    found = write(export, tmp_path / "out", ["jsonl", "bio"], settings)
    folders = {tuple(Path(name).parts[:2]) for name in found.names if "/" in name}
    assert {("jsonl", "spans"), ("jsonl", "verdict")} <= folders
    assert not any("verdict" in name for name in found.names if name.startswith("bio"))


def test_the_index_tells_every_file_and_figure(settings: Settings, tmp_path: Path) -> None:
    from hashlib import sha256

    write(made(settings), tmp_path / "out", ["jsonl"], settings)
    index = json.loads((tmp_path / "out" / INDEX).read_text())
    files = contents(tmp_path / "out")
    assert index["files"] == {name: sha256(content).hexdigest() for name, content in files.items() if name != INDEX}
    assert index["rows"] == 23
    assert index["about"]["balance"]["asked"] == {"train": 0.8, "validation": 0.1, "test": 0.1}


@pytest.mark.parametrize("name", ["../../etc", "a/b", "con|x", "", "é" * 80])
def test_a_control_s_name_never_leaves_the_folder(name: str, settings: Settings, tmp_path: Path) -> None:
    xml = exports.SENTIMENT.replace('name="sentiment"', f'name="{name or " "}"')
    json_tasks = [exports.task(1, "a", [exports.annotation(1, 1, exports.choice(name or " ", "positive"))])]
    export = collect(exports.dataset(json_tasks, xml), settings)
    write(export, tmp_path / "in" / "out", ["jsonl", "parquet", "huggingface"], settings)
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["out"]
    assert [it.name for it in tmp_path.iterdir() if it.name not in ("home", "in")] == []
