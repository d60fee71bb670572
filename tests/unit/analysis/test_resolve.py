"""What writing a decision into its source task takes, and when it is left to people."""

from __future__ import annotations

from typing import Any

import pytest
from unit.analysis.exports import EVERY_KIND, SENTIMENT, annotation, choice, task
from unit.analysis.reviews import PEOPLE, decision, review_task

from ml_backend.labeling.answers import write_answers
from ml_backend.labeling.config import parse
from ml_backend.labeling.judgements import decisions, judgements
from ml_backend.labeling.kinds import kind_of
from ml_backend.labeling.results import read_task
from sdk_scripts.decisions import read_reviews
from sdk_scripts.ground_truth import MAX_SENTENCE, SourceTask, Standing, Write
from sdk_scripts.verdicts import Conflict, Decided, by_case, verdict

CONFIG = parse(SENTIMENT)
POLICY = "0123456789ab"
VOTES = [
    {"annotation": 101, "control": "sentiment", "answer": '["negative"]', "at": "2026-01-01T00:41:41+00:00"},
    {"annotation": 102, "control": "sentiment", "answer": '["positive"]', "at": "2026-01-01T00:42:42+00:00"},
]
ITEM = [annotation(101, 1, choice("sentiment", "negative")), annotation(102, 2, choice("sentiment", "positive"))]


def decided(
    option: str = "neutral", *, id: int = 31, who: int = 7, round: int = 1, config=CONFIG, **more: Any
) -> Decided:
    data = {"control": more.pop("control", "sentiment"), "votes": more.pop("votes", VOTES)}
    data |= {name: more.pop(name) for name in ("options", "consensus") if name in more}
    reviews, _ = read_reviews([review_task(20, decision(id, who, option, **more), round=round, **data)], PEOPLE)
    ((_, rows),) = by_case(reviews).items()
    found = verdict(rows, config, {"text": "x"})
    assert isinstance(found, Decided)
    return found


def plan(annotations, found: Decided | None = None, *, config=CONFIG, control: str = "sentiment", policy: str = POLICY):
    return SourceTask(task(10, "x", annotations), config, control).plan(found or decided(), policy)


def written(step: Write, id: int = 201, **more: Any) -> dict[str, Any]:
    """The annotation a plan makes."""
    return annotation(id, 7, *step.result, ground_truth=True, **more)


def test_a_decision_is_an_annotation_of_its_control_alone_with_its_record() -> None:
    step = plan(ITEM)
    assert isinstance(step, Write)
    assert step.correct is None
    (region,) = step.result
    assert region["value"] == {"choices": ["neutral"]}
    assert region["meta"]["tiebreak"] == {
        "review": "5/20/31",
        "round": 1,
        "answer": '["neutral"]',
        "reviewer": "rev@example.com",
        "cause": "guideline_gap",
        "clause": "2.1",
        "policy": POLICY,
        "rationale": "The zip is the product.",
    }
    assert region["meta"]["text"] == ["Decided by rev@example.com (guideline gap) [2.1]: The zip is the product."]


def test_what_label_studio_shows_of_a_long_rationale_is_short() -> None:
    step = plan(ITEM, decided(rationale="<script>alert(1)</script> " * 200))
    assert len(step.result[0]["meta"]["text"][0]) <= MAX_SENTENCE


def test_a_decision_that_is_there_is_not_written_again() -> None:
    there = written(plan(ITEM))
    assert plan([*ITEM, there]) == Standing(201)
    assert plan([*ITEM, there], policy="guidelines of another day") == Standing(201)


def test_another_answer_replaces_the_decision_and_keeps_it() -> None:
    step = plan([*ITEM, written(plan(ITEM))], decided("positive", id=31))
    assert isinstance(step, Write)
    assert (step.correct, step.number) == (None, 1)


def test_a_decision_without_a_star_is_followed_by_the_next() -> None:
    without = written(plan(ITEM)) | {"ground_truth": False}
    step = plan([*ITEM, without], decided("positive"))
    assert isinstance(step, Write)
    assert step.number == 1
    new = written(step, 202)
    assert plan([*ITEM, without, new], decided("positive")) == Standing(202)


def test_going_back_to_the_first_answer_is_a_third_decision() -> None:
    first = written(plan(ITEM)) | {"ground_truth": False}
    second = written(plan([*ITEM, first], decided("positive")), 202)
    step = plan([*ITEM, first, second])
    assert isinstance(step, Write)
    assert step.number == 2


def test_the_same_answer_for_another_reason_corrects_the_record() -> None:
    step = plan([*ITEM, written(plan(ITEM))], decided(cause="annotator_error"))
    assert isinstance(step, Write)
    assert step.correct == 201
    assert step.result[0]["meta"]["tiebreak"]["cause"] == "annotator_error"


def test_an_appeal_that_confirms_the_answer_is_a_decision_of_its_own() -> None:
    step = plan([*ITEM, written(plan(ITEM))], decided(id=41, who=8, round=2))
    assert isinstance(step, Write)
    assert step.correct is None


# What people changed in between


@pytest.mark.parametrize(
    ("now", "why"),
    [
        ([ITEM[0]], "Annotation 102, a vote, was deleted"),
        ([annotation(101, 1, choice("sentiment", "neutral")), ITEM[1]], "Annotation 101, a vote, was edited"),
        ([ITEM[0] | {"was_cancelled": True}, ITEM[1]], "Annotation 101, a vote, was edited"),
        ([annotation(101, 1), ITEM[1]], "Annotation 101, a vote, was edited"),
    ],
)
def test_a_vote_that_changed_since_is_a_conflict(now, why: str) -> None:
    found = plan(now)
    assert isinstance(found, Conflict)
    assert why in found.why


def test_votes_that_came_since_and_votes_on_other_controls_are_none() -> None:
    other = {"annotation": 999, "control": "verdict", "answer": '["allow"]', "at": None}
    late = annotation(103, 3, choice("sentiment", "positive"))
    assert isinstance(plan([*ITEM, late], decided(votes=[*VOTES, other])), Write)


def test_an_annotator_who_comes_round_after_the_decision_disturbs_nothing() -> None:
    there = written(plan(ITEM))
    assert plan([annotation(101, 1, choice("sentiment", "neutral")), ITEM[1], there]) == Standing(201)


def test_a_decision_that_somebody_edited_is_not_overwritten() -> None:
    step = plan(ITEM)
    edited = written(step)
    edited["result"] = [{**step.result[0], "value": {"choices": ["positive"]}}]
    for found in (decided(), decided("negative")):
        conflict = plan([*ITEM, edited], found)
        assert isinstance(conflict, Conflict)
        assert "Annotation 201, the decision, was edited" in conflict.why


def test_a_decision_whose_star_somebody_took_is_not_given_another() -> None:
    conflict = plan([*ITEM, written(plan(ITEM)) | {"ground_truth": False}])
    assert isinstance(conflict, Conflict)
    assert "no ground truth any more" in conflict.why


def test_two_decisions_with_a_star_are_left_to_people() -> None:
    first = written(plan(ITEM))
    conflict = plan([*ITEM, first, written(plan([*ITEM, first], decided("positive")), 202)])
    assert isinstance(conflict, Conflict)
    assert "201, 202" in conflict.why


def test_an_appeal_replaces_an_edited_decision_unless_it_was_edited_since_the_appeal() -> None:
    first = plan(ITEM)
    edited = written(first) | {"result": [{**first.result[0], "value": {"choices": ["positive"]}}]}
    for found, edited_since in (('["positive"]', False), ('["neutral"]', True)):
        consensus = {"answer": found, "confidence": 1.0}
        step = plan([*ITEM, edited], decided("negative", id=41, who=8, round=2, consensus=consensus))
        assert isinstance(step, Conflict if edited_since else Write)


def test_several_ground_truths_that_differ_say_nothing() -> None:
    imported = [
        annotation(103 + n, 3, choice("sentiment", it), ground_truth=True)
        for n, it in enumerate(("negative", "positive"))
    ]
    assert isinstance(plan([*ITEM, *imported]), Write)


LATER = {"updated_at": "2026-02-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("extra", "conflict"),
    [
        (annotation(103, 3, choice("sentiment", "positive"), ground_truth=True), True),
        (annotation(103, 3, choice("sentiment", "neutral"), ground_truth=True), False),
        (annotation(103, 3, choice("sentiment", "positive")), False),
        (annotation(103, 3, choice("sentiment", "positive"), ground_truth=True, was_cancelled=True), False),
    ],
)
def test_a_ground_truth_given_since_that_says_otherwise_is_a_conflict(extra, conflict: bool) -> None:
    assert isinstance(plan([*ITEM, extra]), Conflict) == conflict


def test_votes_that_were_imported_as_ground_truth_are_votes_until_somebody_touches_them() -> None:
    imported = [one | {"ground_truth": True} for one in ITEM]
    assert isinstance(plan(imported), Write)
    conflict = plan([imported[0] | LATER, imported[1]])
    assert isinstance(conflict, Conflict)
    assert "Annotation 101 was made ground truth since" in conflict.why


# Answers of every kind


EVERY = parse(EVERY_KIND)


@pytest.mark.parametrize("control", EVERY.answerable, ids=lambda control: control.name)
def test_every_kind_of_answer_is_written_read_as_the_decision_and_not_written_again(control) -> None:
    example = kind_of(control).example(control)
    key = kind_of(control).key(example)
    found = decided("it", config=EVERY, control=control.name, options={"it": key}, votes=[])
    step = plan([], found, config=EVERY, control=control.name)
    source = task(10, "x", [written(step)])
    table = judgements([read_task(source, PEOPLE)], EVERY)
    assert decisions(table).select("control", "answer").rows() == [(control.name, key)]
    assert SourceTask(source, EVERY, control.name).plan(found, POLICY) == Standing(201)


def test_a_span_that_an_annotator_gave_keeps_its_text() -> None:
    (region,) = write_answers(EVERY, {"spans": kind_of(EVERY["spans"]).example(EVERY["spans"])})
    region["value"]["text"] = "cheap"
    key = '[[0,5,["claim"]]]'
    vote = {"annotation": 101, "control": "spans", "answer": key, "at": None}
    found = decided("it", config=EVERY, control="spans", options={"it": key}, votes=[vote])
    step = plan([annotation(101, 1, region)], found, config=EVERY, control="spans")
    assert step.result[0]["value"]["text"] == "cheap"


SHOWN_FOR_NEGATIVE = """
  <Choices name="part" toName="text" visibleWhen="choice-selected" whenTagName="sentiment" whenChoiceValue="negative">
    <Choice value="zip"/><Choice value="colour"/></Choices>
</View>"""


def test_a_control_that_other_answers_show_can_be_decided_alone() -> None:
    config = parse(SENTIMENT.replace("</View>", SHOWN_FOR_NEGATIVE))
    found = decided("zip", config=config, control="part", options={"zip": '["zip"]'}, votes=[])
    step = plan(ITEM, found, config=config, control="part")
    source = task(10, "x", [*ITEM, written(step)])
    (row,) = decisions(judgements([read_task(source)], config)).iter_rows(named=True)
    assert (row["control"], row["answer"]) == ("part", '["zip"]')
    assert SourceTask(source, config, "part").plan(found, POLICY) == Standing(201)


def two_controls() -> tuple[Decided, Decided, list[dict[str, Any]]]:
    """Decided one after the other, as Label Studio keeps it: one ground truth a task."""
    first = decided("it", config=EVERY, control="verdict", options={"it": '["allow"]'}, votes=[])
    second = decided("it", id=32, config=EVERY, control="stars", options={"it": "4"}, votes=[])
    there = written(plan([], first, config=EVERY, control="verdict"))
    step = plan([there], second, config=EVERY, control="stars")
    assert isinstance(step, Write)
    assert step.number == 0
    return first, second, [there | {"ground_truth": False}, written(step, 202)]


def test_decisions_of_two_controls_of_a_task_both_stand() -> None:
    first, second, there = two_controls()
    assert plan(there, first, config=EVERY, control="verdict") == Standing(202)
    assert plan(there, second, config=EVERY, control="stars") == Standing(202)
    found = decisions(judgements([read_task(task(10, "x", there))], EVERY))
    assert found.select("control", "answer").rows() == [("stars", "4"), ("verdict", '["allow"]')]


def test_deciding_one_control_anew_leaves_the_decision_of_the_other() -> None:
    _, second, there = two_controls()
    again = decided("it", config=EVERY, control="verdict", options={"it": '["reject"]'}, votes=[])
    step = plan(there, again, config=EVERY, control="verdict")
    now = [*(one | {"ground_truth": False} for one in there), written(step, 203)]
    assert plan(now, second, config=EVERY, control="stars") == Standing(203)
    assert plan(now, again, config=EVERY, control="verdict") == Standing(203)


def test_correcting_the_record_of_one_control_leaves_the_other() -> None:
    _, second, there = two_controls()
    why = decided("it", config=EVERY, control="verdict", options={"it": '["allow"]'}, votes=[], cause="annotator_error")
    step = plan(there, why, config=EVERY, control="verdict")
    assert isinstance(step, Write)
    assert step.correct == 202
    assert plan([there[0], written(step, 202)], second, config=EVERY, control="stars") == Standing(202)
