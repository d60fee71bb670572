"""Gold questions against a real Label Studio: annotators sign in, are served, and answer as themselves."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from browser.accounts import sign_up
from typer.testing import CliRunner

from ml_backend.cases import Case, all_cases, libraries_of
from ml_backend.labeling.config import parse
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from sdk_scripts.case_edits import promote
from sdk_scripts.case_library import NewCase, add_cases
from sdk_scripts.cli import app
from sdk_scripts.evidence import Evidence
from sdk_scripts.gold.questions import kept_of
from sdk_scripts.gold.tasks import keep
from sdk_scripts.gold.tending import Tended, tend_gold
from sdk_scripts.report.collect import collect as report_of
from sdk_scripts.report.sections.gold import GoldPart
from sdk_scripts.sources import read_project
from sdk_scripts.training_export.collect import collect
from sdk_scripts.training_export.rows import Wanted
from tests.contract.desk import named
from tests.contract.studio_projects import choice, prediction

CONFIG = """<View><Text name="text" value="$text"/>
  <Choices name="sentiment" toName="text"><Choice value="positive"/><Choice value="negative"/></Choices>
  <Rating name="stars" toName="text"/></View>"""
PASSWORD = "a-password-for-gold"
SETTLED, ORDINARY = 6, 30
FIRST = 3
GOLD = {"first": FIRST, "share": 0.2, "rest_hours": 0, "least": 11}


@dataclass
class Annotator:
    """Somebody signed in to Label Studio's own pages."""

    email: str
    browser: httpx.Client
    project: int

    def next(self) -> dict[str, Any] | None:
        """What the label stream asks for."""
        found = self.browser.post(
            "/api/dm/actions",
            params={"id": "next_task", "project": self.project},
            json={},
            headers={"X-CSRFToken": self.browser.cookies["csrftoken"], "Referer": str(self.browser.base_url)},
        )
        return None if found.status_code == 404 else found.raise_for_status().json()

    def label(self, label: str | Callable[[dict[str, Any]], str], times: int = 1) -> list[dict[str, Any]]:
        """The tasks served, each answered at once."""
        served = []
        for _ in range(times):
            task = self.next()
            assert task is not None
            answer = label if isinstance(label, str) else label(task)
            self.browser.post(
                f"/api/tasks/{task['id']}/annotations/",
                json={"result": choice(answer), "lead_time": 5.0},
                headers={"X-CSRFToken": self.browser.cookies["csrftoken"], "Referer": str(self.browser.base_url)},
            ).raise_for_status()
            served.append(task)
        return served


@dataclass
class Desk:
    studio: Studio
    settings: Settings
    project: int
    settled: list[int]
    make_annotator: Callable[[int, str], Annotator]

    @property
    def fields(self) -> dict[str, Any]:
        return self.studio.project(self.project)

    def annotator(self, name: str) -> Annotator:
        return self.make_annotator(self.project, name)

    def tend(self, *, apply: bool = True) -> Tended:
        return tend_gold(self.studio, self.fields, self.settings, apply=apply)

    def uses(self) -> dict[int | None, tuple[str, ...]]:
        return {it.source_task: it.uses for it in all_cases(self.studio, self.fields, parse(CONFIG))}


@pytest.fixture
def make_annotator(studio_server: Any) -> Iterator[Callable[[int, str], Annotator]]:
    browsers: list[httpx.Client] = []

    def make(project: int, name: str) -> Annotator:
        email = f"{name}-{uuid.uuid4().hex[:6]}@gold.example"
        sign_up(studio_server.url, studio_server.token, email, PASSWORD)
        browser = httpx.Client(base_url=studio_server.url, timeout=60, trust_env=False)
        browsers.append(browser)
        browser.get("/user/login/").raise_for_status()
        fields = {"email": email, "password": PASSWORD, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        browser.post("/user/login/", data=fields, headers={"Referer": studio_server.url})
        return Annotator(email, browser, project)

    yield make
    for browser in browsers:
        browser.close()


@pytest.fixture
def make_gold_desk(
    studio: Studio, studio_settings: Settings, make_annotator: Callable[[int, str], Annotator]
) -> Iterator[Callable[..., Desk]]:
    made: list[int] = []

    def desk(**fields: Any) -> Desk:
        """Ordinary tasks come first, so that the queue would serve what is settled last."""
        says = f"tiebreak quality: {json.dumps({'gold': GOLD})}"
        more = {"title": "Gold, live", "label_config": CONFIG, "description": says, **fields}
        id = studio.create_project(more)["id"]
        made.append(id)
        voter = studio.add_annotator("voter@gold.example")
        votes = [{"result": choice("positive"), "completed_by": voter, "ground_truth": True}]
        ordinary = [{"data": {"text": f"text {number}"}} for number in range(ORDINARY)]
        settled = [{"data": {"text": f"settled {number}"}, "annotations": votes} for number in range(SETTLED)]
        studio.import_tasks(id, [*ordinary, *settled])
        tasks = list(studio.tasks(id))
        if more.get("sampling") == "Uncertainty sampling":
            studio.import_predictions(id, [prediction(task["id"], "v1", 0.9) for task in tasks])
            studio.update_project(id, {"model_version": "v1"})
        ids = [task["id"] for task in tasks if task["data"]["text"].startswith("settled")]
        cases = [NewCase(task, "sentiment", '["positive"]', uses=("gold", "precedent")) for task in ids]
        add_cases(studio, studio.project(id), cases, studio_settings)
        return Desk(studio, studio_settings, id, ids, make_annotator)

    yield desk
    for id in made:
        fields = studio.project(id)
        reviews = [it for it in studio.projects() if f"tiebreak: hard-cases-of-{id}" in (it["description"] or "")]
        for project in (fields, *reviews, *libraries_of(studio.projects(), fields)):
            studio.delete_project(project["id"])


@pytest.mark.parametrize(
    ("sampling", "most"), [("Sequential sampling", 1), ("Uniform sampling", 2), ("Uncertainty sampling", 1)]
)
def test_gold_comes_among_the_first_tasks_and_later_at_the_share(
    make_gold_desk: Callable[..., Desk], sampling: str, most: int
) -> None:
    desk = make_gold_desk(sampling=sampling, maximum_annotations=most)
    planned = desk.tend(apply=False)
    assert planned.pending
    assert {step.action for step in planned.steps} >= {"decide", "begin"}
    assert desk.tend().steps
    ann = desk.annotator("ann")
    first = ann.label("positive", FIRST + 5)
    gold = [task["id"] in desk.settled for task in first]
    assert sum(gold) == FIRST
    assert all(gold[:FIRST])
    assert not any(task["annotations"] for task in first)

    for _ in range(2):
        desk.tend()
        gold += [task["id"] in desk.settled for task in ann.label("positive", 5)]
    assert FIRST < sum(gold) <= FIRST + round(0.2 * len(gold)) + 1
    (score,) = [it for it in desk.tend().scores if it.annotator == ann.email]
    assert (score.asked, score.right) == (sum(gold), sum(gold))
    assert desk.tend().steps == ()


def test_two_annotators_are_scored_and_a_question_they_all_contradict_is_retired(
    make_gold_desk: Callable[..., Desk], studio_environment: None
) -> None:
    desk = make_gold_desk()
    desk.studio.update_project(
        desk.project,
        {"description": f"tiebreak quality: {json.dumps({'gold': {**GOLD, 'first': SETTLED}})}"},
    )
    desk.tend()
    wrong = desk.settled[2]
    people = [desk.annotator(name) for name in ("ann", "bob", "cho")]
    hasty = desk.annotator("hasty")
    for person in people:
        person.label(lambda task: "negative" if task["id"] == wrong else "positive", SETTLED + 1)
    hasty.label("negative", SETTLED + 1)

    before = read_project(desk.studio, desk.fields)
    evidence = Evidence(before)
    assert {("sentiment", task) for task in desk.settled} <= evidence.settled
    said = {row["task"]: row["answer"] for row in evidence.consensus.items.iter_rows(named=True)}
    assert {said[task] for task in desk.settled} == {'["positive"]'}
    exported = collect(before, desk.settings, Wanted(controls=("sentiment",)))
    assert exported.dropped["gold"] == SETTLED
    assert not {row.task for it in exported.controls for row in it.rows} & set(desk.settled)

    told = CliRunner().invoke(app, ["gold", str(desk.project), "--apply", "--json"], catch_exceptions=False)
    assert told.exit_code == 0, told.output  # too few answers for anybody to fail
    document = json.loads(told.stdout)
    assert [(it["task"], it["why"]) for it in document["retired"]] == [(wrong, "contested")]
    scored = {it["annotator"]: (it["asked"], it["right"], it["verdict"]) for it in document["annotators"]}
    assert scored == {
        **{it.email: (SETTLED - 1, SETTLED - 1, "not enough") for it in people},
        hasty.email: (SETTLED - 1, 0, "not enough"),
    }
    assert "gold" not in desk.uses()[wrong]
    assert "precedent" in desk.uses()[wrong]
    (review,) = [it for it in desk.studio.projects() if f"hard-cases-of-{desk.project}" in (it["description"] or "")]
    assert {it["data"]["source_task"] for it in desk.studio.tasks(review["id"])} == {wrong}
    stored = desk.studio.task(wrong)
    assert (stored["is_labeled"], stored["overlap"]) == (True, 1)
    again = desk.tend()
    assert (again.retired, again.steps) == ((), ())
    states = {it.task: (it.state, bool(it.why)) for it in again.questions}
    assert states == {**dict.fromkeys(desk.settled, ("gold", False)), wrong: ("contested", True)}

    section = report_of(read_project(desk.studio, desk.fields), desk.settings).sections["gold"]
    assert isinstance(section, GoldPart)
    assert {it.annotator: (it.asked, it.right, it.verdict) for it in section.scores} == scored
    assert {it.task: (it.state, bool(it.why)) for it in section.questions} == states
    assert section.retired == 1


def test_a_case_from_elsewhere_gets_a_task_like_the_others(
    make_gold_desk: Callable[..., Desk], studio_environment: None
) -> None:
    desk = make_gold_desk()
    (library,) = libraries_of(desk.studio.projects(), desk.fields)
    use = {"from_name": "tiebreak_use", "to_name": "text", "type": "choices", "value": {"choices": ["gold"]}}
    stars = {"from_name": "stars", "to_name": "text", "type": "rating", "value": {"rating": 1}}
    settled = {"result": [*choice("negative"), stars, use], "ground_truth": True}
    data = {"text": "from elsewhere", "tiebreak_case": {"severity": 3}, "note": "seen by nobody"}
    desk.studio.import_tasks(library["id"], [{"data": data, "annotations": [settled]}])
    planned = CliRunner().invoke(app, ["gold", str(desk.project)], catch_exceptions=False)
    assert planned.exit_code == 1
    assert "place" in planned.output
    assert not any(task["data"]["text"] == "from elsewhere" for task in desk.studio.tasks(desk.project))
    desk.tend()
    assert desk.tend().steps == ()
    (made,) = [task for task in desk.studio.tasks(desk.project) if task["data"]["text"] == "from elsewhere"]
    assert made["data"] == {"text": "from elsewhere"}
    evidence = Evidence(read_project(desk.studio, desk.fields))
    assert {("sentiment", made["id"]), ("stars", made["id"])} <= evidence.settled
    first = desk.annotator("ann").label("negative", FIRST)
    assert made["id"] in {task["id"] for task in first}  # the gravest comes first


def test_a_retirement_that_was_cut_short_is_finished_and_the_decision_appealed(make_desk: Any) -> None:
    desk = make_desk(reviewers=named("rev", "sue"))
    review = desk.mine()
    task = min(it["data"]["source_task"] for it in desk.studio.tasks(review))
    (asked,) = desk.reviews(review, task)
    desk.decide(asked, asked["data"]["reviewer"].split("@")[0], "neutral", keep=True)
    desk.resolve()

    def kept() -> Case:
        (case,) = all_cases(desk.studio, desk.fields, parse(str(desk.fields["label_config"])))
        return case

    promote(desk.studio, desk.fields, [kept().task], ["gold"])
    assert "begin" in {step.action for step in tend_gold(desk.studio, desk.fields, desk.settings, apply=True).steps}
    cut = {"at": "2026-11-26T10:00:00+00:00", "why": "contested", "detail": "3 of 3 disagree.", "half": True}
    keep(desk.studio, kept(), {"since": "2026-11-25T10:00:00+00:00", "key": '["neutral"]', "retired": cut})

    tend_gold(desk.studio, desk.fields, desk.settings, apply=True)
    assert kept_of(kept()).why == "contested"
    assert not kept_of(kept()).half
    assert "gold" not in kept().uses
    (appeal,) = [it for it in desk.reviews(review, task) if it["data"]["round"] == 2]
    assert "3 of 3 disagree." in appeal["data"]["reasons"]
    assert tend_gold(desk.studio, desk.fields, desk.settings, apply=True).steps == ()
