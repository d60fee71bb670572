"""Reading what changed gives what reading everything gives, whatever was done to the project meanwhile."""

from __future__ import annotations

import errno
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from unit.snapshots.project_model import ProjectModel

from ml_backend.labeling.errors import StudioError
from ml_backend.settings import Settings, load_settings
from sdk_scripts.snapshots import current_tasks, kept, pull

PROJECT = {"id": 7, "created_at": "2026-01-01T00:00:00Z"}
KEY = "7.1767225600"
VERSIONS = ("v1", "v2")


def read(model: ProjectModel, settings: Settings) -> list[dict[str, Any]]:
    return list(current_tasks(model, PROJECT, settings))  # type: ignore[arg-type]  # the part of Studio it uses


def whole(model: ProjectModel) -> list[dict[str, Any]]:
    return list(model.tasks(7))


def log_of(model: ProjectModel, settings: Settings) -> str:
    """What the log says of a read, whose tasks are checked, too."""
    with capture_logs() as log:
        tasks = read(model, settings)
    assert tasks == whole(model)
    return json.dumps(log)


@pytest.fixture
def model() -> ProjectModel:
    made = ProjectModel()
    made.import_tasks(10)
    for id in range(1, 6):
        made.annotate(id, "a")
    made.predict(range(1, 11), "v1", "b")
    made.pass_time(3600)
    return made


def folder_of(settings: Settings) -> Path:
    return settings.home.absolute() / "snapshots" / KEY


def some(model: ProjectModel, draw: random.Random) -> list[int]:
    return draw.sample(sorted(model.stored), draw.randint(0, min(4, len(model.stored))))


Step = Callable[[ProjectModel, random.Random], object]
STEPS: dict[str, Step] = {
    "import tasks": lambda it, draw: it.import_tasks(draw.randint(1, 5)),
    "annotate": lambda it, draw: [it.annotate(id, draw.choice("abc")) for id in some(it, draw)],
    "skip": lambda it, draw: [it.annotate(id, "", skipped=True) for id in some(it, draw)],
    "edit": lambda it, draw: [it.edit(id, draw.choice("abc")) for id in some(it, draw)],
    "delete annotations": lambda it, draw: [it.unlabel(id) for id in some(it, draw)],
    "delete tasks": lambda it, draw: [it.delete_task(id) for id in some(it, draw)],
    "import predictions": lambda it, draw: it.predict(some(it, draw), draw.choice(VERSIONS), draw.choice("abc")),
    "delete predictions of tasks": lambda it, draw: it.unpredict(some(it, draw), draw.choice(VERSIONS)),
    "delete a version": lambda it, draw: it.unpredict(list(it.stored), draw.choice(VERSIONS)),
    "predict anew": lambda it, draw: _anew(it, some(it, draw), draw),
    "correct a prediction": lambda it, draw: [it.correct_prediction(id, draw.choice("abc")) for id in some(it, draw)],
    "set the clock back": lambda it, draw: it.pass_time(-draw.uniform(0, 30)),  # in all less than pull.OVERLAP
    "wait": lambda it, draw: it.pass_time(draw.uniform(0, 7200)),
    "read": lambda it, draw: None,
}


def _anew(model: ProjectModel, ids: list[int], draw: random.Random) -> None:
    """The counts are the same afterwards."""
    version = draw.choice(VERSIONS)
    ids = [id for id in ids if any(it["model_version"] == version for it in model.stored[id]["predictions"])]
    model.unpredict(ids, version)
    model.predict(ids, version, draw.choice("abc"))


@given(
    steps=st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.booleans(), st.integers(0, 999)), max_size=25),
    exported=st.booleans(),
)
@hypothesis_settings(max_examples=60)
def test_after_any_changes_what_is_read_is_what_label_studio_has(
    steps: list[tuple[str, bool, int]], exported: bool
) -> None:
    part = kept.PART
    kept.PART = 3  # several files
    try:
        with TemporaryDirectory() as home:
            settings, model = load_settings(home=Path(home)), ProjectModel(exported)
            model.import_tasks(8)
            for name, looks, seed in [*steps, ("read", True, 0)]:
                STEPS[name](model, random.Random(seed))
                if looks:
                    assert read(model, settings) == whole(model), name
    finally:
        kept.PART = part


def test_a_project_that_nobody_touched_is_not_pulled_again(model: ProjectModel, settings: Settings) -> None:
    read(model, settings)
    model.calls.clear()
    read(model, settings)
    assert not model.calls


def test_only_what_changed_is_pulled(model: ProjectModel, settings: Settings) -> None:
    read(model, settings)
    model.calls.clear()
    model.annotate(3, "c")
    model.predict([8], "v2", "a")
    model.import_tasks(1)
    tasks = read(model, settings)
    assert model.calls == {"some": 3}
    assert tasks == whole(model)


def test_a_daily_look_at_every_mark_finds_what_was_stamped_long_ago(
    model: ProjectModel, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(model, settings)
    model.pass_time(-30 * 24 * 3600)  # beyond any overlap, and no count tells
    model.edit(2, "c")
    assert read(model, settings) != whole(model)
    monkeypatch.setattr(pull, "CHECK_SECONDS", 0.0)
    assert read(model, settings) == whole(model)


def test_everything_is_read_anew_when_asked(model: ProjectModel, settings: Settings) -> None:
    read(model, settings)
    model.calls.clear()
    assert read(model, settings.model_copy(update={"fresh": True})) == whole(model)
    assert model.calls["whole"] == 20


def test_where_what_was_shown_cannot_be_read_everything_is_read_anew(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> dict[int, Any]:
        raise StudioError("A snapshot broke off.")

    model = ProjectModel(exported=True)
    model.import_tasks(10)
    model.annotate(1, "a")
    model.pass_time(3600)
    read(model, settings)
    monkeypatch.setattr(ProjectModel, "shown_predictions", broken)
    model.edit(1, "b")
    assert "A snapshot broke off" in log_of(model, settings)


def test_an_account_that_is_gone_has_everything_read_anew(model: ProjectModel, settings: Settings) -> None:
    read(model, settings)
    model.people = [1]
    assert "1 accounts are gone" in log_of(model, settings)


def test_a_change_of_most_tasks_has_everything_read_anew(
    model: ProjectModel, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pull, "PART", 4)
    read(model, settings)
    model.predict(range(1, 9), "v2", "a")
    assert "8 of 10 tasks changed" in log_of(model, settings)


def test_another_label_studio_behind_the_same_key_is_read_anew(model: ProjectModel, settings: Settings) -> None:
    read(model, settings)
    model.url = "http://another"
    assert "it is of http://label-studio" in log_of(model, settings)


def _cut_a_file(folder: Path) -> None:
    path = next(folder.glob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-40])


def _flip_a_byte(folder: Path) -> None:
    path = next(folder.glob("*.parquet"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _of_a_later_version(folder: Path) -> None:
    path = folder / "index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))


DAMAGE: dict[str, Callable[[Path], object]] = {
    "is damaged": _cut_a_file,
    "damaged": _flip_a_byte,
    "cannot be read": lambda folder: next(folder.glob("*.parquet")).unlink(),
    "format 99": _of_a_later_version,
    "its index is damaged": lambda folder: (folder / "index.json").write_text('{"format": 1'),
    "index is damaged": lambda folder: (folder / "index.json").write_text("[]"),
    "there is none yet": lambda folder: (folder / "index.json").unlink(),
}


@pytest.mark.parametrize("said", DAMAGE)
def test_a_damaged_snapshot_is_pulled_anew_and_the_log_says_so(
    said: str, model: ProjectModel, settings: Settings
) -> None:
    read(model, settings)
    DAMAGE[said](folder_of(settings))
    model.annotate(1, "c")
    assert said in log_of(model, settings)
    model.calls.clear()
    assert read(model, settings) == whole(model)
    assert model.calls["whole"] == 10  # those of whole() alone: it is as good as new


def test_a_full_disk_does_not_stop_the_read_and_leaves_the_former_snapshot(
    model: ProjectModel, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(model, settings)
    model.annotate(1, "c")

    def full(self: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        assert "No space left on device" in log_of(model, settings)
    assert "read what changed" in log_of(model, settings)
    assert not list(folder_of(settings).glob("*.new"))


def test_a_read_that_is_given_up_leaves_the_former_snapshot(model: ProjectModel, settings: Settings) -> None:
    read(model, settings)
    before = (folder_of(settings) / "index.json").read_bytes()
    model.annotate(1, "c")
    tasks: Iterator[Any] = current_tasks(model, PROJECT, settings)  # type: ignore[arg-type]
    next(tasks)
    tasks.close()  # type: ignore[attr-defined]
    assert (folder_of(settings) / "index.json").read_bytes() == before
    assert read(model, settings) == whole(model)


def test_files_that_no_index_names_are_removed(model: ProjectModel, settings: Settings) -> None:
    for _ in range(3):
        model.annotate(1, "c")
        read(model, settings)
    assert len(list(folder_of(settings).glob("*.parquet"))) == 1


def test_the_snapshot_of_a_project_that_had_the_id_before_is_removed(model: ProjectModel, settings: Settings) -> None:
    read(model, settings)
    again = {**PROJECT, "created_at": "2026-02-01T00:00:00Z"}
    list(current_tasks(model, again, settings))  # type: ignore[arg-type]
    assert [path.name for path in (settings.home / "snapshots").iterdir()] == ["7.1769904000"]


def test_labels_that_come_during_the_read_are_there_at_the_next(model: ProjectModel, settings: Settings) -> None:
    tasks = current_tasks(model, PROJECT, settings)  # type: ignore[arg-type]
    next(tasks)
    model.annotate(1, "c")  # this task has been read
    list(tasks)
    assert read(model, settings) == whole(model)
