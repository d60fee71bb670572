"""The same reason is given for different items."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import polars as pl
from pydantic import Field

from ml_backend.labeling.annotator_agreement import wilson_interval
from ml_backend.labeling.errors import NotEnoughLabels
from ml_backend.labeling.kinds import values
from sdk_scripts import wording
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import MAX_EVIDENCE, Dataset, Inspected, Observation, Parameters, Severity, register
from sdk_scripts.rules._chance import at_least
from sdk_scripts.same_texts import normal, same_texts

WHO = ["annotator", "control"]


class Copies(Parameters):
    minimum: int = Field(default=20, ge=10, description="least number of items with a text")
    characters: int = Field(default=25, ge=1, description="shorter texts are a label, and may be the same")
    items: int = Field(default=3, ge=2, description="different items from which on a text is a copy")
    usual: float = Field(default=0.2, ge=0, lt=1, description="share of copies that is nobody's fault")
    margin: float = Field(default=0.15, gt=0, lt=1, description="share beyond that, or the others', that matters")


@register("copy_pasted_rationales")
class CopyPastedRationales:
    """Share of the items with a written text whose text is nearly the same (`same_texts`: MinHash, Broder 1997) as
    what the same person wrote of `items` - 1 other items or more. Items of nearly the same text count once, and what
    the prediction on the screen said is nobody's writing. The threshold is the rest of the team's share, or `usual`
    where that is more, and the margin; off where the lower bound of the Wilson interval (95 %; JASA 22, 1927) is beyond
    it; p is binomial at the threshold."""

    dimension = "attention"
    severity: Severity = "medium"
    why = "A reason that fits every item explains none: the field is filled in because it must be."
    do = "Read the copies below; make the field optional where a label says enough, else ask for what is in the item."
    parameters = Copies

    @staticmethod
    def bad() -> Dataset:
        return _written(lambda task: "This clearly breaks the rules of the platform.")

    @staticmethod
    def good() -> Dataset:
        return _written(
            lambda task: "spam" if task % 2 else f"Order {task * 7919} is promised for {task * 104729} coins."
        )

    def __call__(self, inspected: Inspected, parameters: Copies) -> Iterator[Observation]:
        written = _texts(inspected, parameters.characters)
        if written.is_empty():
            raise NotEnoughLabels("Nobody wrote a text of some length.", mend="Ask for a reason in a TextArea.")
        group, _ = same_texts(written["text"].to_list())
        by = [*WHO, "group"]
        table = written.with_columns(group=pl.Series(group)).unique([*by, "item"], keep="first", maintain_order=True)
        table = table.with_columns(times=pl.len().over(by)).with_columns(copied=pl.col("times") >= parameters.items)
        all_of = {
            control: (n, copied)
            for control, n, copied in table.group_by("control").agg(pl.len(), pl.col("copied").sum()).iter_rows()
        }
        for (annotator, control), rows in table.sort(*WHO).group_by(WHO, maintain_order=True):
            n, copies = len(rows), rows.filter("copied").sort("times", "group", "task", descending=[True, False, False])
            if n < parameters.minimum:
                continue
            all_n, all_copied = all_of[str(control)]
            others = (all_copied - len(copies)) / (all_n - n) if all_n > n else 0.0
            threshold = min(1.0, max(others, parameters.usual) + parameters.margin)
            low, _ = wilson_interval(len(copies) / n, n)
            most = f"; {copies['times'][0]} times {wording.quoted(copies['text'][0])}" if len(copies) else ""
            yield Observation(
                subject=str(annotator),
                control=str(control),
                value=len(copies) / n,
                threshold=threshold,
                n=n,
                off=low > threshold,
                p=at_least(len(copies), n, threshold),
                evidence=tuple(copies["task"].unique(maintain_order=True).head(MAX_EVIDENCE).to_list()),
                message=f"{len(copies)} of {n} texts are nearly the same for {parameters.items} items or more "
                f"({len(copies) / n:.0%}; the others' {others:.0%}){most}.",
            )


def _texts(inspected: Inspected, least: int) -> pl.DataFrame:
    """[annotator, control, task, item, text] of TextAreas about the task that are no feedback and no explanation."""
    names = [it.name for it in inspected.evidence.config.answerable if it.tag.lower() == "textarea"]
    rows = []
    for task, annotation in inspected.submitted if names else []:
        shown = {normal(text) for text in _shown(annotation.shown.regions)} if annotation.shown else set()
        for name in names:
            text = inspected.words_of(annotation, name)
            if len(text) >= least and normal(text) not in shown:
                rows.append((annotation.person, name, task.id, text))
    schema = {"annotator": pl.String, "control": pl.String, "task": pl.Int64, "text": pl.String}
    found = pl.DataFrame(rows, schema=schema, orient="row")
    if found.is_empty():
        return found
    items = inspected.evidence.same_items.select("task", "item")
    found = found.join(items, on="task", how="left", maintain_order="left")
    return found.with_columns(pl.col("item").fill_null(-1 - pl.col("task")))


def _shown(regions: tuple[Mapping[str, object], ...]) -> Iterator[str]:
    for value in values(regions):
        text = value.get("text")
        lines = text if isinstance(text, list) else [text]
        yield "\n".join(it.strip() for it in lines if isinstance(it, str))


def _written(ana: Callable[[int], str]) -> Dataset:
    rows = [Given(task, "ana", {"sentiment": "positive", "rationale": (ana(task),)}) for task in range(1, 61)]
    texts = {task: f"{task * 7919} parcels of seller {task * 104729} are late" for task in range(1, 61)}
    return example(rows, texts=texts)
