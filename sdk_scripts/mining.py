"""`tiebreak hard-cases`: rank a project's tasks, and have the hard ones decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from sdk_scripts.evidence import Evidence
from sdk_scripts.hard_cases import HardCases, find_hard_cases

if TYPE_CHECKING:
    from ml_backend.settings import Settings
    from sdk_scripts.sources import Dataset


def mine(
    dataset: Dataset,
    settings: Settings,
    *,
    budget: int | None = None,
    apply: bool = False,
    report: Callable[[str], object] = lambda message: None,
) -> HardCases:
    """`tiebreak hard-cases`: rank, say what could not be looked at, and with `apply` make review tasks of the cases.

    Raises InputError for `apply` on a file, StudioError where Label Studio does not take the review tasks.
    """
    from sdk_scripts.review_project import push_reviews, review_source
    from sdk_scripts.review_tasks import build_review_tasks

    if apply:
        review_source(dataset)  # said before minutes of work, not after
    evidence = Evidence.collect(dataset, settings)
    found = find_hard_cases(dataset, evidence, budget)
    for name, why in found.dropped.items():
        report(f"Without the signal {name}: {why}")
    if not apply:
        return found
    tasks = build_review_tasks(dataset, evidence, found)
    pushed = push_reviews(dataset, tasks, settings)
    report(f"{pushed.created} review tasks made, {pushed.existing} were there already: {pushed.url}")
    return replace(found, review=pushed)
