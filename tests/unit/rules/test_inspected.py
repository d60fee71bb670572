"""What rules look at: what the others say, what is known, in which order and session somebody worked."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ml_backend.labeling.results import Annotation
from sdk_scripts.evidence import Evidence
from sdk_scripts.inspected import Inspected
from sdk_scripts.rule_examples import Given, example

LABELS = ("positive", "neutral", "negative")


def inspected(rows: list[Given], **more: object) -> Inspected:
    return Inspected(Evidence(example(rows, **more)))


@given(st.lists(st.lists(st.sampled_from(LABELS), min_size=1, max_size=7), min_size=1, max_size=4))
def test_the_others_are_the_majority_without_oneself(votes: list[list[str]]) -> None:
    rows = [Given(task, f"a{n}", label) for task, labels in enumerate(votes, 1) for n, label in enumerate(labels)]
    table = inspected(rows).judgements
    for row in table.iter_rows(named=True):
        mine = int(row["annotator"][1:])
        rest = Counter(label for n, label in enumerate(votes[row["task"] - 1]) if n != mine).most_common()
        tie = len(rest) > 1 and rest[0][1] == rest[1][1]
        assert row["others"] == (None if not rest or tie else f'["{rest[0][0]}"]')
        assert row["others_n"] == len(votes[row["task"] - 1]) - 1


def test_what_a_review_decided_is_the_truth_and_nobodys_judgement() -> None:
    found = inspected([Given(1, "ana", "positive"), Given(2, "ana", "positive")], truths={1: "negative"})
    assert found.judgements.select("task", "annotator", "truth").rows() == [
        (1, "ana", '["negative"]'),
        (2, "ana", None),
    ]
    assert found.gold == {("sentiment", 1): '["negative"]'}
    assert found.annotations["annotator"].to_list() == ["ana", "ana"]


def test_a_pause_ends_a_session_and_skips_count_as_work() -> None:
    rows = [Given(1, "ana", "positive", at=0), Given(2, "ana", skipped=True, at=10), Given(3, "ana", "neutral", at=41)]
    table = inspected([*rows, Given(1, "ben", "positive", at=5)]).annotations
    assert table.select("annotator", "task", "position", "session", "skipped").rows() == [
        ("ana", 1, 0, 0, False),
        ("ana", 2, 1, 0, True),
        ("ana", 3, 2, 1, False),
        ("ben", 1, 0, 0, False),
    ]


def test_only_controls_with_labels_have_answers_that_are_the_same_or_not() -> None:
    assert list(inspected([]).controls) == ["sentiment", "severity"]


def test_words_are_read_from_text_areas() -> None:
    typed = {"from_name": "rationale", "to_name": "text", "type": "textarea", "value": {"text": ["one ", "two"]}}
    annotation = Annotation(1, "ana", (typed,))
    assert inspected([]).words_of(annotation, "rationale") == "one \ntwo"
    assert inspected([]).words_of(annotation, "sentiment") == ""
