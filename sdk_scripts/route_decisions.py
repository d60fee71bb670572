"""Who decides a task that nobody has touched: the machine, a person, or an expert. Pure: same facts, same route.

Experts come first, then the machine, and people get the rest. A task of an experiment (`labeling.arms`: blind, seeded)
always goes to people: that is what measures the machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ml_backend.labeling.answers import on_screen
from ml_backend.labeling.arms import Arm
from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.kinds import Answer, kind_of
from ml_backend.labeling.thresholds import Threshold
from ml_backend.policy import Accept, Expert, Policy
from ml_backend.prelabelers import Opinion

Destination = Literal["machine", "human", "expert"]
Group = tuple[float, str]
"""The severity that a tier begins at, and by whom the answers are: local or joint."""
EXPERIMENT = "people label it whatever the machine thinks: it is part of an experiment"


@dataclass(frozen=True, slots=True)
class Sign:
    """A reason to ask an expert."""

    why: str
    control: str = ""
    """Whose answer it is about; empty where it is about the item."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What is known of a task."""

    task: int
    arm: Arm = "plain"
    by: str = "local"
    confidence: float | None = None
    """Of the least certain control on the screen, 0 to 1; None where the machine has no whole answer."""
    lacking: str = ""
    """Why it has none, in words."""
    severity: float = 1.0
    """Of what the machine sees in it."""
    severe: str = ""
    """The control that has the severity; empty where words of the item do."""
    differ: float = 0.0
    """Where the local and the large model give different answers to a control: how sure the less sure one is."""
    differing: str = ""
    """That control."""
    instruction: str = ""
    """What the text does that is like an instruction to whoever labels it."""


@dataclass(frozen=True, slots=True)
class Route:
    task: int
    destination: Destination
    why: str
    audit: bool = False
    """Whether people label it blind although the machine does, too."""
    control: str = ""
    """The one an expert is asked about; empty: the item."""


def decide(
    policy: Policy,
    thresholds: Mapping[Group, Threshold | None],
    judged: Judged,
    *,
    audited: bool = False,
    stopped: bool = False,
) -> Route:
    """`audited` says whether the task would be audited if the machine decided it, `stopped` that it decides none."""
    if judged.arm != "plain":
        return Route(judged.task, "human", EXPERIMENT)
    if policy.expert and (sign := _for_expert(policy.expert, judged)):
        return Route(judged.task, "expert", sign.why, control=sign.control)
    if policy.accept is None:
        return Route(judged.task, "human", "the policy accepts nothing")
    if stopped:
        return Route(judged.task, "human", "auto-accept has stopped")
    if reason := _not_accepted(policy.accept, thresholds, judged):
        return Route(judged.task, "human", reason)
    return Route(judged.task, "machine", "it is as sure as the promise asks for", audit=audited)


def _for_expert(expert: Expert, judged: Judged) -> Sign | None:
    if judged.instruction and expert.instruction_like:
        return Sign(f"{judged.instruction}, and the policy has experts decide such items")
    if expert.severity_from is not None and judged.severity >= expert.severity_from:
        return Sign(
            f"what the machine sees in it has a severity of {judged.severity:g}, and from {expert.severity_from:g} on "
            "the policy asks experts",
            judged.severe,
        )
    if expert.models_differ is not None and judged.differing and judged.differ >= expert.models_differ:
        return Sign(
            f"the local and the large model give different answers, each with a confidence of {judged.differ:.2f} or "
            "more",
            judged.differing,
        )
    return None


def _not_accepted(accept: Accept, thresholds: Mapping[Group, Threshold | None], judged: Judged) -> str:
    if judged.confidence is None:
        return judged.lacking or "the machine has no answer"
    tier = accept.tier(judged.severity)
    if tier is None:
        return "people decide what is that severe"
    threshold = thresholds.get((tier.severity, judged.by))
    if threshold is None:
        return "no threshold can promise that few errors yet"
    # thresholds come from confidences stored in single precision
    if np.float32(judged.confidence) < np.float32(threshold.confidence):
        return "the machine is not sure enough"
    return ""


def models_differ(config: LabelConfig, local: Mapping[str, Opinion], large: Mapping[str, Opinion]) -> tuple[float, str]:
    """How sure the less sure of the two is, and of which control, where they give different answers; (0, "") where they
    do not. Only controls count that both bring on the screen."""
    shown = [on_screen(config, _answers(of), when_unknown=False) for of in (local, large)]
    found = [
        (min(local[name].confidence, large[name].confidence), name)
        for name in shown[0]
        if name in shown[1] and shown[0][name] != shown[1][name]
    ]
    return max(found, default=(0.0, ""))


def unanswered(config: LabelConfig, given: Mapping[str, Answer]) -> list[str]:
    """Controls that are, or may be, on the screen once these answers are given, and have none. Free text that is not
    required is a remark, and may be left out."""
    return [
        control.name
        for control in config.answerable
        if control.name not in given
        and (control.required or (kind := kind_of(control)) is None or kind.name != "text")
        and control.name in on_screen(config, {**given, control.name: ()})
    ]


def _answers(opinions: Mapping[str, Opinion]) -> dict[str, Answer]:
    return {name: it.answer for name, it in opinions.items()}
