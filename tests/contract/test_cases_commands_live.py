"""`tiebreak cases …` against a real Label Studio."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from typer.testing import CliRunner
from unit.analysis.exports import SENTIMENT, choice

from ml_backend.labeling.errors import InputError
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from sdk_scripts.cli import app
from sdk_scripts.evidence import Evidence
from sdk_scripts.precedents import precedents
from sdk_scripts.sources import load_source

DECISION = {
    "review": "9/8/7",
    "cause": "ambiguous_item",
    "clause": "4.2",
    "policy": "of-old",
    "rationale": "The smoke outweighs the praise.",
}
TASKS: tuple[tuple[str, list[dict[str, Any]]], ...] = (
    (
        "Fine, apart from the smoke.",
        [
            {"result": [choice("sentiment", "positive")]},
            {"result": [choice("sentiment", "negative") | {"meta": {"tiebreak": DECISION}}], "ground_truth": True},
        ],
    ),
    (
        "The parcel came a week late.",
        [
            {"result": [choice("sentiment", "negative")], "ground_truth": True},
            {"result": [choice("sentiment", "neutral")]},
        ],
    ),
    ("Great. It broke.", [{"result": [choice("sentiment", label)]} for label in ("negative", "positive")]),
    (
        "Hm.",
        [{"result": [choice("sentiment", label)], "ground_truth": True} for label in ("negative", "positive")],
    ),
)

Told = Callable[..., Any]


@pytest.fixture
def source(studio: Studio) -> Iterator[int]:
    """Four tasks: decided by a review, ground truth, disputed, ground truth that contradicts itself."""
    made = studio.create_project(
        {"title": "Reviews", "label_config": SENTIMENT, "expert_instruction": "<p>Be fair.</p>"}
    )
    studio.import_tasks(made["id"], [{"data": {"text": text}, "annotations": given} for text, given in TASKS])
    yield made["id"]
    for project in studio.projects():
        if str(project["description"] or "").endswith(f"tiebreak: cases-of-{made['id']}"):
            studio.delete_project(project["id"])
    studio.delete_project(made["id"])


@pytest.fixture
def told(studio_environment: None) -> Told:
    def tell(*arguments: object) -> Any:
        """The document; the text for people is asked for as well."""
        outputs = []
        for more in ((), ("--json",)):
            done = CliRunner().invoke(app, ["cases", *map(str, arguments), *more], catch_exceptions=False)
            assert done.exit_code == 0
            outputs.append(done.stdout)
        return json.loads(outputs[1])

    return tell


def test_cases_from_settled_answers_to_gold_and_to_new_guidelines(studio: Studio, source: int, told: Told) -> None:
    decided, truth, disputed, contradiction = [task["id"] for task in studio.tasks(source, data_only=True)]
    with pytest.raises(InputError, match=f"settled in task {disputed}, {contradiction}"):
        told("add", source, decided, disputed, contradiction)
    assert told("list", source) == {"items": []}

    assert told("add", source, decided, truth, "--severity", "high", "--use", "precedent")["existing"] == 2
    first, second = told("list", source)["items"]
    assert (first["source_task"], first["answer"], first["state"], first["uses"]) == (
        decided, "negative", "stale", ["precedent"],
    )  # fmt: skip
    assert {key: first[key] for key in ("cause", "clause", "policy", "rationale")} == {
        key: DECISION[key] for key in ("cause", "clause", "policy", "rationale")
    }
    assert (second["source_task"], second["state"], second["severity"], second["rationale"]) == (
        truth, "holds", "high", "",
    )  # fmt: skip
    assert told("list", source, "--stale")["items"] == [first]

    told("promote", source, first["case"], second["case"], "--to", "gold", "--to", "regression")
    assert [it["case"] for it in told("list", source, "--use", "gold")["items"]] == [second["case"]]
    told("promote", source, second["case"], "--to", "precedent", "--remove")
    assert told("list", source)["items"][1]["uses"] == ["gold", "regression"]
    with pytest.raises(InputError, match="no case 1000000"):
        told("promote", source, 10**6, "--to", "gold")

    assert told("renew", source, first["case"]) == {"changed": [], "unchanged": [first["case"]]}
    assert told("list", source, "--stale")["items"] == []
    studio.update_project(source, {"expert_instruction": "<p>Be kind.</p>"})
    assert len(told("list", source, "--stale")["items"]) == 2
    told("renew", source, "--all")
    renewed = told("list", source)["items"]
    assert [(it["state"], it["rationale"]) for it in renewed] == [("holds", DECISION["rationale"]), ("holds", "")]
    with pytest.raises(InputError, match="Which cases"):
        told("renew", source)


def test_cases_are_found_by_meaning_and_shown_as_precedents(
    studio: Studio, source: int, told: Told, studio_settings: Settings
) -> None:
    decided, truth, disputed, _ = [task["id"] for task in studio.tasks(source, data_only=True)]
    assert told("search", source, "fire") == {"items": []}
    told("add", source, decided, truth)
    told("renew", source, "--all")
    found = told("search", source, "Delivery took far too long")["items"]
    assert [it["source_task"] for it in found] == [truth, decided]
    assert found[0]["similarity"] > found[1]["similarity"]
    assert [it["source_task"] for it in told("search", source, "burning", "--limit", "1")["items"]] == [decided]

    dataset = load_source(str(source), label_config=None, settings=studio_settings)
    evidence = Evidence.collect(dataset, studio_settings)
    (shown, *_) = precedents(evidence, "sentiment", [disputed], [disputed])[disputed]
    case = next(it for it in found if it["source_task"] == shown.task)
    assert (shown.case, shown.link, shown.answer) == (case["case"], case["url"], case["key"])


def test_a_library_that_people_made_is_edited_too_once_it_has_the_control(
    studio: Studio, source: int, told: Told
) -> None:
    description = f"Ours.\n\ntiebreak cases: #{source}"
    library = studio.create_project({"title": "By hand", "label_config": SENTIMENT, "description": description})["id"]
    settled = {"result": [choice("sentiment", "neutral")], "ground_truth": True}
    studio.import_tasks(library, [{"data": {"text": "So so."}, "annotations": [settled]}])
    (case,) = told("list", source)["items"]
    assert (case["uses"], case["source_task"], case["state"]) == (["precedent", "regression"], None, "holds")
    with pytest.raises(InputError, match="tiebreak_use"):
        told("promote", source, case["case"], "--to", "gold")
    control = '<Choices name="tiebreak_use" toName="text" choice="multiple"><Choice value="gold"/></Choices></View>'
    studio.update_project(library, {"label_config": SENTIMENT.replace("</View>", control)})
    told("promote", source, case["case"], "--to", "gold")
    assert told("list", source)["items"][0]["uses"] == ["precedent", "gold", "regression"]
    studio.delete_project(library)
