"""What a large model is asked, what comes back, and under which terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ml_backend.labeling.kinds import Answer
from ml_backend.prelabelers import Opinion, Reading


@dataclass(frozen=True)
class Shot:
    """A task that people have answered, shown to the model beside the question."""

    text: str
    answers: Mapping[str, Answer]
    """By control; those it is not asked about are left out."""
    why: str = ""
    precedent: bool = False
    """Whether reviewers settled it. `why` is their rationale."""


@dataclass(frozen=True)
class Question:
    """One task."""

    task: int
    data: Mapping[str, Any]
    readings: Mapping[str, Reading]
    """By control: what may be read of the task for it."""
    shots: Sequence[Shot] = ()
    """The nearest first."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one reply. What comes from the cache costs nothing."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    money: float = 0.0
    """In the currency of the prices."""
    seconds: float = 0.0
    """Waited for the endpoint, repeats and pauses included."""
    cached: bool = False
    """Whether all of it came from the cache."""

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.requests + other.requests,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.money + other.money,
            self.seconds + other.seconds,
            self.cached and other.cached,
        )


@dataclass(frozen=True)
class Reply:
    """What the large model says of one task. Its confidences are raw: how far to trust them is learned elsewhere."""

    task: int
    opinions: Mapping[str, Opinion] = field(default_factory=dict)
    """By control; one it abstains from is missing."""
    reason: str = ""
    """Why one is missing, in words; empty where none that is on the screen is."""
    cost: Cost = Cost()


class Terms(Protocol):
    """How much may be asked: `large_model:` of a project's policy."""

    @property
    def samples(self) -> int:
        """Answers asked for where no log-probabilities come, 1 or more."""

    @property
    def tokens_a_day(self) -> int | None: ...

    @property
    def money_a_day(self) -> float | None: ...

    @property
    def input_price(self) -> float:
        """Of a million tokens."""

    @property
    def output_price(self) -> float: ...


def price(terms: Terms, input_tokens: int, output_tokens: int) -> float:
    return (input_tokens * terms.input_price + output_tokens * terms.output_price) / 1_000_000
