"""Why a job failed, in a line that may be shown: kept with the job (RQ's `meta`) while it is tried again, and after.

An error of Tiebreak's own says what happened; its addresses are shown without credentials. Of any other only its name
and where it was raised are kept: its words may be an annotated text, or a secret.
"""

from __future__ import annotations

import re
import traceback
from pathlib import Path

from rq.job import Job

from ml_backend.labeling.errors import TiebreakError

MOST = 300
"""Characters of a reason."""
DIED = "Its process was killed (out of memory?)."
VANISHED = "Its worker vanished."
ENDED = "It was stopped, or waited too long for another job of its project."
_CREDENTIALS = re.compile(r"(?<=//)[^/\s@]+(?=@)|(?<=Token )\S+|(?<=Bearer )\S+")


def describe(error: BaseException) -> str:
    if isinstance(error, TiebreakError):
        words = " ".join(_CREDENTIALS.sub("…", error.what).split())
        return words if len(words) <= MOST else f"{words[: MOST - 1]}…"
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if _is_ours(frame.filename)] or frames
    return f"{name} in {Path(ours[-1].filename).name}:{ours[-1].lineno}." if ours else f"{name}."


def note(job: Job, why: str) -> None:
    """One more try has failed; RQ saves it where it tries again."""
    job.meta |= {"why": why, "tries": tries(job) + 1}
    job.save_meta()


def why(job: Job) -> str:
    """Of the last try; empty where none has failed."""
    return str(job.meta.get("why", ""))


def why_failed(job: Job) -> str:
    """Of a job whose tries are used up, whoever ran it."""
    if said := why(job):
        return said
    result = job.latest_result()
    lines = ((result.exc_string if result else None) or "").strip().splitlines()
    return f"{lines[-1].partition(':')[0][:MOST]}." if lines else ENDED


def tries(job: Job) -> int:
    """Those that have failed."""
    found = job.meta.get("tries", 0)
    return found if isinstance(found, int) else 0


def _is_ours(file: str) -> bool:
    return bool({"ml_backend", "sdk_scripts"} & set(Path(file).parts))
