"""From votes over a review to ground truth, on a real Label Studio."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
from typer.testing import CliRunner
from unit.analysis.exports import choice

from ml_backend.labeling.errors import StudioUnreachable
from ml_backend.studio import Studio
from sdk_scripts.cli import app
from sdk_scripts.review_options import OTHER
from tests.contract.desk import Desk


def test_a_decision_becomes_ground_truth_once_and_a_changed_mind_replaces_it(make_desk) -> None:
    desk = make_desk()
    review = desk.mine()
    task = min(it["data"]["source_task"] for it in desk.studio.tasks(review))
    (asked,) = desk.reviews(review, task)
    before = desk.annotations(task)
    assert desk.resolve().to_json()["resolved"] == []
    first = desk.decide(asked, "rev", "neutral")

    dry = desk.resolve(apply=False)
    assert (len(dry.resolved), dry.pending, dry.resolved[0].annotation) == (1, True, None)
    assert desk.annotations(task) == before

    done = desk.resolve()
    (one,) = done.to_json()["resolved"]
    assert (one["task"], one["answer"], one["was"], one["overturned"]) == (task, '["neutral"]', '["negative"]', True)
    assert (one["reviewer"], one["cause"], one["clause"]) == ("rev@example.com", "guideline_gap", "2.1")
    assert len(one["policy"]) == 12
    stored = next(it for it in desk.annotations(task) if it["id"] == one["annotation"])
    assert (stored["ground_truth"], stored["completed_by"]) == (True, desk.people["rev"])
    record = stored["result"][0]["meta"]["tiebreak"]
    assert record["review"] == f"{review}/{asked['id']}/{first}"
    assert (record["rationale"], record["policy"]) == ("It <b>broke</b>.", one["policy"])
    assert desk.consensus(task) == ('["neutral"]', 1.0)
    assert desk.annotations(task)[:3] == before

    again = desk.resolve()
    assert (again.resolved, again.standing, again.pending, again.outdated) == ([], 1, False, [])
    desk.studio.update_project(desk.project, {"expert_instruction": "What breaks is bad, except zips."})
    outdated = desk.resolve()
    assert ([one.task for one in outdated.outdated], outdated.resolved, outdated.pending) == ([task], [], False)

    desk.change(first, "neutral")
    (corrected,) = desk.resolve().resolved
    assert (corrected.annotation, corrected.cause) == (one["annotation"], "ambiguous_item")
    assert desk.truths(task) == [("neutral", True)]

    desk.change(first, "positive")
    assert desk.resolve().resolved[0].answer == '["positive"]'
    assert desk.truths(task) == [("neutral", False), ("positive", True)]
    assert desk.consensus(task) == ('["positive"]', 1.0)
    assert desk.resolve().resolved == []
    assert desk.annotations(task)[:3] == before


def test_only_what_changed_is_looked_at_where_a_time_or_ids_are_given(make_desk) -> None:
    desk = make_desk()
    review = desk.mine()
    asked = list(desk.studio.tasks(review))
    for it in asked:
        desk.decide(it, "rev", "neutral")
    found = desk.resolve(ids=[asked[0]["id"]])
    assert [one.task for one in found.resolved] == [asked[0]["data"]["source_task"]]
    first = desk.studio.task(asked[0]["id"])["updated_at"]
    last = desk.studio.task(asked[-1]["id"])["updated_at"]
    assert desk.resolve(updated_after=datetime.fromisoformat(last)).resolved == []
    found = desk.resolve(updated_after=datetime.fromisoformat(first))
    assert [one.task for one in found.resolved] == [it["data"]["source_task"] for it in asked[1:]]


def test_a_decision_worth_keeping_is_a_case_and_follows_what_is_decided_later(make_desk) -> None:
    desk = make_desk()
    review = desk.mine()
    (kept, other) = list(desk.studio.tasks(review))[:2]
    task = kept["data"]["source_task"]
    annotation = desk.decide(kept, "rev", "neutral", keep=True)
    desk.decide(other, "rev", "neutral")
    assert desk.resolve(apply=False).kept == 0
    found = desk.resolve()
    assert found.kept == 1
    assert desk.cases() == [(task, ("neutral",), kept["data"]["tiebreak"]["policy"])]
    assert desk.resolve().kept == 0
    desk.change(annotation, "positive")  # which ticks "keep" no more
    assert desk.resolve().kept == 1
    assert [answer for _, answer, _ in desk.cases()] == [("positive",)]
    assert desk.resolve().kept == 0


def test_what_people_changed_since_is_a_conflict_and_stays(make_desk) -> None:
    desk = make_desk()
    review = desk.mine()
    edited, other = sorted(desk.studio.tasks(review), key=lambda it: it["data"]["source_task"])[:2]
    for it in (edited, other):
        desk.decide(it, "rev", OTHER, text="Neutral")
    vote = edited["data"]["tiebreak"]["votes"][0]["annotation"]
    desk.studio.update_annotation(vote, {"result": [choice("sentiment", "positive")]})
    found = desk.resolve()
    (conflict,) = found.conflicts
    assert (conflict.task, found.pending) == (edited["data"]["source_task"], True)
    assert f"Annotation {vote}, a vote, was edited" in conflict.why
    assert [one.task for one in found.resolved] == [other["data"]["source_task"]]
    assert desk.truths(edited["data"]["source_task"]) == []

    task = edited["data"]["source_task"]
    desk.reopen(task, why="An annotator changed their mind.")
    again = next(it for it in desk.reviews(review, task) if it["data"]["round"] == 2)
    assert again["data"]["tiebreak"]["votes"][0]["answer"] == '["positive"]'
    desk.decide(again, "sue", "negative")
    assert [one.answer for one in desk.resolve().resolved] == ['["negative"]']

    ours = max(desk.annotations(task), key=lambda it: it["id"])
    result = [{**ours["result"][0], "value": {"choices": ["positive"]}}]
    desk.studio.update_annotation(ours["id"], {"result": result})
    assert f"Annotation {ours['id']}, the decision, was edited" in desk.resolve().conflicts[0].why
    desk.reopen(task, why="Somebody edited it.")
    again = next(it for it in desk.reviews(review, task) if it["data"]["round"] == 3)
    assert "decided to be negative, and was changed to positive since" in again["data"]["reasons"]
    desk.decide(again, "tom", "neutral")
    assert [one.answer for one in desk.resolve().resolved] == ['["neutral"]']
    assert desk.truths(task) == [("positive", False), ("neutral", True)]

    desk.studio.delete_tasks(desk.project, [task])
    assert "not there any more" in desk.resolve().conflicts[0].why


def test_a_review_task_cannot_be_made_to_write_into_another_project(make_desk) -> None:
    desk, victim = make_desk(), make_desk()
    review = desk.mine()
    target = next(victim.studio.tasks(victim.project))["id"]
    asked = list(desk.studio.tasks(review))
    for it, project in zip(asked, (victim.project, desk.project), strict=False):
        data = {**it["data"], "source_project": project, "source_task": target}
        source = {**data["tiebreak"]["source"], "project": project, "task": target}
        data["tiebreak"] = {**data["tiebreak"], "source": source}
        desk.studio.update_task_data(it["id"], data)
        desk.decide(it, "rev", "neutral")
    before = victim.annotations(target)
    found = desk.resolve()
    assert (found.resolved, len(found.conflicts)) == ([], 2)
    assert victim.annotations(target) == before


class Dying(Studio):
    """Dies before the write of that number."""

    writes = 0
    last = 10**9

    def _call(self, method: str, path: str, **options: Any) -> Any:
        if method != "GET" and path.startswith(("/api/annotations", "/api/tasks")):
            self.writes += 1
            if self.writes > self.last:
                raise StudioUnreachable("killed")
        return super()._call(method, path, **options)


def test_a_run_that_was_killed_between_any_two_writes_is_completed_by_the_next(make_desk) -> None:
    desk = make_desk()
    review = desk.mine()
    asked = list(desk.studio.tasks(review))
    assert len(asked) >= 2
    decided = {it["data"]["source_task"]: desk.decide(it, "rev", "neutral") for it in asked}
    dying = Dying(desk.studio.url, desk.studio._token)
    dying.last = 1
    with pytest.raises(StudioUnreachable):
        desk.resolve(studio=dying)
    assert sum(len(desk.truths(task)) for task in decided) == 1
    assert (len(desk.resolve().resolved), desk.resolve().resolved) == (len(asked) - 1, [])
    assert [desk.truths(task) for task in decided] == [[("neutral", True)]] * len(asked)

    task, annotation = next(iter(decided.items()))
    desk.change(annotation, "positive")
    dying.writes, dying.last = 0, 0
    with pytest.raises(StudioUnreachable):
        desk.resolve(studio=dying)
    assert desk.truths(task) == [("neutral", True)]
    assert desk.resolve().resolved[0].answer == '["positive"]'
    assert desk.truths(task) == [("neutral", False), ("positive", True)]
    assert desk.resolve().resolved == []


def test_two_machines_at_once_write_a_decision_once(make_desk, tmp_path) -> None:
    desk = make_desk()
    asked = list(desk.studio.tasks(desk.mine()))
    for it in asked:
        desk.decide(it, "rev", "neutral")
    homes = [tmp_path / name for name in ("one", "other")]
    for home in homes:
        home.mkdir()
    machines = [Desk(desk.studio, desk.settings.model_copy(update={"home": home}), desk.project, {}) for home in homes]
    with ThreadPoolExecutor() as pool:
        list(pool.map(Desk.resolve, machines))
    assert [desk.truths(it["data"]["source_task"]) for it in asked] == [[("neutral", True)]] * len(asked)


def test_the_commands_say_what_is_pending_and_end_accordingly(make_desk, studio_environment: None) -> None:
    desk = make_desk()

    def told(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, [arguments[0], str(desk.project), *arguments[1:]], catch_exceptions=False)
        return done.exit_code, done.stdout

    assert told("resolve")[0] == 0  # there is no review project yet
    review = desk.mine()
    task = min(it["data"]["source_task"] for it in desk.studio.tasks(review))
    (asked,) = desk.reviews(review, task)
    desk.decide(asked, "rev", "neutral")
    code, out = told("resolve", "--json")
    document = json.loads(out)
    assert (code, document["applied"], document["overturned"], document["conflicts"]) == (1, False, 1, [])
    assert [one["task"] for one in document["resolved"]] == [task]
    code, out = told("resolve", "--apply")
    assert (code, "1 decisions written, 1 overturned" in out, "rev@example.com" in out) == (0, True, True)
    assert told("resolve")[0] == 0
    appeal = ("reopen", str(task), "--why", "The seller took it back.")
    code, out = told(*appeal, "--json")
    assert (code, json.loads(out)["round"], len(desk.reviews(review, task))) == (1, 2, 1)
    assert told(*appeal, "--apply")[0] == 0
    assert told(*appeal, "--apply")[0] == 0
    assert len(desk.reviews(review, task)) == 2
