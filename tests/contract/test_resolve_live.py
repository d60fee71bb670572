"""From votes over a review to ground truth and its appeal, on a real Label Studio."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner
from unit.analysis.exports import SENTIMENT, choice
from unit.analysis.reviews import written

from ml_backend.cases import libraries_of, read_cases
from ml_backend.labeling.config import parse
from ml_backend.labeling.consensus import consensus
from ml_backend.labeling.errors import InputError, StudioUnreachable
from ml_backend.labeling.judgements import judgements
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from sdk_scripts.appeals import reopen
from sdk_scripts.cli import app
from sdk_scripts.mining import mine
from sdk_scripts.resolve import Resolution, resolve
from sdk_scripts.review_options import OTHER
from sdk_scripts.sources import load_source

TEXTS = {
    "The zip broke on day one.": ("negative", "negative", "positive"),
    "Does what it says.": ("positive", "neutral", "negative"),
    "Lovely colour.": ("positive", "positive", "positive"),
}
ANNOTATORS = ("ann", "bob", "cho")
REVIEWERS = ("rev", "sue", "tom", "uma")


@dataclass
class Desk:
    """A source project, its people, and what they do."""

    studio: Studio
    settings: Settings
    project: int
    people: dict[str, int]

    @property
    def fields(self) -> dict[str, Any]:
        return self.studio.project(self.project)

    def mine(self) -> int:
        dataset = load_source(str(self.project), label_config=None, settings=self.settings)
        review = mine(dataset, self.settings, apply=True).review.project
        assert review is not None
        return review

    def resolve(self, *, studio: Studio | None = None, **options: Any) -> Resolution:
        return resolve(studio or self.studio, self.fields, self.settings, **{"apply": True, **options})

    def reopen(self, task: int, **options: Any):
        options = {"why": "The seller took it back.", "apply": True, **options}
        return reopen(self.studio, self.fields, self.settings, task, **options)

    def reviews(self, review: int, task: int) -> list[dict[str, Any]]:
        return [it for it in self.studio.tasks(review) if it["data"]["source_task"] == task]

    def decide(self, review_task: dict[str, Any], who: str, label: str, text: str = "", *, keep: bool = False) -> int:
        result = [choice("decision", label, to_name="item"), choice("cause", "guideline_gap", to_name="item")]
        result += [written("rationale", "It <b>broke</b>."), written("policy_clause", "2.1")]
        result += [written("decision_text", text)] if text else []
        result += [choice("keep", "keep", to_name="item")] if keep else []
        fields = {"result": result, "completed_by": self.people[who]}
        return int(self.studio.create_annotation(review_task["id"], fields)["id"])

    def cases(self) -> list[tuple[int, Any, str]]:
        """The case library: (source task, answer, policy version)."""
        found = read_cases(self.studio, self.fields, parse(SENTIMENT), datetime.now(UTC))
        return [(case.data["tiebreak_case"]["source_task"], case.answer, case.policy) for case in found]

    def change(self, annotation: int, label: str) -> None:
        result = [choice("decision", label, to_name="item"), choice("cause", "ambiguous_item", to_name="item")]
        self.studio.update_annotation(annotation, {"result": result})

    def annotations(self, task: int) -> list[dict[str, Any]]:
        (found,) = self.studio.tasks(self.project, ids=[task])
        return sorted(found["annotations"], key=lambda it: it["id"])

    def truths(self, task: int) -> list[tuple[str, bool]]:
        """(answer, whether it is ground truth) of each decision, in order."""
        ours = [it for it in self.annotations(task) if "meta" in it["result"][0]]
        return [(it["result"][0]["value"]["choices"][0], it["ground_truth"]) for it in ours]

    def consensus(self, task: int) -> tuple[str, float]:
        dataset = load_source(str(self.project), label_config=None, settings=self.settings)
        items = consensus(judgements(dataset.tasks, dataset.config), dataset.config).items
        return {
            id: (answer, confidence) for id, answer, confidence in items.select("task", "answer", "confidence").rows()
        }[task]


@pytest.fixture
def make(studio: Studio, studio_settings: Settings) -> Iterator[Any]:
    made: list[Desk] = []

    def desk(**standard: Any) -> Desk:
        people = {name: studio.add_annotator(f"{name}@example.com") for name in (*ANNOTATORS, *REVIEWERS)}
        fields = {"title": "Reviews", "label_config": SENTIMENT, "expert_instruction": "<p>What breaks is bad.</p>"}
        if standard:
            fields["description"] = f"tiebreak hard cases: {json.dumps(standard)}"
        project = studio.create_project(fields)["id"]
        tasks = [
            {
                "data": {"text": text},
                "annotations": [
                    {"result": [choice("sentiment", label)], "completed_by": people[who]}
                    for who, label in zip(ANNOTATORS, labels, strict=True)
                ],
            }
            for text, labels in TEXTS.items()
        ]
        studio.import_tasks(project, tasks)
        made.append(Desk(studio, studio_settings, project, people))
        return made[-1]

    yield desk
    for it in made:
        projects = studio.projects()
        reviews = [one for one in projects if f"tiebreak: hard-cases-of-{it.project}" in (one["description"] or "")]
        for project in (it.fields, *reviews, *libraries_of(projects, it.fields)):
            studio.delete_project(project["id"])


def named(*people: str) -> list[dict[str, str]]:
    return [{"email": f"{name}@example.com"} for name in people]


def test_a_decision_becomes_ground_truth_once_and_a_changed_mind_replaces_it(make) -> None:
    desk = make()
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


def test_only_what_changed_is_looked_at_where_a_time_or_ids_are_given(make) -> None:
    desk = make()
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


def test_a_decision_worth_keeping_is_a_case_and_follows_what_is_decided_later(make) -> None:
    desk = make()
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


def test_what_people_changed_since_is_a_conflict_and_stays(make) -> None:
    desk = make()
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


def test_a_review_task_cannot_be_made_to_write_into_another_project(make) -> None:
    desk, victim = make(), make()
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


def test_two_blind_reviewers_who_differ_get_a_third_and_the_majority_stands(make) -> None:
    desk = make(reviewers=named("rev", "sue", "tom"), severity={"negative": 5}, two_reviewers_from=5)
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


def test_a_run_that_was_killed_between_any_two_writes_is_completed_by_the_next(make) -> None:
    desk = make()
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
    dying.writes = 0
    with pytest.raises(StudioUnreachable):
        desk.resolve(studio=dying)
    assert desk.truths(task) == [("neutral", False)]
    assert desk.resolve().resolved[0].answer == '["positive"]'
    assert desk.truths(task) == [("neutral", False), ("positive", True)]
    assert desk.resolve().resolved == []


def test_an_appeal_is_decided_by_somebody_else_and_the_old_decision_is_kept(make) -> None:
    desk = make(reviewers=named("rev", "sue"))
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


def test_two_machines_at_once_write_a_decision_once(make, tmp_path) -> None:
    desk = make()
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


def test_the_commands_say_what_is_pending_and_end_accordingly(make, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = make()
    monkeypatch.setenv("TIEBREAK_HOME", str(desk.settings.home))
    monkeypatch.setenv("TIEBREAK_STUDIO_URL", desk.settings.studio_url)
    monkeypatch.setenv("TIEBREAK_STUDIO_TOKEN", desk.settings.studio_token.get_secret_value())

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
