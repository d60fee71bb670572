"""Show a prediction with every task: by the time that the blind holdout shows it saves."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from sdk_scripts.bottlenecks.estimates import UNKNOWN, product, share_of, times
from sdk_scripts.bottlenecks.levers import Levers
from sdk_scripts.bottlenecks.model import Estimate, Lever

_RECORD = (
    "Have a share of tasks labelled without a prediction (`policy: {blind: 0.05}` in project.yaml): that alone tells "
    "what predictions do from what easy tasks do."
)


def prelabeling(given: Levers) -> Iterator[Lever]:
    """(1 − seconds with a prediction / seconds without) × the median seconds of a task's labels, for the share of
    labels given without one. Where all have one, what it saves already is said."""
    rows = given.process.judged
    if not rows.height:
        return
    bare = rows.filter(~pl.col("prelabeled")).height
    time = given.time or {}
    saved, low, high = (time.get(name) for name in ("saved", "saved_low", "saved_high"))
    setting = "on every task" if bare else "as it is, against none"
    if saved is None or low is None or high is None:
        why = time.get("note") or "Nobody labelled blind beside others who saw a prediction."
        yield given.lever("pre-labeling", setting, UNKNOWN, basis=str(why), record=_RECORD)
        return
    share = share_of(bare, rows.height) if bare else Estimate(value=1.0, low=1.0, high=1.0, n=rows.height)
    of = product(share, given.task_seconds)
    yield given.lever(
        "pre-labeling",
        setting,
        _signed(Estimate(value=saved, low=low, high=high, n=int(time["blind"]["n"])), of),
        basis=f"Blind against shown, person by person: {100 * saved:.0f} % of the time ({100 * low:.0f} to "
        f"{100 * high:.0f} %); {bare:,} of {rows.height:,} labels have none. {time['note']}".strip(),
    )


def _signed(saved: Estimate, of: Estimate) -> Estimate:
    """A product whose first factor may be below 0."""
    if of.value is None or saved.value is None:
        return UNKNOWN
    if saved.low is not None and saved.low >= 0:
        return product(saved, of)
    scaled = times(saved, of.value)  # where a factor may be nothing, its own interval is what counts
    return scaled
