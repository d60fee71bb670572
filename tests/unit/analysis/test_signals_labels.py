"""The signals that doubt the label given: by its consensus, the model, its neighbours, the same item elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from unit.analysis.exports import EVERY_KIND, SENTIMENT, annotation, choice, dataset, predicted, task, voted
from unit.analysis.given import GivenEvidence, opinion, sentiment

from ml_backend.labeling.errors import NotEnoughLabels
from ml_backend.prelabelers import Doubt, Opinion
from sdk_scripts.evidence import Evidence
from sdk_scripts.signals import SIGNALS

LABELS = ("positive", "negative")
REVIEWED = {"meta": {"tiebreak": {"review": "9/1/1", "reviewer": "r@example.com"}}}


class WordEncoder:
    """Texts that begin alike are near each other, all others equally far."""

    id = "words"
    dimension = 64

    def encode(self, texts) -> np.ndarray:
        rows = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            first, *rest = text.split()
            rows[row, sum(map(ord, first)) % 60] = 1
            rows[row, 60 + len(rest) % 4] = 0.1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class Known(GivenEvidence):
    """Evidence with that encoder."""

    def __init__(self, *args) -> None:
        super().__init__(*args)
        object.__setattr__(self, "load_encoder", WordEncoder)


def labelled(n: int = 40) -> list[dict]:
    """Half of them speak of bread and are positive, half of dust and are negative."""
    return [
        voted(id, f"{'bread' if id % 2 else 'dust'} {'so ' * (id % 4)}{id}", "positive" if id % 2 else "negative")
        for id in range(1, n + 1)
    ]


def test_wrong_consensus_is_what_the_consensus_leaves_to_doubt() -> None:
    tasks = [voted(n, f"text {n}", *[LABELS[n % 2]] * 3) for n in range(1, 10)]
    for n in range(10, 31):
        votes = [LABELS[n % 2]] * 3
        votes[n % 3] = LABELS[1 - n % 2]
        tasks.append(voted(n, f"text {n}", *votes))
    evidence = GivenEvidence(dataset(tasks))
    found = SIGNALS["wrong_consensus"](evidence)
    confidence = dict(evidence.consensus.items.select("task", "confidence").iter_rows())
    doubted = {task: pytest.approx(1 - sure) for task, sure in confidence.items() if sure <= 0.9}
    assert {task: it.score for task, it in found.items()} == doubted
    assert 30 in found
    assert found[30].detail.startswith("the answers of 3 annotators add up to positive, right with a probability of 0.")


def test_a_tie_is_more_likely_wrong_than_not() -> None:
    found = SIGNALS["wrong_consensus"](GivenEvidence(dataset([voted(1, "x", "positive", "negative")])))
    assert found[1].score >= 0.5
    assert found[1].detail.startswith("the 2 annotators are tied; negative, right with a probability of 0.")


def test_answers_that_are_hardly_apart_cannot_be_very_wrong() -> None:
    def stars(id: int, *given: int) -> dict:
        made = [{"from_name": "stars", "to_name": "text", "type": "rating", "value": {"rating": it}} for it in given]
        return task(id, f"text {id}", [annotation(id * 10 + n, n, it) for n, it in enumerate(made)])

    tasks = [stars(1, 1, 5), stars(2, 4, 5), stars(3, 2, 2), stars(4, 3, 3), stars(5, 1, 2)]
    found = SIGNALS["wrong_consensus"](GivenEvidence(dataset(tasks, EVERY_KIND)))
    assert found[1].score > 2 * max((it.score for task, it in found.items() if task != 1), default=0)
    assert 3 not in found


def test_a_single_answer_is_no_consensus_that_could_be_wrong() -> None:
    with pytest.raises(NotEnoughLabels, match="two annotators"):
        SIGNALS["wrong_consensus"](GivenEvidence(dataset([voted(1, "x", "positive")])))


def test_a_label_error_is_suspected_where_model_and_neighbours_are_against_the_label() -> None:
    tasks = labelled()
    tasks[0] = voted(1, "bread so 1", "negative")
    opinions = {n: opinion("positive" if n % 2 else "negative", 0.9, neutral=0.1) for n in range(1, 41)}
    opinions[1] = opinion("positive", 0.9, negative=0.05)
    found = SIGNALS["label_error"](Known(dataset(tasks), sentiment(opinions)))
    assert found.keys() == {1}
    assert found[1].score > 0.5
    assert found[1].detail == "the annotator said negative, model and nearest labelled texts rather say positive"


def test_neighbours_that_bear_the_label_out_soften_what_the_model_says() -> None:
    opinions = sentiment({1: opinion("negative", 0.8, positive=0.2)})
    beside = SIGNALS["label_error"](Known(dataset(labelled()), opinions))
    alone = SIGNALS["label_error"](GivenEvidence(dataset(labelled()[:1]), opinions))
    assert 0 < beside[1].score < alone[1].score == pytest.approx(1 / 3, abs=1e-4)  # 4 times likelier
    assert alone[1].detail == "the annotator said positive, the model rather says negative"


def test_a_label_that_the_model_does_not_even_list_counts_as_impossible() -> None:
    found = SIGNALS["label_error"](
        GivenEvidence(dataset([voted(1, "x", "neutral")]), sentiment({1: opinion("positive", 1)}))
    )
    assert found[1].score == pytest.approx(1, abs=0.01)


def test_a_text_far_from_all_labelled_ones_is_new_and_those_amid_them_are_not() -> None:
    tasks = labelled()
    tasks.append(task(99, "quasar", predictions=[predicted(1, "positive", 0.99)]))
    found = SIGNALS["novelty"](Known(dataset(tasks)))
    assert max(found, key=lambda it: found[it].score) == 99
    assert found[99].score > 0.9
    assert found[99].detail == "no labelled text is like it: it is more of its own than 100% of them"
    assert sum(it.score > 0 for it in found.values()) <= 3


def test_novelty_of_a_few_tasks_is_what_the_model_noted() -> None:
    far, near = (Opinion(("positive",), 0.9, {}, Doubt(0.1, 0.1, distance=it)) for it in (0.99, 0.9))
    tasks = [voted(1, "x", "positive"), voted(2, "y", "positive")]
    found = SIGNALS["novelty"](GivenEvidence(dataset(tasks), sentiment({1: far, 2: near})))
    assert found.keys() == {1}
    assert found[1].score == pytest.approx(0.8)


def test_the_one_of_three_equal_texts_that_was_answered_otherwise_is_suspected_most() -> None:
    tasks = [
        voted(1, "Real leather, brand new!", "positive"),
        voted(2, "real leather,  brand new", "positive"),
        voted(3, "REAL LEATHER, BRAND NEW", "negative"),
        voted(4, "something else", "neutral"),
    ]
    found = SIGNALS["near_duplicates"](GivenEvidence(dataset(tasks)))
    assert {task: it.score for task, it in found.items()} == {1: 0.5, 2: 0.5, 3: 1}
    assert found[3].detail == "3 tasks have the same text, 2 of 3 say positive, 1 says negative; another is task 1"
    assert found[1].detail.endswith("another is task 2")


def test_nearly_equal_texts_count_by_how_alike_they_are() -> None:
    text = "Genuine leather handbag with gold plated zips, brand new in its original box, sent from Milan by courier"
    tasks = [voted(1, text, "positive"), voted(2, text.replace("Milan", "Turin"), "negative")]
    found = SIGNALS["near_duplicates"](GivenEvidence(dataset(tasks)))
    assert 0.75 < found[1].score < 1
    assert "2 tasks have nearly the same text" in found[1].detail


def test_the_same_words_beside_another_image_are_another_item() -> None:
    xml = (
        '<View><Text name="text" value="$text"/><Image name="i" value="$image"/>' + SENTIMENT.partition('"$text"/>')[2]
    )

    def found(first: str, second: str) -> set[int]:
        tasks = [voted(1, "a bag", "positive"), voted(2, "a bag", "negative")]
        for item, image in zip(tasks, (first, second), strict=True):
            item["data"]["image"] = image
        return set(SIGNALS["near_duplicates"](GivenEvidence(dataset(tasks, xml))))

    assert found("https://example.com/1.png", "https://example.com/2.png") == set()
    assert found("https://example.com/1.png", "https://example.com/1.png") == {1, 2}


def test_a_person_who_answers_a_task_twice_and_differently_is_inconsistent_though_only_the_last_answer_counts() -> None:
    twice = [annotation(n, 1, choice("sentiment", label)) for n, label in enumerate(("negative", "positive"), 1)]
    evidence = GivenEvidence(dataset([task(1, "x", twice), voted(2, "y", "neutral", "positive")]))
    assert len(evidence.judgements.filter(task=1)) == 1
    found = SIGNALS["self_inconsistency"](evidence)
    assert found.keys() == {1}
    assert found[1].score == 1
    assert found[1].detail == "one person answered this task twice: negative and positive"


def test_a_person_who_answers_the_same_text_in_two_tasks_differently_is_named_in_neither() -> None:
    who = {"email": "ann@example.com"}
    tasks = [
        task(n, "the same words", [annotation(n, who, choice("sentiment", label))])
        for n, label in enumerate(("negative", "positive"), 1)
    ]
    found = SIGNALS["self_inconsistency"](GivenEvidence(dataset(tasks)))
    assert {task: it.score for task, it in found.items()} == {1: 1, 2: 1}
    assert found[1].detail.endswith("negative and positive; another is task 2")
    assert "ann" not in found[1].detail.replace("annotator", "")


def test_two_people_who_differ_are_not_inconsistent() -> None:
    nobody = [annotation(n, None, choice("sentiment", label)) for n, label in enumerate(("negative", "positive"), 1)]
    tasks = [voted(1, "x", "positive", "negative"), task(2, "y", nobody)]
    assert SIGNALS["self_inconsistency"](GivenEvidence(dataset(tasks))) == {}


@pytest.mark.parametrize(
    ("control", "near", "far"),
    [
        ("policy", {"taxonomy": [["ip"]]}, {"taxonomy": [["goods"]]}),
        ("spans", {"start": 0, "end": 9, "labels": ["claim"]}, {"start": 30, "end": 39, "labels": ["claim"]}),
        (
            "boxes",
            {"x": 12, "y": 10, "width": 20, "height": 20, "rectanglelabels": ["logo"]},
            {"x": 60, "y": 60, "width": 20, "height": 20, "rectanglelabels": ["logo"]},
        ),
    ],
)
def test_disagreement_grows_with_how_far_apart_paths_spans_and_boxes_are(control: str, near: dict, far: dict) -> None:
    given = {
        "policy": ("taxonomy", {"taxonomy": [["ip", "fake"]]}),
        "spans": ("labels", {"start": 0, "end": 10, "labels": ["claim"]}),
        "boxes": ("rectanglelabels", {"x": 10, "y": 10, "width": 20, "height": 20, "rectanglelabels": ["logo"]}),
    }
    type, first = given[control]
    to_name = "image" if control == "boxes" else "text"

    def answered(id: int, other: dict) -> dict:
        regions = [
            {"id": "r", "from_name": control, "to_name": to_name, "type": type, "value": value}
            for value in (first, other)
        ]
        return task(id, f"text {id}", [annotation(id * 10 + n, n, region) for n, region in enumerate(regions)])

    tasks = [answered(1, first), answered(2, near), answered(3, far)]
    found = SIGNALS["disagreement"](GivenEvidence(dataset(tasks, EVERY_KIND)))
    assert found.keys() == {2, 3}
    assert 0 < found[2].score < found[3].score <= 1


def test_what_a_review_decided_is_settled_until_somebody_answers_otherwise() -> None:
    votes = [annotation(n, n, choice("sentiment", label)) for n, label in enumerate(("negative", "positive"), 1)]
    decided = annotation(10, 8, choice("sentiment", "positive") | REVIEWED, ground_truth=True)
    later = annotation(20, 3, choice("sentiment", "negative"))
    agreeing = annotation(20, 3, choice("sentiment", "positive"))

    def suspected(*more: dict) -> dict:
        made = dataset([task(1, "x", [*votes, *more]), voted(2, "y", "negative", "neutral")])
        return SIGNALS["disagreement"](Evidence(made))

    assert suspected().keys() == {1, 2}
    assert suspected(decided).keys() == {2}
    assert suspected(decided, agreeing).keys() == {2}
    assert suspected(decided, later).keys() == {1, 2}
    assert suspected(decided, later)[1].detail == "2 of 3 say negative, 1 says positive"


def test_opinions_and_consensus_may_come_from_outside() -> None:
    whole = Evidence(dataset([voted(n, f"text {n}", "positive", "positive") for n in range(1, 9)]))
    few = dataset([voted(1, "text 1", "negative", "negative")])
    evidence = Evidence(few, given_opinions=sentiment({1: opinion("positive", 1)}), given_consensus=whole.consensus)
    assert evidence.consensus is whole.consensus
    assert evidence.opinions["sentiment"][1].confidence == 1
    own = Evidence(few, given_opinions=sentiment({1: opinion("positive", 1)}))
    assert SIGNALS["model_against_human"](own)[1].score == 0.5
