"""`tiebreak feedback` on a file, and what it makes for Label Studio."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner
from unit.analysis.exports import SENTIMENT, dataset, task, voted
from unit.feedback.panels import CONFIG, answer, evidence

from ml_backend.labeling.errors import InputError
from ml_backend.settings import Settings
from sdk_scripts.cli import app
from sdk_scripts.feedback.project import task_data
from sdk_scripts.feedback.said import feedback

NOW = datetime(2026, 1, 3, tzinfo=UTC)
GUIDE = "<h2>Irony</h2><p>Take it literally.</p><h2>Replicas</h2><p>A replica is negative.</p>"
EVIL = "<img src=x onerror=alert(1)> replica </p><script>alert(2)</script>"


def test_groups_have_a_title_examples_a_section_and_how_long_they_waited(settings: Settings) -> None:
    given = evidence(
        [answer(1, "ann", "negative", "guideline-unclear", note="is a replica negative?"), answer(2, "bob", "neutral")],
        [answer(3, "cho", "negative", "guideline-unclear", note="is a replica negative?")],
        project={"id": 3, "expert_instruction": GUIDE},
    )
    document = feedback(given.dataset, settings, evidence=given, now=NOW).to_json()
    (group,) = document["groups"]
    assert (group["title"], group["size"], group["annotators"]) == ("is a replica negative?", 2, ["ann", "cho"])
    assert group["pair"] == {"control": "sentiment", "said": "negative", "others": "neutral"}
    assert group["section"] == {"heading": "Replicas", "text": "A replica is negative."}
    assert (group["state"], group["closed_at"]) == ("open", None)
    assert group["waited_days"] == pytest.approx(2, abs=0.01)
    assert document["open"] == [group["id"]]
    assert document["frequency"]["by_label"] == [
        {"control": "sentiment", "label": "negative", "comments": 2, "judgements": 2}
    ]


def test_nothing_that_annotators_wrote_is_markup_in_a_task(settings: Settings) -> None:
    data = task_data(
        "g1",
        EVIL,
        kind=EVIL,
        pair=("c", EVIL, EVIL),
        comments=[1],
        people=1,
        times="",
        examples=[{"text": EVIL, "task": 1, "link": '/x" onclick="alert(3)'}],
        section={"heading": EVIL, "text": EVIL},
    )
    assert "<img" not in data["panel"]
    assert "<script" not in data["panel"]
    assert 'onclick="' not in data["panel"]
    assert "&lt;img" in data["panel"]


def test_a_label_config_without_a_panel_is_told_how_to_get_one(settings: Settings) -> None:
    with pytest.raises(InputError, match=r'tiebreak="feedback"'):
        feedback(dataset([voted(1, "a", "positive")], SENTIMENT), settings)


def test_a_file_keeps_nothing(settings: Settings) -> None:
    with pytest.raises(InputError, match="is a file"):
        feedback(dataset([], CONFIG), settings, apply=True)


def test_the_command_prints_the_groups_without_control_characters(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TIEBREAK_HOME", str(tmp_path / "home"))
    (tmp_path / "config.xml").write_text(CONFIG)
    given = [answer(1, 1, "negative", "label-missing", note="\x1b[31mred\x1b[0m"), answer(2, 2, "neutral")]
    (tmp_path / "export.json").write_text(json.dumps([task(1, "text", given)]))
    command = ["feedback", str(tmp_path / "export.json"), "--label-config", str(tmp_path / "config.xml")]
    shown = CliRunner().invoke(app, command)
    assert shown.exit_code == 1, shown.output
    assert "negative, not neutral" in shown.output
    assert "\x1b" not in shown.output
    assert json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)["comments"] == 1
    (tmp_path / "export.json").write_text(json.dumps([task(1, "text", given[1:])]))
    assert "Nobody has said anything yet." in CliRunner().invoke(app, command).output
