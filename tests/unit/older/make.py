"""Writes what a Tiebreak of another commit keeps, by its own code; stores.tar.gz was made so, of real commits:

git worktree add ../old COMMIT
cd ../old && PYTHONPATH=. python .../tests/unit/older/make.py PART OUT    (of each PART of its commit)
tar czf stores.tar.gz -C OUT .

064ed7f  model2      a trained model of format 2
c4ac622  model       a trained model of format 3, and its live pointer
a845dfa  findings    standings, alerts and an acknowledgement of an inspected project
bfb4e16  kept        a snapshot, a kept report, guideline history, an entry of the audit trail
"""

from __future__ import annotations

import json
import socket
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

KEY = "1.1795381865"
AT = datetime(2026, 11, 1, tzinfo=UTC)


def model(out: Path) -> None:
    from ml_backend.encoder import load_encoder
    from ml_backend.model_registry import ModelRegistry
    from ml_backend.settings import load_settings
    from ml_backend.training import train
    from tests.unit.learning.reviews import SENTIMENT, labelled

    with tempfile.TemporaryDirectory() as home:
        encoder = load_encoder(load_settings(home=Path(home)))
        print(train(KEY, SENTIMENT, labelled(10), encoder, ModelRegistry(str(out))))  # noqa: T201


def findings(out: Path) -> None:
    from ml_backend.settings import load_settings
    from sdk_scripts.monitoring.alerts import Known, Told
    from sdk_scripts.monitoring.findings_state import Acknowledgement, Standing, Standings
    from sdk_scripts.monitoring.findings_store import FindingsStore

    store = FindingsStore(load_settings(home=out), KEY)
    it = Standing(
        "speed/a@example.com", "speed", "a@example.com", "c", "high", "Fast.", "annotator", 0.9, 0.5, 40, 1.0, (1, 2),
        AT.isoformat(), AT.isoformat(),
    )  # fmt: skip
    store.keep(Standings(AT.isoformat(), {it.key: it}, {}, "Older", "http://studio/projects/1", "medium"))
    store.acknowledge(Acknowledgement(it.key, "known", AT.isoformat(), it.since, it.excess))
    known = Known(it.since, AT.isoformat())
    store.keep_told(Told(findings={it.key: known}, last=1.0).to_json())


def kept(out: Path) -> None:
    from ml_backend.guideline_history import GuidelineHistory
    from ml_backend.report_history import ReportHistory
    from ml_backend.settings import load_settings
    from ml_backend.studio.trail import Trail
    from sdk_scripts.snapshots.kept import Index, Snapshot

    settings = load_settings(home=out)
    ReportHistory(settings, KEY).add(
        {"report.json": json.dumps({"title": "Older"}).encode()}, why="command", title="Older"
    )
    GuidelineHistory(settings.models).note(KEY, "0123456789ab", AT)
    socket.gethostname = lambda: "host"
    Trail(out / "audit").note("PATCH", "/api/projects/7/", None, {"title": "x"}, {"id": 7})
    folder = out / "snapshots" / KEY
    folder.mkdir(parents=True)
    snapshot = Snapshot(folder, "http://studio")
    tasks: list[dict[str, Any]] = [
        {"id": id, "data": {"text": "t"}, "annotations": [], "predictions": [], "updated_at": AT.isoformat()}
        for id in (1, 2)
    ]
    part = snapshot.write(tasks)
    assert part is not None
    snapshot.commit(Index("http://studio", True, AT.isoformat(), {}, (1,), 0.0, (part,)))


if __name__ == "__main__":
    {"model": model, "model2": model, "findings": findings, "kept": kept}[sys.argv[1]](Path(sys.argv[2]))
