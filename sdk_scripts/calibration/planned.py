"""A new round: what it is called, and what it asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ml_backend.cases import all_cases, policy_version
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.results import project_key, string
from sdk_scripts.calibration.blind import blind_config
from sdk_scripts.calibration.candidates import candidates
from sdk_scripts.calibration.gold import gold_cases, gold_of, item_of
from sdk_scripts.calibration.rounds import Plan, Round
from sdk_scripts.calibration.sample import Sample, draw
from sdk_scripts.quality import quality_of

if TYPE_CHECKING:
    from ml_backend.cases import Case
    from sdk_scripts.evidence import Evidence

LEAST = 8
"""Tasks of a round, as `quality.Calibration.size` has it."""


def plan_round(
    evidence: Evidence,
    source: Mapping[str, Any],
    known: Sequence[Round],
    people: tuple[str, ...],
    name: str,
    size: int | None,
    seed: int,
) -> tuple[Round, Sample, tuple[str, ...]]:
    """The round without its projects, how it was drawn, and what could not be looked at. An empty name is given one,
    a size of None is that of the rules. Raises InputError where there are too few different texts."""
    names = {it.plan.name for it in known}
    name = name or next(it for n in range(len(known) + 1, 10**6) if (it := f"round-{n}") not in names)
    policy, now = policy_version(source), datetime.now(UTC)
    size = size or quality_of(source).calibration.size
    cases = library_of(evidence)
    gold = gold_of(evidence, cases, policy, now)
    settled = ((item_of(it, evidence), it) for it in gold_cases(cases, policy, now))
    others = {item: it for item, it in settled if item < 0 and (it.control, item) in gold}
    found = candidates(evidence, gold, others.values(), people, known)
    sample = draw(found.candidates, size, project_key(source), name, seed)
    if len(sample.chosen) < size:
        raise InputError(
            f"A round of {size} tasks needs as many different texts; project {source['id']} has {len(sample.chosen)}.",
            mend="Import more tasks." if len(sample.chosen) < LEAST else f"Give --size {len(sample.chosen)} or less.",
        )
    plan = Plan(
        name=name,
        people=people,
        items={it.item: it.stratum for it in sorted(sample.chosen, key=lambda it: it.item)},
        policy=policy,
        instruction=string(source.get("expert_instruction")) or "",
        label_config=blind_config(str(source["label_config"])),
    )
    return Round(plan), sample, found.notes


def library_of(evidence: Evidence) -> list[Case]:
    """The source's cases, expired ones too; none of a file."""
    dataset = evidence.dataset
    if dataset.studio is None or dataset.project is None:
        return []
    return all_cases(dataset.studio, dataset.project, evidence.config)
