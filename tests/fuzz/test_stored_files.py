"""What Tiebreak keeps, with bytes and values spoilt as a bad disk or a curious person would: it is as good as none, or
an error that says so. Model versions, pointers, snapshots, and every small document on the models' storage."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.analysis import exports

from ml_backend import briefs
from ml_backend.guideline_history import GuidelineHistory
from ml_backend.joint_opinions import Joiner
from ml_backend.labeling.config import parse
from ml_backend.large_model.answer_cache import AnswerCache
from ml_backend.model_files import ModelFiles
from ml_backend.model_format import _hash, _name
from ml_backend.model_registry import ModelRegistry
from ml_backend.report_history import ReportHistory
from ml_backend.settings import load_settings
from ml_backend.studio.trail import Trail
from ml_backend.trust import Trust
from sdk_scripts.monitoring.alerts import Told
from sdk_scripts.monitoring.findings_state import Standing, Standings
from sdk_scripts.monitoring.findings_store import FindingsStore
from sdk_scripts.sampling.lots import Lot, Lots
from sdk_scripts.sampling.plans import iso_plan
from sdk_scripts.snapshots.kept import Index, Snapshot, Unusable, url_of
from tests.fuzz.mutations import spoilt_bytes, spoilt_json
from tests.fuzz.settling import fuzzing, settled
from tests.unit.learning.test_model_registry import model

KEY = "7.1795381865"
CONFIG = parse(exports.SENTIMENT)
INDEX = Index("http://studio", True, "2026-01-01", {"v1": (3, "2026-01-01")}, (1, 2), 0.5)
DEEP = [b"[" * 100_000, b'{"a":' * 100_000, b'{"format": 3, "a": ' + b"[" * 100_000]
ODD = [b"", b"null", b"[]", b"{}", b"1", b'"x"', b"[[]]", b"\xff", b"NaN", b'{"key": "k"}', b"[[1]]", *DEEP]


def spoilt(document: Any) -> st.SearchStrategy[bytes]:
    """As bytes, and as what they say."""
    seed = json.dumps(document).encode()
    return st.sampled_from(ODD) | spoilt_bytes([seed]) | spoilt_json([document]).map(lambda it: json.dumps(it).encode())


def kept(name: str, content: bytes, read: Callable[[str], Any]) -> Any:
    """What is read where that file, below the models, holds this."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return settled(lambda: read(folder))


def settings_of(models: str) -> Any:
    return load_settings(home=Path(models), models_url=models)


PLAN = iso_plan(2, aql=1.0)
LOT = Lot(
    "l", "sentiment", datetime(2026, 1, 1, tzinfo=UTC), "", {1: '["a"]', 2: '["b"]'}, frozenset({2}), 0.5, PLAN, PLAN
)
STANDING = Standing("k", "r", "s", "c", "high", "m", "c", 1.0, 0.5, 9, 1.0, (1, 2), "2026-01-01", "2026-01-02")
REPORT = "20260101T000000Z-abcdef"
BRIEF = {
    "policy": {"blind": {"share": 0.1}},
    "precedents": [{"text": "t", "control": "c", "answer": "a"}],
    "audits": [1, 2],
    "resumed": "2026-01-01",
}
TRUST = json.loads(
    Trust({"sentiment": Joiner.fit(CONFIG["sentiment"], [])}, {"sentiment": model().outcomes["c"]}, 1, 1, 1).to_json(
        "k"
    )
)

STORED: dict[str, tuple[str, Any, Callable[[str], Any]]] = {
    "live pointer": (
        f"{KEY}/live.json",
        {"version": "few-shot-1-a", "before": ["b"], "withdrawn": [], "switches": []},
        lambda folder: ModelRegistry(folder).pointer(KEY),
    ),
    "brief": (
        f"{KEY}/brief.json",
        BRIEF,
        lambda folder: (briefs.stored(ModelRegistry(folder), KEY), briefs.Briefs(ModelRegistry(folder)).of(KEY)),
    ),
    "trust": (
        f"{KEY}/trust.json",
        TRUST,
        lambda folder: Trust.from_json(ModelRegistry(folder).read_trust(KEY), "k", CONFIG),
    ),
    "guideline history": (
        f"guidelines/{KEY}.json",
        [["2026-01-01T00:00:00+00:00", "v1"], ["2026-01-02T00:00:00+00:00", ""]],
        lambda folder: GuidelineHistory(folder).of(KEY),
    ),
    "findings": (
        f"inspections/{KEY}/standings.json",
        Standings("2026-01-01", {"k": STANDING}, {}).to_json(),
        lambda folder: FindingsStore(settings_of(folder), KEY).standings().to_json(),
    ),
    "what people were told": (
        f"inspections/{KEY}/alerts.json",
        Told().to_json(),
        lambda folder: Told.from_json(FindingsStore(settings_of(folder), KEY).told()),
    ),
    "acknowledgement": (
        f"inspections/{KEY}/acknowledged/a.json",
        {"key": "k", "why": "w", "at": "2026-01-01", "since": "2026-01-01", "excess": 1.5},
        lambda folder: [
            it.holds(STANDING) for it in FindingsStore(settings_of(folder), KEY).acknowledgements().values()
        ],
    ),
    "report's entry": (
        f"reports/{KEY}/{REPORT}/about.json",
        {"id": REPORT, "made_at": "2026-01-01", "why": "command", "title": "t", "url": None, "figures": {"alpha": 0.5}},
        lambda folder: ReportHistory(settings_of(folder), KEY).kept(),
    ),
    "lot": (
        f"{KEY}/lots/l/lot.json",
        LOT.to_json(),
        lambda folder: [it.sample for it in Lots(ModelFiles(folder), KEY).all()],
    ),
    "answer of the large model": (
        f"aa/{'a' * 64}.json",
        {"said": "{}", "sure": {"verdict": [0.9, {"allow": 0.9}]}},
        lambda folder: AnswerCache(ModelFiles(folder)).get("a" * 64),
    ),
    "snapshot's index": ("index.json", json.loads(json.dumps(asdict(INDEX))), lambda folder: _index(Path(folder))),
    "trail": (
        "audit/2026-01.jsonl",
        {"at": "2026-01-01", "call": "POST /api/projects/1", "sent": {}, "params": {}, "outcome": {"ok": True}},
        lambda folder: list(Trail(Path(folder) / "audit").entries(project=1)),
    ),
}


def _index(folder: Path) -> None:
    url_of(folder)
    with suppress(Unusable):
        Snapshot(folder, "http://studio").index()


@pytest.mark.parametrize("what", STORED)
@fuzzing(40)
@given(data=st.data())
def test_small_documents_spoilt(what: str, data: st.DataObject) -> None:
    name, document, read = STORED[what]
    kept(name, data.draw(spoilt(document)), read)


TASKS = [{**exports.voted(id, "a", "positive"), "updated_at": "2026-01-01"} for id in (1, 2, 3)]


@fuzzing(60)
@given(data=st.data())
def test_snapshots_spoilt(data: st.DataObject) -> None:
    """A file that is not as it was written is not read."""
    with tempfile.TemporaryDirectory() as made:
        snapshot = Snapshot(Path(made), "http://studio")
        part = snapshot.write(TASKS)
        assert part
        snapshot.commit(replace(INDEX, parts=(part,)))
        path = Path(made) / part.name
        content = path.read_bytes()
        path.write_bytes(data.draw(spoilt_bytes([content])))
        try:
            (known,) = snapshot.index().parts
            assert list(snapshot.tasks(known)) == TASKS
        except Unusable:
            assert path.read_bytes() != content


@fuzzing(60)
@given(data=st.data())
def test_model_versions_spoilt(data: st.DataObject) -> None:
    """By chance, or with care: with hashes that fit what is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        registry = ModelRegistry(folder)
        version = registry.save(KEY, model())
        files = Path(folder) / KEY / version
        document, arrays = (files / "model.json").read_bytes(), (files / "arrays.safetensors").read_bytes()
        if data.draw(st.booleans()):
            (files / "model.json").write_bytes(data.draw(spoilt(json.loads(document))))
            (files / "arrays.safetensors").write_bytes(data.draw(st.just(arrays) | spoilt_bytes([arrays])))
        else:
            version = _with_care(
                files, *data.draw(st.tuples(spoilt_json([json.loads(document)]), spoilt_bytes([arrays])))
            )
        settled(lambda: registry.load(KEY, version))
        settled(lambda: registry.promote(KEY, version))
        registry.versions(KEY)
        registry.names(KEY)


def _with_care(files: Path, document: Any, arrays: bytes) -> str:
    """The name under which the spoilt version passes every check of its hashes."""
    version = files.name
    with suppress(Exception):  # too spoilt for that
        document["arrays"] = hashlib.sha256(arrays).hexdigest()
        document["info"]["version"] = _name(document)
        document["hash"] = _hash(document)
        version = document["info"]["version"]
        files = files.rename(files.with_name(version))
    (files / "model.json").write_text(json.dumps(document))
    (files / "arrays.safetensors").write_bytes(arrays)
    return version
