"""What the figures mean: the sentences a reader sees first."""

from __future__ import annotations

from sdk_scripts.report.model import ControlRow, Overview, VersionRow

RELIABLE, TENTATIVE = 0.80, 0.667
"""Krippendorff's customary bounds (Content Analysis, 2004, p. 241)."""
ENOUGH_OVERLAP = 50
"""With fewer tasks judged twice the interval of alpha is too wide to act on."""


def headline(overview: Overview, controls: list[ControlRow], hard_cases: int, versions: list[VersionRow]) -> list[str]:
    """One to three sentences."""
    if not overview.judgements:
        return [f"{overview.tasks:,} tasks, none labeled yet."]
    sentences = [
        f"{overview.labeled:,} of {overview.tasks:,} tasks are labeled, {overview.overlapped:,} of them by two people "
        f"or more; {hard_cases:,} have a label more likely in doubt than not."
    ]
    measured = [row for row in controls if row.alpha is not None]
    if measured:
        worst = min(measured, key=lambda row: row.alpha or 0.0)
        sentences.append(
            f"People agree least on {worst.control}: alpha {worst.alpha:.2f}"
            + (
                f" (95 % interval {worst.alpha_low:.2f} to {worst.alpha_high:.2f})"
                if worst.alpha_low is not None
                else ""
            )
            + f", {_verdict(worst)}."
        )
    live = next((version for version in versions if version.live), None)
    scores = [score for m in live.metrics.values() if (score := m.get("accuracy")) is not None] if live else []
    if live and scores:
        sentences.append(
            f"The live model, {live.version}, is right on {100 * min(scores):.0f} % of unseen tasks"
            + (" for its weakest control." if len(scores) > 1 else ".")
        )
    return sentences


def _verdict(row: ControlRow) -> str:
    low = row.alpha_low if row.alpha_low is not None else row.alpha or 0.0
    if low >= RELIABLE:
        return "which is reliable"
    if (row.alpha or 0.0) >= TENTATIVE:
        return "which allows tentative conclusions"
    return "too little to train or decide on"
