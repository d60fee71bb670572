"""What counts as a comment, and what it is about."""

from __future__ import annotations

from unit.analysis.exports import dataset, predicted, task
from unit.analysis.given import GivenEvidence
from unit.feedback.panels import CONFIG, answer, evidence

from sdk_scripts.feedback.comments import NOTE, Comments

UNCLEAR, MISSING = "guideline-unclear", "label-missing"


def test_a_comment_is_what_was_chosen_and_written_and_who_says_nothing_makes_none() -> None:
    found = Comments(
        evidence(
            [answer(1, "ann", "negative", MISSING, UNCLEAR, note="no label\nfor  this"), answer(2, "bob", "negative")],
            [answer(3, "bob", "positive", note="just so")],
        )
    ).all
    assert [(it.id, it.task, it.kinds, it.text) for it in found] == [
        (1, 1, (UNCLEAR, MISSING), "no label for this"),
        (3, 2, (NOTE,), "just so"),
    ]


def test_its_pair_is_the_commenters_answer_and_what_most_of_the_others_say() -> None:
    answers = [answer(1, "ann", "negative", UNCLEAR), answer(2, "bob", "neutral"), answer(3, "cho", "neutral")]
    assert Comments(evidence(answers)).all[0].pair == ("sentiment", "negative", "neutral")


def test_who_agrees_with_the_others_is_about_no_pair() -> None:
    answers = [answer(1, "ann", "neutral", UNCLEAR), answer(2, "bob", "neutral")]
    assert Comments(evidence(answers)).all[0].pair is None


def test_where_nobody_else_answered_the_pair_is_with_the_model() -> None:
    given = evidence([answer(1, "ann", "negative", UNCLEAR)])
    shown = task(1, "text", [answer(1, "ann", "negative", UNCLEAR)], predictions=[predicted(1, "positive", 0.9)])
    assert Comments(given).all[0].pair is None
    assert Comments(GivenEvidence(dataset([shown], CONFIG))).all[0].pair == ("sentiment", "negative", "positive")


def test_who_skipped_the_task_may_comment_too() -> None:
    (found,) = Comments(evidence([answer(1, "ann", "", UNCLEAR, was_cancelled=True)])).all
    assert (found.kinds, found.answers) == ((UNCLEAR,), ())


def test_frequency_is_counted_by_person_label_and_kind() -> None:
    found = Comments(
        evidence(
            [answer(1, "ann", "negative", UNCLEAR), answer(2, "bob", "negative")],
            [answer(3, "ann", "negative", UNCLEAR, MISSING), answer(4, "bob", "positive", note="hm")],
        )
    ).frequency()
    assert found["by_annotator"][0] == {"annotator": "ann", "comments": 2, "annotations": 2, "share": 1.0}
    assert found["by_label"][0] == {"control": "sentiment", "label": "negative", "comments": 2, "judgements": 3}
    assert found["by_kind"] == {UNCLEAR: 2, MISSING: 1, NOTE: 1}
