"""Cases that several decide: two blind reviewers with a third, and appeals, on a real Label Studio."""

from __future__ import annotations

import json

import pytest

from ml_backend.labeling.errors import InputError
from tests.contract.desk import named


def test_two_blind_reviewers_who_differ_get_a_third_and_the_majority_stands(make_desk) -> None:
    desk = make_desk(reviewers=named("rev", "sue", "tom"), severity={"negative": 5}, two_reviewers_from=5)
    review = desk.mine()
    task = min(it["data"]["source_task"] for it in desk.studio.tasks(review))
    seats = {it["data"]["reviewer"].split("@")[0]: it for it in desk.reviews(review, task)}
    one, two = seats
    desk.decide(seats[one], one, "neutral")
    assert len(desk.resolve().waiting) >= 1
    desk.decide(seats[two], two, "positive")

    dry = desk.resolve(apply=False)
    assert (len(dry.asked), dry.pending) == (1, True)
    assert len(desk.reviews(review, task)) == 2
    assert len(desk.resolve().asked) == 1
    (third,) = {"rev", "sue", "tom"} - {one, two}
    added = next(it for it in desk.reviews(review, task) if it["data"]["seat"] == 3)
    assert added["data"]["reviewer"] == f"{third}@example.com"
    assert desk.resolve().asked == []
    assert len(desk.reviews(review, task)) == 3

    desk.decide(added, third, "positive")
    (found,) = desk.resolve().resolved
    assert (found.answer, found.reviewer) == ('["positive"]', f"{two}@example.com")
    desk.mine()
    assert len(desk.reviews(review, task)) == 3


def test_an_appeal_is_decided_by_somebody_else_and_the_old_decision_is_kept(make_desk) -> None:
    desk = make_desk(reviewers=named("rev", "sue"))
    review = desk.mine()
    task = min(it["data"]["source_task"] for it in desk.studio.tasks(review))
    (asked,) = desk.reviews(review, task)
    with pytest.raises(InputError, match="no decision"):
        desk.reopen(task)
    first = asked["data"]["reviewer"].split("@")[0]
    (second,) = {"rev", "sue"} - {first}
    desk.decide(asked, first, "neutral")
    with pytest.raises(InputError, match="--apply` first"):
        desk.reopen(task)
    desk.resolve()

    dry = desk.reopen(task, apply=False)
    assert (dry.round, dry.reviewers, dry.pending) == (2, (f"{second}@example.com",), True)
    assert len(desk.reviews(review, task)) == 1
    assert desk.reopen(task).existing is False
    again = desk.reopen(task)
    assert (again.existing, again.round, again.reviewers) == (True, 2, dry.reviewers)
    appeal = next(it for it in desk.reviews(review, task) if it["data"]["round"] == 2)
    panel = appeal["data"]["reasons"]
    assert "Reopened: The seller took it back." in panel
    assert "It was decided to be neutral (guideline gap, 2.1): It &lt;b&gt;broke&lt;/b&gt;." in panel
    assert f"{first}@example.com" not in json.dumps(appeal["data"])
    assert "neutral" in appeal["data"]["tiebreak"]["options"]

    waiting = desk.resolve()
    assert task in [one.task for one in waiting.waiting]
    assert desk.truths(task) == [("neutral", True)]
    wrong = desk.decide(appeal, first, "negative")
    assert "takes somebody else" in desk.resolve().conflicts[0].why
    desk.studio.delete_annotation(wrong)
    desk.decide(appeal, second, "negative")
    (found,) = desk.resolve().resolved
    assert (found.answer, found.was, found.overturned) == ('["negative"]', '["neutral"]', True)
    assert desk.truths(task) == [("neutral", False), ("negative", True)]
    assert desk.resolve().resolved == []
    with pytest.raises(InputError, match=r"Nobody else can decide .*hard_cases"):
        desk.reopen(task)
