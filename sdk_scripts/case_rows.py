"""Cases as documents: the library listed and searched."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ml_backend.cases import Case, Use, all_cases, usable
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.kinds import kind_of
from ml_backend.labeling.task_data import text_of
from sdk_scripts import wording

if TYPE_CHECKING:
    from ml_backend.encoder import Encoder
    from ml_backend.studio import Studio


def list_cases(
    studio: Studio, source: Mapping[str, Any], now: datetime, *, use: Use | None = None, stale: bool = False
) -> dict[str, Any]:
    """`{"items": […]}`, in order of task: all cases with their state, those that may be used so at `now`, or those that
    the guidelines have left behind."""
    config = parse(str(source["label_config"]))
    cases = all_cases(studio, source, config)
    if stale:
        cases = [case for case in cases if case.state(now) == "stale" and (use is None or use in case.uses)]
    elif use is not None:
        cases = usable(cases, use, now)
    return {"items": [_row(studio, case, config, now) for case in cases]}


def search_cases(
    studio: Studio, source: Mapping[str, Any], text: str, encoder: Encoder, now: datetime, *, most: int
) -> dict[str, Any]:
    """`{"items": […]}`: the cases nearest to the text by their own or their rationale, nearest first, each with its
    `similarity`. Expired ones are left out. Raises ModelUnavailable."""
    from ml_backend.case_search import nearest

    config = parse(str(source["label_config"]))
    cases = [case for case in all_cases(studio, source, config) if case.state(now) != "expired"]
    (found,) = nearest(cases, config, [text], encoder, most, rationales=True)
    return {"items": [{**_row(studio, it.case, config, now), "similarity": round(it.similarity, 4)} for it in found]}


def _row(studio: Studio, case: Case, config: LabelConfig, now: datetime) -> dict[str, Any]:
    control = config[case.control]
    kind = kind_of(control)
    return {
        "case": case.task,
        "control": case.control,
        "answer": wording.show(control, case.answer),
        "key": kind.key(case.answer) if kind else None,
        "state": case.state(now),
        "uses": list(case.uses),
        "severity": case.severity,
        "cause": case.cause,
        "clause": case.clause,
        "rationale": case.rationale,
        "policy": case.policy,
        "expires": case.expires.isoformat() if case.expires else None,
        "source_task": case.source_task,
        "text": wording.short(text_of(case.data, config.text_fields(control)), 300),
        "url": f"{studio.data_manager(case.project)}?task={case.task}",
    }
