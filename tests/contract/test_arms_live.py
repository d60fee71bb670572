"""Tasks shown, blind and seeded in a real Label Studio: from project.yaml to the figures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from ml_backend.encoder import Encoder
from ml_backend.labeling.arms import Arms
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.judgements import judgements, of_annotators
from ml_backend.labeling.results import project_key, seal_of
from ml_backend.model_registry import ModelRegistry
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from ml_backend.training import train
from sdk_scripts.cli import app
from sdk_scripts.collaboration import of_dataset
from sdk_scripts.prelabel import prelabel
from sdk_scripts.settled_answers import settled_cases
from sdk_scripts.sources import load_source, read_project
from sdk_scripts.sync import sync
from tests.unit.labeling.shown_to import SECRET
from tests.unit.learning.reviews import SENTIMENT, choice, labelled, reviews

MANIFEST = """
name: arms
title: Arms, live
label_config: config.xml
sampling: uncertainty
policy: {blind: 0.3, seeded: 0.2}
"""
ACCEPTS, LOOKS = "accepts@example.com", "looks@example.com"
TRUTH = dict(reviews(80, seed=3))
FALSE = {"positive": "negative", "negative": "positive"}


@dataclass(frozen=True)
class Team:
    studio: Studio
    settings: Settings
    project: int
    server: Any
    people: dict[str, int]

    @property
    def fields(self) -> dict[str, Any]:
        return self.studio.project(self.project)

    @property
    def arms(self) -> Arms:
        return Arms(SECRET, 0.3, 0.2)

    def get(self, path: str) -> Any:
        headers = {"Authorization": f"Token {self.server.token}"}
        return httpx.get(f"{self.server.url}{path}", headers=headers, timeout=60, trust_env=False).json()

    def export(self) -> list[dict[str, Any]]:
        return self.get(f"/api/projects/{self.project}/export?exportType=JSON")

    def submit(self, task: dict[str, Any], who: str, **more: Any) -> None:
        """What the labeling screen sends: the prediction's regions, changed or not."""
        (stored,) = task["predictions"]
        right, result = TRUTH[task["data"]["text"]], [dict(it) for it in stored["result"]]
        for region in result:
            region["origin"] = "prediction"
            if who == LOOKS and region["value"]["choices"] != [right]:
                region |= {"value": {"choices": [right]}, "origin": "prediction-changed"}
        seconds = 10 if stored["result"] else 20
        fields = {"result": result or [choice("sentiment", right)], "parent_prediction": stored["id"], **more}
        self.studio.create_annotation(
            task["id"], {**fields, "completed_by": self.people[who], "lead_time": seconds + task["id"] % 5}
        )


@pytest.fixture(scope="module")
def team(studio_server: Any, encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """A synced project with the policy, pre-labelled by a trained model, and labelled by two people; made once, as
    pushing takes a while."""
    home = tmp_path_factory.mktemp("arms")
    settings = Settings(
        _env_file=None,
        home=home,
        studio_url=studio_server.url,
        studio_token=SecretStr(studio_server.token),
        policy_secret=SecretStr(SECRET),
    )
    studio = Studio.connect(settings)
    (home / "project").mkdir()
    (home / "project" / "config.xml").write_text(SENTIMENT.xml)
    (home / "project" / "project.yaml").write_text(MANIFEST)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIEBREAK_POLICY_SECRET", SECRET)
        assert sync([home / "project"], settings, apply=True).applied
        assert sync([home / "project"], settings).changes == ()
    project = next(it for it in studio.projects() if it["title"] == "Arms, live")
    studio.import_tasks(project["id"], [{"data": {"text": text}} for text in TRUTH])
    known = [task for task in labelled(300, seed=9) if task.data["text"] not in TRUTH]
    train(project_key(project), SENTIMENT, known, encoder, ModelRegistry(settings.models))
    prelabel(settings, project["id"])
    people = {email: studio.add_annotator(email) for email in (ACCEPTS, LOOKS)}
    made = Team(studio, settings, project["id"], studio_server, people)
    for task in studio.tasks(project["id"]):
        for who in (ACCEPTS, LOOKS):
            made.submit(task, who)
    yield made
    studio.delete_project(project["id"])


def test_label_studio_has_a_prediction_of_every_task_and_those_of_blind_ones_are_empty(team: Team) -> None:
    assert prelabel(team.settings, team.project).pushed == 0
    wrong = 0
    for task in team.studio.tasks(team.project):
        (stored,) = task["predictions"]
        arm, right = team.arms.of(task["id"]), TRUTH[task["data"]["text"]]
        assert bool(stored["result"]) == (arm != "blind")
        assert 0 < stored["score"] < 1
        wrong += arm == "seeded" and stored["result"][0]["value"]["choices"] != [right]
        assert all(seal_of(region) for region in stored["result"])
    assert wrong >= 5


def test_a_task_with_an_empty_prediction_is_served_by_its_score(team: Team) -> None:
    project = team.studio.create_project({"title": "Queue", "label_config": SENTIMENT.xml})["id"]
    try:
        team.studio.import_tasks(project, [{"data": {"text": f"t {n}"}} for n in range(3)])
        ids = [task["id"] for task in team.studio.tasks(project, data_only=True)]
        scores = dict(zip(ids, (0.9, 0.2, 0.5), strict=True))
        full = [choice("sentiment", "positive")]
        sent = [
            {"task": id, "result": [] if score == 0.2 else full, "score": score, "model_version": "v"}
            for id, score in scores.items()
        ]
        assert team.studio.import_predictions(project, sent[:2]) == 2
        headers = {"Authorization": f"Token {team.server.token}"}
        url = f"{team.server.url}/api/predictions/"
        alone = httpx.post(url, headers=headers, json={**sent[2], "result": []}, timeout=60, trust_env=False)
        assert (alone.status_code, alone.json()["result"]) == (201, [])
        team.studio.update_project(project, {"model_version": "v", "sampling": "Uncertainty sampling"})
        served = team.studio.next_task(project)
        assert served is not None
        assert served["id"] == ids[1]
        assert served["predictions"][0]["result"] == []
    finally:
        team.studio.delete_project(project)


def test_exports_keep_what_was_on_the_screen_and_the_api_which_prediction_it_was(team: Team) -> None:
    for task in team.export():
        for annotation in task["annotations"]:
            assert bool(annotation["prediction"]["result"]) == (team.arms.of(task["id"]) != "blind")
            assert all(seal_of(it) for it in annotation["prediction"]["result"])
    for task in team.studio.tasks(team.project):
        for annotation in task["annotations"]:
            assert "prediction" not in annotation
            assert annotation["parent_prediction"] == task["predictions"][0]["id"]


def test_no_seeded_answer_counts_and_every_corrected_one_does(team: Team) -> None:
    dataset = read_project(team.studio, team.fields)
    table = of_annotators(judgements(dataset.tasks, dataset.config))
    seeded = {task.id for task in dataset.tasks if any(it.seeded for it in task.annotations)}
    assert len(seeded) >= 5
    by_person = dict(table.filter(table["task"].is_in(list(seeded))).group_by("annotator").len().iter_rows())
    assert by_person == {LOOKS: len(seeded)}
    right = {task.id: json.dumps([TRUTH[task.data["text"]]]) for task in dataset.tasks}
    assert dict(table.filter(annotator=LOOKS).select("task", "answer").iter_rows()) == right
    assert {it.arm for task in dataset.tasks for it in task.annotations} == {"plain", "blind", "seeded"}


def test_a_case_is_not_made_of_a_seeded_answer_though_it_is_ground_truth(team: Team) -> None:
    task = next(
        it
        for it in team.studio.tasks(team.project)
        if team.arms.of(it["id"]) == "seeded"
        and it["predictions"][0]["result"][0]["value"]["choices"] != [TRUTH[it["data"]["text"]]]
    )
    accepted = next(it for it in task["annotations"] if it["completed_by"] == team.people[ACCEPTS])
    team.studio.update_annotation(accepted["id"], {"ground_truth": True})
    try:
        with pytest.raises(InputError, match="Nothing is settled"):
            settled_cases(team.studio, team.fields, [task["id"]])
    finally:
        team.studio.update_annotation(accepted["id"], {"ground_truth": False})


def test_the_command_tells_who_accepts_everything_from_who_looks(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "HOME": str(team.settings.home),
        "STUDIO_URL": team.server.url,
        "STUDIO_TOKEN": team.server.token,
        "POLICY_SECRET": SECRET,
    }.items():
        monkeypatch.setenv(f"TIEBREAK_{name}", value)
    done = CliRunner().invoke(app, ["collaboration", str(team.project), "--json"])
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    people = {row["annotator"]: row for row in found["rubber_stamping"]["annotators"]}
    assert people[ACCEPTS]["share"] == 1
    assert people[ACCEPTS]["low"] > 0.5
    assert people[LOOKS]["share"] == 0
    assert people[LOOKS]["high"] < 0.5
    assert found["time"]["ratio"] == pytest.approx(0.55, abs=0.1)
    shift = found["anchoring"]["controls"]["sentiment"]
    assert shift["blind"]["n"] == 2 * sum(team.arms.of(task["id"]) == "blind" for task in team.export())
    assert shift["shift"] is not None
    assert found["annotations"]["untold"] == 0

    (tmp_path / "export.json").write_text(json.dumps(team.export()))
    (tmp_path / "config.xml").write_text(SENTIMENT.xml)
    arguments = [str(tmp_path / "export.json"), "--label-config", str(tmp_path / "config.xml")]
    offline = json.loads(CliRunner().invoke(app, ["collaboration", *arguments, "--json"]).stdout)
    assert offline["annotations"] == found["annotations"]
    assert offline["rubber_stamping"]["overall"] == found["rubber_stamping"]["overall"]
    assert offline["acceptance"]["overall"] == found["acceptance"]["overall"]

    monkeypatch.delenv("TIEBREAK_POLICY_SECRET")
    locked = CliRunner().invoke(app, ["collaboration", str(team.project), "--json"])
    assert "TIEBREAK_POLICY_SECRET does not open" in locked.stderr
    assert json.loads(locked.stdout)["annotations"]["seeded"] == 0


def test_label_studio_says_who_changed_what_the_machine_wrote(team: Team) -> None:
    task = next(team.studio.tasks(team.project))["id"]
    mark = {"machine": "few-shot-1", "answer": '["positive"]', "confidence": 0.99}
    region = {**choice("sentiment", "positive"), "id": "r", "meta": {"tiebreak": mark}}
    machine = team.studio.add_annotator("machine@example.com")
    made = team.studio.create_annotation(task, {"result": [region], "completed_by": machine})["id"]
    try:

        def read() -> Any:
            dataset = load_source(str(team.project), label_config=None, settings=team.settings)
            (found,) = [it for one in dataset.tasks for it in one.annotations if it.id == made]
            rows = of_annotators(judgements(dataset.tasks, dataset.config)).filter(annotation=made)
            return found, rows.select("annotator", "answer").rows()

        found, rows = read()
        assert found.automatic
        assert rows == []
        changed = {**region, "value": {"choices": ["negative"]}}
        team.studio.update_annotation(made, {"result": [changed]})
        found, rows = read()
        assert rows == [(team.server.email, '["negative"]')]  # whose token it was, not the machine's account
    finally:
        headers = {"Authorization": f"Token {team.server.token}"}
        httpx.delete(f"{team.server.url}/api/annotations/{made}/", headers=headers, timeout=60, trust_env=False)


def test_without_a_model_version_exports_do_not_say_what_was_on_the_screen(team: Team) -> None:
    project = team.studio.create_project({"title": "Unset", "label_config": SENTIMENT.xml})["id"]
    try:
        team.studio.import_tasks(project, [{"data": {"text": "t"}}])
        (task,) = team.studio.tasks(project)
        full = [choice("sentiment", "positive")]
        sent = {"task": task["id"], "result": full, "score": 0.5, "model_version": "v"}
        team.studio.import_predictions(project, [sent])
        (task,) = team.studio.tasks(project)
        parent = task["predictions"][0]["id"]
        team.studio.create_annotation(task["id"], {"result": full, "parent_prediction": parent})
        (exported,) = team.get(f"/api/projects/{project}/export?exportType=JSON")
        assert exported["annotations"][0]["prediction"] == {}
        (read,) = read_project(team.studio, team.studio.project(project)).tasks
        assert read.annotations[0].arm == "plain"  # by the prediction that the browser names
        found = read_project(team.studio, team.studio.project(project))
        assert any("shows no model version" in it for it in of_dataset(found, team.settings)["notes"])
    finally:
        team.studio.delete_project(project)
