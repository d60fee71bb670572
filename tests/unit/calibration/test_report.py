"""What a round shows, as one document."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from unit.analysis.exports import EVERY_KIND
from unit.calibration.made import GUIDELINES, PEOPLE, said

from ml_backend.cases import policy_version
from ml_backend.labeling.config import parse
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.kinds import kind_of
from sdk_scripts.calibration import shown
from sdk_scripts.calibration.answers import Answers
from sdk_scripts.calibration.gold import Gold
from sdk_scripts.calibration.report import Assessed, document
from sdk_scripts.cli import app
from sdk_scripts.quality import Quality

LABELS = ("negative", "neutral", "positive")
SOURCE = {"id": 12, "expert_instruction": GUIDELINES}


def place(item: int) -> dict[str, Any]:
    return {"task": item, "url": None}


def told(*rounds: Answers, gold: Gold | None = None, source: dict[str, Any] = SOURCE, **calibration: Any) -> Any:
    quality = Quality.model_validate({"calibration": calibration})
    found = document([Assessed(it, gold or {}, quality) for it in rounds], source, place)
    shown.report(found)
    return json.loads(json.dumps(found, allow_nan=False))


def agreeing(n: int = 40, **more: Any) -> Answers:
    return said({item: dict.fromkeys(("ana", "ben", "cho"), LABELS[item % 3]) for item in range(1, n + 1)}, **more)


def differing(n: int = 40, **more: Any) -> Answers:
    rows = {item: dict.fromkeys(("ana", "ben", "cho"), LABELS[item % 3]) for item in range(1, n + 1)}
    return said({item: row | ({"cho": "negative"} if item % 2 else {}) for item, row in rows.items()}, **more)


def test_a_round_passes_when_the_lower_end_of_alpha_reaches_what_is_asked_and_everybody_has_answered() -> None:
    found = told(agreeing())
    assert (found["passed"], found["alpha"], found["control"]) == (True, 1, "sentiment")
    assert found["alpha_low"] >= 0.667
    assert not told(agreeing(), alpha=0.95)["passed"]
    few = told(agreeing(10))
    assert not few["passed"]
    assert "not enough to say" in few["why"]
    waiting = agreeing()
    plan = replace(waiting.round.plan, items={**waiting.round.plan.items, 99: "rest"})
    found = told(replace(waiting, round=replace(waiting.round, plan=plan)))
    assert (found["passed"], found["complete"]) == (False, False)
    assert found["waiting"] == [{"annotator": who, "tasks": 1} for who in PEOPLE]


def test_who_leans_which_way_is_said_in_words_and_numbers() -> None:
    gold = {("sentiment", item): json.dumps([LABELS[item % 3]]) for item in range(1, 41)}
    found = told(differing(strata=dict.fromkeys(range(1, 41), "gold")), gold=gold)
    assert not found["passed"]
    ana, cho = found["annotators"][PEOPLE[0]], found["annotators"][PEOPLE[2]]
    assert ana["biases"] == []
    assert any(
        "gives negative against most of the others in 13 of 40 tasks, the other way round in 0" in it
        for it in cho["biases"]
    )
    right = cho["controls"]["sentiment"]["gold"]
    assert (right["items"], right["right"]) == (40, 27)
    assert right["low"] < right["accuracy"] == 0.675 < right["high"]
    assert found["controls"]["sentiment"]["strata"]["gold"]["alpha"] == pytest.approx(found["alpha"])
    assert found["controls"]["sentiment"]["strata"]["hard"] == {"tasks": 0, "items": 0}
    assert not any("right answer" in note for note in found["notes"])
    assert any("nobody is held against gold" in note for note in told(differing())["notes"])


def test_history_tells_rounds_guidelines_and_whether_a_change_is_more_than_chance() -> None:
    clearer = GUIDELINES.replace("Late is", "What is late is")
    policies = [policy_version({"expert_instruction": it}) for it in (GUIDELINES, clearer)]
    one = differing(policy=policies[0])
    two = agreeing(name="round-2", policy=policies[1], instruction=clearer)
    found = told(one, two, source={"id": 12, "expert_instruction": clearer})
    first, second = found["history"]
    assert [(it["round"], it["policy"]) for it in (first, second)] == list(
        zip(("round-1", "round-2"), policies, strict=True)
    )
    assert (first["change"], first["guidelines"]) == ({}, {"changed": False})
    assert second["change"]["sentiment"]["more_than_chance"]
    assert second["guidelines"] == {
        "changed": True,
        "added": ["negative: broken. What is late is neutral."],
        "removed": ["negative: broken. Late is neutral."],
    }
    assert not found["guidelines_changed_since"]
    same = told(agreeing(), agreeing(name="round-2"))["history"][1]
    assert not same["change"]["sentiment"]["more_than_chance"]
    assert same["guidelines"] == {"changed": False}


def test_where_all_give_one_label_ac1_decides() -> None:
    found = told(said({item: dict.fromkeys(("ana", "ben", "cho"), "neutral") for item in range(1, 41)}))
    agreed = found["controls"]["sentiment"]
    assert (agreed["alpha"], agreed["ac1"], agreed["read"], agreed["verdict"]) == (None, 1, "ac1", "passed")
    assert found["passed"]
    assert "AC1 is 1.00" in found["why"]


def test_answers_beside_predictions_are_told_to_be_not_blind() -> None:
    notes = told(replace(agreeing(), predicted={PEOPLE[0]: 3}))["notes"]
    assert notes[0].startswith(f"Tasks of {PEOPLE[0]} with predictions: 3.")


def test_every_kind_of_control_is_told_and_free_text_does_not_count() -> None:
    config = parse(EVERY_KIND)
    examples = {it.name: kind_of(it).example(it) for it in config.answerable}  # type: ignore[union-attr]
    other = {"verdict": ("reject",), "stars": 1, "price": 3.0, "why": ("because",)}
    rows = {
        item: {"ana": examples, "ben": examples | (other if item % 3 == 0 else {}), "cho": None}
        for item in range(1, 25)
    }
    found = told(said(rows, config=EVERY_KIND))
    assert set(found["controls"]) == set(examples)
    assert found["controls"]["why"]["verdict"] == "not counted"
    assert [name for name, it in found["controls"].items() if not it["counts"]] == ["why"]
    assert found["annotators"][PEOPLE[2]]["skipped"] == 24
    assert found["complete"]


def test_a_round_that_nobody_has_answered_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    nobody = said({item: {} for item in range(1, 11)})
    found = told(nobody, nobody)
    assert (found["passed"], found["alpha"], found["control"]) == (False, None, None)
    assert "Not everybody has answered: ana@example.com (10)" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["report"], ["start", "--annotators", "a@example.com,b@example.com"]])
def test_a_file_has_no_rounds(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "export.json").write_text("[]")
    ended = CliRunner().invoke(app, ["calibrate", command[0], str(tmp_path / "export.json"), *command[1:]])
    assert isinstance(ended.exception, InputError)
    assert "is a file, not a project" in str(ended.exception)
