"""What has changed since the snapshot, and whether snapshot and changes together can be what Label Studio has.

1. Of the tasks stamped since the snapshot was begun (its own newest stamp, with an overlap for clocks that differ and
   for long transactions) those are pulled whose mark, stamp and counts, is another.
2. Predictions that come or go in bulk stamp no task. Where a model version has others (by count and newest one), every
   task that has or had one of it is pulled; where it only has fewer, and is of many tasks, see 4.
3. The counts must then be Label Studio's: tasks, annotations, skips, predictions, those of each version. All that is
   new has been pulled, so a wrong count means that something is gone, or that labels came meanwhile.
4. Where they are not, and once a day, the mark of every task is compared: what is gone is dropped, what differs is
   pulled. If the counts are still wrong, everything is pulled anew.

What this cannot see: predictions replaced in bulk by as many of the same version while the server's clock was set back.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import structlog

from ml_backend.labeling.errors import StudioError
from sdk_scripts.snapshots.kept import INDEX, PART, SCHEMA, Index, Part, Snapshot, Unusable, in_parts, mark_of, row_of

if TYPE_CHECKING:
    from ml_backend.studio import Studio
    from ml_backend.studio.standing import Standing

OVERLAP = timedelta(minutes=15)
"""Longer than a request of Label Studio lasts: a task bears the time at which its request began."""
CHECK_SECONDS = 24 * 3600.0
MOST = 0.3
"""The share of a project's tasks from which on reading everything is as fast."""
ROUNDS = 3
"""Labels that come between two calls leave counts that do not fit."""

log = structlog.stdlib.get_logger()


def pulled(studio: Studio, project: int, snapshot: Snapshot, *, fresh: bool = False) -> Iterator[dict[str, Any]]:
    """Every task, in order of id; the snapshot is replaced when the last has been given out. Raises StudioError."""
    standing = studio.standing(project)
    try:
        if fresh:
            raise Unusable("it was asked for")
        work = _Update(studio, project, snapshot, standing)
        work.bring_up_to_date()
    except Unusable as why:
        log.info("reading the whole project", project=project, tasks=standing.tasks, why=str(why))
        yield from _all(studio, project, snapshot, standing)
        return
    log.info("read what changed", project=project, tasks=standing.tasks, pulled=len(work.changed))
    yield from work.tasks()


def _all(studio: Studio, project: int, snapshot: Snapshot, standing: Standing) -> Iterator[dict[str, Any]]:
    parts: list[Part | None] = []
    exported = studio.through_export(standing.tasks)
    for some in in_parts(studio.tasks(project)):
        exported = exported and all("prediction" in it for task in some for it in task.get("annotations") or ())
        parts.append(snapshot.write(some))
        yield from some
    whole = tuple(part for part in parts if part is not None)
    snapshot.commit(_index(studio, standing, whole, exported, time.time()))


def _index(studio: Studio, it: Standing, parts: tuple[Part, ...], exported: bool, checked_at: float) -> Index:
    return Index(studio.url, exported, it.newest, it.versions, it.people, checked_at, parts)


class _Update:
    """A snapshot that is brought up to date. Raises Unusable where that is not possible, or not worth it."""

    def __init__(self, studio: Studio, project: int, snapshot: Snapshot, standing: Standing) -> None:
        self.studio, self.project, self.snapshot = studio, project, snapshot
        self.standing = standing
        self.index = snapshot.index()
        tables = [snapshot.read(part, INDEX) for part in self.index.parts]
        self.rows = pl.concat([pl.DataFrame(schema={name: SCHEMA[name] for name in INDEX}), *tables])
        self.kept: dict[int, str] = dict(zip(self.rows["id"].to_list(), self.rows["marks"].to_list(), strict=True))
        """Id -> mark."""
        self.known = self.kept.keys()
        self.changed: dict[int, dict[str, Any]] = {}
        self.gone: set[int] = set()
        self.checked_at = self.index.checked_at
        self.most = max(MOST * max(standing.tasks, len(self.known)), PART / 4)

    def bring_up_to_date(self) -> None:
        old, now = self.index, self.standing
        if not old.newest:
            raise Unusable("the project had no tasks")
        if gone := set(old.people) - set(now.people):
            raise Unusable(f"{len(gone)} accounts are gone, whose annotations may be")
        age = time.time() - old.checked_at
        due = not 0 <= age < CHECK_SECONDS
        large = self.studio.through_export(now.tasks)
        if large != old.exported and (due or not self.studio.through_export(len(self.known))):
            raise Unusable("a project of this size is read in another way")
        self._take_changed(_since(old.newest))
        self._take_predictions()
        if due or now.newest < old.newest:
            self._compare_marks()
        for attempt in range(ROUNDS):
            after = self.studio.standing(self.project)
            if after.versions == now.versions and not (why := self._wrong(after)):
                return
            if after.versions != now.versions:
                raise Unusable("predictions came or went meanwhile")
            log.info("looking again", project=self.project, why=why)
            if attempt == 0:
                self._compare_marks()
            else:
                self._take_changed(_since(now.newest))
        raise Unusable(f"it does not fit Label Studio's counts: {why}")

    def tasks(self) -> Iterator[dict[str, Any]]:
        """All of them, in order of id; files without changes stay. To be used once."""
        parts: list[Part | None] = []
        for part, ids in self._files():
            if part is not None and len(ids) == part.rows and ids.isdisjoint(self.changed):
                parts.append(part)
                yield from self._kept(part)
                continue
            mine = {task["id"]: task for task in self._kept(part) if task["id"] in ids} if part else {}
            mine |= {id: self.changed[id] for id in self.changed.keys() & ids}
            for some in in_parts(mine[id] for id in sorted(mine)):
                parts.append(self.snapshot.write(some))
                yield from some
        whole = tuple(part for part in parts if part is not None)
        self.snapshot.commit(_index(self.studio, self.standing, whole, self.index.exported, self.checked_at))

    def _files(self) -> Iterator[tuple[Part | None, set[int]]]:
        """Each file with the ids that belong between its first and the next one's."""
        parts = self.index.parts
        new = sorted(self.changed.keys() - self.known)
        known = self.rows["id"].to_list()
        start = 0
        for number, part in enumerate(parts):
            below = parts[number + 1].first if number + 1 < len(parts) else sys.maxsize
            ids = {id for id in known[start : start + part.rows] if id not in self.gone}
            yield part, ids | {id for id in new if id < below}
            new = [id for id in new if id >= below]
            start += part.rows
        if new:
            yield None, set(new)

    def _kept(self, part: Part) -> Iterator[dict[str, Any]]:
        try:
            yield from self.snapshot.tasks(part)
        except Unusable as why:
            raise StudioError(f"The snapshot changed while it was read: {why}.", mend="Run it again.") from None

    def _take(self, tasks: Iterable[dict[str, Any]]) -> None:
        for some in in_parts(tasks):
            ids = [int(task["id"]) for task in some]
            if self.index.exported:
                try:
                    shown = self.studio.shown_predictions(self.project, ids)
                except StudioError as error:
                    raise Unusable(f"what was shown cannot be read: {error.what}") from None
                for task in some:
                    task.pop("overlap", None)  # which exports do not say
                    for annotation in task.get("annotations") or ():
                        annotation["prediction"] = shown.get(annotation["id"], {})
            self.changed |= dict(zip(ids, some, strict=True))
            self.gone -= set(ids)
            self._bounded(len(self.changed))

    def _take_predictions(self) -> None:
        """The tasks that have or had a prediction of a version whose count or newest one changed. Where a version has
        only fewer, and is of many tasks, their marks tell which."""
        old, now = self.index.versions, self.standing.versions
        names = {name for name in old.keys() | now.keys() if old.get(name) != now.get(name)}
        fewer = {name for name in names if _fewer(old.get(name), now.get(name)) and old[name][0] > self.most}
        names -= fewer
        if "" in names:
            raise Unusable("predictions without a version came or went")
        self._bounded(max((now[name][0] for name in names & now.keys()), default=0))
        had = self.rows.filter(pl.col("versions").list.eval(pl.element().is_in(sorted(names))).list.any())
        ids = set(had["id"].to_list()).union(*(self.studio.predicted(self.project, it) for it in names & now.keys()))
        ids -= self.changed.keys()
        self._bounded(len(ids) + len(self.changed))
        self._take(self.studio.tasks(self.project, ids=ids))
        if fewer:
            self._compare_marks()

    def _compare_marks(self) -> None:
        there = self._take_changed(None)
        self.gone = (self.known | self.changed.keys()) - there
        for id in self.gone & self.changed.keys():
            del self.changed[id]
        self.checked_at = time.time()

    def _take_changed(self, since: datetime | None) -> set[int]:
        """The tasks stamped since then (None: all) that differ in their marks; gives the ids of all that were looked
        at."""
        marks = {int(mark["id"]): mark_of(mark) for mark in self.studio.marks(self.project, updated_after=since)}
        now = {id: mark_of(task) for id, task in self.changed.items()}
        differing = [id for id, mark in marks.items() if now.get(id, self.kept.get(id)) != mark]
        self._bounded(len(differing) + len(self.changed))
        self._take(self.studio.tasks(self.project, ids=differing))
        return set(marks)

    def _wrong(self, now: Standing) -> str:
        """How the counts differ from Label Studio's; empty where they do not."""
        fresh = pl.DataFrame(
            [row_of(task)[:-1] for task in self.changed.values()], schema=self.rows.schema, orient="row"
        )
        same = self.rows.filter(~pl.col("id").is_in(sorted(self.changed.keys() | self.gone)))
        rows = pl.concat([same, fresh])
        versions = Counter(rows["versions"].explode().drop_nulls().to_list())
        ours: Mapping[str, Any] = {
            "tasks": (len(rows), now.tasks),
            "annotations": (int(rows["annotations"].sum()), now.annotations),
            "skips": (int(rows["skipped"].sum()), now.skipped),
            "predictions": (versions.total(), now.predictions),
            **{f"predictions of {name!r}": (versions[name], n) for name, (n, _) in now.versions.items() if name},
        }
        return ", ".join(f"{mine} {what} for {its}" for what, (mine, its) in ours.items() if mine != its)

    def _bounded(self, tasks: int) -> None:
        if tasks > self.most:
            raise Unusable(f"{tasks} of {self.standing.tasks} tasks changed")


def _fewer(before: tuple[int, str] | None, now: tuple[int, str] | None) -> bool:
    """Whether predictions of a version went and none came, by a clock that was not set back meanwhile."""
    return before is not None and (now is None or (now[0] < before[0] and now[1] == before[1]))


def _since(newest: str) -> datetime:
    return _time(newest) - OVERLAP


def _time(stamp: str) -> datetime:
    try:
        return datetime.fromisoformat(stamp)
    except ValueError:
        raise Unusable(f"{stamp!r} is no time") from None
