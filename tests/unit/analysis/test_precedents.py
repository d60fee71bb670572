"""Which precedents a hard case is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from unit.analysis.exports import dataset, voted
from unit.analysis.given import GivenEvidence

from ml_backend.cases import Case
from sdk_scripts.hard_cases import find_hard_cases
from sdk_scripts.precedents import NEAR, Precedent, precedents
from sdk_scripts.review_cases import CaseFacts
from sdk_scripts.review_tasks import build_review_tasks
from sdk_scripts.reviewers import Seat

AGREED = tuple(range(10, 40))
"""Tasks, each with a text of as many characters."""


def found(asked: int, cases: Sequence[Case], agreed: Sequence[int] = AGREED, most: int = 3) -> list[Precedent]:
    """The precedents of a disputed task whose text has `asked` characters; alike are texts of like length."""
    tasks = [voted(id, "x" * id, "negative", "negative") for id in agreed]
    evidence = GivenEvidence(dataset([voted(1, "x" * asked, "negative", "positive"), *tasks]))
    evidence.__dict__["cases"] = list(cases)
    return precedents(evidence, "sentiment", [1], [1], most)[1]


def case(task: int, length: int, source_task: int | None = None, control: str = "sentiment") -> Case:
    return Case(
        9, task, {"text": "x" * length}, control, ("neutral",), rationale="Both.", clause="4", source_task=source_task
    )


def test_a_settled_case_comes_before_agreed_tasks_that_are_nearer() -> None:
    rows = found(12, [case(501, 15)])
    assert [(row.case, row.task) for row in rows] == [(501, 501), (None, 12), (None, 11)]
    assert (rows[0].answer, rows[0].reasons) == ('["neutral"]', ("4", "Both."))
    assert rows[0].similarity < rows[1].similarity


def test_near_enough_is_a_matter_of_rank() -> None:
    """Ten agreed tasks are nearer to a text of 10 characters than one of 21: those of 10 to 20."""
    assert [row.case for row in found(10, [case(501, 10 + NEAR + 1)])] == [None] * 3
    assert [row.case for row in found(10, [case(501, 10 + NEAR - 1)])] == [501, None, None]


def test_among_few_agreed_tasks_every_case_is_near() -> None:
    assert [row.case for row in found(10, [case(501, 200)], agreed=AGREED[: NEAR - 1])] == [501, None, None]
    assert [row.case for row in found(10, [case(501, 200)], agreed=())] == [501]


def test_cases_are_ordered_by_similarity_and_leave_room_for_an_agreed_task() -> None:
    cases = [case(501, 16), case(502, 13), case(503, 13), case(504, 14)]
    assert [row.case for row in found(12, cases)] == [502, 503, None]
    assert [row.case for row in found(12, cases, agreed=())] == [502, 503, 504]


def test_a_case_is_no_precedent_of_itself_nor_twice_there() -> None:
    assert [row.task for row in found(12, [case(501, 12, source_task=1)])] == [12, 11, 13]
    assert [row.task for row in found(12, [case(501, 12, source_task=12)])] == [12, 11, 13]
    assert [row.case for row in found(12, [case(501, 12, source_task=12)])] == [501, None, None]


def test_cases_of_other_controls_or_without_text_are_left_out() -> None:
    assert [row.case for row in found(12, [case(501, 12, control="stars"), case(502, 0)])] == [None] * 3


@pytest.mark.parametrize("most", [0, 1, 100])
def test_there_are_no_more_than_are_asked_for(most: int) -> None:
    rows = found(12, [case(501, 12), case(502, 12)], most=most)
    assert len(rows) == min(most, 2 + len(AGREED))
    assert [row.case for row in rows[:1]] == [501][:most]


def test_a_reviewer_sees_why_a_case_was_settled_and_none_of_its_markup() -> None:
    facts = CaseFacts(GivenEvidence(dataset([voted(1, "x" * 12, "negative", "positive")])))
    facts.evidence.__dict__["cases"] = [replace(case(501, 12), rationale="<b>Both</b> at once.")]
    (hard,) = find_hard_cases(facts.evidence.dataset, facts.evidence)
    (task,) = build_review_tasks(facts, [(hard, Seat(facts.case(hard), "", 1))])
    assert "settled case 501; 4; &lt;b&gt;Both&lt;/b&gt; at once." in task["data"]["precedents"]
