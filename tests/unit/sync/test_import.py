"""Importing a source: only what is new, whatever breaks in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from ml_backend.labeling.errors import StudioError, StudioRefused, StudioUnreachable
from ml_backend.settings import Settings
from sdk_scripts.manifest import Manifest
from sdk_scripts.plan import Draft
from sdk_scripts.resources import tasks as importing
from sdk_scripts.resources.tasks import import_source, keys_in, plan_tasks

SOURCE = "tasks: [{file: rows.csv, key: id, fields: {body: text}}]"


class Shelf:
    """What `import_source` sees of Label Studio: all or nothing for a batch, unless it breaks."""

    def __init__(self) -> None:
        self.stored: list[dict[str, Any]] = []
        self.breaks_after: int | None = None
        self.half = False
        """Whether a batch with a bad task is stored up to it before it is refused."""

    def import_tasks(self, project: int, tasks: Sequence[Mapping[str, Any]]) -> int:
        if self.breaks_after is not None:
            if self.breaks_after == 0:
                raise StudioUnreachable("gone")
            self.breaks_after -= 1
        good = [dict(task) for task in tasks if task["data"]["text"] != "bad"]
        if len(good) < len(tasks):
            if self.half and len(tasks) > 1:
                self.stored += good[:1]
            raise StudioRefused("no", mend="")
        self.stored += good
        return len(good)

    def tasks(self, project: int, *, data_only: bool = False) -> Iterator[dict[str, Any]]:
        yield from self.stored


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "BATCH", 4)


def rows(*bodies: str) -> str:
    return "id,body\n" + "".join(f"{number},{body}\n" for number, body in enumerate(bodies))


def run(shelf: Shelf, made: Manifest) -> dict[str, str]:
    return import_source(shelf, 1, made, made.project.tasks[0], lambda _: None)


def texts(shelf: Shelf) -> list[str]:
    return [task["data"]["text"] for task in shelf.stored]


def test_a_second_import_adds_only_what_is_new(manifest: Callable[..., Manifest]) -> None:
    shelf = Shelf()
    shelf.stored.append({"data": {"text": "made by hand"}})
    run(shelf, manifest(SOURCE, **{"rows.csv": rows("a", "b")}))
    run(shelf, manifest(SOURCE, **{"rows.csv": rows("a", "b", "c")}))
    assert texts(shelf) == ["made by hand", "a", "b", "c"]


def test_an_import_that_broke_off_goes_on_where_it_stopped(manifest: Callable[..., Manifest]) -> None:
    shelf, made = Shelf(), manifest(SOURCE, **{"rows.csv": rows(*"abcdefghij")})
    shelf.breaks_after = 2
    with pytest.raises(StudioUnreachable):
        run(shelf, made)
    assert len(shelf.stored) == 8
    shelf.breaks_after = None
    run(shelf, made)
    assert texts(shelf) == list("abcdefghij")


@pytest.mark.parametrize("half", [False, True])
def test_a_task_that_label_studio_refuses_is_found_and_the_rest_is_imported(
    manifest: Callable[..., Manifest], half: bool
) -> None:
    shelf = Shelf()
    shelf.half = half
    refused = run(shelf, manifest(SOURCE, **{"rows.csv": rows("a", "bad", "c", "d", "e", "bad", "g")}))
    assert sorted(texts(shelf)) == ["a", "c", "d", "e", "g"]
    assert refused == {"1": "was refused by Label Studio: no", "5": "was refused by Label Studio: no"}


def test_a_label_studio_that_refuses_everything_is_an_error(
    manifest: Callable[..., Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "HOPELESS", 3)
    with pytest.raises(StudioError, match="no"):
        run(Shelf(), manifest(SOURCE, **{"rows.csv": rows(*["bad"] * 20)}))


def test_a_plan_counts_what_is_new_and_writes_the_rejects(
    manifest: Callable[..., Manifest], settings: Settings
) -> None:
    made = manifest(SOURCE, **{"rows.csv": "id,body\n1,a\n2,b\n2,again\n3\n4,d\n"})
    draft = Draft(made, settings, str)
    plan_tasks(draft, {"1"}, {"4": "was refused"})
    (change,) = draft.changes
    assert change.to_json()["fields"] == {"tasks": {"before": 1, "after": 2}}
    (rejects,) = draft.rejects
    assert rejects.count == 3
    assert rejects.file.is_relative_to(settings.home)
    assert [line.split('"reason": ')[1][:12] for line in rejects.file.read_text().splitlines()] == [
        '"has the key', '"has 1 field', '"was refused',
    ]  # fmt: skip
    after = Draft(made, settings, str)
    plan_tasks(after, {"1", "2", "4"}, {})
    assert not after.changes


def test_two_sources_share_no_key_and_one_row_in_both_is_one_task(
    manifest: Callable[..., Manifest], settings: Settings
) -> None:
    both = {"a.csv": "text\nx\ny\n", "b.csv": "text\ny\nz\n"}
    draft = Draft(manifest("tasks: [{file: a.csv}, {file: b.csv}]", **both), settings, str)
    plan_tasks(draft, set(), {})
    assert [change.fields["tasks"].after for change in draft.changes] == [2, 2]
    assert draft.changes[1].fields["tasks"].before == 1


def test_keys_are_read_from_task_data() -> None:
    assert keys_in([{"data": {"tiebreak_key": "a"}}, {"data": {}}, {"data": {"tiebreak_key": 7}}]) == {"a", "7"}
