"""Which answers are known to be right: what a review decided, and the library's cases for use as gold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from ml_backend.labeling.kinds import kind_of
from sdk_scripts.settled_answers import decided_cases

if TYPE_CHECKING:
    from ml_backend.cases import Case
    from sdk_scripts.evidence import Evidence

Gold = dict[tuple[str, int], str]
"""(control, item) -> key of the right answer."""


def gold_of(evidence: Evidence, cases: Iterable[Case], policy: str, now: datetime) -> Gold:
    """Of the source's tasks and of its library, as far as they hold under that guideline version. The library counts
    before the decision that its case came from, as people edit it there."""
    found: Gold = {
        (it.control, it.task): it.key
        for it in decided_cases(evidence.all_judgements, evidence.tasks)
        if (it.control, it.task) in evidence.settled and it.policy in ("", policy)
    }
    for case in gold_cases(cases, policy, now):
        kind = kind_of(evidence.config[case.control]) if case.control in evidence.config else None
        if kind is not None:
            found[case.control, item_of(case, evidence)] = kind.key(case.answer)
    return found


def gold_cases(cases: Iterable[Case], policy: str, now: datetime) -> Iterator[Case]:
    for case in cases:
        if "gold" in case.uses and case.state(now) != "expired" and case.policy in ("", policy):
            yield case


def item_of(case: Case, evidence: Evidence) -> int:
    known = case.source_task is not None and case.source_task in evidence.tasks
    return case.source_task if known and case.source_task is not None else -case.task
