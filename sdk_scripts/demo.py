"""The guided demo: the whole loop once, on real reviews with real ratings, every step timed and verified.

project as code → tasks → zero-shot predictions → labels → training through the webhook → the new version's predictions
→ the queue by uncertainty → hard cases as review tasks → the report → accuracy and calibration on held-out reviews

A second run continues on the same data: what is there already is neither imported, submitted nor made again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml_backend.settings import Settings
from sdk_scripts.embedded import Report, Stack, embedded

if TYPE_CHECKING:
    from sdk_scripts.demo_outcome import Outcome
    from sdk_scripts.demo_project import Demo

POINTS_OVER_MAJORITY = 0.15
MOST_ECE = 0.08


@dataclass(frozen=True)
class Step:
    name: str
    seconds: float
    ok: bool
    problems: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        shown = {"name": self.name, "seconds": round(self.seconds, 2), "ok": self.ok}
        return shown | ({"problems": list(self.problems)} if self.problems else {})


@dataclass
class Steps:
    """Runs steps, times them, tells of them; a check that fails is remembered and the demo goes on."""

    report: Report
    done: list[Step] = field(default_factory=list)
    _problems: list[str] = field(default_factory=list)

    @contextmanager
    def step(self, name: str, what: str) -> Iterator[None]:
        self.report(f"{what} …")
        self._problems = []
        began = time.monotonic()
        yield
        step = Step(name, time.monotonic() - began, not self._problems, tuple(self._problems))
        self.done.append(step)
        for problem in step.problems:
            self.report(f"  ✗ {problem}")
        self.report(f"  {'✓' if step.ok else '✗'} {step.seconds:.1f} s")

    def check(self, holds: bool, problem: str) -> None:
        if not holds:
            self._problems.append(problem)


@dataclass(frozen=True)
class DemoSummary:
    label_studio: Mapping[str, str]
    project: int
    tasks: int
    annotations: int
    annotators: int
    predictions: int
    model_versions: tuple[str, ...]
    """Those with predictions in Label Studio, the oldest first."""
    hard_cases: int
    review_tasks: int
    report: Mapping[str, str]
    metrics: Mapping[str, float]
    """On held-out reviews: accuracy and expected calibration error of what is pushed; of the majority class and of the
    zero-shot predictions, the accuracy."""
    steps: tuple[Step, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        return all(step.ok for step in self.steps)

    def to_json(self) -> dict[str, Any]:
        return {
            "label_studio": dict(self.label_studio),
            "project": self.project,
            "tasks": self.tasks,
            "annotations": self.annotations,
            "annotators": self.annotators,
            "predictions": self.predictions,
            "model_versions": list(self.model_versions),
            "hard_cases": self.hard_cases,
            "review_tasks": self.review_tasks,
            "report": dict(self.report),
            "metrics": {name: round(value, 4) for name, value in self.metrics.items()},
            "steps": [step.to_json() for step in self.steps],
            "seconds": round(self.seconds, 1),
        }


def run_demo(settings: Settings, *, exit_after: bool, report: Report) -> DemoSummary:
    """Start the stack, run every step, and stay until Ctrl-C; with `exit_after`, verify and stop.

    Raises TiebreakError where a step cannot be done. A step whose outcome is not as it should be makes the summary not
    `ok`, and the others still run.
    """
    from sdk_scripts.demo_data import load_reviews
    from sdk_scripts.demo_outcome import Outcome
    from sdk_scripts.demo_project import NAME, Demo

    began = time.monotonic()
    steps = Steps(report)
    with steps.step("data", "Fetching Amazon review sentences, each rated by twenty raters"):
        reviews = load_reviews(settings)
    if not (settings.home / "demo" / NAME).exists():  # the first run trains once, at its very last label
        settings = settings.model_copy(update={"train_after_labels": reviews.annotations})
    with _started(settings, steps, report) as stack:
        if not exit_after:
            report(f"Sign in there already: {stack.sign_in()}")
        demo = Demo(stack.settings, reviews, report)
        outcome = Outcome(demo, live=_learn(demo, steps))
        summary = _harvest(outcome, steps, began)
        if not exit_after:
            with suppress(KeyboardInterrupt):
                _show(stack, outcome, summary, report)
                stack.supervisor.wait()
    return summary


@contextmanager
def _started(settings: Settings, steps: Steps, report: Report) -> Iterator[Stack]:
    began = time.monotonic()
    with embedded(settings, report=report) as stack:
        steps.done.append(Step("start", time.monotonic() - began, ok=True))
        report(f"  ✓ {steps.done[-1].seconds:.1f} s: Label Studio answers at {stack.settings.studio_url}")
        yield stack


def _learn(demo: Demo, steps: Steps) -> str:
    """From the manifest to pushed predictions of a trained version, which is returned."""
    with steps.step("sync", "Syncing label_configs/product_reviews, with the reviews as its task source"):
        steps.check(demo.sync(), "a second plan is not empty")
    with steps.step("zero-shot", "Predicting from the names of the labels alone"):
        shown, wrong = demo.zero_shot()
        steps.check(shown > 0, "no zero-shot prediction is stored")
        steps.check(not wrong, f"{wrong} predictions have no score between 0 and 1")
    with steps.step("labels", "Importing tasks that three raters each have labelled"):
        missing = demo.import_labelled()
        steps.check(not missing, f"{missing} annotations are missing or count as ground truth")
    with steps.step("learn", "Submitting the last ratings one by one: the webhook starts a training in the worker"):
        submitted, hints = demo.submit()
        steps.check(hints >= submitted, f"only {hints} webhooks came for {submitted} submitted annotations")
        version = demo.await_training()
        demo.report(f"  {version} is live")
    with steps.step("predictions", "Pushing the new version's predictions"):
        steps.check(demo.await_predictions(version), f"not every task has a prediction of {version}")
    return version


def _harvest(outcome: Outcome, steps: Steps, began: float) -> DemoSummary:
    demo = outcome.demo
    with steps.step("queue", "Asking Label Studio for the next task: the least certain one"):
        problem = outcome.queue_problem()
        steps.check(not problem, problem)
    with steps.step("hard-cases", "Mining hard cases into a review project"):
        hard = outcome.mine()
        steps.check(len(hard.cases) > 0, "no task is a hard case")
        steps.check(not hard.without_review, f"{hard.without_review} hard cases have no review task")
    with steps.step("report", "Writing the report"):
        files, damaged = outcome.write_report()
        steps.check(not damaged, "; ".join(damaged))
    with steps.step("measure", "Measuring what was pushed on held-out reviews"):
        metrics = outcome.measure()
        over = metrics["accuracy_held_out"] - metrics["accuracy_majority_class"]
        steps.check(over >= POINTS_OVER_MAJORITY, f"accuracy is only {over:.3f} over the majority class")
        steps.check(metrics["ece"] <= MOST_ECE, f"the expected calibration error is {metrics['ece']:.3f}")
        demo.report(
            f"  accuracy {metrics['accuracy_held_out']:.1%} (zero-shot {metrics['accuracy_zero_shot']:.1%}, majority "
            f"class {metrics['accuracy_majority_class']:.1%}), calibration error {metrics['ece']:.3f}"
        )
    counts = outcome.counts()
    return DemoSummary(
        label_studio={"version": demo.studio.version(), "url": demo.studio.url},
        project=demo.project_id,
        tasks=counts.tasks,
        annotations=counts.annotations,
        annotators=counts.annotators,
        predictions=counts.predictions,
        model_versions=counts.model_versions,
        hard_cases=len(hard.cases),
        review_tasks=hard.review_tasks,
        report={"html": str(files.html), "xlsx": str(files.xlsx), "json": str(files.json)},
        metrics=metrics,
        steps=tuple(steps.done),
        seconds=time.monotonic() - began,
    )


def _show(stack: Stack, outcome: Outcome, summary: DemoSummary, report: Report) -> None:
    url, project = stack.settings.studio_url, summary.project
    report(f"\nSign in:         {stack.sign_in()}")
    report(f"Label:           {url}/projects/{project}/data?labeling=1  (the least certain task comes first)")
    report(f"All tasks:       {url}/projects/{project}/data  ({summary.tasks} tasks, scores of {outcome.live})")
    report(f"Hard cases:      {outcome.review_url}  ({summary.review_tasks} review tasks)")
    report(f"Report:          {Path(summary.report['html']).as_uri()}")
    report(f"Console:         {stack.console()}")
    report(f"Other terminals: . {stack.env_file}   and then, say, tiebreak agreement {project}")
    report("The annotators are rating slots of a public data set, not persons; their e-mails say so.")
    report("Ctrl-C stops everything; `make demo` continues with the same data.")
