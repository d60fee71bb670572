"""What a threshold promises is kept on data never seen: by simulation, and the laws that hold for any sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from ml_backend.labeling.errors import InputError
from ml_backend.labeling.thresholds import accept_above, accept_above_by, coverage_at, labels_needed

DRAWS = 400
MOST_BROKEN = int(binom.ppf(0.9999, DRAWS, 0.05))
"""Of 400 promises with certainty 0.95 that are just kept, more are broken once in 10,000 runs: 39."""
MANY = np.linspace(0, 1, 20_001)[:-1] + 2.5e-5


@dataclass(frozen=True)
class Population:
    """Answers by their place in [0, 1], the most confident first."""

    confidence: Callable[[np.ndarray], np.ndarray]
    wrong: Callable[[np.ndarray], np.ndarray]
    """The chance that the answer at a place is wrong."""

    def draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        place = rng.random(n)
        return self.confidence(place), rng.random(n) >= self.wrong(place)

    def error_above(self, threshold: float) -> float:
        return float(self.wrong(MANY)[self.confidence(MANY) >= threshold].mean())

    def best_coverage(self, error: float) -> float:
        """The share of answers, tied ones together, that could be accepted by somebody who knew all."""
        errors = np.cumsum(self.wrong(MANY)) / np.arange(1, len(MANY) + 1)
        ends = np.flatnonzero(np.diff(self.confidence(MANY), append=-1.0))
        within = ends[errors[ends] <= error]
        return (within[-1] + 1) / len(MANY) if len(within) else 0.0


POPULATIONS = {
    "calibrated": Population(lambda u: 1 - 0.6 * u**2, lambda u: 0.6 * u**2),
    "overconfident": Population(lambda u: 1 - 0.1 * u, lambda u: 0.008 + 0.5 * u**3),
    "underconfident": Population(lambda u: 0.6 - 0.3 * u, lambda u: 0.3 * u**4),
    "tied": Population(lambda u: 1 - np.floor(8 * u) / 10, lambda u: 0.002 + 0.4 * (np.floor(8 * u) / 8) ** 3),
    "at the budget everywhere": Population(lambda u: 1 - u, lambda u: np.full_like(u, 0.0501)),
    "worst where most confident": Population(
        lambda u: 1 - u, lambda u: 0.02 + 0.3 * np.abs(u - 0.3) ** 2 + 0.2 * (u < 0.02)
    ),
}


@pytest.mark.parametrize("n", [300, 2_000])
@pytest.mark.parametrize("name", POPULATIONS)
def test_the_budget_is_kept_on_fresh_data_as_often_as_promised(name: str, n: int) -> None:
    population, rng = POPULATIONS[name], np.random.default_rng(0)
    found = [accept_above(*population.draw(n, rng), error=0.05) for _ in range(DRAWS)]
    assert sum(population.error_above(it.confidence) > 0.05 for it in found if it) <= MOST_BROKEN


def test_a_threshold_chosen_for_the_sample_alone_breaks_its_promise_half_of_the_time() -> None:
    population, rng, broken = POPULATIONS["calibrated"], np.random.default_rng(0), 0
    for _ in range(DRAWS):
        confidence, correct = population.draw(2_000, rng)
        order = np.argsort(-confidence)
        within = np.flatnonzero(np.cumsum(~correct[order]) <= 0.05 * np.arange(1, 2_001))
        broken += population.error_above(confidence[order[within[-1]]]) > 0.05
    assert broken > 0.4 * DRAWS > MOST_BROKEN


@pytest.mark.parametrize(
    ("name", "n", "least"),
    [("calibrated", 2_000, 0.75), ("overconfident", 2_000, 0.7), ("tied", 4_000, 0.7), ("calibrated", 20_000, 0.9)],
)
def test_it_accepts_most_of_what_could_be_accepted_by_somebody_who_knew_all(name: str, n: int, least: float) -> None:
    population, rng = POPULATIONS[name], np.random.default_rng(1)
    found = [accept_above(*population.draw(n, rng), error=0.05) for _ in range(50)]
    assert np.mean([it.coverage if it else 0.0 for it in found]) > least * population.best_coverage(0.05)


def test_a_rare_class_has_a_promise_of_its_own() -> None:
    """One answer in 25 is "rare", and a third of those are wrong: the budget over everything never notices."""
    common, rare = POPULATIONS["calibrated"], Population(lambda u: 1 - 0.3 * u, lambda u: 0.2 + 0.4 * u)
    rng, broken, hidden, accepted = np.random.default_rng(2), 0, 0, 0
    for _ in range(DRAWS):
        label = np.where(rng.random(3_000) < 0.04, "rare", "common")
        confidence, correct = common.draw(3_000, rng)
        own = label == "rare"
        confidence[own], correct[own] = rare.draw(int(own.sum()), rng)
        overall = accept_above(confidence, correct, error=0.05)
        hidden += overall is not None and rare.error_above(overall.confidence) > 0.05
        found = accept_above_by(confidence, correct, label.tolist(), errors={"rare": 0.1, "common": 0.05})
        accepted += found["common"] is not None
        broken += any(
            it is not None and known.error_above(it.confidence) > error
            for it, known, error in ((found["rare"], rare, 0.1), (found["common"], common, 0.05))
        )
    assert broken <= MOST_BROKEN
    assert hidden == accepted == DRAWS


@pytest.mark.parametrize(("error", "fewest"), [(0.05, 59), (0.02, 149), (0.01, 299)])
def test_few_labels_promise_nothing_however_right_they_are(error: float, fewest: int) -> None:
    """(1 - error)^n is above 1 - certainty: as many right answers in a row are no proof."""
    assert accept_above(np.linspace(0.5, 1, fewest - 1), np.ones(fewest - 1), error=error) is None
    found = accept_above(np.linspace(0.5, 1, 2 * fewest), np.ones(2 * fewest), error=error)
    assert found is not None
    assert (found.coverage, found.errors) == (1.0, 0)


samples = st.lists(st.tuples(st.sampled_from([0.1, 0.5, 0.7, 0.9, 0.99]) | st.floats(0, 1), st.booleans()), max_size=60)
mostly_right = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 30).map(bool)), min_size=60, max_size=400)


@settings(deadline=None)
@given(samples | mostly_right, st.sampled_from([0.05, 0.1, 0.2, 0.4]))
def test_what_is_accepted_is_a_prefix_whose_bound_holds(sample: list[tuple[float, bool]], error: float) -> None:
    confidence, correct = np.array([c for c, _ in sample]), np.array([r for _, r in sample], bool)
    found = accept_above(confidence, correct, error=error)
    if found is None:
        return
    above = confidence >= found.confidence
    assert (found.accepted, found.errors) == (above.sum(), (above & ~correct).sum())
    assert found.coverage == found.accepted / len(sample)
    assert found.errors / found.accepted < found.bound <= error
    assert binom.cdf(found.errors, found.accepted, error) <= 0.05


@settings(deadline=None)
@given(samples | mostly_right, st.sampled_from([0.02, 0.05, 0.1, 0.3]), st.floats(1.15, 3))
def test_a_larger_budget_never_accepts_less(sample: list[tuple[float, bool]], error: float, factor: float) -> None:
    confidence, correct = [c for c, _ in sample], [r for _, r in sample]
    small, large = (accept_above(confidence, correct, error=it) for it in (error, factor * error))
    assert small is None or (large is not None and large.coverage >= small.coverage)


@settings(deadline=None)
@given(samples | mostly_right, st.sampled_from([0.05, 0.2]))
def test_there_is_none_only_where_no_prefix_passes_even_alone_at_the_strictest_level(
    sample: list[tuple[float, bool]], error: float
) -> None:
    confidence, correct = np.array([c for c, _ in sample]), np.array([r for _, r in sample], bool)
    prefixes = [(int((confidence >= at).sum()), int((~correct[confidence >= at]).sum())) for at in confidence]
    found = accept_above(confidence, correct, error=error)
    # a prefix counts as the largest tested size that fits into it, a tenth smaller at most; 70 are tested up to 400
    if min((binom.cdf(wrong, int(size / 1.1), error) for size, wrong in prefixes), default=1.0) <= 0.05 / 70:
        assert found is not None
    if min((binom.cdf(wrong, size, error) for size, wrong in prefixes), default=1.0) > 0.05:
        assert found is None


@given(samples, st.randoms())
@settings(deadline=None)
def test_the_order_of_the_sample_does_not_matter(sample: list[tuple[float, bool]], source) -> None:
    shuffled = source.sample(sample, len(sample))
    one, other = (accept_above([c for c, _ in it], [r for _, r in it], error=0.3) for it in (sample, shuffled))
    assert one == other


def test_equal_confidences_are_accepted_together_or_not_at_all() -> None:
    confidence = np.repeat([0.9, 0.8], [200, 200])
    correct = np.r_[np.ones(200), np.zeros(40), np.ones(160)]
    found = accept_above(confidence, correct, error=0.05)
    assert found is not None
    assert (found.confidence, found.accepted, found.errors) == (0.9, 200, 0)
    assert accept_above(np.full(400, 0.9), correct, error=0.05) is None


def test_promises_of_all_groups_together_accept_less_than_each_alone() -> None:
    rng = np.random.default_rng(3)
    confidence, correct = POPULATIONS["calibrated"].draw(4_000, rng)
    groups = [f"label {i % 8}" for i in range(4_000)]
    together, alone = (accept_above_by(confidence, correct, groups, errors=0.05, together=it) for it in (True, False))
    assert set(together) == set(alone) == set(groups)
    covered = [sum(it.accepted for it in found.values() if it) for found in (together, alone)]
    assert 0 < covered[0] < covered[1]


def test_coverage_is_given_as_promised_and_in_hindsight() -> None:
    confidence, correct = POPULATIONS["calibrated"].draw(5_000, np.random.default_rng(4))
    found = coverage_at(confidence, correct)
    assert set(found) == {0.95, 0.99}
    promised = found[0.95].guaranteed
    assert promised is not None
    assert 0.3 < promised < found[0.95].empirical
    assert coverage_at(confidence[:30], correct[:30])[0.99].guaranteed is None


def test_as_many_labels_as_are_said_to_be_needed_are_about_enough() -> None:
    population, rng = POPULATIONS["underconfident"], np.random.default_rng(5)
    confidence, correct = population.draw(150, rng)
    needed = labels_needed(confidence, correct, error=0.02)
    assert needed is not None
    assert 150 < needed < 5_000
    assert accept_above(*population.draw(2 * needed, rng), error=0.02) is not None
    assert accept_above(*population.draw(needed // 6, rng), error=0.02) is None


def test_no_number_of_labels_is_enough_where_the_most_confident_answers_are_wrong() -> None:
    rng = np.random.default_rng(6)
    assert labels_needed(rng.random(500), rng.random(500) < 0.5, error=0.05) is None
    assert labels_needed([], [], error=0.05) is None


@pytest.mark.parametrize("error", [0, 1, -0.1, float("nan")])
def test_a_budget_that_is_none_is_refused(error: float) -> None:
    with pytest.raises(InputError, match="error budget"):
        accept_above([0.5], [True], error=error)
    with pytest.raises(InputError, match="certainty"):
        accept_above([0.5], [True], error=0.1, certainty=error)


def test_samples_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError):
        accept_above([0.5, 1.5], [True, True], error=0.1)
    with pytest.raises(InputError):
        accept_above([0.5], [True, False], error=0.1)
    with pytest.raises(InputError, match="as many groups"):
        accept_above_by([0.5], [True], [], errors=0.1)
    with pytest.raises(InputError, match="rare"):
        accept_above_by([0.5], [True], ["rare"], errors={"common": 0.1})
    assert accept_above_by([], [], [], errors=0.1) == {}
