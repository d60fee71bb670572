"""One fault on one project, from the first label to the verdict."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import median

from ml_backend.labeling.errors import TiebreakError
from ml_backend.queues import Jobs
from sdk_scripts.demo_data import Review
from tests.faults.estate import READY_SECONDS, WORKERS, Estate, until
from tests.faults.kinds import Fault
from tests.faults.scene import begin, under_load
from tests.faults.verdict import Verdict, judge, review_project, unsettled

BEFORE = (2.0, 12.0)
"""Seconds of load before the fault."""
AFTER_SECONDS = 3.0
"""Of load after it was mended."""
PATIENCE = 240.0


@dataclass(frozen=True)
class Played:
    fault: str
    seed: int
    recovery: float
    """Seconds from the mend until all has settled, 3 s of load included."""
    left: str
    """What had not settled in time."""
    verdict: Verdict

    @property
    def survived(self) -> bool:
        return not self.left and self.verdict.clean


class Impossible(Exception):
    """Why a fault cannot be inflicted here."""


def play(
    estate: Estate, reviews: Sequence[Review], fault: Fault, seed: int, *, before: tuple[float, float] = BEFORE
) -> Played:
    """`reviews` become the tasks. Raises Impossible."""
    if why := fault.impossible(estate):
        raise Impossible(why)
    with Jobs(estate.direct) as jobs:
        until(lambda: estate.serves() and jobs.workers() >= len(WORKERS), seconds=READY_SECONDS)
        name = f"{type(fault).__module__.rpartition('.')[2]}-{seed}"
        scene = begin(estate, jobs, list(reviews), name, seed)
        with under_load(scene):
            time.sleep(scene.draw.uniform(*before))
            fault.inflict(scene)
            time.sleep(scene.draw.uniform(*fault.hold))
            fault.mend(scene)
            mended = time.monotonic()
            time.sleep(AFTER_SECONDS)
        settled = until(lambda: not unsettled(scene), seconds=PATIENCE, pause=0.5)
        recovery = time.monotonic() - mended
        left = "" if settled else unsettled(scene) or "it settled at last"
        verdict = judge(scene, may_go_back=fault.may_go_back)
        fault.afterwards(scene)
        with suppress(TiebreakError):
            for project in (review_project(scene), scene.project):
                if project is not None:
                    estate.studio.delete_project(project)
    return Played(fault.name, seed, recovery, left, verdict)


def table(played: Sequence[Played]) -> str:
    """Markdown, a line a fault."""
    columns = (
        "fault",
        "rounds",
        "survived",
        "recovery, s: median / max",
        "longest without an answer, s",
        "labels lost",
        "duplicates",
        "asked for twice by Label Studio",
        "wrong versions",
    )
    lines = [f"| {' | '.join(columns)} |", f"|---|{'--:|' * (len(columns) - 1)}"]
    for name in dict.fromkeys(it.fault for it in played):
        of = [it for it in played if it.fault == name]
        seconds = [it.recovery for it in of]
        cells = (
            name,
            len(of),
            sum(it.survived for it in of),
            f"{median(seconds):.0f} / {max(seconds):.0f}",
            f"{max(it.verdict.silent for it in of):.1f}",
            f"{sum(it.verdict.lost for it in of)} of {sum(it.verdict.labels for it in of)}",
            sum(it.verdict.duplicates for it in of),
            sum(it.verdict.asked_twice for it in of),
            sum(it.verdict.wrong_versions for it in of),
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)
