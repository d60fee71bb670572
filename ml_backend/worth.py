"""Where the large model is worth asking, and how much."""

from __future__ import annotations

from collections.abc import Mapping

from ml_backend.labeling.answers import on_screen
from ml_backend.labeling.config import Control, LabelConfig
from ml_backend.labeling.kinds import Answer, kind_of
from ml_backend.policy import LargeModel as Terms
from ml_backend.prelabelers import Opinion

UNKNOWN = 0.5
"""Least doubt about a text unlike anything labelled."""


def asked_controls(config: LabelConfig) -> tuple[Control, ...]:
    """What the large model is asked: all that is answered about the task as a whole, but for free text that may stay
    empty, which is people's remark."""
    return tuple(
        control
        for control in config.answerable
        if (kind := kind_of(control)) is not None and (kind.name != "text" or control.required)
    )


def worth(config: LabelConfig, terms: Terms, local: Mapping[str, Opinion], severity: float = 0.0) -> float | None:
    """Doubt times what is at stake, above 0 where the large model is worth asking; else None.

    The doubt is that of the least sure answer on the screen, 1 where one that has to be given is missing, and at least
    one half for a text unlike anything labelled.
    """
    answers = {name: it.answer for name, it in local.items()}
    shown = on_screen(config, answers, when_unknown=False)
    doubt = 1 - min((local[name].confidence for name in shown), default=0.0)
    missing = any(control.required and _missing(config, control, answers) for control in asked_controls(config))
    if missing:
        doubt = 1.0
    distances = [about.distance for name in shown if (about := local[name].doubt) and about.distance is not None]
    unknown = terms.unknown_from is not None and max(distances, default=0.0) >= terms.unknown_from
    severe = terms.severity_from is not None and severity >= terms.severity_from
    if not (1 - doubt < terms.below or missing or unknown or severe):
        return None
    return max(doubt, UNKNOWN if unknown else 0.01) * (1 + severity)


def _missing(config: LabelConfig, control: Control, answers: Mapping[str, Answer]) -> bool:
    """Whether it would be on the screen, without an answer."""
    kind = kind_of(control)
    if kind is None or control.name in answers:
        return False
    return control.name in on_screen(config, {**answers, control.name: kind.example(control)}, when_unknown=False)
