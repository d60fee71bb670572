"""`tiebreak calibrate report`: what a round shows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from ml_backend.cases import all_cases, policy_version
from ml_backend.labeling.agreement import Agreement, agreement, pair_agreement
from ml_backend.labeling.annotator_agreement import plain
from ml_backend.labeling.errors import InputError, UnknownName
from ml_backend.labeling.kinds import kind_of
from ml_backend.labeling.results import project_key, string
from sdk_scripts import wording
from sdk_scripts.calibration import bias
from sdk_scripts.calibration.answers import Answers, read_answers
from sdk_scripts.calibration.confusions import Shower, confusions
from sdk_scripts.calibration.gold import Gold, gold_of
from sdk_scripts.calibration.history import Past, history
from sdk_scripts.calibration.reliability import LEAST_ITEMS, SKEWED, Reliability, reliability
from sdk_scripts.calibration.rounds import STRATA, Round, rounds_of
from sdk_scripts.evidence import Evidence
from sdk_scripts.quality import Quality, quality_of

if TYPE_CHECKING:
    from sdk_scripts.sources import Dataset

MOST_CONFUSIONS = 20


@dataclass(frozen=True)
class Assessed:
    """A round's answers, held against each other and against gold."""

    answers: Answers
    gold: Gold
    quality: Quality

    @cached_property
    def controls(self) -> dict[str, Reliability]:
        return {
            control.name: reliability(self.answers.table, control, kind, self.quality.calibration.certainty)
            for control in self.answers.config.answerable
            if (kind := kind_of(control)) is not None
        }

    @cached_property
    def counted(self) -> dict[str, Reliability]:
        """The controls that the round is about: those that enough tasks were answered to, free text apart."""
        return {name: it for name, it in self.controls.items() if not self._free(name) and it.items >= LEAST_ITEMS}

    @property
    def weakest(self) -> str:
        """The control by which the round passes or not: that with the least lower bound; "" where none counts."""
        known = {name: it.deciding[1] for name, it in self.counted.items()}
        return min(known, key=lambda name: -math.inf if math.isnan(known[name]) else known[name], default="")

    @property
    def passed(self) -> bool:
        """Everybody has answered, and every control that counts has its lower bound at the threshold or above."""
        verdicts = [it.verdict(self.quality.calibration.alpha)[0] for it in self.counted.values()]
        return self.answers.complete and bool(verdicts) and set(verdicts) == {"passed"}

    @property
    def past(self) -> Past:
        return Past(self.answers, self.controls, self.weakest, self.passed)

    @cached_property
    def agreement(self) -> Agreement:
        return agreement(self.answers.table, self.answers.config)

    def why(self) -> str:
        """Why the round passed, or has not, in a sentence."""
        asked = self.quality.calibration.alpha
        if self.answers.waiting:
            left = ", ".join(f"{who} ({n})" for who, n in self.answers.waiting.items())
            return f"Not everybody has answered: {left} tasks to go."
        if not self.weakest:
            return f"No control has {LEAST_ITEMS} tasks that two people answered."
        value, low, high = self.controls[self.weakest].deciding
        figure = "AC1" if self.controls[self.weakest].unanimous else "alpha"
        said = (
            f"{self.weakest}: {figure} is {value:.2f} ({low:.2f} to {high:.2f}); {asked:.2f} is asked of the lower end"
        )
        verdict, needed = self.controls[self.weakest].verdict(asked)
        if verdict != "not enough to say":
            return f"{said}."
        more = f"a round of about {needed} tasks would tell" if needed else "no round would tell"
        return f"{said}. That is not enough to say; at this agreement {more}."

    def control_json(self, name: str) -> dict[str, Any]:
        found, control = self.agreement.controls[name], self.answers.config[name]
        it = self.controls[name]
        verdict, needed = it.verdict(self.quality.calibration.alpha)
        return {
            **found.to_json(),
            **it.to_json(),
            "skewed": it.skewed,
            "read": "ac1" if it.skewed and not math.isnan(it.ac1) else "alpha",
            "read_why": f"{it.top_share:.0%} of the answers are the same ({SKEWED:.0%} are enough for alpha to be low "
            "whatever people do): AC1 says more"
            if it.skewed
            else "no answer is so frequent that alpha would mislead",
            "counts": name in self.counted,
            "verdict": "not counted" if self._free(name) else verdict,
            "needed": needed,
            "pairs": [
                {"a": a, "b": b, "items": n, "percent": percent, "kappa": kappa}
                for a, b, n, percent, kappa in pair_agreement(self.answers.table, name).iter_rows()
            ],
            "strata": {stratum: self._stratum(control.name, stratum) for stratum in STRATA},
        }

    def annotator_json(self, who: str, uses: Iterable[bias.LabelUse]) -> dict[str, Any]:
        satellite, settings = self.answers.round.satellites.get(who), self.quality.calibration
        mine = [it for it in uses if it.annotator == who]
        others = self.agreement.annotators.get(who)
        controls: dict[str, Any] = {}
        for it in mine:
            if it.control not in controls:
                right = bias.accuracy(self.answers, self.gold, self.answers.config[it.control], who, settings.certainty)
                gold = {"items": right.items, "right": right.right, "accuracy": right.share}
                controls[it.control] = {"gold": gold | {"low": right.low, "high": right.high}, "labels": {}}
            label = controls[it.control]["labels"].setdefault(it.label, {})
            label[it.against] = bias.to_json(it, settings.certainty, self.quality.false_discovery)
        return {
            "project": satellite.id if satellite else None,
            "answered": self.answers.table.filter(pl.col("annotator") == who)["task"].n_unique(),
            "skipped": self.answers.skipped.get(who, 0),
            "waiting": self.answers.waiting.get(who, 0),
            "not_given": self.answers.missing.get(who, 0),
            "with_others": others.to_json() if others else None,
            "biases": [self._bias(it) for it in mine if it.biased(self.quality.false_discovery)],
            "controls": controls,
        }

    def _bias(self, it: bias.LabelUse) -> str:
        whom = "the right answer" if it.against == "gold" else "most of the others"
        more, less = (it.over, it.under) if it.over > it.under else (it.under, it.over)
        did = "gives" if it.over > it.under else "leaves out"
        sentence = (
            f"{did} {wording.short(it.label)} against {whom} in {more} of {it.items} tasks, the other way round in "
            f"{less} (adjusted p {it.adjusted:.2g})"
        )
        return wording.about(self.answers.config, it.control, sentence)

    def _stratum(self, name: str, stratum: str) -> dict[str, Any]:
        control = self.answers.config[name]
        kind = kind_of(control)
        items = [item for item, where in self.answers.round.plan.items.items() if where == stratum]
        rows = self.answers.table.filter(pl.col("task").is_in(items))
        if kind is None or rows.is_empty():
            return {"tasks": len(items), "items": 0}
        percent = agreement(rows, self.answers.config).controls[name].percent
        it = reliability(rows, control, kind, self.quality.calibration.certainty)
        return {"tasks": len(items), "percent": percent, **it.to_json()}

    def _free(self, name: str) -> bool:
        """Words that two people hardly choose alike."""
        kind = kind_of(self.answers.config[name])
        return kind is None or kind.name == "text"


def report(dataset: Dataset, name: str = "") -> dict[str, Any]:
    """A round of the source (the newest without a name) as JSON. Raises InputError for a file or a source without
    rounds, UnknownName for no round, StudioError."""
    if dataset.studio is None or dataset.project is None:
        raise InputError(f"{dataset.name} is a file; rounds are in Label Studio.", mend="Give the project's id.")
    studio, source = dataset.studio, dataset.project
    rounds, now = rounds_of(studio, source), datetime.now(UTC)
    if not rounds:
        raise InputError(
            f"Project {source['id']} has no calibration round.", mend="Start one: `tiebreak calibrate start`."
        )
    if name and name not in (names := [it.plan.name for it in rounds]):
        raise UnknownName("calibration round", name, names)
    last = next((place for place, it in enumerate(rounds) if it.plan.name == name), len(rounds) - 1)
    quality, evidence, key = quality_of(source), Evidence(dataset), project_key(source)
    cases = all_cases(studio, source, evidence.config)

    def assess(it: Round) -> Assessed:
        return Assessed(read_answers(studio, key, it), gold_of(evidence, cases, it.plan.policy, now), quality)

    def place(item: int) -> Mapping[str, Any]:
        if item > 0:
            return {"task": item, "url": dataset.link(item)}
        url = next((f"{studio.data_manager(it.project)}?task={it.task}" for it in cases if it.task == -item), None)
        return {"case": -item, "url": url}

    return document([assess(it) for it in rounds[: last + 1]], source, place)


def document(
    rounds: Sequence[Assessed], source: Mapping[str, Any], place: Callable[[int], Mapping[str, Any]]
) -> dict[str, Any]:
    """The last of the rounds, with those before as its history. `source` as Label Studio's API returns it; `place`
    names an item: {task | case, url}. What is undefined is None."""
    current = rounds[-1]
    said, plan = current.answers, current.answers.round.plan
    found, shower = confusions(said, current.gold), Shower(said, current.gold, place)
    uses = bias.uses(said, current.gold)
    value, low, high = current.controls[current.weakest].deciding if current.weakest else (None, None, None)
    told = {
        "round": plan.name,
        "policy": plan.policy,
        "guidelines_changed_since": plan.policy != policy_version(source),
        "passed": current.passed,
        "why": current.why(),
        "alpha": value,
        "alpha_low": low,
        "alpha_high": high,
        "control": current.weakest or None,
        "threshold": current.quality.calibration.alpha,
        "certainty": current.quality.calibration.certainty,
        "tasks": len(plan.items),
        "complete": said.complete,
        "waiting": [{"annotator": who, "tasks": n} for who, n in said.waiting.items()],
        "not_counted": [dict(it) for it in said.strangers],
        "controls": {control: current.control_json(control) for control in current.controls},
        "confusions": [shower.confusion(it) for it in found[:MOST_CONFUSIONS]],
        "annotators": {who: current.annotator_json(who, uses) for who in plan.people},
        "sections": shower.sections(found, string(source.get("expert_instruction")) or ""),
        "feedback": [{**place(it["item"]), "annotator": it["annotator"], "said": it["said"]} for it in said.comments],
        "history": history([it.past for it in rounds]),
        "notes": list(_notes(current)),
    }
    return {name: _plain(part) for name, part in told.items()}


def _notes(current: Assessed) -> Iterable[str]:
    for who, n in current.answers.predicted.items():
        yield f"Tasks of {who} with predictions: {n}. They were not answered blind; disconnect the model there."
    if len(current.answers.round.plan.people) == 2:
        yield "Of two people nobody can say which of them is off where they differ; gold can."
    if not current.gold.keys() & {(c, item) for c in current.controls for item in current.answers.round.plan.items}:
        yield "No task of the round has a known right answer, so nobody is held against gold."
    yield (
        "The tasks were chosen (hard and rare ones more often than they come): the figures are a test's, not those of "
        "the project's ordinary work."
    )


def _plain(part: Any) -> Any:
    if isinstance(part, list):
        return [_plain(it) for it in part]
    return {key: _plain(it) for key, it in part.items()} if isinstance(part, Mapping) else plain(part)
