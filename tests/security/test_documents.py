"""XML, YAML and JSON from others: nothing in them is fetched, run, or made larger than it was sent."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ml_backend.labeling.config import parse
from ml_backend.labeling.errors import ConfigError, TiebreakError
from ml_backend.roles import Role, role_of
from ml_backend.settings import Settings
from sdk_scripts.calibration.blind import blind_config
from sdk_scripts.manifest import load_manifest
from sdk_scripts.marked_yaml import YamlProblem, read_yaml
from sdk_scripts.sources import load_source
from tests.unit.serving.running import SENTIMENT

DEEP = 200_000
VIEW = '<View><Text name="t" value="$text"/>{}<Choices name="c" toName="t"><Choice value="a"/></Choices></View>'
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
XML = {
    "an outer entity": '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + VIEW.format("&e;"),
    "an outer parameter entity": '<!DOCTYPE a [<!ENTITY % e SYSTEM "http://127.0.0.1:1/"> %e;]>' + VIEW.format(""),
    "an outer DTD": '<!DOCTYPE View SYSTEM "http://127.0.0.1:1/a.dtd">' + VIEW.format(""),
    "a billion laughs": f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]>' + VIEW.format("&l9;"),
    "a quadratic blow-up": f'<!DOCTYPE a [<!ENTITY e "{"a" * 50_000}">]>' + VIEW.format("&e;" * 50_000),
    "an unknown entity": VIEW.format("&nothing;"),
    "deep nesting": "<View>" * DEEP,
}
READ: dict[str, Callable[[str], Any]] = {"the label config": parse, "a blind copy of it": blind_config}


@pytest.mark.parametrize("xml", XML.values(), ids=XML)
@pytest.mark.parametrize("read", READ.values(), ids=READ)
def test_xml_that_does_more_than_name_tags_is_refused(read: Callable[[str], Any], xml: str) -> None:
    with pytest.raises((TiebreakError, ValueError)):
        read(xml)


YAML = {
    "a Python object": "a: !!python/object/apply:os.system ['true']",
    "a Python name": "a: !!python/name:os.system",
    "another tag": "a: !anything 1",
    "binary": "a: !!binary YQ==",
    "a billion laughs": "a: &a [x]\n" + "".join(f"b{n}: &b{n} [{', '.join(['*a'] * 9)}]\n" for n in range(9)),
    "itself": "a: &a [*a]",
    "a merge": "a: &a {b: 1}\nc:\n  <<: *a",
    "deep nesting": "a: " + "[" * 5_000,
    "deep nesting in blocks": "\n".join(" " * n + "a:" for n in range(300)),
    "too much": "a: " + "b" * 1_000_001,
    "a key twice": "a: 1\na: 2",
    "several documents": "a: 1\n---\nb: 2",
}


@pytest.mark.parametrize("text", YAML.values(), ids=YAML)
def test_yaml_that_is_more_than_plain_values_is_refused(text: str) -> None:
    with pytest.raises(YamlProblem):
        read_yaml(text)


@pytest.mark.parametrize("name", ["STUDIO_TOKEN", "REDIS_URL", "LLM_KEY", "ALERT_URL", "ALERT_SECRET", "POLICY_SECRET"])
def test_a_manifest_cannot_have_the_settings_other_secrets_sent_to_an_address_it_names(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "config.xml").write_text(SENTIMENT)
    backend = (
        f"backend: {{url: 'https://elsewhere.example', user: '${{TIEBREAK_A}}', password: '${{TIEBREAK_{name}}}'}}"
    )
    (tmp_path / "project.yaml").write_text(f"name: a\ntitle: Reviews\n{backend}\n")
    with pytest.raises(ConfigError, match="must name an environment variable"):
        load_manifest(tmp_path / "project.yaml")


LINES = ["tiebreak policy: ", "tiebreak quality: ", "tiebreak hard cases: ", "tiebreak satellite: "]


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("json_text", ['{"a":' * DEEP + "}", '{"a":' + "9" * 100_000 + "}", '{"a":' + "[" * DEEP + "}"])
def test_json_in_a_description_that_python_cannot_read_says_nothing(line: str, json_text: str) -> None:
    project = {"description": line + json_text}
    assert role_of(project) in (Role(), Role(satellite=True))


BAD_EXPORTS = {
    "deep nesting": "[" * DEEP,
    "deep task data": json.dumps([{"id": 1, "data": {}, "annotations": []}])[:-3] + ',"meta":' + "[" * DEEP,
    "an endless number": '[{"id": ' + "9" * 1_000_000 + ', "data": {}}]',
    "one endless text": '[{"id": 1, "data": {"text": "' + "a" * 5_000_000,
    "no JSON": "<html>",
}


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("text", BAD_EXPORTS.values(), ids=BAD_EXPORTS)
def test_an_export_that_cannot_be_read_is_told_of(
    settings: Settings, tmp_path: Path, text: str, pack: Callable[[bytes], bytes]
) -> None:
    file, config = tmp_path / "export.json", tmp_path / "config.xml"
    file.write_bytes(pack(text.encode()))
    config.write_text(SENTIMENT)
    with pytest.raises(TiebreakError) as told:
        load_source(str(file), label_config=config, settings=settings)
    assert len(str(told.value)) < 2_000
