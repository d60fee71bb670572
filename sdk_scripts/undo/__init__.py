"""Taking back what Tiebreak changed in Label Studio, by the trail of its changes: a plan, and with `apply` the doing.

The latest change is taken back first. What somebody else has changed since is never touched: the present is compared
with what Tiebreak left there. Everything done here is in the trail as well, and a second run finds nothing to do.

    steps      the trail's entries, the present, steps
    ways       a table: which change is taken back how
    bulk       what was done to many tasks at once
    projects   projects that Tiebreak made
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml_backend.labeling.errors import InputError, StudioNotFound, StudioRefused
from ml_backend.labeling.results import read_time
from ml_backend.studio.trail import UNDOES, Trail
from sdk_scripts.backup import back_up
from sdk_scripts.undo.steps import Entry, Now, Step
from sdk_scripts.undo.ways import way_back

if TYPE_CHECKING:
    from ml_backend.studio import Studio

CLOCKS = timedelta(minutes=10)
"""By which Label Studio's clock may be ahead of ours."""


@dataclass(frozen=True)
class Chosen:
    """Which entries: those named, those of a run, those of a project, those since then; every condition holds."""

    entries: tuple[str, ...] = ()
    run: str = ""
    project: int | None = None
    since: str = ""
    """ISO 8601, UTC."""

    def has(self, entry: Entry) -> bool:
        if entry.undoes and entry.id not in self.entries:
            return False  # an undo is taken back only where it is named
        return (
            (not self.entries or entry.id in self.entries)
            and self.run in ("", entry.run)
            and self.project in (None, entry.project)
            and entry.at >= self.since
        )


@dataclass(frozen=True)
class Undone:
    applied: bool
    steps: tuple[Step, ...]
    backups: tuple[Path, ...] = ()

    @property
    def open(self) -> bool:
        """Whether anything is left that was asked for."""
        return any(
            step.state in ("cannot", "failed") or (not self.applied and step.state == "undo") for step in self.steps
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "applied": self.applied,
            "steps": [step.to_json() for step in self.steps],
            "backups": [str(path) for path in self.backups],
        }


def undo(studio: Studio, trail: Trail, chosen: Chosen, backups: Path, *, apply: bool = False) -> Undone:
    """The steps, latest change first. Raises InputError where nothing was chosen or an entry is not there, StudioError
    where Label Studio does not answer; what was done until then stays, and another run does the rest."""
    if chosen == Chosen():
        raise InputError(
            "Say what to undo: ids of entries, --run, --project or --since.", mend="`tiebreak audit` lists it."
        )
    steps = plan(studio, trail, chosen)
    if not apply:
        return Undone(False, steps)
    done: list[Step] = []
    kept: list[Path] = []
    for step in steps:
        token = UNDOES.set(step.entry.id)
        try:
            if step.state == "undo" and step.do is None:
                project = int(step.entry.made or 0)
                kept.append(back_up(studio, project, backups))
                studio.delete_project(project)
            elif step.do is not None:
                step.do()
            done.append(step)
        except (StudioRefused, StudioNotFound, InputError) as error:
            done.append(step.failed(error.what))
        finally:
            UNDOES.reset(token)
    return Undone(True, tuple(done), tuple(kept))


def plan(studio: Studio, trail: Trail, chosen: Chosen) -> tuple[Step, ...]:
    lines = list(trail.entries())
    values = trail.values.of({line["id"] for line in lines})
    entries = [Entry.read(line, values.get(line["id"], {})) for line in lines]
    if unknown := set(chosen.entries) - {entry.id for entry in entries}:
        raise InputError(f"The trail has no entry {', '.join(sorted(unknown))}.", mend="`tiebreak audit` lists them.")
    now = Now(studio, entries)
    wanted = [entry for entry in reversed(entries) if chosen.has(entry) and entry.ok]
    made = {entry.made_path for entry in wanted if entry.made_path}
    steps, whole = [], set[int]()
    for entry in wanted:  # a project that goes takes along what is in it
        if (entry.method, entry.path) == ("POST", "/api/projects/"):
            steps.append(_step(now, entry, (), ()))
            whole |= {int(entry.made)} if entry.made and steps[-1].state != "cannot" else set()
    projects = {step.entry.id: step for step in steps}
    return tuple(projects.get(entry.id) or _step(now, entry, made, whole) for entry in wanted)


def _elsewhere(now: Now, entry: Entry) -> str:
    """Why the ids of an entry mean something else here, in words; empty where they do not."""
    if entry.studio and entry.studio.rstrip("/") != now.url:
        return f"it was done to another Label Studio, {entry.studio}"
    project = now.at(f"/api/projects/{entry.project}/") if entry.project is not None else None
    made, at = read_time((project or {}).get("created_at")), read_time(entry.at)
    if made and at and made > at + CLOCKS:
        return f"project {entry.project} is another one than then: it was made since"
    return ""


def _step(now: Now, entry: Entry, made: Collection[str | None], whole: Collection[int]) -> Step:
    if why := _elsewhere(now, entry):
        return Step(entry, "cannot", f"{entry.method} {entry.path}", why)
    if entry.project in whole:
        return Step(entry, "undone", f"project {entry.project}", "it goes with its project")
    if entry.method == "DELETE" and entry.path in made:
        return Step(entry, "undone", entry.path, "it was made by what is undone, too")
    if entry.method == "PATCH" and entry.path in made and now.at(entry.path) is None:
        return Step(entry, "undone", entry.path, "what it changed was made by what is undone, and is gone")
    return way_back(now, entry)
