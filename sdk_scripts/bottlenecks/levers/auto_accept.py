"""Let the machine accept what it is sure of: at each risk of the live model's thresholds."""

from __future__ import annotations

from collections.abc import Iterator

from sdk_scripts.bottlenecks.accept_risks import AcceptRisk
from sdk_scripts.bottlenecks.estimates import UNKNOWN, product, share_of, times
from sdk_scripts.bottlenecks.levers import Levers
from sdk_scripts.bottlenecks.model import Estimate, Lever

_RECORD = "Train a model (`tiebreak train`): its thresholds say how many tasks it could accept at which risk."


def auto_accept(given: Levers) -> Iterator[Lever]:
    """Coverage × (1 − audits) × the median seconds of a task's labels.

    The coverage's interval is Wilson's. What a model is sure of is easier than the rest, so people may need less than
    the median for it: the figure leans to the large side as far as that goes. With several controls a task is accepted
    only where each of them is, on at most the least coverage of them and at least what is left if they never miss
    together (Fréchet).
    """
    if not given.accepting.risks:
        why = "No model version is live." if not given.accepting.version else "The live version has no thresholds."
        yield given.lever("auto-accept", "at any risk", UNKNOWN, basis=why, record=_RECORD)
        return
    for error in sorted({it.error for it in given.accepting.risks}):
        yield accepted_at(given, error)


def accepted_at(given: Levers, error: float) -> Lever:
    setting = f"at most {100 * error:g} % wrong"
    risks = [it for it in given.accepting.risks if it.error == error]
    audit = given.accepting.audit
    if not all(it.coverage for it in risks):
        short = ", ".join(it.control for it in risks if not it.coverage)
        nothing = Estimate(value=0.0, low=0.0, high=0.0, n=min(it.labels for it in risks))
        why = f"No threshold of {given.accepting.version} can promise that yet ({short})."
        return given.lever("auto-accept", setting, nothing, basis=why, errors=nothing)
    covered = coverage(risks)
    now = " This is in force." if given.accepting.in_force == error else ""
    shown = "–" if covered.value is None else f"{100 * covered.value:.0f} %"
    return given.lever(
        "auto-accept",
        setting,
        times(product(covered, given.task_seconds), 1 - audit),
        errors=errors_of(covered, error),
        basis=f"{given.accepting.version} covers {shown} of {covered.n:,} labelled tasks, {100 * audit:g} % of them "
        f"audited; a task takes {_seconds(given.task_seconds)} in the middle.{now}",
        record="" if given.task_seconds.known else "Label in Label Studio itself: imported labels have no lead time.",
    )


def coverage(risks: list[AcceptRisk]) -> Estimate:
    """Of a task: each of its controls has to be covered."""
    found = [share_of(round(it.coverage * it.labels), it.labels) for it in risks]
    if len(found) == 1:
        return found[0]
    lows, highs = [it.low or 0.0 for it in found], [1.0 if it.high is None else it.high for it in found]
    return Estimate(low=max(0.0, sum(lows) - len(lows) + 1), high=min(highs), n=min(it.n for it in found))


def errors_of(covered: Estimate, error: float) -> Estimate:
    """Between none and as many as the budget allows; what people would have got wrong there is not set against it."""
    most = covered.high if covered.high is not None else covered.value
    return Estimate(low=0.0, high=None if most is None else 1000 * most * error, n=covered.n)


def _seconds(it: Estimate) -> str:
    return "an unknown time" if it.value is None else f"{it.value:.0f} s"
