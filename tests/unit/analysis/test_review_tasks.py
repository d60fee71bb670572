"""A hard case as a task of the review project."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from unit.analysis.exports import EVERY_KIND, annotation, choice, dataset, predicted, task, voted
from unit.analysis.given import GivenEvidence, opinion, sentiment

from ml_backend.labeling.config import parse
from ml_backend.labeling.kinds import kind_of
from ml_backend.labeling.task_data import lookup
from sdk_scripts.hard_cases import HardCase, Reason, find_hard_cases
from sdk_scripts.manifest import load_manifest
from sdk_scripts.review_cases import CaseFacts
from sdk_scripts.review_options import OTHER
from sdk_scripts.review_project import MANIFEST
from sdk_scripts.review_tasks import build_review_tasks, reseated
from sdk_scripts.reviewers import Seat, case_of
from sdk_scripts.sources import Dataset
from sdk_scripts.standards import Standard

LIVE = {
    "project": {
        "id": 12,
        "title": "Reviews",
        "created_at": "2026-01-01T00:00:00Z",
        "expert_instruction": "<h2>Praise</h2><p>Thanks are positive.</p><h2>Blame</h2><p>Anger is negative.</p>",
    },
    "url": "http://studio.internal:8080/projects/12/data",
}


def reviews(source: Dataset, opinions=None, cases=None, **standard) -> list[dict]:
    """A seat of each case, for anybody."""
    facts = CaseFacts(GivenEvidence(source, opinions, Standard(**standard)))
    found = find_hard_cases(source, facts.evidence) if cases is None else cases
    seats = [(case, Seat(facts.case(case), "", 1)) for case in found]
    return [item["data"] for item in build_review_tasks(facts, seats)]


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
    (data,) = reviews(dataset(disputed, **LIVE), blind=False)
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
    disputed.append(voted(5, "It broke?", "negative", "positive"))
    cases = [HardCase(id, 0.5, (Reason("disagreement", 0.5, "why", "sentiment"),)) for id in (1, 5)]
    by_task = {data["source_task"]: data for data in reviews(dataset(disputed, **LIVE), cases=cases)}
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
    case = HardCase(
        1, 0.5, (Reason("disagreement", 0.5, "why", "verdict"), Reason("disagreement", 0.3, "why", "stars"))
    )
    (data,) = reviews(dataset([task(1, "x", annotations)], EVERY_KIND, **LIVE), cases=[case])
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
    (data,) = reviews(source, cases=[case])
    assert kind.key(kind.example(control)) in data["tiebreak"]["options"].values()


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


NAMED = [("ann@example.com", "negative"), ("bob@example.com", "negative"), ("", "positive")]


def named() -> list[dict]:
    people = [
        annotation(100 + n, {"id": n, "email": email} if email else None, choice("sentiment", label))
        for n, (email, label) in enumerate(NAMED, start=1)
    ]
    return [task(1, "It broke.", people), voted(2, "It broke!", "negative", "negative")]


def test_a_blind_review_names_nobody_and_its_votes_still_lead_to_their_annotations() -> None:
    source = dataset(named(), **LIVE)
    reason = Reason("disagreement", 0.5, "ANN@example.com says negative, bob@example.com too", "sentiment")
    (data,) = reviews(source, cases=[HardCase(1, 0.5, (reason,))])
    assert "@example.com" not in json.dumps(data).lower()
    assert "an annotator says negative, an annotator too" in data["reasons"]
    letters = [vote["annotator"] for vote in data["tiebreak"]["votes"]]
    assert sorted(letters) == ["Annotator A", "Annotator B", "Annotator C"]
    assert [vote["annotation"] for vote in data["tiebreak"]["votes"]] == [101, 102, 103]
    assert data["votes"].index("Annotator A") < data["votes"].index("Annotator B") < data["votes"].index("Annotator C")
    (again,) = reviews(source, cases=[HardCase(1, 0.5, (reason,))])
    assert again == data


def test_the_letters_of_a_blind_review_say_nothing_about_who() -> None:
    people = [{"id": n, "email": f"{name}@example.com"} for n, name in enumerate(("ann", "bob"), start=1)]
    tasks = [
        task(id, "x" * id, [annotation(id * 10 + n, who, choice("sentiment", label))
                            for n, (who, label) in enumerate(zip(people, ("negative", "positive"), strict=True))])
        for id in range(1, 21)
    ]  # fmt: skip
    first = [data["tiebreak"]["votes"][0]["annotator"] for data in reviews(dataset(tasks, **LIVE))]
    assert set(first) == {"Annotator A", "Annotator B"}


def test_names_are_shown_where_the_standard_is_not_blind() -> None:
    data = reviews(dataset(named(), **LIVE), blind=False)[0]
    assert [vote["annotator"] for vote in data["tiebreak"]["votes"]][:2] == ["ann@example.com", "bob@example.com"]
    assert "ann@example.com" in data["votes"]
    assert "unnamed (annotation 103)" in data["votes"]


def test_it_says_whose_seat_it_is_and_which_standard_it_met(disputed) -> None:
    (data,) = reviews(dataset(disputed, **LIVE), name="2026-11", severity={"positive": 3})
    assert (data["severity"], data["standard"]) == (3, "2026-11")
    assert data["tiebreak"]["standard"]["fingerprint"] == Standard(name="2026-11", severity={"positive": 3}).fingerprint
    assert data["tiebreak"]["labels"] == ["negative", "positive"]
    case = case_of(data, ["ann@example.com"])
    other = reseated(data, Seat(case, "bob@example.com", 3), round=2, seats=3)
    assert (other["reviewer"], other["seat"], other["round"], other["tiebreak"]["seats"]) == (
        "bob@example.com",
        3,
        2,
        3,
    )
    assert {name for name in data if other[name] != data[name]} == {"reviewer", "seat", "round", "tiebreak"}
    assert data["tiebreak"]["seats"] == 1


def test_the_shipped_example_is_such_a_task(disputed) -> None:
    example = json.loads((MANIFEST.parent / "example.json").read_text("utf-8"))["data"]
    (data,) = reviews(dataset(disputed, **LIVE))
    assert example.keys() == data.keys()
    assert example["tiebreak"].keys() == data["tiebreak"].keys()


def test_the_manifest_ships_beside_its_files() -> None:
    assert {path.name for path in Path(MANIFEST.parent).iterdir()} >= {"config.xml", "guidelines.md", "project.yaml"}
