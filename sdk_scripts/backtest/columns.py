"""Cells of a label column -> answers of a control."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ml_backend.labeling.config import PATH_SEPARATOR, Control
from ml_backend.labeling.kinds import Answer, kind_of

_SEPARATORS = ("\n", ";", "|", ",")
_STEPS = re.compile(r" ?[/>] ?")


@dataclass(frozen=True, slots=True)
class Columns:
    text: str
    label: str
    item: str | None = None
    """Names what a row is about, where several rows are about the same thing."""
    control: str | None = None
    """The control that the labels answer; by the label column's name, or the only one, where left out."""


class Unreadable(ValueError):
    """A cell with a label that the control does not have."""

    def __init__(self, label: str) -> None:
        super().__init__(label)
        self.label = label


def answer_of(control: Control, cell: Any) -> Answer:
    """The answer in a cell: a label by its alias, value or path, in any case; several as a list, as JSON or with ; | ,
    or line breaks between them, where the control takes several; a taxonomy's path with / or > between its steps.

    Raises Unreadable, with the label that the control does not have.
    """
    kind = kind_of(control)
    name = kind.name if kind else ""
    if name == "rating":
        regions = [{"value": {"rating": _stars(cell)}}]
    elif name == "taxonomy":
        regions = [{"value": {"taxonomy": [list(path) for path in _picked(control, cell)]}}]
    else:
        paths = _picked(control, cell)
        choices = [list(path) if control.nested else path[-1] for path in paths]
        regions = [{"value": {"choices": choices}}]
    answer = kind.read(control, regions) if kind else None
    if answer is None:
        raise Unreadable(_words(cell))
    return answer


def _stars(cell: Any) -> Any:
    if isinstance(cell, str):
        try:
            return float(cell)
        except ValueError:
            raise Unreadable(cell) from None
    return cell


def _picked(control: Control, cell: Any) -> list[tuple[str, ...]]:
    known = _known(control)
    paths = []
    for part in _parts(control, cell, known):
        path = known.get(_folded(part))
        if path is None:
            raise Unreadable(_words(part))
        paths.append(path)
    if not paths:
        raise Unreadable(_words(cell))
    return paths


def _parts(control: Control, cell: Any, known: Mapping[str, tuple[str, ...]]) -> Iterator[Any]:
    if isinstance(cell, Mapping):  # {"choices": [...]}: how Label Studio's CSV export writes it
        cell = cell.get("choices") or cell.get("taxonomy") or [cell]
    if isinstance(cell, str) and cell.lstrip()[:1] in ("[", "{") and _folded(cell) not in known:
        try:
            yield from _parts(control, json.loads(cell), known)
            return
        except (ValueError, RecursionError):
            pass
    if isinstance(cell, Sequence) and not isinstance(cell, str):
        yield from cell
    elif isinstance(cell, str) and _folded(cell) not in known and (split := _split(cell, known)):
        yield from split
    else:
        yield cell


def _split(cell: str, known: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The parts of a cell at the first separator that is in it, best one whose parts are all known."""
    splits = [[part.strip() for part in cell.split(sign) if part.strip()] for sign in _SEPARATORS if sign in cell]
    return next(
        (parts for parts in splits if all(_folded(part) in known for part in parts)), splits[0] if splits else []
    )


@lru_cache(maxsize=16)
def _names(labels: tuple[tuple[tuple[str, ...], str, str], ...]) -> dict[str, tuple[str, ...]]:
    known: dict[str, tuple[str, ...]] = {}
    for path, text, key in reversed(labels):  # the first of two that are called alike wins
        for name in (path[-1], text, key, PATH_SEPARATOR.join(path)):
            known[_folded(name)] = path
    for path, _, key in labels:  # and a name of its own wins over one that others share
        known[_folded(key)] = path
    return known


def _known(control: Control) -> Mapping[str, tuple[str, ...]]:
    return _names(tuple((label.path, label.text, label.key) for label in control.labels))


def _folded(part: Any) -> str:
    words = PATH_SEPARATOR.join(map(_words, part)) if isinstance(part, list | tuple) else _words(part)
    return _STEPS.sub(PATH_SEPARATOR, " ".join(words.split())).casefold()


def _words(cell: Any) -> str:
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False, default=str)
