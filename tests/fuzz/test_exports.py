"""Export files: what Label Studio writes, as bytes and as JSON with places spoilt, packed or not."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from unit.analysis import exports

from ml_backend.labeling.config import parse
from ml_backend.labeling.judgements import judgements
from sdk_scripts.export_file import read_export
from tests.fuzz.mutations import RECORDED, spoilt_bytes, spoilt_json
from tests.fuzz.settling import fuzzing, settled

SEEDS = [json.dumps(RECORDED[name]).encode() for name in ("export_json_sample", "export_snapshot_sample")]
SEEDS += [
    json.dumps([exports.voted(id, "é", "positive", "negative") for id in (1, 2, 2**62)], ensure_ascii=False).encode(),
    *(
        b"[]",
        b"",
        b"[",
        b"\xef\xbb\xbf [ ]",
        b'[{"data": {}}]',
        b'{"data": {}}',
        b"PK\x03\x04",
        b"\x1f\x8b",
        b"[1e999]",
    ),
]
CONFIG = parse(exports.EVERY_KIND)


def survives(content: bytes, folder: Path | None = None) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as made:
        path = Path(made) / "export.json"
        path.write_bytes(content)
        found = settled(lambda: read_export(path))
    if found is not None:
        assert len({task.id for task in found.tasks}) == len(found.tasks) > 0
        judgements(found.tasks, CONFIG)
        "".join(found.warnings).encode()


@fuzzing(200)
@given(spoilt_bytes(SEEDS))
def test_export_files_of_spoilt_bytes(content: bytes) -> None:
    survives(content)


@fuzzing(60)
@given(spoilt_bytes([gzip.compress(seed, mtime=0) for seed in SEEDS]) | spoilt_bytes(SEEDS).map(gzip.compress))
def test_export_files_packed(content: bytes) -> None:
    survives(content)


@fuzzing(80)
@given(spoilt_json([RECORDED["export_json_sample"], RECORDED["export_snapshot_sample"]], most=12), st.booleans())
def test_export_files_of_spoilt_json(document: Any, ascii: bool) -> None:
    survives(json.dumps(document, ensure_ascii=ascii).encode("utf-8", "surrogatepass"))
