"""Acceptance sampling in a real Label Studio: drawn, decided by a reviewer, accepted or rejected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from unit.analysis.exports import choice

from ml_backend.studio import Studio
from sdk_scripts.report import write_report
from sdk_scripts.sampling.certificate import certificate
from sdk_scripts.sampling.inspect_lot import inspect_lot
from sdk_scripts.sampling.lots import Lots
from sdk_scripts.sources import load_source
from tests.contract.desk import Desk, named


@pytest.fixture
def desk(make_desk, studio: Studio) -> Desk:
    """Forty tasks: every tenth is called negative, which is severe."""
    made: Desk = make_desk(severity={"negative": 5}, reviewers=named("rev"))
    studio.delete_tasks(made.project, [task["id"] for task in studio.tasks(made.project)])
    label(made, 40)
    return made


def label(desk: Desk, n: int) -> None:
    labels = ["negative" if number % 10 == 0 else "positive" for number in range(n)]
    tasks = [
        {
            "data": {"text": f"The lamp number {number} is as described."},
            "annotations": [{"result": [choice("sentiment", it)], "completed_by": desk.people["ann"]}],
        }
        for number, it in enumerate(labels)
    ]
    desk.studio.import_tasks(desk.project, tasks)


def inspected(desk: Desk, name: str = "november", **options: Any) -> dict[str, Any]:
    dataset = load_source(str(desk.project), label_config=None, settings=desk.settings)
    return certificate(inspect_lot(dataset, desk.settings, name, **options), dataset)


def decide_all(desk: Desk, review: int, otherwise: dict[int, str]) -> None:
    """The reviewer confirms what is undecided, but for some source tasks."""
    for task in desk.studio.tasks(review):
        if not task["annotations"]:
            data = task["data"]
            label = {key: option for option, key in data["tiebreak"]["options"].items()}
            confirmed = label[data["tiebreak"]["consensus"]["answer"]]
            desk.decide(task, "rev", otherwise.get(data["source_task"], confirmed))


def test_a_lot_is_drawn_once_decided_in_label_studio_and_accepted_or_rejected(desk: Desk, tmp_path: Path) -> None:
    dry = inspected(desk)
    assert (dry["recorded"], dry["verdict"], dry["size"]) == (False, "waiting", 40)
    assert Lots.of(desk.fields, desk.settings).all() == []

    drawn = inspected(desk, apply=True)
    everything, severe = drawn["parts"]
    assert (everything["plan"]["n"], everything["plan"]["accept"]) == (13, 0)  # E at an AQL of 1.0
    assert severe["plan"]["n"] >= 4  # those labelled so, and what the model takes for one
    assert drawn["waiting"] == dry["waiting"]
    made = drawn["review"]
    assert made["created"] == len(drawn["waiting"])
    again = inspected(desk, apply=True)
    assert (again["review"]["created"], again["waiting"]) == (0, drawn["waiting"])

    label(desk, 20)  # new labels are in no lot yet
    decide_all(desk, made["project"], {})
    accepted = inspected(desk)
    assert (accepted["verdict"], accepted["size"], accepted["review"]) == ("accepted", 40, None)
    assert accepted["error_rate"]["value"] == 0
    assert accepted["recall"]["value"] == 1
    assert accepted["inspected"][0]["link"].startswith(desk.studio.url)
    assert inspected(desk, apply=True) | {"date": ""} == accepted | {"date": ""}

    second = inspected(desk, "december", apply=True)
    assert second["size"] == 20
    wrong = second["waiting"][0]
    decide_all(desk, made["project"], {wrong: "neutral"})
    desk.resolve()  # the labels are corrected; what was found stays found
    rejected = inspected(desk, "december")
    assert (rejected["verdict"], rejected["inspected"][0]["task"]) == ("rejected", wrong)
    assert "--rest" in rejected["do"]
    rest = inspected(desk, "december", rest=True, apply=True)
    assert rest["review"]["created"] == rest["rest"]["undecided"] > 0
    decide_all(desk, made["project"], {})
    assert inspected(desk, "december")["rest"]["undecided"] == 0

    dataset = load_source(str(desk.project), label_config=None, settings=desk.settings)
    page = write_report(dataset, tmp_path, settings=desk.settings).html.read_text()
    assert "Lot november: accepted" in page
    assert "Lot december: <" in page
