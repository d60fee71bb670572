"""The project's policy has experts decide the task, without waiting for an annotator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ml_backend.labeling.errors import ModelUnavailable
from ml_backend.labeling.kinds import string
from ml_backend.labeling.results import Task
from ml_backend.policy import Expert, policy_of
from sdk_scripts import wording
from sdk_scripts.route_decisions import Judged, decide
from sdk_scripts.route_predictions import EXPERT, MAX_WHY
from sdk_scripts.signals import Evidence, Findings, Suspicion, register
from sdk_scripts.signals.instruction_like import LEAST, instruction_like


@register("routed")
class Routed:
    """1 for a task that nobody has annotated and that `policy.expert` sends to experts, 0 for any other: what the
    machine sees in it is severe, the local and the large model contradict each other, or its text is like an
    instruction. Where `tiebreak route` has said so, it is taken from the stored prediction.

    Tasks of an experiment (blind, seeded) are left to annotators.

    Why care: an annotator's label of such a task would be reviewed anyway, and until then it would be trusted.
    """

    weight = 1.0

    def __call__(self, evidence: Evidence) -> dict[int, Suspicion]:
        found = Findings(evidence)
        project = evidence.dataset.project
        policy = policy_of(project) if project else None
        if policy is None or policy.expert is None:
            return {}
        studio = evidence.dataset.studio
        arms = replace(studio.arms, blind=policy.blind, seeded=policy.seeded) if studio else None
        waiting = {id: task for id, task in evidence.tasks.items() if not task.annotations}
        if policy.expert.instruction_like:
            odd = instruction_like({id: text for id, text in evidence.texts.items() if id in waiting})
        else:
            odd = {}
        for id, task in waiting.items():
            score, detail = odd.get(id, (0.0, ""))
            judged = Judged(
                id,
                arms.of(id) if arms else "plain",
                severity=_severity(evidence, policy.expert, id),
                instruction=detail if score >= LEAST else "",
            )
            route = decide(policy, {}, judged)
            if route.destination == "expert":
                found.add_item(id, 1.0, route.why)
            elif judged.arm == "plain":
                for control, why in _noted(evidence, task):
                    found.add(id, 1.0, wording.short(why, MAX_WHY), control)
        return found.strongest


def _severity(evidence: Evidence, expert: Expert, task: int) -> float:
    return evidence.severity_of(task) if expert.severity_from is not None else 0.0


def _noted(evidence: Evidence, task: Task) -> Iterator[tuple[str, str]]:
    """Control, and why an expert is asked, as the live version's stored prediction says."""
    try:
        known = evidence.stored
    except ModelUnavailable:
        return
    for prediction in task.predictions:
        if prediction.model_version != evidence.live_version:
            continue
        for region in prediction.regions:
            meta = region.get("meta")
            about = meta.get("tiebreak") if isinstance(meta, dict) else None
            why = string(about.get(EXPERT)) if isinstance(about, dict) else None
            control = str(region.get("from_name"))
            if why and control in known:
                yield control, why
