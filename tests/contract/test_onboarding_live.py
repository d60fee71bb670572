"""Two new annotators take the course in a real Label Studio, each signed in as themselves: one passes, one does not."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from browser.accounts import sign_up
from pydantic import SecretStr
from typer.testing import CliRunner
from unit.analysis.exports import SENTIMENT, choice

from ml_backend.cases import policy_version
from ml_backend.jobs import JOB_SETTINGS
from ml_backend.labeling.config import parse
from ml_backend.labeling.results import project_key
from ml_backend.queues import WORK_QUEUE, Jobs
from ml_backend.reconciler import reconcile
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from ml_backend.valkey import Valkey
from sdk_scripts.case_library import NewCase, add_cases
from sdk_scripts.cli import app
from sdk_scripts.evidence import Evidence
from sdk_scripts.inspected import Inspected
from sdk_scripts.onboarding import courses as onboarding
from sdk_scripts.onboarding.jobs import advance_job
from sdk_scripts.onboarding.questions import Pool
from sdk_scripts.quality import quality_of
from sdk_scripts.rules import RULES
from sdk_scripts.sources import read_project
from tests.unit.analysis.given import LengthEncoder

ANA, EVE = "ana@course.example", "eve@course.example"
PASSWORD = "a-password-for-courses"
LABELS = ("negative", "neutral", "positive")
GUIDELINES = "<h2>Danger</h2><p>What smokes is negative.</p>"
RULES_LINE = {"onboarding": {"practice": 4, "a_set": 2, "exam": 20, "required": True}}
AUTOMATIC = {**RULES_LINE, "automatic": True}
REVIEWER = {"name": "2026-11", "reviewers": [{"email": EVE}]}
PRACTICE, GOLD = 6, 46

Tell = Callable[..., Any]


@dataclass
class Person:
    """Somebody signed in to Label Studio."""

    studio: Studio
    course: int

    def answer(self, tells: Callable[[str], str]) -> list[dict[str, Any]]:
        """Everything that Label Studio serves, in order; returns it as it was served."""
        served = []
        while (task := self.studio.next_task(self.course)) is not None:
            served.append(task)
            self.studio.create_annotation(task["id"], {"result": [choice("sentiment", tells(task["data"]["text"]))]})
        return served

    def answer_all(self, tells: Callable[[str], str]) -> list[dict[str, Any]]:
        """The same without asking Label Studio for each."""
        open_ = [it for it in self.studio.tasks(self.course) if not it["annotations"]]
        for task in open_:
            self.studio.create_annotation(task["id"], {"result": [choice("sentiment", tells(task["data"]["text"]))]})
        return open_


def right(text: str) -> str:
    return LABELS[int(text.rsplit(" ", 1)[1]) % 3]


def wrong(text: str) -> str:
    return LABELS[(LABELS.index(right(text)) + 1) % 3]


@pytest.fixture
def tell(studio_environment: None) -> Tell:
    """Runs `tiebreak onboard …`; returns its JSON."""

    def run(*arguments: object, code: int = 0) -> Any:
        done = CliRunner().invoke(app, ["onboard", *map(str, arguments), "--json"], catch_exceptions=False)
        assert done.exit_code == code, done.output
        return json.loads(done.stdout)

    return run


@pytest.fixture
def source(studio: Studio, studio_settings: Settings) -> Iterator[int]:
    """A project with a case library: six precedents, the rest gold."""
    lines = f"tiebreak hard cases: {json.dumps(REVIEWER)}\ntiebreak quality: {json.dumps(RULES_LINE)}"
    fields = {"title": "Reviews", "label_config": SENTIMENT, "expert_instruction": GUIDELINES, "description": lines}
    project = studio.create_project(fields)
    texts = [f"The thing {secrets.token_hex(12)} with its {secrets.token_hex(12)} {n}" for n in range(PRACTICE + GOLD)]
    studio.import_tasks(project["id"], [{"data": {"text": text, "origin": "shop"}} for text in texts])
    cases = [
        NewCase(
            task["id"],
            "sentiment",
            f'["{right(task["data"]["text"])}"]',
            severity=3,
            rationale=f"It is so <b>because</b> {place}.",
            clause="Danger",
            policy=policy_version(project),
            uses=("precedent",) if place < PRACTICE else ("gold",),
        )
        for place, task in enumerate(studio.tasks(project["id"], data_only=True))
    ]
    add_cases(studio, project, cases, studio_settings)
    yield project["id"]
    for one in studio.projects():
        if one["id"] >= project["id"]:
            studio.delete_project(one["id"])


@pytest.fixture
def arrives(studio_server: Any) -> Callable[[str, int], Person]:
    def arrive(email: str, course: int) -> Person:
        sign_up(studio_server.url, studio_server.token, email, PASSWORD)
        with httpx.Client(base_url=studio_server.url, timeout=60, trust_env=False) as browser:
            browser.get("/user/login/")
            form = {"email": email, "password": PASSWORD, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
            browser.post("/user/login/", data=form, headers={"Referer": studio_server.url})
            token = browser.get("/api/current-user/token").raise_for_status().json()["token"]
        return Person(Studio(studio_server.url, token), course)

    return arrive


def everything(studio: Studio) -> Any:
    """All that Label Studio has of projects, tasks and annotations, but how long ago that was."""
    kept = ("id", "title", "description", "label_config", "expert_instruction")
    projects = [{name: it[name] for name in kept} for it in studio.projects()]
    tasks = [task for it in projects for task in studio.tasks(it["id"])]
    for annotation in (it for task in tasks for it in task["annotations"]):
        del annotation["created_ago"]
    return projects, tasks


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def findings(studio: Studio, source: int) -> dict[str, str]:
    """What the rule `uncertified` says of whom."""
    dataset = read_project(studio, studio.project(source))
    inspected = Inspected(Evidence(dataset, LengthEncoder), quality_of(dataset.project or {}))
    rule = RULES["uncertified"]
    return {it.subject: it.message for it in rule(inspected, rule.parameters()) if it.off}


def test_from_the_first_set_to_the_certificate_and_to_new_guidelines(
    studio: Studio,
    source: int,
    tell: Tell,
    arrives: Callable[[str, int], Person],
    studio_settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def twice(*arguments: object) -> Any:
        done = tell(*arguments)
        before = everything(studio)
        tell(*arguments)
        assert everything(studio) == before
        return done

    before = everything(studio)
    assert tell("start", source, "--annotator", ANA, code=1)["new_tasks"] == 2
    assert everything(studio) == before
    course = twice("start", source, "--annotator", ANA, "--apply")["project"]
    ana = arrives(ANA, course)

    shown = []
    for number in (1, 2):
        served = ana.answer(wrong if number == 1 else right)
        assert [it["data"]["tiebreak_course"]["set"] for it in served] == [number] * 2
        for task in served:
            assert set(task["data"]) == {"text", "tiebreak_item", "tiebreak_course", "tiebreak_panel"}
            assert not task["predictions"]
        assert all("because" not in it["data"]["tiebreak_panel"] for it in (*served[1:], *served[: number == 1]))
        shown.append(served[0]["data"]["tiebreak_panel"])
        assert tell("advance", source, "--annotator", ANA, code=1)["courses"][0]["changed_tasks"] == 2
        with monkeypatch.context() as killed:
            killed.setattr(onboarding, "fill", interrupt)
            with pytest.raises(KeyboardInterrupt):
                onboarding.advance_courses(studio, studio.project(source), studio_settings, apply=True)
        (twice if number == 1 else tell)("advance", source, "--annotator", ANA, "--apply")
        for task in served:
            panel = ana.studio.task(task["id"])["data"]["tiebreak_panel"]
            assert ("✗" in panel) == (number == 1)
            assert "&lt;b&gt;because&lt;/b&gt;" in panel
            assert "Guidelines, Danger: What smokes is negative." in panel
    assert "✗" in shown[1]  # of the first set, in front of the second

    exam = ana.answer(right)
    assert len(exam) == 20
    assert all("because" not in it["data"]["tiebreak_panel"] for it in exam[1:])
    assert all("marked" not in it["data"]["tiebreak_course"] for it in exam)
    assert not twice("advance", source, "--apply")["courses"][0]["new_tasks"]
    assert "✓" in ana.studio.task(exam[0]["id"])["data"]["tiebreak_panel"]

    eve = arrives(EVE, tell("start", source, "--annotator", EVE.upper(), "--apply")["project"])
    while eve.answer_all(wrong):
        tell("advance", source, "--annotator", EVE, "--apply")

    document = tell("status", source, code=1)
    states = {it["annotator"]: it["certificates"]["sentiment"] for it in document["people"]}
    assert {who: (it["state"], it["right"], it["n"]) for who, it in states.items()} == {
        ANA: ("certified", 20, 20),
        EVE: ("failed", 0, 20),
    }
    assert states[EVE]["mistakes"][0]["severity"] == 3
    assert document["may_label"] == {"sentiment": [ANA]}
    assert document["reviewers_without"] == {EVE: ["sentiment"]}
    for_people = CliRunner().invoke(app, ["onboard", "status", str(source)], catch_exceptions=False)
    assert "cannot keep anybody from labelling" in for_people.stderr

    first = next(studio.tasks(source))["id"]
    for person in (ana, eve):
        person.studio.create_annotation(first, {"result": [choice("sentiment", "negative")]})
    assert set(findings(studio, source)) == {EVE}

    studio.update_project(source, {"expert_instruction": "<h2>Danger</h2><p>What smokes is neutral now.</p>"})
    assert tell("status", source, code=1)["may_label"] == {"sentiment": []}
    assert set(findings(studio, source)) == {ANA, EVE}
    CliRunner().invoke(app, ["cases", "renew", str(source), "--all"], catch_exceptions=False)
    twice("start", source, "--annotator", ANA, "--apply")
    again = ana.answer_all(right)
    assert {it["data"]["tiebreak_item"] for it in again}.isdisjoint(it["data"]["tiebreak_item"] for it in exam)
    tell("advance", source, "--annotator", ANA, "--apply")
    assert tell("status", source, code=1)["may_label"] == {"sentiment": [ANA]}


def test_questions_come_from_the_library_and_from_decided_tasks(studio: Studio, source: int) -> None:
    def given(label: str, **more: Any) -> dict[str, Any]:
        return {"result": [choice("sentiment", label)], **more}

    decided = {"data": {"text": "It smokes."}, "annotations": [given("negative", ground_truth=True), given("positive")]}
    disputed = {"data": {"text": "Hm."}, "annotations": [given("negative"), given("positive")]}
    studio.import_tasks(source, [decided, disputed])
    project = studio.project(source)
    pool = Pool(studio, project, parse(SENTIMENT), datetime.now(UTC))
    assert (sum(it.practice for it in pool.library), sum(it.exam for it in pool.library)) == (PRACTICE, GOLD)
    assert {(it.severity, it.difficulty, it.people) for it in pool.library} == {(3.0, 0.5, frozenset())}
    (new,) = {it.id: it for it in pool.whole if it.id not in {one.id for one in pool.library}}.values()
    assert (new.data["text"], new.answers) == ("It smokes.", {"sentiment": '["negative"]'})
    assert (new.exam, new.practice, new.difficulty) == (True, True, 0.5)
    assert new.people == {"admin@example.com"}

    studio.update_project(source, {"expert_instruction": "<p>Something else.</p>"})
    stale = Pool(studio, studio.project(source), parse(SENTIMENT), datetime.now(UTC)).library
    assert len(stale) == PRACTICE + GOLD
    assert not any(it.holds or it.exam or it.practice for it in stale)


def test_workers_take_the_next_step_of_a_course_where_the_rules_are_automatic(
    studio: Studio, source: int, studio_settings: Settings, valkey: Valkey
) -> None:
    settings = studio_settings.model_copy(update={"redis_url": SecretStr(valkey.url)})
    key = project_key(studio.project(source))
    course = onboarding.start_course(studio, studio.project(source), ANA, settings, apply=True).project
    assert course is not None
    ana = studio.add_annotator(ANA)
    for task in studio.tasks(course):
        studio.create_annotation(task["id"], {"result": [choice("sentiment", "positive")], "completed_by": ana})
    course_key = project_key(studio.project(course))
    token = JOB_SETTINGS.set(settings)
    try:
        with Jobs(settings) as jobs:
            jobs.remember(key)
            assert course_key not in reconcile(jobs, studio)
            assert "skipped" in advance_job(course_key, course, 0)
            studio.update_project(source, {"description": f"tiebreak quality: {json.dumps(AUTOMATIC)}"})
            assert reconcile(jobs, studio)[course_key] == 2
            planned = jobs.queue(WORK_QUEUE).scheduled_job_registry.get_job_ids()
            assert [it for it in planned if it.startswith("advance-")]
            assert advance_job(course_key, course, 1) == {"new": 2, "changed": 2}
            assert advance_job(course_key, course, 2) == {"new": 0, "changed": 0}
            assert reconcile(jobs, studio)[course_key] == 0
    finally:
        JOB_SETTINGS.reset(token)
    assert len(list(studio.tasks(course))) == 4
