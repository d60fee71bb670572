"""An export as a folder, whole or not at all:

    README.md                  the data card
    export.json                the figures, the tasks of what did not come through, the SHA-256 of every other file
    <format>/<control>/…       the data

It is written beside its place and then moved there. A folder that holds anything but an earlier export, as it was
written, is left alone.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml_backend.labeling.errors import InputError
from sdk_scripts.training_export.card import card
from sdk_scripts.training_export.collect import document
from sdk_scripts.training_export.formats import FORMATS
from sdk_scripts.training_export.model import Export

if TYPE_CHECKING:
    from ml_backend.settings import Settings

INDEX = "export.json"
CARD = "README.md"
_MARK = "tiebreak training export"
_SHOWN = 5


@dataclass(frozen=True)
class Files:
    out: Path
    names: tuple[str, ...]
    """Paths in `out`, sorted."""
    lost: Mapping[str, Mapping[str, int]]
    """Format -> what did not come through -> how many rows, spans or boxes."""


def check(out: Path) -> Path:
    """The folder an export to `out` would be. Raises InputError where something else is there."""
    out = out.expanduser().resolve()
    if not out.exists():
        return out
    if not out.is_dir():
        raise InputError(f"{out} is a file.", mend="Name a folder that is not there yet, or an earlier export.")
    there = {str(path.relative_to(out)) for path in out.rglob("*") if not path.is_dir()}
    if not there:
        return out
    known = _index(out)
    if known is None:
        raise InputError(
            f"{out} holds files that are no earlier export ({_listed(there)}).",
            mend="Name a folder that is not there yet, or an earlier export.",
        )
    changed = {name for name in there - {INDEX} if known.get(name) != _digest(out / name)}
    if changed:
        raise InputError(
            f"{out} is an earlier export, but not as it was written: {_listed(changed)} is new or was changed.",
            mend="Move that away, or name another folder.",
        )
    return out


def write(export: Export, out: Path, formats: Sequence[str], settings: Settings) -> Files:
    """Write the export in these formats; an earlier one there is replaced. Raises InputError for a format that cannot
    hold it, and where `out` is something else; UnknownName for a format."""
    from sdk_scripts.alone import alone

    out = check(out)
    draft, old = (out.with_name(f".{out.name}.tiebreak-{what}") for what in ("new", "old"))
    name = hashlib.sha256(str(out).encode()).hexdigest()[:16]
    with alone(settings, f"export-{name}"):
        try:
            if old.exists() and not out.exists():
                old.rename(out)  # somebody was stopped between the two moves below
            for left in (draft, old):
                shutil.rmtree(left, ignore_errors=True)
            draft.mkdir(parents=True)
            found = _fill(export, draft, list(dict.fromkeys(formats)))
            if out.exists():
                out.rename(old)
            draft.rename(out)
            shutil.rmtree(old, ignore_errors=True)
        except OSError as error:
            raise InputError(f"{out} cannot be written: {error}.", mend="Check the path and the disk.") from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return replace(found, out=out)


def _fill(export: Export, folder: Path, formats: Sequence[str]) -> Files:
    lost: dict[str, Mapping[str, Sequence[int]]] = {}
    front: dict[str, Mapping[str, Any]] = {}
    for name in formats:
        form = FORMATS[name]
        part = held(export, name)
        (folder / name).mkdir()
        written = form.write(part, folder / name)
        if found := {**written.lost, **_unplaced(part)}:
            lost[name] = dict(sorted(found.items()))
        if form.front is not None:
            front[name] = form.front(part, name)
    counts = {name: {why: len(tasks) for why, tasks in found.items()} for name, found in lost.items()}
    (folder / CARD).write_text(card(export, formats, counts, front), encoding="utf-8", newline="\n")
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    index = {
        "what": _MARK,
        "name": export.name,
        **document(export),
        "formats": sorted(formats),
        "lost": lost,
        "about": export.about,
        "files": {name: _digest(folder / name) for name in names},
    }
    text = json.dumps(index, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False, default=str)
    (folder / INDEX).write_bytes(f"{text}\n".encode(errors="replace"))
    return Files(folder, (*names, INDEX), counts)


def _unplaced(export: Export) -> dict[str, list[int]]:
    """The tasks whose spans no format has, as rows do not know where in the text they are."""
    tasks = [row.task for it in export.controls for row in it.rows for _ in range(row.unplaced)]
    return {"a span whose place in the text is not known: left out": tasks} if tasks else {}


def held(export: Export, name: str) -> Export:
    """The controls that a format can hold. Raises InputError where it is none of them."""
    kinds = FORMATS[name].kinds
    controls = tuple(it for it in export.controls if kinds is None or it.kind in kinds)
    if not controls:
        asked = ", ".join(f"{it.control.name} ({it.kind})" for it in export.controls)
        raise InputError(
            f"The format {name} holds {' and '.join(sorted(kinds or ()))}; the controls exported are {asked}.",
            mend="Choose another --format, or other controls with --control.",
        )
    return replace(export, controls=controls)


def _index(out: Path) -> dict[str, str] | None:
    """Path -> SHA-256 of an earlier export's files; None where it is none."""
    try:
        read = json.loads((out / INDEX).read_bytes())
        return dict(read["files"]) if read["what"] == _MARK else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _listed(names: set[str]) -> str:
    some = sorted(names)
    return ", ".join(some[:_SHOWN]) + (f" and {len(some) - _SHOWN} more" if len(some) > _SHOWN else "")
