"""Show a prediction with every task: by the time that the blind holdout shows it saves."""

from __future__ import annotations

from collections.abc import Iterator

from sdk_scripts.bottlenecks.estimates import UNKNOWN, product, share_of, times
from sdk_scripts.bottlenecks.levers import Levers
from sdk_scripts.bottlenecks.model import Estimate, Lever

_RECORD = (
    "Have a share of tasks labelled without a prediction (`policy: {blind: 0.05}` in project.yaml): that alone tells "
    "what predictions do from what easy tasks do."
)


def prelabeling(given: Levers) -> Iterator[Lever]:
    """By the seconds with a prediction for each second without: on the labels that had none, (1 − ratio) of their time
    is saved; on those that had one, (1 / ratio − 1) is lost without. Time is the median of a task's labels."""
    rows = given.process.judged
    if not rows.height:
        return
    time = given.time or {}
    ratio, low, high = (time.get(name) for name in ("ratio", "low", "high"))
    if ratio is None or low is None or high is None:
        why = time.get("note") or "Nobody labelled blind beside others who saw a prediction."
        yield given.lever("pre-labeling", "on every task", UNKNOWN, basis=str(why), record=_RECORD)
        return
    shown = rows.filter("prelabeled").height
    n = int(time["blind"]["n"])
    basis = (
        f"Blind against shown, person by person: {100 * (1 - ratio):.0f} % of the time saved "
        f"({100 * (1 - high):.0f} to "
        f"{100 * (1 - low):.0f} %); {shown:,} of {rows.height:,} labels had a prediction. {time['note']}".strip()
    )
    on = Estimate(value=1 - ratio, low=1 - high, high=1 - low, n=n)
    without = product(share_of(rows.height - shown, rows.height), given.task_seconds)
    yield given.lever("pre-labeling", "on every task", _signed(on, without), basis=basis)
    off = Estimate(value=1 / ratio - 1, low=1 / high - 1, high=1 / low - 1, n=n)
    with_one = product(share_of(shown, rows.height), given.task_seconds)
    yield given.lever("pre-labeling", "off", times(_signed(off, with_one), -1), basis=basis)


def _signed(saved: Estimate, of: Estimate) -> Estimate:
    """A product whose first factor may be below 0."""
    if of.value is None or saved.value is None:
        return UNKNOWN
    if saved.low is not None and saved.low >= 0:
        return product(saved, of)
    scaled = times(saved, of.value)  # where a factor may be nothing, its own interval is what counts
    return scaled
