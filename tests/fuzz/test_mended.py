"""Inputs that once broke something, each as it was found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from unit.analysis import exports

from ml_backend.assist import asked
from ml_backend.labeling.arms import Arms
from ml_backend.labeling.config import parse
from ml_backend.labeling.errors import ConfigError, InputError, ModelUnavailable
from ml_backend.labeling.judgements import judgements
from ml_backend.labeling.results import read_task
from ml_backend.large_model.token_confidence import read_tokens
from ml_backend.model_files import ModelFiles
from ml_backend.model_registry import ModelRegistry
from ml_backend.settings import load_settings
from ml_backend.studio.trail import Trail
from ml_backend.trust import Trust
from sdk_scripts.cli.options import print_json
from sdk_scripts.export_file import read_export
from sdk_scripts.guidelines import same_html
from sdk_scripts.manifest_schema import TaskSource
from sdk_scripts.marked_yaml import YamlProblem, read_yaml
from sdk_scripts.monitoring.findings_store import FindingsStore
from sdk_scripts.plain_text import plain_text
from sdk_scripts.row_formats import Reject
from sdk_scripts.row_formats.parquet import read_parquet
from sdk_scripts.sampling.lots import Lots
from sdk_scripts.sampling.plans import iso_plan
from sdk_scripts.satellites import read_about
from sdk_scripts.snapshots.kept import url_of
from sdk_scripts.tables import print_table
from sdk_scripts.task_sources import NewTask, read_tasks

KEY = "7.1795381865"
DEEP = b"[" * 100_000
"""Within limits of size, beyond those of Python's stack."""


@pytest.mark.parametrize(("html", "seen"), [("a<![if x]>b", "ab"), ("a<![<h1>b", "ab"), ("a<![CDATA[x]]>b", "ab")])
def test_declarations_that_the_standard_library_does_not_read_are_passed_over(html: str, seen: str) -> None:
    assert plain_text(html) == seen
    assert same_html(html, html)


@pytest.mark.parametrize("bit", ["<!--", "<![", "<a ", "<", "<script>", '<a b="', "<!a", "<a '>", "<p a=' "])
def test_instructions_that_hold_the_standard_library_up_for_minutes_are_read(bit: str) -> None:
    html = bit * (200_000 // len(bit))
    assert isinstance(plain_text(html), str)
    assert same_html(html, html)


def test_an_export_with_a_number_of_thousands_of_digits_is_told_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    path.write_bytes(b'[{"data": {}, "id": ' + b"9" * 5_000 + b"}, ]")
    with pytest.raises(InputError, match="is not valid JSON"):
        read_export(path)


@pytest.mark.parametrize("change", [{"who": []}, {"name": ["n"]}, {"who": 5}, {"kind": "x"}, {"more": []}])
def test_a_satellite_whose_line_has_other_types_is_none(change: dict[str, Any]) -> None:
    said = {"source": KEY, "kind": "calibration", "name": "n"}
    assert read_about({"description": f"tiebreak satellite: {json.dumps(said)}"})
    assert read_about({"description": f"tiebreak satellite: {json.dumps(said | change)}"}) is None


def test_a_region_of_no_control_in_an_interactive_request_is_about_no_spans() -> None:
    config = parse(exports.EVERY_KIND)
    assert asked(config, {"result": [{"from_name": "spans"}, {"from_name": ["x"]}]})
    assert not asked(config, {"result": [{"from_name": ["x"]}, {"from_name": {}}]})


def test_regions_of_no_control_among_sealed_and_seeded_ones_are_passed_over() -> None:
    arms, config = Arms("secret"), parse(exports.SENTIMENT)
    mark = {"meta": {"tiebreak": {"seal": arms.seal(1, "seeded", "sentiment", "v1")}}, "origin": "prediction"}
    regions = [{**exports.choice("sentiment", "positive"), **mark, **name} for name in ({}, {"from_name": ["x"]})]
    shown = {"id": 7, "result": regions, "score": 0.5, "model_version": "v1"}
    given = exports.annotation(1, 1, *regions, parent_prediction=7, prediction=shown)
    task = arms.opened(read_task({**exports.task(1, "a", [given]), "predictions": [shown]}))
    assert task.annotations[0].seeded == {"sentiment"}
    assert [it.own for it in task.predictions] == [()]
    assert judgements([task], config)["void"].to_list() == [True]


def test_halves_of_characters_can_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([{"label": "a\ud800"}], ["label"], title="\x00\udfff")
    print_json({"label": "a\ud800"})
    table, document = capsys.readouterr().out.rsplit("\n{", 1)
    assert "a?" in table
    assert "\x00" not in table
    assert r"a\ud800" in document


def test_a_pointer_nested_too_deep_is_a_damaged_one(tmp_path: Path) -> None:
    ModelFiles(str(tmp_path)).write(f"{KEY}/live.json", DEEP)
    with pytest.raises(ModelUnavailable, match="promote"):
        ModelRegistry(str(tmp_path)).pointer(KEY)


def test_notes_nested_too_deep_are_none(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_bytes(DEEP)
    assert url_of(tmp_path) is None
    assert Trust.from_json(DEEP, "k", parse(exports.SENTIMENT)) is None


@pytest.mark.parametrize("plan", [{"n": []}, {"accept": "1"}, {"\ud800": 1}])
def test_a_lot_whose_plan_has_other_types_is_named_with_its_file(tmp_path: Path, plan: dict[str, Any]) -> None:
    half = iso_plan(2, aql=1.0).to_json()
    said = {"name": "l", "control": "c", "created_at": "2026-01-01", "policy": "", "keys": [], "members": []}
    content = json.dumps({**said, "severe": None, "plan": {**half, **plan}, "zero": half}).encode()
    ModelFiles(str(tmp_path)).write(f"{KEY}/lots/l/lot.json", content)
    with pytest.raises(InputError, match="Delete that file") as caught:
        Lots(ModelFiles(str(tmp_path)), KEY).all()
    str(caught.value).encode()


@pytest.mark.parametrize("content", [DEEP, b"null", b'{"members": 1}', b'{"keys": ["a"], "plan": null}'])
def test_a_lot_that_nobody_wrote_is_named_with_its_file(tmp_path: Path, content: bytes) -> None:
    ModelFiles(str(tmp_path)).write(f"{KEY}/lots/l/lot.json", content)
    with pytest.raises(InputError, match="Delete that file"):
        Lots(ModelFiles(str(tmp_path)), KEY).all()


@pytest.mark.parametrize("change", [{"excess": None}, {"key": ["k"]}, {"since": 5}])
def test_an_acknowledgement_of_other_types_is_left_out(tmp_path: Path, change: dict[str, Any]) -> None:
    store = FindingsStore(load_settings(home=tmp_path, models_url=str(tmp_path)), KEY)
    whole = {"key": "k", "why": "w", "at": "2026-01-01", "since": "2026-01-01", "excess": 1.5}
    files = ModelFiles(str(tmp_path))
    for name, said in {"a": {**whole, **change}, "b": whole}.items():
        files.write(f"inspections/{KEY}/acknowledged/{name}.json", json.dumps(said).encode())
    assert list(store.acknowledgements()) == ["k"]


@pytest.mark.parametrize("line", [{"at": None}, {"sent": None}, {"params": []}, {"call": 5}])
def test_a_line_of_the_trail_of_other_types_is_left_out(tmp_path: Path, line: dict[str, Any]) -> None:
    whole = {"at": "2026-01-01", "call": "POST /api/projects/1", "sent": {}, "params": {}, "outcome": {}}
    lines = [json.dumps({**whole, **line}), DEEP.decode(), json.dumps(whole)]
    (tmp_path / "2026-01.jsonl").write_text("\n".join(lines))
    found = list(Trail(tmp_path).entries(project=1))
    assert [{**it, **whole} for it in found] == found
    assert len(found) == 1


def test_a_log_probability_beyond_all_numbers_is_none() -> None:
    token = {"token": "a", "logprob": -(10**400)}
    assert read_tokens({"content": [token]}, "a") == ()


def test_a_config_of_halves_of_characters_says_what_to_do() -> None:
    with pytest.raises(ConfigError, match="Remove those characters"):
        parse("<View>\udcff</View>")


@pytest.mark.parametrize("yaml", ['a: "\\ud800"', '"\\udfff": 1', '- ["\\ud83d\\ude00"]', r'a: "\0"'])
def test_yaml_with_halves_of_characters_or_nul_says_where(yaml: str) -> None:
    with pytest.raises(YamlProblem, match=r"line 2: has (half of a character \(U\+D|a NUL)"):
        read_yaml(f"# first\n{yaml}")


def test_a_parquet_file_of_which_any_byte_is_another_is_read_or_refused(tmp_path: Path) -> None:
    """The reader panics at some of them, which is no `Exception`."""
    path = tmp_path / "rows.parquet"
    pl.DataFrame({"text": ["a", "b"], "score": [0.5, None]}).write_parquet(path, compression="uncompressed")
    whole, refused = path.read_bytes(), 0
    for place in range(0, len(whole), 2):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x5A]) + whole[place + 1 :])
        try:
            assert len(list(read_parquet(path, TaskSource(file=path)))) < 100
        except InputError:
            refused += 1
    assert refused > 10


@pytest.mark.parametrize("name", ["\ud800", "a\0"])
def test_a_row_whose_field_cannot_be_stored_by_its_name_is_rejected(tmp_path: Path, name: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({name: 1, "text": "a"}) + '\n{"text": "b"}\n')
    rejected, whole = read_tasks(path, TaskSource(file=path), parse(exports.SENTIMENT))
    assert isinstance(rejected, Reject)
    rejected.reason.encode()
    assert isinstance(whole, NewTask)
