"""What people write by hand: project.yaml, rules.yaml, the mapping of labels, guidelines; and rows of data."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from unit.analysis import exports

from ml_backend.labeling.config import parse
from ml_backend.labeling.kinds import kind_of
from sdk_scripts.guideline_excerpt import excerpt
from sdk_scripts.guidelines import instructions_html, same_html
from sdk_scripts.manifest import load_manifest
from sdk_scripts.manifest_schema import TaskSource
from sdk_scripts.plain_text import plain_text
from sdk_scripts.quality import read_quality
from sdk_scripts.task_sources import Reject, read_tasks
from sdk_scripts.training_export.mapping_file import read_mapping
from tests.fuzz.mutations import ROOT, spoilt_bytes, spoilt_json, spoilt_text
from tests.fuzz.settling import fuzzing, settled

PROJECTS = sorted((ROOT / "label_configs").glob("*/project.yaml"))
RULES = [path.read_text("utf-8") for path in (ROOT / "label_configs").glob("*/rules.yaml")]
MAPPING = """verdict:
  labels: {allow: good, reject: bad}
policy:
  level: 1
  labels: {ip: ip}
  drop: [goods]
stars:
  bins: [bad, 3, fine]
price: same
spans: same
boxes: same
why: same
"""
GUIDELINES = [path.read_text("utf-8") for path in (ROOT / "label_configs").glob("*/guidelines.md")]
PAGES = [
    *map(instructions_html, GUIDELINES),
    "<h1>A</h1><p>b<script>c</script>d</p><![CDATA[x]]><!-- y --><!ELEMENT z><?php ?><table><tr><td>1</table>",
]
CONFIG = parse(exports.EVERY_KIND)


def yaml_of(document: Any) -> str:
    return yaml.safe_dump(document, allow_unicode=True)


def spoilt_yaml(texts: list[str]) -> st.SearchStrategy[str]:
    """Spoilt as text, and as what it says."""
    return spoilt_text(texts) | spoilt_json([yaml.safe_load(it) for it in texts]).map(yaml_of)


def written(text: str, read: Callable[[Path], Any], beside: Path | None = None) -> Any:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "project"
        if beside:
            shutil.copytree(beside, folder, ignore=shutil.ignore_patterns("*.png"))
        folder.mkdir(exist_ok=True)
        path = folder / "project.yaml"
        path.write_bytes(text.encode("utf-8", "surrogateescape") if "\\ud" not in ascii(text) else _halves(text))
        return settled(lambda: read(path))


def _halves(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@fuzzing(60)
@given(st.sampled_from(PROJECTS).flatmap(lambda it: st.tuples(st.just(it), spoilt_yaml([it.read_text("utf-8")]))))
def test_project_files(given: tuple[Path, str]) -> None:
    path, text = given
    written(text, load_manifest, beside=path.parent)


@fuzzing(60)
@given(spoilt_yaml(RULES))
def test_rules_files(text: str) -> None:
    if quality := written(text, lambda path: read_quality(path, CONFIG)):
        json.loads(quality.line())


@fuzzing(60)
@given(spoilt_yaml([MAPPING]))
def test_mappings_of_labels(text: str) -> None:
    asked = [it for it in CONFIG.answerable if kind_of(it)]
    written(text, lambda path: read_mapping(path, CONFIG, asked))


@fuzzing(60)
@given(spoilt_text(GUIDELINES))
def test_guidelines(markdown: str) -> None:
    html = instructions_html(markdown)
    assert same_html(html, html)
    assert "<script" not in html.lower()


@fuzzing(100)
@given(spoilt_text(PAGES))
def test_instructions_that_people_wrote_in_label_studio(html: str) -> None:
    read_page(html)


def read_page(html: str) -> None:
    plain_text(html)
    same_html(html, html)
    excerpt(html, ["price", "a"])


def parquet() -> bytes:
    frame = pl.DataFrame(
        {"id": [1, 2, 3], "text": ["a", None, "ü"], "n": [0.5, float("nan"), None], "l": [[1], [], None]}
    )
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


ROWS = {
    "csv": b'id,text,n\r\n1,"a ""b""\nc",2\r\n2,\xc3\xbc,\r\n3,x,1e5\n',
    "tsv": b"id\ttext\tn\n1\ta\t2\n",
    "json": b'[{"id": 1, "text": "a", "n": 2.0}, {"id": "2", "text": "b", "n": "3", "l": [{"x": null}]}, 5]',
    "jsonl": b'{"id": 1, "text": "a", "n": 2}\n\n{"id": 2, "text": null}\n[1]\n',
    "parquet": parquet(),
}
SHOWS = parse('<View><Text name="t" value="$text"/><Choices name="c" toName="t"><Choice value="a"/></Choices></View>')


@pytest.mark.parametrize("suffix", ROWS)
@fuzzing(40)
@given(data=st.data())
def test_rows_of_data(suffix: str, data: st.DataObject) -> None:
    seeds = [ROWS[suffix]] * 4 + list(ROWS.values())
    read_rows(suffix, data.draw(spoilt_bytes(seeds)), data.draw(st.sampled_from([None, "id", "n"])))


def read_rows(suffix: str, content: bytes, key: str | None = None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"rows.{suffix}"
        path.write_bytes(content)
        source = TaskSource(file=path, key=key, numbers=("n",) if key else ())
        for task in settled(lambda: list(read_tasks(path, source, SHOWS))) or ():
            if isinstance(task, Reject):
                task.reason.encode()
            else:
                json.dumps([task.key, task.data, task.meta], allow_nan=False, ensure_ascii=False).encode()
