"""A course from its first set to the certificate."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ml_backend.labeling.config import parse
from ml_backend.labeling.errors import NotEnoughLabels
from sdk_scripts.onboarding.course import COURSE, PANEL
from sdk_scripts.onboarding.questions import Reason
from sdk_scripts.onboarding.steps import EDITED, GONE, advance
from sdk_scripts.satellites import ITEM
from tests.unit.analysis.exports import SENTIMENT
from tests.unit.onboarding.classroom import Classroom, label_of, library, question, right, wrong

SEVERITY = '<Choices name="severity" toName="text"><Choice value="low"/><Choice value="high"/></Choices>'


def said(task: dict) -> str:
    """All that the data of a task says, without the text that is asked about."""
    return json.dumps({name: value for name, value in task["data"].items() if name != "text"})


def test_an_answer_is_shown_after_its_set_and_not_before() -> None:
    room = Classroom()
    room.begin()
    first = list(room.tasks)
    assert [it["data"][COURSE]["stage"] for it in first] == ["practice"] * 3
    room.answer(wrong, most=2)
    assert room.advance().empty
    for task in first:
        assert label_of(room.question(task)) not in said(task)
        assert "reason" not in said(task)
        assert "secret" not in said(task)

    room.answer(right)
    room.advance()
    wrong_one, _, right_one = first
    it = room.question(wrong_one)
    assert f"✗ {wrong(it)}" in wrong_one["data"][PANEL]
    assert f"right is <b>{label_of(it)}</b>" in wrong_one["data"][PANEL]
    assert it.reasons["sentiment"].rationale in wrong_one["data"][PANEL]
    assert "Guidelines, Danger: What smokes is negative." in wrong_one["data"][PANEL]
    assert "✓ Right" in right_one["data"][PANEL]


def test_the_answers_of_a_set_stand_in_front_of_the_next_one_and_only_there() -> None:
    room = Classroom()
    room.begin()
    done = list(room.tasks)
    room.answer(wrong)
    room.advance()
    ahead, *others = room.open
    assert room.stage() == ("practice", 1, 2)
    for task in done:
        assert room.question(task).reasons["sentiment"].rationale in ahead["data"][PANEL]
        assert f"?task={task['id']}" in ahead["data"][PANEL]
        assert all(room.question(task).reasons["sentiment"].rationale not in said(it) for it in others)
    assert all(room.question(it).reasons["sentiment"].rationale not in said(ahead) for it in room.open)


def test_what_people_wrote_is_escaped_and_cut() -> None:
    evil = "<img src=x onerror=alert(1)>"
    bad = replace(
        question(99, "precedent"),
        data={"text": evil + "x" * 10_000},
        reasons={"sentiment": Reason(evil * 200, evil)},
    )
    room = Classroom([bad, *library(0, 40)], practice=1, a_set=1)
    room.source["expert_instruction"] = f"<h2>{evil}</h2><p>positive</p>"
    room.begin()
    room.answer()
    room.advance()
    for task in room.tasks[:2]:
        assert "<img" not in task["data"][PANEL]
        assert "&lt;img" in task["data"][PANEL]
        assert len(task["data"][PANEL]) < 5_000


def test_no_answer_of_an_exam_is_shown_until_it_is_over_and_no_question_comes_twice() -> None:
    room = Classroom()
    room.to_the_exam()
    exam = [it for it in room.tasks if it["data"][COURSE]["stage"] == "exam"]
    room.answer(wrong, most=4)
    room.answer(right)
    assert room.advance().new  # 16 of 20 says nothing yet
    more = [it for it in room.tasks if it["data"][COURSE]["set"] == 2 and it["data"][COURSE]["stage"] == "exam"]
    assert more
    for task in (*exam[1:], *more):  # the first tells of the practice before it
        assert "marked" not in task["data"][COURSE]
        assert room.question(task).reasons["sentiment"].rationale not in said(task)
    room.answer(right)
    room.through(right)
    assert all("marked" in it["data"][COURSE] for it in (*exam, *more))
    assert "✗" in exam[0]["data"][PANEL]
    assert len({it["data"][ITEM] for it in room.tasks}) == len(room.tasks)


def test_who_answers_right_is_certified_and_who_does_not_fails() -> None:
    for tells, state in ((right, "certified"), (wrong, "failed")):
        room = Classroom()
        room.to_the_exam()
        room.through(tells)
        assert room.certificate is not None
        assert (room.certificate.state, room.certificate.n) == (state, 20)


def test_an_answer_that_was_seen_counts_whatever_it_is_changed_to() -> None:
    room = Classroom()
    room.to_the_exam()
    room.answer(wrong, most=19)
    room.advance()
    for task in room.tasks[-20:-1]:
        room.edit(task, right(room.question(task)))
    room.through(right)
    assert room.certificate is not None
    assert (room.certificate.state, room.certificate.right, room.certificate.n) == ("failed", 1, 20)
    assert sum(it.edited for it in room.course.tasks) == 19


def test_an_answer_changed_before_it_was_seen_does_not_count_and_another_is_asked() -> None:
    room = Classroom()
    room.to_the_exam()
    room.answer(right)
    for task in room.tasks[-3:]:
        room.edit(task, wrong(room.question(task)))
    assert len(room.advance().new) == 10
    room.through(right)
    assert room.certificate is not None
    assert (room.certificate.right, room.certificate.n) == (27, 27)
    assert [it.marked.void for it in room.course.tasks if it.edited and it.marked] == [EDITED] * 3


def test_a_skipped_question_of_an_exam_is_not_right() -> None:
    room = Classroom()
    room.to_the_exam()
    room.through(lambda it: None)
    assert room.certificate is not None
    assert room.certificate.state == "failed"


def test_answers_of_others_do_not_count() -> None:
    room = Classroom()
    room.begin()
    for task in room.tasks:
        room.submit(task, "positive", who="bob@example.com")
    assert room.advance().empty
    assert [it.others for it in room.course.tasks] == [("bob@example.com",)] * 3


def test_after_a_failed_exam_there_is_new_practice_and_other_questions() -> None:
    room = Classroom(library(practice=12, gold=60))
    room.to_the_exam()
    room.through(wrong)
    before = {it["data"][ITEM] for it in room.tasks}
    assert room.begin().new
    assert room.stage() == ("practice", 2, 1)
    while room.stage()[0] == "practice":
        room.answer()
        room.advance()
    room.through(right)
    assert before.isdisjoint(it.item for it in room.course.tasks if it.attempt == 2)
    assert room.certificate is not None
    assert (room.certificate.state, room.certificate.attempt) == ("certified", 2)


def test_new_guidelines_make_a_certificate_stale_until_a_short_exam() -> None:
    room = Classroom(exam=30)
    room.to_the_exam()
    room.through(right)
    assert room.begin().empty
    room.source["expert_instruction"] = "<h2>Danger</h2><p>What smokes is neutral now.</p>"
    assert room.certificate is not None
    assert room.certificate.state == "stale"
    assert len(room.begin().new) == 20
    assert room.stage() == ("exam", 2, 1)
    assert room.certificate.state == "stale"
    room.through(right)
    assert room.certificate.state == "certified"


def test_twice_is_once() -> None:
    room = Classroom()
    room.begin()
    assert room.begin().empty
    while not room.course.over:
        room.answer(lambda it: wrong(it) if it.id.endswith("1") else right(it))
        room.advance()
        assert room.course.over or room.advance().empty
    assert room.advance().empty


@pytest.mark.parametrize("tells", [right, wrong])
def test_cut_short_after_any_write_it_ends_the_same(tells) -> None:
    """Both where a practice set is marked, and where an exam is."""

    def until(stage: str) -> Classroom:
        room = Classroom(practice=3)
        room.begin()
        if stage == "exam":
            room.to_the_exam()
        room.answer(tells)
        return room

    for stage in ("practice", "exam"):
        whole = until(stage)
        writes = len(whole.advance().changed) + 1
        for most in range(writes):
            room = until(stage)
            room.write(advance(room.desk), most)
            room.advance()
            assert room.tasks == whole.tasks
            assert room.advance().empty


def test_too_few_questions_for_an_exam_are_said_before_anything_is_made() -> None:
    room = Classroom(library(practice=12, gold=19), controls=["sentiment"])
    with pytest.raises(NotEnoughLabels, match=r"sentiment \(19\)"):
        room.begin()
    assert not room.tasks


def test_a_question_that_is_settled_no_more_does_not_count() -> None:
    room = Classroom()
    room.to_the_exam()
    task = room.tasks[-1]
    gone = room.question(task)
    room.answer(right)
    room.questions = [it for it in room.questions if it.id != gone.id]
    room.advance()
    room.through(right)
    assert room.certificate is not None
    assert (room.certificate.right, room.certificate.n) == (29, 29)
    assert [it.item for it in room.course.tasks if it.marked and it.marked.void == GONE] == [task["data"][ITEM]]


def test_practice_is_marked_even_where_there_is_no_exam_yet() -> None:
    room = Classroom(practice=3)
    room.begin()
    room.answer(right)
    gold = [it for it in room.questions if it.exam]
    room.questions = [it for it in room.questions if not it.exam]
    assert "too few" in room.advance().says
    assert all("✓" in it["data"][PANEL] for it in room.tasks)
    assert room.advance().empty
    room.questions += gold
    room.advance()
    assert room.stage() == ("exam", 1, 1)
    assert "✓" in room.open[0]["data"][PANEL]


def test_each_control_gets_questions_enough_where_a_case_settles_one_only() -> None:
    config = SENTIMENT.replace("</View>", SEVERITY + "</View>")
    severe = [
        replace(question(n, "gold"), answers={"severity": '["high"]' if n % 2 else '["low"]'}, reasons={})
        for n in range(201, 260)
    ]
    room = Classroom([*library(6, 40), *severe])
    room.config = parse(config)
    room.to_the_exam()
    room.answer(lambda it: right(it) if "sentiment" in it.answers else None)  # a skip is not right
    room.advance()
    assert room.course.over
    assert {name: (it.state, it.n) for name, it in room.desk.certificates().items()} == {
        "sentiment": ("certified", 20),
        "severity": ("failed", 20),
    }
