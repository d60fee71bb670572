"""A hard case as a task of the review project."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from unit.analysis.exports import EVERY_KIND, annotation, choice, dataset, predicted, task, voted
from unit.analysis.given import GivenEvidence, opinion, sentiment

from ml_backend.labeling.config import parse
from ml_backend.labeling.kinds import kind_of
from ml_backend.labeling.results import lookup
from sdk_scripts.hard_cases import HardCase, Reason, find_hard_cases
from sdk_scripts.manifest import load_manifest
from sdk_scripts.review_options import OTHER
from sdk_scripts.review_project import MANIFEST
from sdk_scripts.review_tasks import build_review_tasks
from sdk_scripts.sources import Dataset

LIVE = {
    "project": {
        "id": 12,
        "title": "Reviews",
        "created_at": "2026-01-01T00:00:00Z",
        "expert_instruction": "<h2>Praise</h2><p>Thanks are positive.</p><h2>Blame</h2><p>Anger is negative.</p>",
    },
    "url": "http://studio.internal:8080/projects/12/data",
}


def reviews(source: Dataset, opinions=None) -> list[dict]:
    evidence = GivenEvidence(source, opinions)
    return [item["data"] for item in build_review_tasks(source, evidence, find_hard_cases(source, evidence))]


@pytest.fixture
def disputed() -> list[dict]:
    return [
        voted(1, "It broke.", "negative", "negative", "positive"),
        voted(2, "It broke!", "negative", "negative"),
        voted(3, "A very long text about something else altogether.", "positive", "positive"),
        voted(4, "It was", "neutral"),
    ]


def test_every_field_that_the_config_shows_is_there(disputed) -> None:
    config = load_manifest(MANIFEST).config
    (data,) = reviews(dataset(disputed, **LIVE))
    fields = {source.field for source in config.sources if source.field} | {config["decision"].dynamic_field}
    assert all(lookup(data, field) is not None for field in fields)


def test_it_knows_its_source_and_every_vote_with_its_annotation(disputed) -> None:
    (data,) = reviews(dataset(disputed, **LIVE))
    assert (data["source_project"], data["source_task"], data["control"]) == (12, 1, "sentiment")
    assert data["link"] == "http://studio.internal:8080/projects/12/data?task=1"
    assert '<a href="/projects/12/data?task=1"' in data["item"]
    kept = data["tiebreak"]
    assert kept["source"] == {"project": 12, "created_at": "2026-01-01T00:00:00Z", "title": "reviews", "task": 1}
    assert [(vote["annotator"], vote["annotation"], vote["answer"]) for vote in kept["votes"]] == [
        ("1", 101, '["negative"]'),
        ("2", 102, '["negative"]'),
        ("3", 103, '["positive"]'),
    ]
    assert kept["standard"].keys() >= {"label_config", "guidelines", "signals"}
    json.dumps(data, allow_nan=False)


def test_the_decision_offers_every_label_and_each_leads_back_to_an_answer(disputed) -> None:
    (data,) = reviews(dataset(disputed, **LIVE))
    offered = [option["value"] for option in data["options"]]
    assert offered == ["negative", "neutral", "positive", OTHER]
    kind = kind_of(parse(dataset(disputed).config.xml)["sentiment"])
    answers = {label: kind.from_key(key) for label, key in data["tiebreak"]["options"].items()}
    assert answers == {label: (label,) for label in offered[:-1]}


def test_it_shows_votes_reasons_the_model_and_the_guidelines(disputed) -> None:
    (data,) = reviews(dataset(disputed, **LIVE), sentiment({1: opinion("positive", 0.93, negative=0.05)}))
    assert "2 of 3 say negative, 1 says positive" in data["reasons"]
    assert data["votes"].count("<tr>") == 4
    assert "0.93" in data["model"]
    assert "not trained on this task" in data["model"]
    assert "<b>Praise</b>" in data["guideline"]
    assert data["tiebreak"]["model"]["answer"] == '["positive"]'


def test_the_stored_prediction_speaks_for_the_model_where_there_is_no_better_opinion(disputed) -> None:
    disputed[0]["predictions"] = [predicted(5, "neutral", 0.61, "few-shot-1")]
    (data,) = [review for review in reviews(dataset(disputed, **LIVE)) if review["source_task"] == 1]
    assert "0.61" in data["model"]
    assert "few-shot-1" in data["model"]


def test_precedents_are_the_nearest_tasks_with_an_agreed_answer_and_no_hard_cases(disputed) -> None:
    disputed.append(voted(5, "It split?", "negative", "positive"))
    by_task = {data["source_task"]: data for data in reviews(dataset(disputed, **LIVE))}
    assert by_task.keys() == {1, 5}
    precedents = by_task[1]["tiebreak"]["precedents"]
    assert [precedent["task"] for precedent in precedents] == [2, 4, 3]
    assert precedents[0]["answer"] == '["negative"]'
    assert "It broke!" in by_task[1]["precedents"]


def test_the_control_most_in_doubt_is_the_one_to_decide() -> None:
    def stars(n: int) -> dict:
        return {"from_name": "stars", "to_name": "text", "type": "rating", "value": {"rating": n}}

    annotations = [
        annotation(1, 1, choice("verdict", "allow"), stars(5)),
        annotation(2, 2, choice("verdict", "reject"), stars(4)),
    ]
    (data,) = reviews(dataset([task(1, "x", annotations)], EVERY_KIND, **LIVE))
    assert data["control"] == "verdict"
    assert [option["value"] for option in data["options"]] == ["allow", "reject", OTHER]
    assert data["votes"].index("verdict") < data["votes"].index("stars")


@pytest.mark.parametrize("name", [control.name for control in parse(EVERY_KIND).answerable])
def test_whatever_is_asked_a_review_can_be_made_and_the_given_answer_chosen(name: str) -> None:
    control = parse(EVERY_KIND)[name]
    kind = kind_of(control)
    regions = kind.write(control, kind.example(control))
    source = dataset([task(1, "x" * 60, [annotation(1, 1, *regions)])], EVERY_KIND, **LIVE)
    case = HardCase(1, 0.5, (Reason("disagreement", 0.5, "why", name),))
    (made,) = build_review_tasks(source, GivenEvidence(source), [case])
    assert kind.key(kind.example(control)) in made["data"]["tiebreak"]["options"].values()


def test_hostile_text_anywhere_stays_text() -> None:
    hostile = "<script>alert(1)</script>"
    xml = """<View><Text name="text" value="$text"/><Choices name="sentiment" toName="text">
      <Choice value="&lt;script&gt;alert(1)&lt;/script&gt;"/><Choice value="fine"/></Choices></View>"""
    who = {"id": 1, "email": f"{hostile}@example.com"}
    annotations = [
        annotation(1, who, choice("sentiment", hostile)),
        annotation(2, 2, choice("sentiment", "fine")),
    ]
    live = LIVE | {"project": LIVE["project"] | {"expert_instruction": f"<p>fine {hostile}</p>&lt;script&gt;x"}}
    tasks = [task(1, hostile, annotations), task(2, hostile, annotations[:1])]
    (data,) = reviews(dataset(tasks, xml, **live))
    for field in ("item", "reasons", "votes", "model", "precedents", "guideline"):
        assert "<script" not in data[field]


def test_the_shipped_example_is_such_a_task(disputed) -> None:
    example = json.loads((MANIFEST.parent / "example.json").read_text("utf-8"))["data"]
    (data,) = reviews(dataset(disputed, **LIVE))
    assert example.keys() == data.keys()
    assert example["tiebreak"].keys() == data["tiebreak"].keys()


def test_the_manifest_ships_beside_its_files() -> None:
    assert {path.name for path in Path(MANIFEST.parent).iterdir()} >= {"config.xml", "guidelines.md", "project.yaml"}
