"""A source project, its annotators and reviewers, and what they do: what tests of decisions share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from unit.analysis.exports import SENTIMENT, choice
from unit.analysis.reviews import written

from ml_backend.cases import read_cases
from ml_backend.labeling.config import parse
from ml_backend.labeling.consensus import consensus
from ml_backend.labeling.judgements import judgements
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from sdk_scripts.appeals import reopen
from sdk_scripts.mining import mine
from sdk_scripts.resolve import Resolution, resolve
from sdk_scripts.sources import load_source

TEXTS = {
    "The zip broke on day one.": ("negative", "negative", "positive"),
    "Does what it says.": ("positive", "neutral", "negative"),
    "Lovely colour.": ("positive", "positive", "positive"),
}
ANNOTATORS = ("ann", "bob", "cho")
REVIEWERS = ("rev", "sue", "tom", "uma")


@dataclass
class Desk:
    """A source project, its people, and what they do."""

    studio: Studio
    settings: Settings
    project: int
    people: dict[str, int]

    @property
    def fields(self) -> dict[str, Any]:
        return self.studio.project(self.project)

    def mine(self) -> int:
        dataset = load_source(str(self.project), label_config=None, settings=self.settings)
        review = mine(dataset, self.settings, apply=True).review.project
        assert review is not None
        return review

    def resolve(self, *, studio: Studio | None = None, **options: Any) -> Resolution:
        return resolve(studio or self.studio, self.fields, self.settings, **{"apply": True, **options})

    def reopen(self, task: int, **options: Any):
        options = {"why": "The seller took it back.", "apply": True, **options}
        return reopen(self.studio, self.fields, self.settings, task, **options)

    def reviews(self, review: int, task: int) -> list[dict[str, Any]]:
        return [it for it in self.studio.tasks(review) if it["data"]["source_task"] == task]

    def decide(self, review_task: dict[str, Any], who: str, label: str, text: str = "", *, keep: bool = False) -> int:
        result = [choice("decision", label, to_name="item"), choice("cause", "guideline_gap", to_name="item")]
        result += [written("rationale", "It <b>broke</b>."), written("policy_clause", "2.1")]
        result += [written("decision_text", text)] if text else []
        result += [choice("keep", "keep", to_name="item")] if keep else []
        fields = {"result": result, "completed_by": self.people[who]}
        return int(self.studio.create_annotation(review_task["id"], fields)["id"])

    def cases(self) -> list[tuple[int, Any, str]]:
        """The case library: (source task, answer, policy version)."""
        found = read_cases(self.studio, self.fields, parse(SENTIMENT), datetime.now(UTC))
        return [(case.data["tiebreak_case"]["source_task"], case.answer, case.policy) for case in found]

    def change(self, annotation: int, label: str) -> None:
        result = [choice("decision", label, to_name="item"), choice("cause", "ambiguous_item", to_name="item")]
        self.studio.update_annotation(annotation, {"result": result})

    def annotations(self, task: int) -> list[dict[str, Any]]:
        (found,) = self.studio.tasks(self.project, ids=[task])
        return sorted(found["annotations"], key=lambda it: it["id"])

    def truths(self, task: int) -> list[tuple[str, bool]]:
        """(answer, whether it is ground truth) of each decision, in order."""
        ours = [it for it in self.annotations(task) if "meta" in it["result"][0]]
        return [(it["result"][0]["value"]["choices"][0], it["ground_truth"]) for it in ours]

    def consensus(self, task: int) -> tuple[str, float]:
        dataset = load_source(str(self.project), label_config=None, settings=self.settings)
        items = consensus(judgements(dataset.tasks, dataset.config), dataset.config).items
        return {
            id: (answer, confidence) for id, answer, confidence in items.select("task", "answer", "confidence").rows()
        }[task]


def named(*people: str) -> list[dict[str, str]]:
    return [{"email": f"{name}@example.com"} for name in people]
