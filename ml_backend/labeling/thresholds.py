"""Risk-controlled thresholds: above which confidence may answers be accepted, for a promise of at most so many errors?

The promise holds for data like the labelled sample. Data that drift away from it break every promise made here: keep
auditing a slice of what is accepted.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml_backend.labeling.confidence import checked_confidences
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.units import Floats

CERTAINTY = 0.95
STEP = 1.1
"""Between sizes of the accepted set that are tested; a finer one costs time and gains half a percent of coverage."""

Group = TypeVar("Group", bound=Hashable)
Counts = NDArray[np.signedinteger]


@dataclass(frozen=True, slots=True)
class Threshold:
    """Accept an answer whose confidence is at least `confidence`."""

    confidence: float
    coverage: float
    """Share of the sample that it accepts."""
    accepted: int
    errors: int
    bound: float
    """Upper bound of the share of errors among what is accepted, at the certainty asked for: at most the budget."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much can be accepted at an accuracy, 0–1."""

    guaranteed: float | None
    """With the certainty asked for; None where no threshold can promise the accuracy."""
    empirical: float
    """As if the sample were all there is: what one may hope for, not what one may promise."""


def accept_above(
    confidence: ArrayLike, correct: ArrayLike, *, error: float, certainty: float = CERTAINTY
) -> Threshold | None:
    """The threshold that accepts most while, with probability `certainty` over samples, at most a share `error` of what
    it accepts is wrong. None: no threshold can promise that yet.

    `confidence` (n,) in [0, 1] and `correct` (n,) are of answers whose truth the model had not seen. Answers of equal
    confidence are accepted together or not at all. Raises InputError for anything else than that, or for a budget or
    certainty outside (0, 1).

    Each prefix of the answers, the most confident first, is one hypothesis "its error is over budget", tested by the
    exact binomial tail; to choose among them is to test them all (Learn then Test: Angelopoulos, Bates, Candès, Jordan
    & Lei 2021; selective risk: Geifman & El-Yaniv 2017). Here the local level of the tests is the largest at which a
    walk that errs at just `error` passes any of them with probability 1 − certainty, worked out exactly (as for bands
    of equal local level: Berk & Jones 1979; Moscovich & Nadler 2017). Tests of nested prefixes go together so closely
    that 20,000 answers cost as much as ten independent tests, where a union bound over the prefixes would cost far
    more, and a fixed sequence of tests ends at the first stroke of bad luck among the most confident.

    It is exact if the chance of an error does not rise with confidence. Let N be the number of answers in the smallest
    prefix that is over budget in truth. Given N, their errors are independent at a rate of `error` or more, and so is
    each error beyond them: from N on the count of errors is never, in distribution, below that of the walk.
    """
    sure, right = checked_confidences(confidence, correct)
    _check(error, certainty)
    ends, wrong = _prefixes(sure, right)
    passed = np.flatnonzero(_passes(ends, wrong, error, certainty))
    if not len(passed):
        return None
    best = passed[-1]
    accepted, errors = int(ends[best]), int(wrong[best])
    return Threshold(
        confidence=float(np.sort(sure)[-accepted]),
        coverage=accepted / len(sure),
        accepted=accepted,
        errors=errors,
        bound=_upper_bound(errors, accepted, len(sure), error, certainty),
    )


def accept_above_by(
    confidence: ArrayLike,
    correct: ArrayLike,
    groups: Sequence[Group],
    *,
    errors: float | Mapping[Group, float],
    certainty: float = CERTAINTY,
    together: bool = True,
) -> dict[Group, Threshold | None]:
    """A threshold for each group of answers: for each label that the model gives, say, or each severity.

    A budget over everything can be kept while a rare label is mostly wrong; a budget of its own cannot. `groups` (n,)
    is what each answer belongs to, which must be known without its truth; `errors` is one budget, or one for each
    group. With `together` all promises hold at once with the certainty (Bonferroni over the groups that occur), without
    it each alone does. Raises InputError as `accept_above` does, and for a group without a budget.
    """
    sure, right = checked_confidences(confidence, correct)
    if len(groups) != len(sure):
        raise InputError(f"{len(sure)} confidences need as many groups, not {len(groups)}.")
    rows: dict[Group, list[int]] = {}
    for row, group in enumerate(groups):
        rows.setdefault(group, []).append(row)
    if isinstance(errors, Mapping) and (missing := [str(group) for group in rows if group not in errors]):
        raise InputError(f"There is no error budget for {', '.join(missing[:10])}.", mend="Give each group one.")
    _check(0.5, certainty)
    each = 1 - (1 - certainty) / max(len(rows), 1) if together else certainty
    return {
        group: accept_above(
            sure[own],
            right[own],
            error=errors[group] if isinstance(errors, Mapping) else errors,
            certainty=each,
        )
        for group, own in rows.items()
    }


def coverage_at(
    confidence: ArrayLike,
    correct: ArrayLike,
    accuracies: Sequence[float] = (0.95, 0.99),
    certainty: float = CERTAINTY,
) -> dict[float, Coverage]:
    """Accuracy -> the share of answers that can be accepted at it. Arguments and errors as for `accept_above`."""
    sure, right = checked_confidences(confidence, correct)
    ends, wrong = _prefixes(sure, right)
    found = {}
    for accuracy in accuracies:
        threshold = accept_above(sure, right, error=round(1 - accuracy, 12), certainty=certainty)
        # 1e-12: 19 of 20 are 95 %, whatever binary fractions make of it
        kept = ends[wrong <= (1 - accuracy) * ends + 1e-12]
        found[accuracy] = Coverage(
            threshold.coverage if threshold else None, int(kept[-1]) / len(sure) if len(kept) else 0.0
        )
    return found


def labels_needed(
    confidence: ArrayLike, correct: ArrayLike, *, error: float, certainty: float = CERTAINTY
) -> int | None:
    """About how many labels in all it takes until some threshold can promise the budget, if the errors stay as they
    are; the present number where one can. None where even the most confident answers are wrong too often, at any
    number. A rough figure: the rate of errors is itself known roughly. Raises InputError as `accept_above` does.
    """
    sure, right = checked_confidences(confidence, correct)
    _check(error, certainty)
    ends, wrong = _prefixes(sure, right)
    if _passes(ends, wrong, error, certainty).any():
        return len(sure)
    rate = (wrong + 0.3) / (ends + 1)  # a part of an error more: none among few is no proof of none
    hopeful = (rate < error) & (ends >= min(_fewest(error, certainty), max(len(sure) // 10, 1)))
    if not hopeful.any():
        return None
    p, share = rate[hopeful], ends[hopeful] / len(sure)
    # Chernoff: the tail of n answers with errors at the rate p is exp(-n KL(p, error)); a single test of several has a
    # fifth of the level
    divergence = p * np.log(p / error) + (1 - p) * np.log((1 - p) / (1 - error))
    return max(len(sure) + 1, math.ceil(float((math.log(5 / (1 - certainty)) / divergence / share).min())))


def _prefixes(sure: Floats, right: NDArray[np.bool_]) -> tuple[Counts, Counts]:
    """The sizes of the prefixes that end where a confidence ends, the most confident first, and the errors in each."""
    order = np.argsort(-sure, kind="stable")
    last: Counts = np.flatnonzero(np.diff(sure[order], append=-1.0)) if len(sure) else np.empty(0, np.int64)
    wrong: Counts = np.cumsum(~right[order], dtype=np.int64)
    return last + 1, wrong[last]


def _passes(ends: Counts, wrong: Counts, error: float, certainty: float) -> NDArray[np.bool_]:
    """Each prefix counts as the largest tested size that fits into it: with all its errors, hence on the safe side."""
    if not len(ends):
        return np.zeros(0, np.bool_)
    sizes, most, _ = _tests(int(ends[-1]), error, certainty)
    passed: NDArray[np.bool_] = wrong <= most[np.searchsorted(sizes, ends, side="right") - 1]
    return passed


def _upper_bound(errors: int, accepted: int, n: int, error: float, certainty: float) -> float:
    """Clopper & Pearson (1934), one-sided, at the level of a single test."""
    from scipy.stats import beta

    sizes, _, level = _tests(n, error, certainty)
    tested = int(sizes[np.searchsorted(sizes, accepted, side="right") - 1])
    return min(error, float(beta.ppf(1 - level, errors + 1, tested - errors)))


@lru_cache(maxsize=256)
def _tests(n: int, error: float, certainty: float) -> tuple[Counts, Counts, float]:
    """The sizes tested, the most errors that pass at each, and the level of each test."""
    sizes = _sizes(n)
    level = _local_level(int(sizes[-1]), error, certainty)
    return sizes, _most_errors(sizes, error, level), level


def _sizes(n: int) -> Counts:
    """The sizes tested, up to n: they may depend on nothing but n."""
    if n < 1:
        return np.empty(0, np.int64)
    powers = STEP ** np.arange(int(math.log(n, STEP)) + 2)
    sizes = np.unique(np.ceil(powers - 1e-9).astype(np.int64))
    return sizes[sizes <= n]


def _most_errors(sizes: Counts, error: float, level: float) -> Counts:
    """For each size the most errors that pass the test at that level; -1 where none do."""
    from scipy.special import bdtr

    passing: Counts = np.full(len(sizes), -1, np.int64)
    failing: Counts = sizes.copy()
    while (failing - passing > 1).any():  # bisection: many times as fast as scipy.stats.binom.ppf
        middle = (passing + failing) // 2
        passes = (middle < 0) | (bdtr(np.maximum(middle, 0), sizes, error) <= level)
        passing, failing = np.where(passes, middle, passing), np.where(passes, failing, middle)
    return passing


@lru_cache(maxsize=1024)
def _local_level(largest: int, error: float, certainty: float) -> float:
    """The largest level, to 2 %, of the single tests with which all of them, up to that size, keep the certainty."""
    tested = _sizes(largest)
    low, high = (1 - certainty) / len(tested), 1 - certainty
    if _chance_to_pass(tested, error, high) <= 1 - certainty:
        return high
    while high > 1.02 * low:
        middle = math.sqrt(low * high)
        if _chance_to_pass(tested, error, middle) <= 1 - certainty:
            low = middle
        else:
            high = middle
    return low


def _chance_to_pass(sizes: Counts, error: float, level: float) -> float:
    """The probability that a walk with independent errors at the rate `error` passes any of the tests."""
    most = _most_errors(sizes, error, level)
    alive: Floats = np.ones(1)
    least = 0  # alive[i]: the walk has least + i errors and has passed no test
    for size, passing, step in zip(sizes.tolist(), most.tolist(), _steps(int(sizes[-1]), error), strict=True):
        alive = np.convolve(alive, step).astype(np.float64)
        passed = max(0, passing + 1 - least)
        alive, least = alive[passed:], least + passed
        # ten standard deviations above its mean the walk will pass no more
        far = int(size * error + 10 * math.sqrt(size * error) + 20) - least
        if len(alive) > far > 0:
            alive = np.append(alive[: far - 1], alive[far - 1 :].sum())
    return float(1 - alive.sum())


@lru_cache(maxsize=64)
def _steps(largest: int, error: float) -> tuple[Floats, ...]:
    """The probabilities of 0, 1, 2, … errors on the way from one tested size to the next."""
    from scipy.stats import binom

    lengths = np.diff(_sizes(largest), prepend=0)
    return tuple(
        binom.pmf(np.arange(most + 2), n, error)
        for n, most in zip(lengths.tolist(), binom.ppf(1 - 1e-14, lengths, error).astype(int).tolist(), strict=True)
    )


def _fewest(error: float, certainty: float) -> int:
    """Answers without a single error that prove the budget."""
    return math.ceil(math.log(1 - certainty) / math.log(1 - error))


def _check(error: float, certainty: float) -> None:
    for name, value in (("error budget", error), ("certainty", certainty)):
        if not 0 < value < 1:
            raise InputError(f"The {name} is a share between 0 and 1, not {value}.")
