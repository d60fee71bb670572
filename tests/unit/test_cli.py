"""The command line: one JSON document on stdout, exit codes that mean something, errors that say how to mend them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from unit.analysis import exports

TIEBREAK = Path(sys.executable).with_name("tiebreak")
SECRET = "f00dfacef00dfacef00dfacef00dfacef00dface"


@pytest.fixture
def export(tmp_path: Path) -> tuple[str, str]:
    votes = [("negative", "negative"), ("positive", "positive"), ("negative", "positive"), ("neutral", "neutral")]
    tasks = [exports.voted(id, f"a text with number {id}", *labels) for id, labels in enumerate(votes, start=1)]
    (tmp_path / "export.json").write_text(json.dumps(tasks))
    (tmp_path / "config.xml").write_text(exports.SENTIMENT)
    return str(tmp_path / "export.json"), str(tmp_path / "config.xml")


def tiebreak(*arguments: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = "TIEBREAK_CONVERTED_ENCODERS"
    passed_on = {name: value for name, value in os.environ.items() if name == kept or not name.startswith("TIEBREAK_")}
    return subprocess.run(
        [TIEBREAK, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=home,
        env=passed_on | {"TIEBREAK_HOME": str(home), **environment},
    )


def test_agreement_is_one_json_document_with_the_fields_of_the_contract(export, home: Path) -> None:
    done = tiebreak("agreement", export[0], "--label-config", export[1], "--json", home=home)
    assert done.returncode == 0, done.stderr
    control = json.loads(done.stdout)["controls"]["sentiment"]
    wanted = {"kind", "items", "annotators", "judgements", "percent", "alpha", "alpha_low", "alpha_high", "labels"}
    assert wanted <= set(control)
    assert (control["items"], control["annotators"], control["judgements"]) == (4, 2, 8)
    assert control["percent"] == pytest.approx(0.75)
    # by hand: D_o = 2/8; values 3, 2, 3 of 8; D_e = (3·5 + 2·6 + 3·5) / (8·7)
    assert control["alpha"] == pytest.approx(1 - (2 / 8) / (42 / 56), abs=1e-9)


def test_consensus_says_its_method_and_leaves_a_tie_unsure(export, home: Path) -> None:
    done = tiebreak("consensus", export[0], "--label-config", export[1], "--method", "majority", "--json", home=home)
    found = json.loads(done.stdout)
    assert found["method"] == "majority"
    by_task = {item["task"]: item for item in found["items"]}
    assert by_task[3]["confidence"] <= 0.5 < by_task[1]["confidence"]
    assert {person["annotator"] for person in found["annotators"]} == {"1", "2"}


def test_hard_cases_are_findings_so_the_exit_code_is_1(export, home: Path) -> None:
    done = tiebreak("hard-cases", export[0], "--label-config", export[1], "--budget", "1", "--json", home=home)
    assert done.returncode == 1, done.stderr
    (item,) = json.loads(done.stdout)["items"]
    assert item["task"] == 3
    assert "disagreement" in {reason["signal"] for reason in item["reasons"]}


def test_the_report_is_three_files_that_open(export, home: Path) -> None:
    out = home / "report"
    done = tiebreak("report", export[0], "--label-config", export[1], "--out", str(out), "--json", home=home)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {kind: str(out / f"report.{kind}") for kind in ("html", "xlsx", "json")}
    assert json.loads((out / "report.json").read_text())["overview"]["labeled"] == 4


def test_text_output_is_for_people(export, home: Path) -> None:
    done = tiebreak("agreement", export[0], "--label-config", export[1], home=home)
    assert "sentiment" in done.stdout
    assert "alpha" in done.stdout


IMPOSSIBLE = [
    (["agreement", "missing.json"], "There is no file missing.json"),
    (["agreement", "missing.json", "--json"], "There is no file missing.json"),
    (["consensus", "export.json", "--label-config", "config.xml", "--method", "guess"], "guess"),
    (["hard-cases", "export.json", "--label-config", "config.xml", "--apply"], "file"),
    (["hard-cases", "export.json", "--budget", "0"], "budget"),
    (["agreement", "export.json"], "--label-config"),
    (["models", "list", "export.json"], "project"),
    (["sync", "no-such-folder"], "no-such-folder"),
    (["prelabel", "export.json"], "is a file, not a project"),
    (["prelabel", "../../no-such"], "neither a project's id nor a project.yaml"),
    (["next", "-1"], "-1"),
    (["serve", "--host", "192.0.2.1"], "192.0.2.1, port 9090: "),
]
ONE_AFTER_THE_OTHER = """
import contextlib, io, json, sys
from sdk_scripts.cli import main
for line in sys.stdin:
    sys.argv, out, err, code = ["tiebreak", *json.loads(line)], io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    print(json.dumps([code, out.getvalue(), err.getvalue()]))
"""


def test_what_cannot_be_done_is_exit_code_2_with_a_reason_and_no_traceback(export, home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ONE_AFTER_THE_OTHER],  # one process: each would import for seconds
        input="".join(json.dumps(arguments) + "\n" for arguments, _ in IMPOSSIBLE),
        capture_output=True,
        text=True,
        timeout=300,
        cwd=Path(export[0]).parent,
        env=os.environ | {"TIEBREAK_HOME": str(home)},
    )
    assert done.returncode == 0, done.stderr
    for (arguments, says), outcome in zip(IMPOSSIBLE, done.stdout.splitlines(), strict=True):
        code, out, err = json.loads(outcome)
        assert (code, "Traceback" in err) == (2, False), arguments
        assert says in err, arguments
        assert not out or says in json.loads(out)["error"]


def test_label_studio_that_is_down_is_named_with_its_setting_and_no_secret_is_printed(home: Path) -> None:
    done = tiebreak(
        "agreement", "7", "--json", home=home, TIEBREAK_STUDIO_URL="http://127.0.0.1:9", TIEBREAK_STUDIO_TOKEN=SECRET
    )
    assert done.returncode == 2
    assert "TIEBREAK_STUDIO_URL" in done.stderr
    assert SECRET not in done.stderr + done.stdout


def test_a_wrong_setting_is_named_without_its_value(home: Path) -> None:
    done = tiebreak("agreement", "7", home=home, TIEBREAK_STUDIO_TIMEOUT=SECRET)
    assert done.returncode == 2
    assert "TIEBREAK_STUDIO_TIMEOUT" in done.stderr
    assert SECRET not in done.stderr


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, sdk_scripts.cli; print(sorted({'torch', 'polars', 'pydantic', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
