"""What may be promised of whole tasks: joined from the outcomes of their controls, by tier, and kept on new data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.kinds import kind_of
from ml_backend.outcomes import Outcomes, outcomes_of
from ml_backend.policy import Accept, Tier
from ml_backend.prelabelers import Opinion, text_hash
from sdk_scripts.route_promises import Answered, Joined, Severities, promises
from sdk_scripts.standards import Standard
from tests.unit.routing.test_decisions import CONFIG

ONE = parse(
    '<View><Text name="t" value="$t"/><Choices name="verdict" toName="t"><Choice value="ok"/><Choice value="bad"/>'
    "</Choices></View>"
)
TWO = parse(ONE.xml.replace("</View>", '<Rating name="stars" toName="t" maxRating="5"/></View>'))
NOTHING_SEVERE = Standard()


def of(config: LabelConfig, control: str, *rows: tuple[int, object, object, float]) -> Outcomes:
    """Rows: text, what the machine said and how surely, what was right (between them)."""
    kind = kind_of(config[control])
    assert kind is not None
    wrap = (lambda it: it) if kind.name == "rating" else (lambda it: (it,))
    said = [Opinion(wrap(answer), confidence) for _, answer, _, confidence in rows]
    return outcomes_of(kind, np.array([it[0] for it in rows], np.uint64), [wrap(it[2]) for it in rows], said)


def joined(config: LabelConfig, standard: Standard = NOTHING_SEVERE, **outcomes: Outcomes) -> Answered:
    return Joined(config, outcomes, Severities(config, standard)).answered()


def rows(answered: Answered) -> list[tuple[float, bool, float]]:
    found = zip(
        answered.confidence.round(3).tolist(), answered.correct.tolist(), answered.severity.tolist(), strict=True
    )
    return sorted(found)


def test_a_task_is_as_sure_as_its_least_sure_control_and_right_where_all_are() -> None:
    verdict = of(TWO, "verdict", (1, "ok", "ok", 0.9), (2, "ok", "bad", 0.8), (3, "bad", "bad", 0.95))
    stars = of(TWO, "stars", (1, 5, 5, 0.7), (2, 4, 4, 0.99), (3, 1, 2, 0.6))
    assert rows(joined(TWO, verdict=verdict, stars=stars)) == [(0.6, False, 1.0), (0.7, True, 1.0), (0.8, False, 1.0)]


def test_tasks_that_people_left_a_control_of_unanswered_say_nothing_unless_the_rest_is_wrong() -> None:
    verdict = of(TWO, "verdict", (1, "ok", "ok", 0.9), (2, "ok", "bad", 0.8))
    assert rows(joined(TWO, verdict=verdict, stars=of(TWO, "stars", (9, 5, 5, 0.7)))) == [(0.8, False, 1.0)]


def test_a_control_that_the_predicted_answer_hides_does_not_count_and_one_that_none_answers_rules_the_task_out() -> (
    None
):
    verdict = of(CONFIG, "verdict", (1, "ok", "ok", 0.9), (2, "bad", "bad", 0.8), (3, "ok", "bad", 0.7))
    clause = of(CONFIG, "clause", (1, "a", "a", 0.1), (2, "a", "a", 0.6), (3, "b", "a", 0.2))
    assert rows(joined(CONFIG, verdict=verdict, clause=clause)) == [(0.7, False, 1.0), (0.9, True, 1.0)]


def test_equal_texts_come_together_in_their_order() -> None:
    verdict = of(TWO, "verdict", (7, "ok", "ok", 0.9), (7, "ok", "bad", 0.8))
    stars = of(TWO, "stars", (7, 5, 5, 0.7), (7, 4, 4, 0.6))
    assert rows(joined(TWO, verdict=verdict, stars=stars)) == [(0.6, False, 1.0), (0.7, True, 1.0)]


def test_severity_is_that_of_the_predicted_answer_or_of_the_risk_words() -> None:
    standard = Standard(severity={"bad": 5, "ok": 0.5}, risk_words={"gun": 3})
    severities = Severities(ONE, standard)
    assert severities.of({"verdict": ("bad",)}) == (5.0, "verdict")
    assert severities.of({"verdict": ("ok",)}) == (0.5, "verdict")
    assert severities.of({"verdict": ("ok",)}, 3.0) == (3.0, "")
    tasks = [{"id": 1, "data": {"t": "A GUN, new"}}, {"id": 2, "data": {"t": "a lamp"}}]
    assert severities.of_texts(tasks) == {text_hash("A GUN, new"): 3.0}
    verdict = of(ONE, "verdict", (1, "ok", "bad", 0.9), (2, "bad", "ok", 0.8))
    found = Joined(ONE, {"verdict": verdict}, severities, {1: 3.0}).answered()
    assert rows(found) == [(0.8, False, 5.0), (0.9, False, 3.0)]


def test_what_was_answered_jointly_counts_in_place_of_the_local_answer_of_the_same_control() -> None:
    local = {
        "verdict": of(TWO, "verdict", (1, "ok", "bad", 0.9), (2, "ok", "ok", 0.9)),
        "stars": of(TWO, "stars", (1, 5, 5, 0.8), (2, 5, 5, 0.8)),
    }
    joint = {"verdict": of(TWO, "verdict", (1, "bad", "bad", 0.99))}
    found = Joined(TWO, local, Severities(TWO, NOTHING_SEVERE)).answered(joint)
    assert rows(found) == [(0.8, True, 1.0)]


def test_each_tier_has_a_promise_of_its_own_and_says_how_many_labels_one_takes() -> None:
    rng = np.random.default_rng(0)
    n = 2_000
    confidence = rng.random(n)
    severity = np.where(rng.random(n) < 0.2, 5.0, 1.0)
    answered = Answered(confidence, rng.random(n) < 0.5 + confidence / 2, severity)
    accept = Accept(tiers=(Tier(error=0.2), Tier(severity=5, error=0.01)), people_from=50)
    found = promises(accept, {"local": answered})
    assert set(found) == {(0.0, "local"), (5.0, "local")}
    lower, upper = found[0.0, "local"], found[5.0, "local"]
    assert lower.threshold is not None
    assert lower.threshold.bound <= 0.2
    assert upper.threshold is None
    assert upper.needed is None or upper.needed > upper.labels
    assert lower.labels + upper.labels == n
    assert promises(Accept(people_from=0), {"local": answered}) == {}


@pytest.mark.parametrize("budget", [0.05, 0.1])
def test_the_promise_is_kept_on_tasks_never_seen_as_often_as_the_certainty_says(budget: float) -> None:
    """Confidences that promise too much; 100 samples to learn from, and the true share of errors."""
    rng = np.random.default_rng(1)
    over = accepted = 0
    for _ in range(100):
        confidence = rng.beta(20, 1, 1_200)
        right = rng.random(1_200) < confidence**1.3  # less often right than it says
        found = promises(Accept(tiers=(Tier(error=budget),)), {"local": Answered(confidence, right, np.ones(1_200))})
        threshold = found[0.0, "local"].threshold
        if threshold is not None:
            accepted += 1
            new = rng.beta(20, 1, 40_000)
            taken = new >= threshold.confidence
            over += (1 - new[taken] ** 1.3).mean() > budget
    assert accepted >= 50
    assert over <= 10  # of 100, 5 may be


@given(st.lists(st.tuples(st.integers(1, 5), st.booleans(), st.floats(0, 1)), max_size=30))
def test_no_outcome_is_counted_twice_and_none_is_made_up(made: list[tuple[int, bool, float]]) -> None:
    verdict = of(ONE, "verdict", *[(text, "ok", "ok" if right else "bad", sure) for text, right, sure in made])
    found = joined(ONE, verdict=verdict)
    assert len(found) == len(made)
    assert found.correct.sum() == sum(right for _, right, _ in made)
