"""What may replace the live version: not by a lucky gap, not against the case library."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from ml_backend.cases import Case
from ml_backend.encoder import Encoder
from ml_backend.examples import examples_of, text_hashes
from ml_backend.labeling.kinds import KINDS, Answer
from ml_backend.model_format import FORMAT
from ml_backend.model_registry import ModelRegistry
from ml_backend.outcomes import MOST_ROWS, outcomes_of
from ml_backend.prelabelers import Examples, Inputs, Opinion, learners
from ml_backend.promotion import LEVEL, MARGIN, judge, p_not_worse
from ml_backend.training import train
from tests.unit.learning.reviews import SENTIMENT, choice, labelled, reviews, task

PROJECT = "1.1795381865"


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    return ModelRegistry(str(tmp_path / "models"))


def case(text: str, label: str, id: int = 7, **fields: object) -> Case:
    made = Case(project=3, task=id, data={"text": text}, control="sentiment", answer=(label,))
    return replace(made, **fields)  # type: ignore[arg-type]


def refusals(texts: int, discordant: float, loss: float, draws: int = 1_000) -> float:
    """The share of trainings refused whose candidate loses that much accuracy in truth."""
    shares = [(discordant - loss) / 2, (discordant + loss) / 2, 1 - discordant]
    counted = np.random.default_rng(0).multinomial(texts, shares, draws)
    p = lru_cache(lambda better, worse: p_not_worse(better, worse, texts))
    return float(np.mean([p(int(better), int(worse)) < LEVEL / 2 for better, worse, _ in counted]))


@pytest.mark.parametrize("texts", [20, 100, 1_000])
@pytest.mark.parametrize("discordant", [0.05, 0.3])
def test_a_candidate_as_good_is_refused_less_often_than_stated(texts: int, discordant: float) -> None:
    assert refusals(texts, discordant, 0.0) <= LEVEL / 2
    slack = binom.ppf(0.999, 1_000, LEVEL / 2) / 1_000
    assert refusals(texts, discordant, MARGIN) <= slack


def test_a_candidate_that_is_much_worse_is_refused_and_a_slightly_worse_one_may_pass() -> None:
    assert refusals(500, 0.1, 0.06) > 0.9
    assert refusals(2_000, 0.1, 0.03) > 0.7
    assert 0.1 < refusals(500, 0.1, 0.03) < 0.5


def test_a_gap_of_three_points_among_few_texts_is_chance() -> None:
    """3 better and 6 worse of 100: -0.030 with a standard error of 0.030."""
    assert p_not_worse(3, 6, 100) > 0.25


@settings(deadline=None)
@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 2_000))
def test_a_loss_in_place_of_a_win_is_never_better_news(better: int, worse: int, same: int) -> None:
    texts = better + worse + same
    assert p_not_worse(better, 0, texts) == 1
    if better:
        assert 0 <= p_not_worse(better - 1, worse + 1, texts) <= p_not_worse(better, worse, texts) <= 1


@pytest.mark.parametrize(("spoilt", "accepted"), [(0, True), (3, True), (15, False)])
def test_a_candidate_is_compared_on_texts_that_both_answered_unseen_where_none_is_new(
    encoder: Encoder, registry: ModelRegistry, spoilt: int, accepted: bool
) -> None:
    train(PROJECT, SENTIMENT, labelled(120), encoder, registry)
    examples = examples_of(SENTIMENT, labelled(120), encoder)
    control = SENTIMENT["sentiment"]
    (learner,) = learners(SENTIMENT, control)
    learned = learner.learn(SENTIMENT, control, examples["sentiment"])
    wrong = [replace(opinion, answer=("neither",)) for opinion in learned.opinions[:spoilt] if opinion]
    candidate = replace(learned, opinions=[*wrong, *learned.opinions[spoilt:]])
    found, reason = judge(PROJECT, SENTIMENT, examples, {"sentiment": candidate}, encoder, registry)
    assert found == accepted
    assert "of 0 texts new to the live version" in reason
    assert "of 120 texts in all" in reason


def test_a_version_that_forgets_a_case_is_not_promoted_and_the_case_is_named(
    encoder: Encoder, registry: ModelRegistry
) -> None:
    """The case contradicts the new labels: the live version has the answer that was settled."""
    known = [("The parcel is on fire.", "positive"), ("A parcel on fire, again.", "positive")]
    first = [task(500 + i, {"text": text}, [choice("sentiment", label)]) for i, (text, label) in enumerate(3 * known)]
    kept = case("Parcel on fire.", "positive", severity="high")
    train(PROJECT, SENTIMENT, [*labelled(60), *first], encoder, registry)
    live = registry.live(PROJECT)
    changed = [
        task(600 + i, {"text": f"The parcel is on fire, number {i}."}, [choice("sentiment", "negative")])
        for i in range(40)
    ]
    outcome = train(PROJECT, SENTIMENT, [*labelled(60), *changed], encoder, registry, cases=[kept])
    assert not outcome.promoted
    assert "task 7 of project 3 (projects/3/data?task=7), severity high" in outcome.reason
    assert registry.live(PROJECT) == live
    unasked = train(PROJECT, SENTIMENT, [*labelled(60), *changed], encoder, registry)
    assert unasked.promoted


def test_a_case_the_live_version_gets_wrong_too_holds_nothing_up(encoder: Encoder, registry: ModelRegistry) -> None:
    wrong = case("My kettle is excellent and easy to use.", "negative")
    train(PROJECT, SENTIMENT, labelled(40), encoder, registry)
    assert train(PROJECT, SENTIMENT, labelled(80), encoder, registry, cases=[wrong]).promoted


def test_cases_are_never_learned_from(encoder: Encoder, registry: ModelRegistry) -> None:
    texts = [text for text, _ in reviews(40)[:5]]
    cases = [case(f"  {text.upper()} ", label, i) for i, (text, label) in enumerate(reviews(40)[:5])]
    outcome = train(PROJECT, SENTIMENT, labelled(40), encoder, registry, cases=cases)
    assert outcome.labels == 35
    known = registry.load(PROJECT, outcome.version)
    hashes = text_hashes(Examples((1,) * 5, Inputs(texts, encoder), (("positive",),) * 5, np.ones(5)))
    assert not np.isin(hashes, known.learned_from["sentiment"]).any()
    assert not np.isin(hashes, known.outcomes["sentiment"].texts).any()


def test_cases_of_a_control_that_is_gone_are_passed_over(encoder: Encoder, registry: ModelRegistry) -> None:
    gone = case("Whatever.", "positive", control="formerly")
    assert train(PROJECT, SENTIMENT, labelled(30), encoder, registry, cases=[gone]).promoted


def test_the_guidelines_and_the_cases_are_part_of_what_a_version_was_made_under(
    encoder: Encoder, registry: ModelRegistry
) -> None:
    def trained(**options: object) -> str:
        return train(PROJECT, SENTIMENT, labelled(30), encoder, registry, **options).version  # type: ignore[arg-type]

    names = {
        trained(),
        trained(policy_version="a"),
        trained(policy_version="b"),
        trained(cases=[case("So so.", "negative")]),
    }
    assert len(names) == 4
    assert {info.policy_version for info in registry.versions(PROJECT)} == {"", "a", "b"}
    assert len({info.data_fingerprint for info in registry.versions(PROJECT)}) == 1


def test_the_outcomes_of_a_version_are_those_of_its_opinions(encoder: Encoder, registry: ModelRegistry) -> None:
    outcome = train(PROJECT, SENTIMENT, labelled(60), encoder, registry)
    known = registry.load(PROJECT, outcome.version).outcomes["sentiment"]
    assert len(known) == 60
    assert known.correct.mean() == pytest.approx(outcome.metrics["sentiment"]["accuracy"])
    np.testing.assert_array_equal(known.correct, known.answered == known.expected)
    assert set(known.answers) == {'["negative"]', '["positive"]'}


def test_of_very_many_outcomes_the_same_sample_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_ROWS == 200_000
    monkeypatch.setattr("ml_backend.outcomes.MOST_ROWS", 10)
    monkeypatch.setattr("ml_backend.outcomes.MOST_ANSWERS", 2)
    texts = np.random.default_rng(0).permutation(np.arange(30, dtype=np.uint64))
    answers: list[Answer] = [("a",) if text < 20 else (f"rare {text}",) for text in texts.tolist()]
    opinions = [None if text == 3 else Opinion(("a",), 0.5) for text in texts.tolist()]
    known = outcomes_of(KINDS["choices"], texts, answers, opinions)
    assert set(known.texts.tolist()) == {0, 1, 2, *range(4, 11)}
    assert known.answers == ('["a"]',)
    assert known.correct.all()
    monkeypatch.undo()
    whole = outcomes_of(KINDS["choices"], texts, answers, opinions)
    assert (len(whole), whole.correct.sum()) == (29, 19)


def test_versions_of_an_older_format_break_nothing(encoder: Encoder, registry: ModelRegistry, tmp_path: Path) -> None:
    first = train(PROJECT, SENTIMENT, labelled(30), encoder, registry)
    document = tmp_path / "models" / PROJECT / first.version / "model.json"
    document.write_text(document.read_text().replace(f'"format": {FORMAT}', f'"format": {FORMAT - 1}'))
    assert registry.versions(PROJECT) == []
    again = train(PROJECT, SENTIMENT, labelled(40), encoder, registry)
    assert again.promoted
    assert registry.live(PROJECT) == again.version
