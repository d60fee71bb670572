"""A source's rounds one after the other: alpha by round and guideline version, and whether a change is more than
chance."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sdk_scripts import wording
from sdk_scripts.calibration.answers import Answers
from sdk_scripts.calibration.reliability import Reliability, difference
from sdk_scripts.plain_text import plain_text

MOST_LINES = 20
"""Of what a version of the guidelines has more or less than the one before, each."""
MAX_LINE = 300


@dataclass(frozen=True)
class Past:
    """A round as history tells it."""

    answers: Answers
    controls: Mapping[str, Reliability]
    weakest: str
    """The control that decides; "" where none does."""
    passed: bool


def history(rounds: Sequence[Past]) -> list[dict[str, Any]]:
    """Of the rounds, oldest first. `more_than_chance` is whether the interval of the change leaves 0 out."""
    told: list[dict[str, Any]] = []
    before: Past | None = None
    for it in rounds:
        plan = it.answers.round.plan
        decides = it.controls[it.weakest].deciding if it.weakest else (None, None, None)
        told.append(
            {
                "round": plan.name,
                "policy": plan.policy,
                "annotators": list(plan.people),
                "tasks": len(plan.items),
                "complete": it.answers.complete,
                "passed": it.passed,
                **dict(zip(("alpha", "alpha_low", "alpha_high"), decides, strict=True)),
                "controls": {name: one.to_json() for name, one in it.controls.items()},
                "change": _change(before, it) if before else {},
                "guidelines": _guidelines(before, it) if before else {"changed": False},
            }
        )
        before = it
    return told


def _change(before: Past, after: Past) -> dict[str, Any]:
    found = {}
    for name, now in after.controls.items():
        if name in before.controls and (change := difference(before.controls[name], now)) is not None:
            value, low, high = change
            found[name] = {"alpha": value, "low": low, "high": high, "more_than_chance": low > 0 or high < 0}
    return found


def _guidelines(before: Past, after: Past) -> dict[str, Any]:
    """Lines of text that were added and removed."""
    then, now = before.answers.round.plan, after.answers.round.plan
    if then.policy == now.policy:
        return {"changed": False}
    lines = list(difflib.ndiff(plain_text(then.instruction).splitlines(), plain_text(now.instruction).splitlines()))
    added, removed = ([line[2:] for line in lines if line.startswith(sign)] for sign in ("+ ", "- "))
    return {
        "changed": True,
        "added": [wording.short(line, MAX_LINE) for line in added[:MOST_LINES]],
        "removed": [wording.short(line, MAX_LINE) for line in removed[:MOST_LINES]],
    }
