"""What an export holds, before anyone decides in which format."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ml_backend.labeling.config import Control
from ml_backend.labeling.kinds import Answer

if TYPE_CHECKING:
    from ml_backend.labeling.kinds.boxes import Box
    from ml_backend.labeling.kinds.spans import Span

SPLITS = ("train", "validation", "test")
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")


@dataclass(frozen=True, slots=True)
class Image:
    address: str
    width: int | None = None
    """Pixels, as the regions tell; None where none does."""
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One task's label for one control."""

    task: int
    data: Mapping[str, Any]
    """The task's data: the columns that its screen shows."""
    text: str
    """What a text model reads: the text the control is about, without markup. Offsets of spans count in it; empty for
    images."""
    images: tuple[Image, ...]
    """The images that the control is about, in order of page (`Box.page`); one for most, none for texts."""
    answer: Answer
    """The consensus, as its kind has it, in annotation labels."""
    labels: tuple[str, ...]
    """Its training labels (`mapping`), one for controls that take one. Another than the answer's where merging labels
    made it the more probable."""
    soft: Mapping[str, float]
    """Training label -> probability; empty where votes do not tell."""
    confidence: float
    """That the answer is right, 0–1."""
    judgements: int
    agreement: float | None
    """Share of the judgements that gave the consensus; None with one judgement."""
    quality: float | None
    """Mean quality of its annotators, 0–1."""
    provenance: str
    """human, reviewed, machine (accepted without a person) or machine-assisted (from a prediction on the screen)."""
    policy: str
    """Version of the guidelines it was labelled under; empty where nothing tells."""
    labelled_at: str
    """ISO 8601, UTC."""
    group: int
    """Near-duplicates have the same: no group crosses a split."""
    split: str
    marks: frozenset[str] = frozenset()
    """gold, unsure, …: why one might leave it out."""
    regions: tuple[Span, ...] | tuple[Box, ...] = ()
    """Of spans and boxes: those of the answer that have a training label, under it. Spans of characters count in
    `text`, those of a dialogue's paragraphs, too (`start_in` and `end_in` are empty)."""
    unplaced: int = 0
    """Spans of the answer that are not among the regions because their place in `text` is not known."""


@dataclass(frozen=True)
class ControlSet:
    """The rows of one control, in order of task."""

    control: Control
    kind: str
    """Name of the kind (`labeling.kinds`)."""
    labels: tuple[str, ...]
    """Every training label there can be, in the mapping's order; empty for free answers."""
    rows: tuple[Row, ...]

    @property
    def folder(self) -> str:
        """The control's name where it is one for a folder, else like it and different for different controls."""
        name = self.control.name
        if _SAFE.fullmatch(name):
            return name
        like = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_")[:40] or "control"
        return f"{like}-{hashlib.sha256(name.encode(errors='replace')).hexdigest()[:8]}"

    def of(self, split: str) -> list[Row]:
        return [row for row in self.rows if row.split == split]


@dataclass(frozen=True)
class Export:
    """What is written, in whatever format."""

    name: str
    """Of the project or the file."""
    controls: tuple[ControlSet, ...]
    dropped: Mapping[str, int]
    """Why -> how many (task, control) pairs."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """What the data card tells: source, consensus methods, mapping, policy versions, annotators, seed, …"""
