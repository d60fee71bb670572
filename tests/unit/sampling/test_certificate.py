"""`tiebreak inspect FILE --lot NAME`: the verdict on a file, and the certificate."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner
from unit.analysis.exports import SENTIMENT, annotation, choice, dataset, voted
from unit.analysis.given import GivenEvidence

from ml_backend.labeling.errors import InputError
from ml_backend.settings import Settings
from sdk_scripts.cli import app
from sdk_scripts.quality import Quality
from sdk_scripts.sampling.certificate import certificate, certificate_html, certificate_page
from sdk_scripts.sampling.draw import apart
from sdk_scripts.sampling.inspect_lot import inspect_lot


def truth(task: int, label: str) -> dict[str, object]:
    return annotation(task * 100 + 50, 50, choice("sentiment", label), ground_truth=True)


def exported(wrong: int, known: int = 200, label: str = "positive") -> list[dict[str, object]]:
    """200 tasks that two people called positive, of which ground truth knows `known`; the first `wrong` are not."""
    tasks = [voted(task, f"text {task}", label, label) for task in range(1, 201)]
    for task in tasks[:known]:
        task["annotations"].append(truth(task["id"], "negative" if task["id"] <= wrong else label))
    return tasks


def said(tasks, settings: Settings, **options):
    data = dataset(tasks)
    given = GivenEvidence(apart(data)[0])
    return certificate(inspect_lot(data, settings, "november", evidence=given, **options), data)


def test_a_file_whose_truths_confirm_its_labels_is_accepted(settings: Settings) -> None:
    found = said(exported(0), settings)
    assert (found["verdict"], found["size"], found["recorded"]) == ("accepted", 200, False)
    assert found["error_rate"]["value"] == 0
    assert [part["plan"]["n"] for part in found["parts"]] == [50]
    assert len(found["inspected"]) == 50
    assert found["parts"][0]["curve"]["points"][0] == [0, 1]


def test_wrong_labels_reject_it_and_come_first_in_the_certificate(settings: Settings) -> None:
    found = said(exported(40), settings)
    assert found["verdict"] == "rejected"
    bad = [unit["nonconforming"] for unit in found["inspected"]]
    assert bad == sorted(bad, reverse=True)
    assert sum(bad) == found["parts"][0]["nonconforming"] == sum(found["found"].values()) > 1
    assert found["error_rate"]["low"] <= 0.2 <= found["error_rate"]["high"]
    assert "Do not use the lot" in found["do"]


def test_without_truths_it_waits_and_says_for_what(settings: Settings) -> None:
    found = said(exported(0, known=0), settings)
    assert (found["verdict"], len(found["waiting"]), found["error_rate"]) == ("waiting", 50, None)
    assert "ground truth" in found["do"]


def test_answers_that_are_all_ground_truth_are_labels(settings: Settings) -> None:
    tasks = [voted(task, f"text {task}", "positive") for task in range(1, 201)]
    for task in tasks:
        task["annotations"][0]["ground_truth"] = True
    found = said(tasks, settings)
    assert (found["size"], found["verdict"]) == (200, "waiting")


def test_a_projects_own_aql_and_level_draw_the_sample(settings: Settings) -> None:
    quality = Quality.model_validate({"lot": {"aql": 4.0, "level": "III"}})
    (part,) = said(exported(0), settings, quality=quality)["parts"]
    assert (part["plan"]["letter"], part["plan"]["n"], part["plan"]["accept"]) == ("H", 50, 5)


def test_an_aql_that_the_tables_do_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match=r"0\.65"):
        Quality.model_validate({"lot": {"aql": 2.0}})


def test_a_file_has_no_reviews_to_make(settings: Settings) -> None:
    with pytest.raises(InputError, match="is a file"):
        inspect_lot(dataset(exported(0)), settings, "november", apply=True)


def test_the_certificate_is_well_formed_escaped_and_has_a_curve_for_each_plan(settings: Settings) -> None:
    config = SENTIMENT.replace('"negative"', '"&lt;script&gt;alert(1)&lt;/script&gt;"')
    tasks = exported(0)
    for task in tasks[:40]:
        task["annotations"][-1]["result"] = [choice("sentiment", "<script>alert(1)</script>")]
    data = dataset(tasks, config)
    document = certificate(inspect_lot(data, settings, "a", evidence=GivenEvidence(apart(data)[0])), data)
    page = certificate_page(document)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    ElementTree.fromstring(f"<r>{certificate_html(document)}</r>")  # noqa: S314  # our own
    assert re.search(r"<svg role=\"img\" aria-label=\"Probability to accept", page)
    json.dumps(document, allow_nan=False)


def test_the_command_prints_the_verdict_the_plot_and_writes_the_certificate(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TIEBREAK_HOME", str(tmp_path / "home"))
    export, config = tmp_path / "export.json", tmp_path / "config.xml"
    export.write_text(json.dumps(exported(0)))
    config.write_text(SENTIMENT)
    command = ["inspect", str(export), "--label-config", str(config), "--lot", "november"]
    shown = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "out")])
    assert shown.exit_code == 0, shown.output
    assert "Lot november, 200 labels of sentiment: accepted." in shown.output
    assert "█" in shown.output
    assert "accepted" in (tmp_path / "out" / "lot-november.html").read_text()
    as_json = CliRunner().invoke(app, [*command, "--json"])
    assert json.loads(as_json.stdout)["verdict"] == "accepted"
    late = CliRunner().invoke(app, [*command, "--since", "2030-01-01"])
    assert late.exit_code != 0
