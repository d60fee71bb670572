"""Inspection rules, one file each: what shows that something is off with an annotator, an item or the guidelines.

A rule measures every subject it can, and says of each whether it is beyond a threshold that matters and how likely
chance alone would bring it there. `inspection` decides over all rules together which of it is a finding. Where a rule's
evidence is missing altogether it raises NotEnoughLabels or ModelUnavailable, and the inspection goes on without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic import Field

from ml_backend.labeling.plugins import Registry
from sdk_scripts.inspected import Inspected
from sdk_scripts.manifest_section import Section
from sdk_scripts.quality import Severity
from sdk_scripts.sources import Dataset

__all__ = ["RULES", "Dataset", "Inspected", "Observation", "Parameters", "Rule", "Severity", "register"]

Dimension = Literal["speed", "attention", "reliability", "human-ai", "content", "process"]
About = Literal["annotator", "item", "guideline", "process"]

MAX_EVIDENCE = 50


class Parameters(Section):
    """What rules.yaml may say of a rule."""

    minimum: int = Field(default=20, ge=1, description="least n to say anything")


@dataclass(frozen=True, slots=True)
class Observation:
    """What a rule measured of one subject."""

    subject: str
    """The annotator; empty: the project."""
    value: float
    threshold: float
    n: int
    """What `value` was measured on."""
    off: bool
    """Whether the value, or the bound of its interval, is beyond the threshold."""
    message: str
    """One sentence with the numbers, for people."""
    evidence: tuple[int, ...] = ()
    """Task ids, the most telling first; at most MAX_EVIDENCE."""
    control: str = ""
    p: float | None = None
    """Probability of a value as bad or worse by chance, of a subject that works with care; None: it is a fact."""
    about: About = "annotator"


class Rule(Protocol):
    """What a file in this folder registers an instance of. Its docstring says how it is measured, with the source."""

    name: str
    dimension: Dimension
    severity: Severity
    why: str
    """Why it matters."""
    do: str
    """What to do about a finding."""
    parameters: type[Parameters]
    bad: Callable[[], Dataset]
    """A dataset in which the rule finds something, and a good one in which it does not."""
    good: Callable[[], Dataset]

    def __call__(self, inspected: Inspected, parameters: Parameters) -> Iterable[Observation]:
        """Of every subject with enough to measure. Raises NotEnoughLabels or ModelUnavailable."""


RULES: Registry[Rule] = Registry("inspection rule", __name__)
register = RULES.register_class
