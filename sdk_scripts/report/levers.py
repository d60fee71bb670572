"""What could be done next, each with what it would do where that can be told; ranked in `sections.actions`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from ml_backend.labeling.errors import TiebreakError
from sdk_scripts.report import effects
from sdk_scripts.report.chance import Estimate, beyond_chance, difference
from sdk_scripts.report.effects import Effect
from sdk_scripts.report.headline import ENOUGH_OVERLAP, TENTATIVE
from sdk_scripts.report.model import AnnotatorRow, VersionRow
from sdk_scripts.report.sections import Given

HONEST_ECE = 0.05
MOST_GAPS = 3
MOST_RULES = 5
GROWN = 1.1
"""Times the labels that the live version learned from, from which on training anew is proposed."""
LEAST_CASES = 10
"""Settled cases that make gold questions worth while."""


@dataclass(frozen=True)
class Lever:
    what: str
    why: str
    effect: Effect | str
    """A string says why it is not known."""
    section: str = ""


@dataclass(frozen=True)
class Facts:
    """What the levers look at."""

    given: Given

    @cached_property
    def items(self) -> pl.DataFrame:
        """Of the consensus: what reviews settled is not in doubt, and not here."""
        rows, settled = self.given.evidence.consensus.items, self.given.evidence.settled
        done = pl.DataFrame(list(settled), schema={"control": pl.String, "task": pl.Int64}, orient="row")
        return rows.join(done, on=["control", "task"], how="anti")

    @cached_property
    def seconds(self) -> float | None:
        """Median, for one person and task."""
        rows = self.given.evidence.judgements.unique("annotation")
        found = rows.filter(pl.col("lead_time") > 0)["lead_time"].median()
        return float(found) if isinstance(found, int | float) else None

    @property
    def unlabelled(self) -> int:
        return self.given.core.overview.tasks - self.given.core.overview.labeled

    @property
    def people(self) -> int:
        """That answer each task."""
        asked = (self.given.evidence.dataset.project or {}).get("maximum_annotations")
        return asked if isinstance(asked, int) and asked > 0 else 1

    @property
    def compared(self) -> bool:
        return self.given.core.overview.overlapped >= ENOUGH_OVERLAP

    @property
    def live(self) -> VersionRow | None:
        return next((version for version in self.given.core.versions if version.live), None)

    def part(self, name: str) -> Mapping[str, Any]:
        """Of another section, as JSON; empty where it has nothing to say."""
        found = self.given.parts.get(name)
        told = found.model_dump(mode="json") if found is not None else {}
        return told if isinstance(told, Mapping) else {}


def levers(facts: Facts) -> Iterator[Lever]:
    """Those whose effect nothing tells come in the order in which they are usually needed."""
    if not facts.given.core.overview.judgements:
        yield Lever("Start labeling.", "Every figure here needs judgements.", "nothing is labelled yet")
        return
    yield from _overlap(facts)
    yield from _hard_cases(facts)
    yield from _guidelines(facts)
    yield from _people(facts)
    yield from _findings(facts)
    yield from _gold(facts)
    yield from _model(facts)


def _overlap(facts: Facts) -> Iterator[Lever]:
    overlapped = facts.given.core.overview.overlapped
    if overlapped < ENOUGH_OVERLAP:
        yield Lever(
            "Let two people label some of the same tasks.",
            f"Only {overlapped} tasks have two judgements; from about {ENOUGH_OVERLAP} on, agreement and annotator "
            "quality say something. Set `overlap` in project.yaml.",
            "what it would show is not known before",
            "agreement",
        )
        return
    once = facts.items.filter(pl.col("judgements") == 1)
    if once.height:
        yield Lever(
            f"Have a second person label what one person labelled: {once['task'].n_unique():,} tasks.",
            "Where two differ, a third or a review decides. Set `overlap` in project.yaml.",
            effects.of_a_second_annotator(facts.items),
            "agreement",
        )


def _hard_cases(facts: Facts) -> Iterator[Lever]:
    evidence = facts.given.evidence
    hard = {row.task for row in facts.given.core.hard_cases}
    if hard:
        pairs = [(case.control, case.task) for case in facts.given.cases if case.task in hard]
        reviewed = effects.overturned(evidence.all_judgements, evidence.judgements)
        yield Lever(
            f"Review the hard cases: {len(hard):,} tasks.",
            "`tiebreak hard-cases PROJECT --apply` makes review tasks of them, the hardest first.",
            effects.of_hard_cases(pairs, facts.items, reviewed, compared=facts.compared),
            "hard_cases",
        )


def _guidelines(facts: Facts) -> Iterator[Lever]:
    named = set()
    for gap in facts.part("gaps").get("confused", ())[:MOST_GAPS]:
        named.add(gap["control"])
        once = facts.items.filter(pl.col("control") == gap["control"], pl.col("judgements") == 1).height
        labels = once + (facts.unlabelled if facts.people == 1 else 0)
        effect = effects.of_a_rule(Estimate(gap["share"], gap["low"], gap["high"]), labels)
        one, other = gap["labels"]
        yield Lever(
            f"Say in the guidelines when it is {one} and when {other}.",
            f"{gap['items']:,} of {gap['of']:,} tasks of {gap['control']} were answered both ways. {_where(gap)}",
            effect
            if labels
            else "two people or more label every task: it spares disagreement, and nothing tells how many wrong labels",
            "gaps",
        )
    for row in facts.given.core.controls:
        if row.alpha is None or row.alpha >= TENTATIVE or row.items < ENOUGH_OVERLAP or row.control in named:
            continue
        weakest = min((x for x in row.labels if x.alpha is not None), key=lambda x: x.alpha or 0.0, default=None)
        where = f", first of all for {weakest.label} (alpha {weakest.alpha:.2f})" if weakest else ""
        yield Lever(
            f"Clarify the guideline for {row.control}{where}.",
            f"Alpha is {row.alpha:.2f} over {row.items:,} tasks: people read the same rule differently.",
            "no two labels stand out, so nothing tells which rule would help, and how much",
            "agreement",
        )


def _where(gap: Mapping[str, Any]) -> str:
    if gap["way"] == "between people":
        return str(gap["do"])
    return f"The guidelines speak of them under “{gap['section'] or 'the beginning'}”." if gap["text"] else ""


def _people(facts: Facts) -> Iterator[Lever]:
    """Those who are surely less often right than is usual among the others."""
    told = [
        (row, it)
        for row in facts.given.core.annotators
        if not row.few and (it := Estimate.read(row.model_dump(), "quality"))
    ]
    for person, quality in told:
        others = [(row.judgements, it.value) for row, it in told if row is not person]
        given = sum(n for n, _ in others)
        if given and quality.high < (usual := sum(n * it for n, it in others) / given):
            effect = effects.of_a_person(person.judgements, quality, usual)
            yield Lever(f"Talk to {person.annotator}.", _of_person(person), effect, "annotators")


def _of_person(person: AnnotatorRow) -> str:
    agreement = "" if person.agreement is None else f", and agrees with the others on {100 * person.agreement:.0f} %"
    return (
        f"Right on {100 * (person.quality or 0):.0f} % ({100 * (person.quality_low or 0):.0f} to "
        f"{100 * (person.quality_high or 0):.0f}) of {person.judgements:,} judgements, by the consensus{agreement}."
    )


def _findings(facts: Facts) -> Iterator[Lever]:
    found = [it for it in facts.part("inspection").get("findings", ()) if it["state"] in ("new", "continuing")]
    high = [it for it in found if it["severity"] == "high"]
    for rule, n in Counter(it["rule"] for it in high).most_common(MOST_RULES):
        mine = [it for it in high if it["rule"] == rule]
        tasks = sorted({task for it in mine for task in it["evidence"]})
        rows = facts.items.filter(pl.col("task").is_in(tasks))
        known = facts.compared and rows.height
        yield Lever(
            f"Look into {rule.replace('_', ' ')}: {n} {'finding' if n == 1 else 'findings'}.",
            " ".join(filter(None, (mine[0]["message"], mine[0]["do"]))),
            Effect(effects.expected_wrong(rows), effects.WRONG, f"expected among the {len(tasks)} tasks it names")
            if known
            else "how many labels it has spoilt is not known",
            "inspection",
        )


def _gold(facts: Facts) -> Iterator[Lever]:
    part = facts.part("gold")
    bad = [it for it in part.get("questions", ()) if it["state"] in ("contested", "leaked", "disputed")]
    if bad:
        yield Lever(
            f"Look at gold questions that say nothing any more: {len(bad)}.",
            "Those contested may be wrong, and what was decided with them. `tiebreak gold` retires them.",
            "a question judges people; how many labels hang on it is not known",
            "gold",
        )
    if part or facts.given.evidence.dataset.studio is None:
        return
    try:
        cases = len(facts.given.evidence.cases)
    except TiebreakError:
        return
    if cases >= LEAST_CASES:
        yield Lever(
            f"Make gold questions of settled cases: there are {cases}.",
            "They tell who labels well without comparing people. `tiebreak cases promote … --to gold`.",
            "what they would show is not known before",
            "hard_cases",
        )


def _model(facts: Facts) -> Iterator[Lever]:
    yield from _showing(facts)
    live = facts.live
    if live is None:
        return
    yield from _accepting(facts, live)
    yield from _training(facts, live)
    for control, metrics in live.metrics.items():
        error = metrics.get("ece")
        if error is not None and error > HONEST_ECE:
            yield Lever(
                f"Do not accept {control} by confidence yet.",
                f"The live model's confidence is off by {100 * error:.0f} points on average; more labels mend that.",
                "it depends on how much would have been accepted",
                "models",
            )


def _showing(facts: Facts) -> Iterator[Lever]:
    time = facts.part("working").get("figures", {}).get("time", {})
    saved = Estimate.read(time, "saved")
    bare = facts.given.core.overview.tasks - facts.given.core.overview.predicted
    tasks = min(facts.unlabelled, bare)
    if saved and saved.low > 0 and tasks > 0 and facts.seconds:
        yield Lever(
            f"Predict the tasks that have no prediction yet: {bare:,}.",
            "People are faster with one on the screen. `tiebreak prelabel PROJECT --only-missing`.",
            effects.of_showing(tasks * facts.people, saved, facts.seconds),
            "working",
        )


def _accepting(facts: Facts, live: VersionRow) -> Iterator[Lever]:
    """Where all controls have a threshold, and the policy does not accept yet."""
    from ml_backend.policy import policy_of

    project = facts.given.evidence.dataset.project or {}
    if not facts.unlabelled or not live.metrics or policy_of(project).accept is not None:
        return
    for error in sorted({row.error for rows in live.thresholds.values() for row in rows}):
        rows = {name: [row for row in live.thresholds.get(name, ()) if row.error == error] for name in live.metrics}
        known = {name: them[0] for name, them in rows.items() if them and them[0].confidence is not None}
        if len(known) < len(live.metrics) or error > 0.05:
            continue
        name = min(known, key=lambda it: known[it].coverage)
        measured = live.metrics[name].get("labels")
        coverage, certainty = known[name].coverage, known[name].certainty
        yield Lever(
            f"Let the machine label alone where it is sure enough: {100 * coverage:.0f} % of the tasks.",
            f"At most {100 * error:.0f} % of those would be wrong, with certainty {certainty:.2f}. Set `policy: "
            "accept` in project.yaml; audits keep watch.",
            effects.of_accepting(facts.unlabelled, coverage, measured, facts.seconds, facts.people, error)
            if facts.seconds and measured
            else "how long a task takes is not known",
            "models",
        )
        return


def _training(facts: Facts, live: VersionRow) -> Iterator[Lever]:
    from math import log2

    now = facts.given.core.overview.labeled
    if not live.labels or now < GROWN * live.labels:
        return
    effect: Effect | str = "there is no learning curve yet that rises by more than chance"
    for curve in facts.part("learning").get("curves", ()):
        first, last = curve["steps"][0], curve["steps"][-1]
        old, new = Estimate.read(first, "accuracy"), Estimate.read(last, "accuracy")
        if old and new and last["labels"] > first["labels"] and beyond_chance(old, new) and new.value > old.value:
            gain, doublings = difference(old, new), log2(last["labels"] / first["labels"])
            each = Estimate(*(it / doublings for it in (gain.value, gain.low, gain.high)))
            effect = effects.of_training(each, log2(now / live.labels), facts.unlabelled)
    yield Lever(
        "Train a new version.",
        f"{now:,} tasks are labelled; the live version learned from {live.labels:,}. `tiebreak train PROJECT`.",
        effect,
        "learning",
    )
