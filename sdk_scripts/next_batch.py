"""What people should label next, and how Label Studio's queue comes to serve it.

With "Uncertainty sampling" the queue serves tasks of the group (`cluster` of the prediction) of which the annotator has
solved fewest, and of those the least score first. So the next batch, chosen by doubt and spread over what there is
(`labeling.selection`), gets clusters, which take turns; what was picked at random is a cluster of its own. Scores stay
what they are, the confidence. Tasks without a cluster are a group, too: the one an annotator has solved most of, as a
rule, so it comes last; to somebody who has solved nothing yet the queue first serves the least certain task of all. In
projects with several annotations a task, the queue serves what others have begun before all that.

Numbers of clusters grow with the labels of the project, because the queue counts an annotator's earlier tasks by them:
a number used again would come too late. The same labels give the same numbers, so a second run changes nothing.

A second label: where it is expected to tell more than a first one elsewhere (`labeling.second_labels`), the task's
overlap is raised by one. That is off unless a number of them is given.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ml_backend.labeling.errors import InputError
from sdk_scripts.marks import Labeling, read_mark
from sdk_scripts.prelabel import TASKS_A_PREDICTION, Predicting, Run, open_run

if TYPE_CHECKING:
    from ml_backend.settings import Settings
    from ml_backend.studio import Studio

CANDIDATES = 10
"""Tasks looked at for each to pick: those with the least scores."""
CLUSTERS_A_BATCH = 100
"""Room in the numbers of clusters."""
RANDOM = CLUSTERS_A_BATCH - 1
"""The cluster, in its batch, of tasks picked at random."""


@dataclass(frozen=True, slots=True)
class Pick:
    task: int
    confidence: float
    doubt: float
    cluster: int
    why: str

    def to_json(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "confidence": round(self.confidence, 4),
            "doubt": round(self.doubt, 4),
            "cluster": self.cluster,
            "why": self.why,
        }


@dataclass(frozen=True, slots=True)
class SecondLabel:
    task: int
    overlap: int
    """Annotations the task should get; one more than it has."""
    worth: float
    """Expected fall of the squared error."""
    why: str

    def to_json(self) -> dict[str, Any]:
        return {"task": self.task, "overlap": self.overlap, "worth": round(self.worth, 4), "why": self.why}


@dataclass(frozen=True)
class NextBatch:
    version: str
    picks: tuple[Pick, ...]
    second: tuple[SecondLabel, ...] = ()
    served: bool = True
    """Whether the project's queue follows clusters."""

    def to_json(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "served": self.served,
            "next": [pick.to_json() for pick in self.picks],
            "second": [second.to_json() for second in self.second],
        }


def next_batch(
    settings: Settings,
    project_id: int,
    *,
    budget: int | None = None,
    second_labels: int = 0,
    apply: bool = False,
    studio: Studio | None = None,
    predictor: Predicting | None = None,
    report: Callable[[str], object] = lambda _: None,
) -> tuple[NextBatch, int]:
    """What to label next with the live version, and with `apply` how many picks got their cluster. Raises as
    `choose_next`."""
    from ml_backend.queues import Jobs
    from sdk_scripts import second_labels as again

    with Jobs(settings) as jobs:
        run = open_run(settings, project_id, jobs, predictor=predictor, studio=studio)
        batch = choose_next(run, budget)
        batch = replace(batch, second=again.second_labels(run, batch.picks, second_labels))
        if not batch.picks:
            report("No task without an annotation has a prediction; `tiebreak prelabel` makes them.")
        if second_labels and not batch.second:
            report("No second label is expected to tell more than a first one elsewhere.")
        if batch.picks and not batch.served:
            report('The project does not use "Uncertainty sampling", so its queue takes no notice of clusters.')
        return batch, serve_next(run, batch) if apply else 0


def labeling_of(project: Mapping[str, Any]) -> Labeling:
    """What the project's manifest says of batches; sync keeps it in the project's description."""
    mark = read_mark(project.get("description"))
    return (mark.labeling if mark else None) or Labeling()


def choose_next(run: Run, budget: int | None = None) -> NextBatch:
    """Up to `budget` tasks (default: the manifest's batch) that nobody has labelled yet.

    Raises InputError for a budget below one, ModelUnavailable, StudioError.
    """
    if budget is not None and budget < 1:
        raise InputError(f"A budget of {budget} tasks leaves nothing to choose.", mend="Give at least 1.")
    says = labeling_of(run.project)
    budget = budget or says.batch
    seed = zlib.crc32(f"{run.key} {run.version} {run.labels}".encode())
    explored = _at_random(run, round(says.exploration * budget), np.random.default_rng(seed))
    picks = _doubted(run, budget - len(explored), {task["id"] for task in explored}, seed)
    picks += _explored(run, explored)
    served = run.studio.project(run.id)["sampling"] == "Uncertainty sampling"
    return NextBatch(run.version, tuple(picks), served=served)


def serve_next(run: Run, batch: NextBatch, *, progress: Callable[[int, int], object] | None = None) -> int:
    """Store the clusters; returns how many picks have theirs now. Each takes two calls, 0.15 s."""
    stored = 0
    for place, pick in enumerate(batch.picks):
        if place % 20 == 0:
            run.check_live()
        stored += run.studio.set_cluster(pick.task, run.version, pick.cluster)
        if progress:
            progress(place + 1, len(batch.picks))
    for second in batch.second:
        run.studio.raise_overlap(second.task, second.overlap)
    return stored


def _at_random(run: Run, wanted: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    untouched = run.studio.untouched(run.id) if wanted else 0
    places = rng.choice(untouched, size=min(wanted, untouched), replace=False).tolist()
    return [run.studio.untouched_at(run.id, place) for place in sorted(places)]


def _doubted(run: Run, wanted: int, taken: set[int], seed: int) -> list[Pick]:
    from ml_backend.labeling.selection import choose

    tasks = [task for task in run.studio.least_certain(run.id, CANDIDATES * max(wanted, 0)) if task["id"] not in taken]
    confidence, doubt, vectors = _opinions(run, tasks)
    known = np.flatnonzero(np.isfinite(doubt))
    chosen = choose(doubt[known], vectors[known], wanted, exploration=0.0, seed=seed)
    picks = []
    for row, cluster in zip(known[chosen.rows].tolist(), chosen.cluster.tolist(), strict=True):
        why = f"confidence {confidence[row]:.2f}, among the most doubted of group {cluster + 1}"
        picks.append(_pick(run, tasks[row]["id"], confidence[row], doubt[row], cluster, why))
    return picks


def _explored(run: Run, tasks: list[dict[str, Any]]) -> list[Pick]:
    confidence, doubt, _ = _opinions(run, tasks)
    why = "picked at random: it shows what no model doubts, and how good the model is"
    return [
        _pick(run, task["id"], confidence[row], doubt[row], RANDOM, why)
        for row, task in enumerate(tasks)
        if np.isfinite(doubt[row])
    ]


def _pick(run: Run, task: int, confidence: float, doubt: float, cluster: int, why: str) -> Pick:
    number = (run.labels + 1) * CLUSTERS_A_BATCH + cluster % CLUSTERS_A_BATCH
    return Pick(int(task), float(confidence), float(doubt), number % 2**31, why)


def _opinions(run: Run, tasks: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Confidence (n,), doubt (n,) and vectors (n, d) of the tasks."""
    parts = []
    for start in range(0, max(len(tasks), 1), TASKS_A_PREDICTION):
        parts.append(run.predictor.doubts(run.key, run.config, tasks[start : start + TASKS_A_PREDICTION]))
    return (
        np.concatenate([part.confidence for part in parts]),
        np.concatenate([part.doubt for part in parts]),
        np.concatenate([part.vectors for part in parts]),
    )
