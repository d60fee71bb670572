"""`tiebreak inspect` on a file: what it prints, what it refuses, what it explains."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from unit.analysis.exports import SENTIMENT, annotation, choice, task

from ml_backend.labeling.errors import ConfigError, InputError, UnknownName
from sdk_scripts.cli import app
from sdk_scripts.monitoring.inspection_words import sentences
from sdk_scripts.rules import RULES


@pytest.fixture
def export(tmp_path: Path) -> list[str]:
    """Ana is wrong in half of what is known, Bob in nothing."""
    decided = {"meta": {"tiebreak": {"review": {"task": 1}}}}
    tasks = [
        task(
            id,
            f"text {id}",
            [
                annotation(id * 10, {"email": "ana@x.example"}, choice("sentiment", ("positive", "negative")[id % 2])),
                annotation(id * 10 + 1, {"email": "bob@x.example"}, choice("sentiment", "positive")),
                annotation(
                    id * 10 + 2,
                    {"email": "rev@x.example"},
                    choice("sentiment", "positive") | decided,
                    ground_truth=True,
                ),
            ],
        )
        for id in range(1, 61)
    ]
    file, config = tmp_path / "export.json", tmp_path / "config.xml"
    file.write_text(json.dumps(tasks))
    config.write_text(SENTIMENT)
    return [str(file), "--label-config", str(config)]


def run(*words: str) -> Any:
    return CliRunner().invoke(app, ["inspect", *words])


def test_findings_of_a_file_are_all_new_and_nothing_is_kept(export: list[str], monkeypatch: Any, home: Path) -> None:
    monkeypatch.setenv("TIEBREAK_HOME", str(home))
    done = run(*export, "--json")
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    failures = [it for it in found["findings"] if it["rule"] == "gold_failures"]
    assert [(it["subject"], it["state"], it["times"]) for it in failures] == [("ana@x.example", "new", 1)]
    assert (found["stored"], found["applied"], found["compared_with"], found["cleared"]) == (False, False, None, [])
    assert "nothing is kept" in done.stderr
    assert not list(home.rglob("standings.json"))


def test_only_what_is_asked_for_is_shown(export: list[str]) -> None:
    assert run(*export, "--annotator", "bob@x.example", "--rule", "gold_failures").exit_code == 0
    assert run(*export, "--annotator", "ana@x.example", "--rule", "gold_failures").exit_code == 1
    shown = json.loads(run(*export, "--json", "--min-severity", "high").stdout)["findings"]
    assert {it["severity"] for it in shown} == {"high"}


def test_text_says_who_why_and_what_to_do(export: list[str]) -> None:
    said = run(*export, "--rule", "gold_failures").stdout
    for words in ("HIGH (1)", "gold_failures: ana@x.example", "[new]", "cause: the annotator", "do: ", "see: 59 57 55"):
        assert words in said


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--apply"], InputError),
        (["--rule", "gold_failure"], UnknownName),
        (["--ack", "a|b|c", "--why", "known"], InputError),
        (["--rules", "missing.yaml"], ConfigError),
    ],
)
def test_what_cannot_be_done_is_said(export: list[str], words: list[str], error: type[Exception]) -> None:
    assert isinstance(run(*export, *words).exception, error)


def test_a_source_is_needed_unless_rules_are_listed() -> None:
    assert run().exit_code == 2
    assert run("--list").exit_code == 0


def test_every_rule_is_explained() -> None:
    rules = {it["rule"]: it for it in json.loads(run("--list", "--json").stdout)["rules"]}
    assert list(rules) == list(RULES)
    for name, it in rules.items():
        assert it["why"], name
        assert it["do"], name
        assert it["parameters"]["minimum"]["default"] >= 1
    words = run("--list").stdout
    assert all(name in words for name in RULES)


def test_words_of_annotators_are_plain_in_the_terminal() -> None:
    row = {
        "rule": "speed",
        "subject": "\x1b[31mana",
        "control": "",
        "message": "a\nb\u202e",
        "severity": "high",
        "state": "new",
        "since": "2026-01-01",
        "times": 1,
        "cause": "annotator",
        "cause_why": "",
        "do": "Talk.",
        "links": [],
        "evidence": [1],
        "key": "speed|\x1b[31mana|",
    }
    empty = {name: [] for name in ("acknowledged", "cleared", "away", "unseen")}
    document = {"findings": [row], "measured": {}, "tests": 0, "compared_with": None, "applied": False, "stored": False}
    said = "".join(sentences({**document, **empty}))
    assert not {"\x1b", "\u202e", "\n"} & set(said)
