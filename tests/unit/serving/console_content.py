"""A home that has something to show: projects, versions, jobs, reports and findings, some with hostile names."""

from __future__ import annotations

from typing import Any

from rq import get_current_job

from ml_backend.encoder import Encoder
from ml_backend.labeling.results import project_key
from ml_backend.large_model import RedisLedger
from ml_backend.large_model.ledger import Amount
from ml_backend.large_model.questions import Cost
from ml_backend.model_registry import ModelRegistry
from ml_backend.project_list import keep_list
from ml_backend.queues import TRAIN_QUEUE, WORK_QUEUE, Jobs
from ml_backend.report_history import Kept, ReportHistory
from ml_backend.settings import Settings
from ml_backend.training import train
from sdk_scripts.monitoring.findings_store import FindingsStore
from tests.unit.learning.reviews import SENTIMENT, labelled
from tests.unit.monitoring.inspections import after, finding, inspection
from tests.unit.serving.running import work_off

HOSTILE = """<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>"""
REPORT = b"""<!doctype html><title>Report</title><h1>Quality</h1><p id=said>untouched</p>
<script>document.getElementById('said').textContent = 'owned'; fetch('/console/state.json')</script>
<img src=x onerror="document.title='owned'"><a href="#said">down</a>"""


def listed(id: int, title: str, **more: Any) -> dict[str, Any]:
    """A project as Label Studio lists it."""
    numbers = {"task_number": 120, "total_annotations_number": 80}
    return {"id": id, "title": title, "created_at": "2026-11-22T21:11:05.953710Z", **numbers, **more}


REVIEWS = listed(7, "Product reviews")
OTHER = listed(8, HOSTILE)
QUEUE = listed(9, "Product reviews: hard cases", description="tiebreak: hard-cases-of-7", task_number=11)
ROUND = listed(10, "A round", description='tiebreak satellite: {"source": "7.1", "kind": "calibration"}')
LIBRARY = listed(11, "Precedents", description="tiebreak cases: product_reviews")
STRANGER = listed(12, "Nobody connected this")
PROJECTS = (REVIEWS, OTHER, QUEUE, ROUND, LIBRARY, STRANGER)
LABELED = 80
"""Tasks that the reviews' live version learned from: enough for it to promise a coverage."""
KEY, OTHER_KEY = project_key(REVIEWS), project_key(OTHER)


def train_job(key: str, project_id: int, generation: int) -> dict[str, Any]:
    """Ends as trainings do: well, refused, or with an error."""
    if generation == 1:
        raise ValueError(f"No label is called {HOSTILE}.")
    if generation == 2:
        return {"error": "5 labels are too few; 10 are needed.", "mend": "Label 5 more.", "status": 409}
    return {"version": "few-shot-40-0", "labels": 40, "metrics": {}, "promoted": True, "reason": "It is the first."}


def wait_job(key: str, project_id: int, generation: int) -> None:
    """Runs until somebody pushes to the list `go`; then fails."""
    get_current_job().connection.blpop(["go"], timeout=30)
    raise ValueError("The storage was away.")


def run_jobs(jobs: Jobs, *ends: tuple[str, int]) -> None:
    """Trainings of these projects that ended so (see `train_job`)."""
    queue = jobs.queue(TRAIN_QUEUE)
    for key, generation in ends:
        args = (key, int(key.partition(".")[0]), generation)
        queue.enqueue(f"{__name__}.train_job", args=args, job_id=f"train-{key.replace('.', '_')}-{generation}")
    work_off(queue)


def list_projects(jobs: Jobs, *projects: dict[str, Any]) -> None:
    """As the reconciler does."""
    known = {project_key(it) for it in projects if it is not STRANGER}
    for key in known:
        jobs.remember(key)
    keep_list(jobs.redis, {project_key(it): it for it in projects}, known)


def add_report(settings: Settings, key: str = KEY, title: str = "Product reviews") -> Kept:
    document = (
        b'{"title": "Product reviews", "hard_cases": [{"task": 1}, {"task": 2}, {"task": 3}],'
        b' "causes": [{"signal": "label_error", "cases": 1}, {"signal": "disagreement", "cases": 2}]}'
    )
    files = {"report.html": REPORT, "report.xlsx": b"PK", "report.json": document}
    return ReportHistory(settings, key).add(files, why="schedule", title=title, figures={"alpha": 0.7})


def add_findings(settings: Settings, *, message: str = "16 of 40 gold questions right.") -> FindingsStore:
    store = FindingsStore(settings, KEY)
    severe = finding("ana@example.com", message=message)
    mild = finding(HOSTILE, rule="speed", severity="medium", weight=1.0)
    store.keep(after(inspection(severe, mild)))
    return store


def fill(settings: Settings, jobs: Jobs, encoder: Encoder) -> Kept:
    """All of it; the newest report of the reviews."""
    list_projects(jobs, *PROJECTS)
    train(KEY, SENTIMENT, labelled(LABELED), encoder, ModelRegistry(settings.models))
    run_jobs(jobs, (KEY, 0), (OTHER_KEY, 1), (OTHER_KEY, 2))
    jobs.queue(WORK_QUEUE).enqueue("ml_backend.jobs.reconcile_job", job_id="reconcile")
    jobs.labels_changed(KEY, 7, 3)
    jobs.alerts_due(KEY, 1_900_000_000.0)
    ledger = RedisLedger(jobs.redis, KEY)
    ledger.settle(today(), Amount(), Cost(4, 1_200, 80, 0.25, 2.0), 4)
    add_findings(settings)
    add_report(settings, OTHER_KEY, HOSTILE)
    return add_report(settings)


def today() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).date().isoformat()
