"""What the figures mean: the sentences a reader sees first, and what to do next, most useful first."""

from __future__ import annotations

from sdk_scripts.report.model import Action, AnnotatorRow, ControlRow, Overview, VersionRow

RELIABLE, TENTATIVE = 0.80, 0.667
"""Krippendorff's customary bounds (Content Analysis, 2004, p. 241)."""
ENOUGH_OVERLAP = 50
"""With fewer tasks judged twice the interval of alpha is too wide to act on."""
_HONEST_ECE = 0.05
_FEW_JUDGEMENTS = 30
_UNLIKE_THE_OTHERS = 0.15


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


def actions(
    overview: Overview,
    controls: list[ControlRow],
    annotators: list[AnnotatorRow],
    hard_cases: int,
    versions: list[VersionRow],
) -> list[Action]:
    """Ranked: first what makes every other figure wrong or missing, then what costs most labels."""
    found: list[Action] = []
    if not overview.judgements:
        return [Action(what="Start labeling.", why="Every figure here needs judgements.")]
    if overview.overlapped < ENOUGH_OVERLAP:
        found.append(
            Action(
                what="Let two people label some of the same tasks.",
                why=f"Only {overview.overlapped} tasks have two judgements; from about {ENOUGH_OVERLAP} on, agreement "
                "and annotator quality say something. Set `overlap` in project.yaml.",
            )
        )
    for row in sorted(controls, key=lambda row: row.alpha if row.alpha is not None else 1.0):
        if row.alpha is not None and row.alpha < TENTATIVE and row.items >= ENOUGH_OVERLAP:
            weakest = min((x for x in row.labels if x.alpha is not None), key=lambda x: x.alpha or 0.0, default=None)
            where = f", first of all for {weakest.label} (alpha {weakest.alpha:.2f})" if weakest else ""
            found.append(
                Action(
                    what=f"Clarify the guideline for {row.control}{where}.",
                    why=f"Alpha is {row.alpha:.2f} over {row.items:,} tasks: people read the same rule differently.",
                )
            )
    if hard_cases:
        found.append(
            Action(
                what=f"Review the hard cases: {hard_cases:,} tasks.",
                why="`tiebreak hard-cases PROJECT --apply` makes review tasks of them, the hardest first.",
            )
        )
    known = [row.agreement for row in annotators if row.agreement is not None]
    typical = sorted(known)[len(known) // 2] if known else 0.0
    for person in annotators:
        if (
            person.agreement is not None
            and person.judgements >= _FEW_JUDGEMENTS
            and person.agreement < typical - _UNLIKE_THE_OTHERS
        ):
            found.append(
                Action(
                    what=f"Talk to {person.annotator}.",
                    why=f"Agrees with the others on {100 * person.agreement:.0f} % of {person.judgements} judgements; "
                    f"{100 * typical:.0f} % is usual here.",
                )
            )
    for version in versions:
        for control, metrics in version.metrics.items() if version.live else ():
            error = metrics.get("ece")
            if error is not None and error > _HONEST_ECE:
                found.append(
                    Action(
                        what=f"Do not accept {control} by confidence yet.",
                        why=f"The live model's confidence is off by {100 * error:.0f} points on average; "
                        "more labels mend that.",
                    )
                )
    return found
