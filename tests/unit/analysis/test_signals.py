"""What every signal promises, and what each of them says."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.analysis.exports import EVERY_KIND, annotation, choice, dataset, predicted, task, voted
from unit.analysis.given import GivenEvidence, opinion, sentiment

from ml_backend.labeling.config import parse
from ml_backend.labeling.errors import ModelUnavailable, NotEnoughLabels
from ml_backend.labeling.kinds import kind_of
from sdk_scripts.signals import SIGNALS

LABELS = ("negative", "neutral", "positive")
NEED_LABELS = ("disagreement", "label_error", "model_against_human", "novelty", "uncertainty", "wrong_consensus")
label = st.sampled_from(LABELS)
confidence = st.floats(0, 1)


@st.composite
def projects(draw) -> tuple[list[dict], dict]:
    """Tasks with any votes and stored predictions, and what a model thinks of some of them."""
    tasks, opinions = [], {}
    for id in range(1, draw(st.integers(1, 8)) + 1):
        stored = draw(st.none() | st.tuples(label, confidence))
        predictions = [] if stored is None else [predicted(id, *stored)]
        tasks.append(voted(id, f"text {id}", *draw(st.lists(label, max_size=4)), predictions=predictions))
        if thought := draw(st.none() | st.tuples(label, confidence, label, confidence)):
            opinions[id] = opinion(thought[0], thought[1], **{thought[2]: min(thought[3], 1 - thought[1])})
    return tasks, sentiment(opinions)


def suspicions(signal: str, evidence: GivenEvidence) -> dict:
    try:
        return SIGNALS[signal](evidence)
    except (NotEnoughLabels, ModelUnavailable):
        return {}


@pytest.mark.parametrize("signal", SIGNALS)
@settings(max_examples=50, deadline=None)
@given(project=projects())
def test_scores_lie_between_0_and_1_and_come_with_a_sentence_about_a_known_task(signal: str, project) -> None:
    tasks, opinions = project
    found = suspicions(signal, GivenEvidence(dataset(tasks), opinions))
    assert set(found) <= {task["id"] for task in tasks}
    for suspicion in found.values():
        assert 0 <= suspicion.score <= 1
        assert suspicion.detail.strip()
        assert "\n" not in suspicion.detail
        assert suspicion.control == "sentiment"


@pytest.mark.parametrize("signal", SIGNALS)
@settings(max_examples=50, deadline=None)
@given(project=projects(), random=st.randoms(use_true_random=False))
def test_neither_a_second_look_nor_the_order_of_tasks_and_annotations_changes_anything(signal, project, random) -> None:
    tasks, opinions = project
    before = suspicions(signal, GivenEvidence(dataset(tasks), opinions))
    assert suspicions(signal, GivenEvidence(dataset(tasks), opinions)) == before
    for item in tasks:
        random.shuffle(item["annotations"])
    random.shuffle(tasks)
    assert suspicions(signal, GivenEvidence(dataset(tasks), opinions)) == before


@pytest.mark.parametrize("signal", SIGNALS)
def test_every_signal_is_documented_and_weighs_something(signal: str) -> None:
    member = SIGNALS[signal]
    assert 0 < member.weight <= 1
    assert "Why care:" in (type(member).__doc__ or "")


@pytest.mark.parametrize("signal", NEED_LABELS)
def test_without_any_evidence_a_signal_says_so_instead_of_failing(signal: str) -> None:
    with pytest.raises((NotEnoughLabels, ModelUnavailable)):
        SIGNALS[signal](GivenEvidence(dataset([voted(1, "x", "positive")])))


def test_disagreement_counts_the_votes_in_words() -> None:
    found = SIGNALS["disagreement"](
        GivenEvidence(dataset([voted(1, "x", "negative", "positive", "negative"), voted(2, "y", "neutral", "neutral")]))
    )
    assert found.keys() == {1}
    assert found[1].detail == "2 of 3 say negative, 1 says positive"
    assert found[1].score == pytest.approx(2 / 3)


def test_disagreement_looks_at_each_persons_last_answer_only() -> None:
    again = [annotation(1, 1, choice("sentiment", "negative")), annotation(2, 1, choice("sentiment", "positive"))]
    other = annotation(3, 2, choice("sentiment", "positive"))
    assert SIGNALS["disagreement"](GivenEvidence(dataset([task(1, "x", [*again, other])]))) == {}


@pytest.mark.parametrize("name", [c.name for c in parse(EVERY_KIND).answerable if c.name != "why"])
def test_disagreement_works_on_every_kind_of_control(name: str) -> None:
    control = parse(EVERY_KIND)[name]
    kind = kind_of(control)
    same = kind.write(control, kind.example(control))
    others = {
        "verdict": [choice("verdict", "reject")],
        "policy": [{"from_name": "policy", "to_name": "text", "type": "taxonomy", "value": {"taxonomy": [["goods"]]}}],
        "stars": [{"from_name": "stars", "to_name": "text", "type": "rating", "value": {"rating": 1}}],
        "price": [{"from_name": "price", "to_name": "text", "type": "number", "value": {"number": 900}}],
        "spans": [
            {
                "from_name": "spans",
                "to_name": "text",
                "type": "labels",
                "value": {"start": 40, "end": 44, "text": "seal", "labels": ["brand"]},
            }
        ],
        "boxes": [
            {
                "from_name": "boxes",
                "to_name": "image",
                "type": "rectanglelabels",
                "value": {"x": 80, "y": 80, "width": 5, "height": 5, "rotation": 0, "rectanglelabels": ["logo"]},
            }
        ],
    }
    tasks = [
        task(1, "x", [annotation(1, 1, *same), annotation(2, 2, *same)]),
        task(2, "y", [annotation(3, 1, *same), annotation(4, 2, *others[name])]),
    ]
    found = SIGNALS["disagreement"](GivenEvidence(dataset(tasks, EVERY_KIND)))
    assert found.keys() == {2}
    assert found[2].control == name
    assert found[2].detail.startswith(f"{name}: 1 of 2 says ")


def test_different_words_in_a_rationale_are_no_disagreement_beside_a_verdict() -> None:
    def why(text: str) -> dict:
        return {"from_name": "why", "to_name": "text", "type": "textarea", "value": {"text": [text]}}

    annotations = [annotation(n, n, choice("verdict", "allow"), why(f"reason {n}" * n)) for n in (1, 2)]
    assert SIGNALS["disagreement"](GivenEvidence(dataset([task(1, "x", annotations)], EVERY_KIND))) == {}
    only_text = '<View><Text name="text" value="$text"/><TextArea name="why" toName="text"/></View>'
    assert SIGNALS["disagreement"](GivenEvidence(dataset([task(1, "x", annotations)], only_text))).keys() == {1}


def test_uncertainty_reads_stored_predictions_where_nobody_has_answered() -> None:
    tasks = [
        voted(1, "x", predictions=[predicted(1, "positive", 0.4)]),
        voted(2, "y", predictions=[predicted(2, "neutral", 0.9)]),
    ]
    found = SIGNALS["uncertainty"](GivenEvidence(dataset(tasks)))
    assert found[1].score == pytest.approx(0.6)
    assert found[2].score == pytest.approx(0.1 / 2)
    assert found[1].detail == "the model gives 0.40 to positive and nobody has answered"


def test_uncertainty_asks_a_model_that_has_not_seen_the_single_label() -> None:
    tasks = [voted(1, "x", "positive", predictions=[predicted(1, "positive", 0.99)])]
    found = SIGNALS["uncertainty"](GivenEvidence(dataset(tasks), sentiment({1: opinion("negative", 0.5)})))
    assert found[1].detail == "the model gives 0.50 to negative and one annotator has answered"


def test_uncertainty_leaves_tasks_that_several_people_answered_alone() -> None:
    tasks = [voted(1, "x", "positive", "neutral", predictions=[predicted(1, "positive", 0.3)])]
    assert SIGNALS["uncertainty"](GivenEvidence(dataset(tasks), sentiment({1: opinion("positive", 0.3)}))) == {}


def test_only_predictions_of_the_live_version_count() -> None:
    tasks = [voted(1, "x", predictions=[predicted(1, "positive", 0.1, "old"), predicted(2, "positive", 0.8, "new")])]
    newest = SIGNALS["uncertainty"](GivenEvidence(dataset(tasks)))
    chosen = SIGNALS["uncertainty"](GivenEvidence(dataset(tasks, project={"id": 1, "model_version": "old"})))
    unknown = SIGNALS["uncertainty"](GivenEvidence(dataset(tasks, project={"id": 1, "model_version": "Tiebreak"})))
    assert newest[1].score == unknown[1].score == pytest.approx(0.2)
    assert chosen[1].score == pytest.approx(0.9)


@pytest.mark.parametrize("score", [None, 7.5, -1, float("nan")])
def test_a_stored_score_that_is_no_probability_is_no_opinion(score: float | None) -> None:
    tasks = [voted(1, "x", predictions=[predicted(1, "positive", score)])]
    with pytest.raises(ModelUnavailable):
        SIGNALS["uncertainty"](GivenEvidence(dataset(tasks)))


def test_a_regions_own_score_is_the_controls_confidence() -> None:
    tasks = [
        voted(
            1,
            "x",
            predictions=[predicted(1, "positive", 0.9) | {"result": [choice("sentiment", "neutral") | {"score": 0.3}]}],
        )
    ]
    assert SIGNALS["uncertainty"](GivenEvidence(dataset(tasks)))[1].score == pytest.approx(0.7)


def test_model_against_human_is_the_margin_of_a_sure_model_over_the_answer_of_so_many_people() -> None:
    tasks = [voted(n, "x", "negative", "negative") for n in (1, 2, 3)]
    opinions = {
        1: opinion("positive", 0.93, negative=0.04),
        2: opinion("positive", 0.5, negative=0.45),
        3: opinion("negative", 0.99),
    }
    found = SIGNALS["model_against_human"](GivenEvidence(dataset(tasks), sentiment(opinions)))
    assert found.keys() == {1, 2}
    assert found[1].score == pytest.approx(0.89 / 2)
    assert found[2].score == pytest.approx(0.05 / 2)
    assert found[1].detail == "the model gives 0.93 to positive, the 2 annotators said negative"


def test_a_consensus_that_not_all_share_is_called_one() -> None:
    tasks = [voted(1, "x", "negative", "negative", "neutral"), voted(2, "x", "negative")]
    opinions = sentiment({n: opinion("positive", 0.9) for n in (1, 2)})
    found = SIGNALS["model_against_human"](GivenEvidence(dataset(tasks), opinions))
    assert found[1].detail == "the model gives 0.90 to positive, the consensus of the 3 annotators is negative"
    assert found[2].detail == "the model gives 0.90 to positive, the annotator said negative"


def test_model_against_human_has_nothing_to_be_against_where_people_are_tied() -> None:
    tasks = [voted(1, "x", "negative", "neutral")]
    opinions = sentiment({1: opinion("positive", 0.99)})
    assert SIGNALS["model_against_human"](GivenEvidence(dataset(tasks), opinions)) == {}


def test_a_model_that_cannot_be_trained_is_asked_once() -> None:
    evidence = GivenEvidence(dataset([voted(1, "x", "positive", "neutral")]))
    for _ in itertools.repeat(None, 2):
        with pytest.raises(NotEnoughLabels, match="20 labels"):
            evidence.opinions  # noqa: B018  # reading it is the question
