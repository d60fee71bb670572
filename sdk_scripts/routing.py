"""`tiebreak route`: each task that nobody has touched goes to the machine, to people or to an expert.

    audits      what people say of accepted tasks that they labelled blind; a broken promise stops auto-accept
    promises    the confidences from which on the policy's promises hold (`route_promises`)
    decisions   where each untouched task goes (`route_decisions`)
    writes      the stored prediction as its arm, or a better view of the task, wants it; then the machine's annotation

What is done is asked of Label Studio, so a second pass writes nothing, and one that was killed is simply run again.
Memory is that of one page of tasks. A dry run asks the large model, too: what it said is not paid for again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from ml_backend.briefs import note_audits, refresh_policy, stored
from ml_backend.cascade import View, Views
from ml_backend.labeling.answers import on_screen
from ml_backend.labeling.arms import Arms
from ml_backend.labeling.audits import Audit, watch
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.errors import ConfigError, ModelUnavailable, UnknownName
from ml_backend.labeling.kinds import Answer, kind_of
from ml_backend.labeling.results import project_key, read_time
from ml_backend.model_registry import ModelRegistry
from ml_backend.policy import Policy, Stop, policy_of, stop_of, with_stop
from ml_backend.prelabelers import signature
from sdk_scripts.machine_annotations import Accepted, Written, write, written
from sdk_scripts.prelabel import Superseded
from sdk_scripts.route_decisions import EXPERIMENT, Group, Judged, Route, decide, models_differ, unanswered
from sdk_scripts.route_outcome import Routing
from sdk_scripts.route_predictions import Update, differs, update
from sdk_scripts.route_promises import Joined, Promise, Severities, promises, texts_of
from sdk_scripts.signals.instruction_like import LEAST, instruction_like
from sdk_scripts.standards import standard_of

if TYPE_CHECKING:
    from ml_backend.encoder import Encoder
    from ml_backend.images import Look
    from ml_backend.predictor import Predictor
    from ml_backend.queues import Jobs
    from ml_backend.settings import Settings
    from ml_backend.studio import Studio

log = structlog.stdlib.get_logger()

PAGE = 500
"""Tasks decided at once."""
AT_ONCE = 10
"""Tasks written after one look whether they are still untouched."""

T = TypeVar("T")
Report = Callable[[str], object]


@dataclass(frozen=True)
class Way:
    """Where a task goes."""

    task: Mapping[str, Any]
    view: View
    route: Route
    accepted: Accepted | None
    """The machine's annotation, where it goes to the machine."""


@dataclass(frozen=True)
class Todo:
    """What is to be written of a task."""

    task: int
    update: Update | None = None
    accepted: Accepted | None = None


def route(
    settings: Settings,
    jobs: Jobs,
    studio: Studio,
    project: Mapping[str, Any],
    *,
    apply: bool = False,
    views: Views | None = None,
    encoder: Encoder | None = None,
    report: Report = lambda _: None,
) -> Routing:
    """One pass. Raises ConfigError for a policy that cannot be carried out, Superseded where another version becomes
    live meanwhile, StudioError, ModelUnavailable."""
    from ml_backend.encoder import load_encoder, look_of
    from ml_backend.predictor import Predictor
    from sdk_scripts.route_views import open_views, spent_today

    config, key, policy = parse(project["label_config"]), project_key(project), policy_of(project)
    encoder = encoder or load_encoder(settings)
    registry = ModelRegistry(settings.models)
    predictor = Predictor(registry, encoder, policy_secret=settings.policy_secret.get_secret_value())
    severities = Severities(config, standard_of(project))
    opened = open_views(settings, jobs, studio, project, policy, registry, encoder, predictor, severities)
    with opened if views is None else nullcontext(views) as source:
        if apply:
            refresh_policy(registry, project)
        arms = Arms(settings.policy_secret.get_secret_value(), policy.blind, policy.seeded)
        found = Routing(source.version, apply, accept=policy.accept)
        Pass(
            studio, dict(project), config, key, policy, registry, source, predictor, severities, arms,
            look_of(encoder), found, report,
        ).run()  # fmt: skip
    if policy.large_model is not None:
        found.today = spent_today(jobs, key)
    return found


@dataclass
class Pass:
    studio: Studio
    project: dict[str, Any]
    config: LabelConfig
    key: str
    policy: Policy
    registry: ModelRegistry
    source: Views
    predictor: Predictor
    severities: Severities
    arms: Arms
    look: Look | None
    found: Routing
    report: Report
    account: int = 0

    @property
    def id(self) -> int:
        return int(self.project["id"])

    def run(self) -> None:
        accept = self.policy.accept
        account = self.studio.account(accept.account if accept else None)
        if account is None:
            raise ConfigError(
                f"The policy of project {self.id} has the machine annotate as {accept.account if accept else ''}, and "
                "Label Studio has no such account.",
                mend="Invite it (Organization > Add People), or leave `accept.account` out.",
            )
        self.account = account
        self._audits()
        if accept and self.found.stop is None:
            self.found.promises = self._promises()
        self.arms = replace(self.arms, audits=frozenset(self.found.pending))
        if self.found.applied:
            note_audits(self.registry, self.key, self.found.pending)
        for page in self._pages():
            self._page(page)

    def _pages(self) -> Iterator[list[dict[str, Any]]]:
        """Untouched tasks; the least certain first where a large model is asked, so that a day's budget goes there."""
        studio, id = self.studio, self.id
        if self.policy.large_model is None:
            yield from _chunks(studio.untouched_tasks(id), PAGE)
            return
        for ids in _chunks(list(studio.least_certain_ids(id)), PAGE):
            place = {task: place for place, task in enumerate(ids)}
            yield sorted(studio.untouched_tasks(id, ids=ids), key=lambda task: place[task["id"]])
        yield from _chunks(studio.untouched_tasks(id, predicted=False), PAGE)

    # ------------------------------------------------------------------------------------------------------- audits

    def _audits(self) -> None:
        """What the machine wrote before: mended where a pass was killed, and judged where people have audited it."""
        brief, found = stored(self.registry, self.key), self.found
        resumed = read_time(brief.resumed)
        done: list[tuple[datetime, int, Audit]] = []
        for it in self._written(brief.audits):
            found.machine += 1
            self._mend(it)
            if not it.audit:
                continue
            error = it.error(self.config)
            if error is None:
                found.pending.add(it.task.id)
                continue
            over = resumed is not None and (it.annotation.created_at or resumed) <= resumed
            audit = self._audit(it, error)
            if audit is not None and it.policy == self.policy.fingerprint and not over:
                done.append((it.done_at(), it.task.id, audit))
        accept = self.policy.accept
        if accept:
            ordered = [audit for *_, audit in sorted(done, key=lambda row: row[:2])]
            found.watched = watch(ordered, certainty=accept.certainty, tiers=len(accept.tiers))
        found.stop = stop_of(self.project) if accept else None
        if accept and found.stop is None and found.watched.broken:
            self._stop()

    def _written(self, noted: Iterable[int]) -> Iterator[Written]:
        seen: set[int] = set()
        for json in self.studio.annotated_by(self.id, self.account):
            seen.add(json["id"])
            yield from written(self.config, json)[:1]
        for json in self.studio.tasks(self.id, ids=set(noted) - seen):
            yield from written(self.config, json)[:1]

    def _audit(self, it: Written, error: float) -> Audit | None:
        accept = self.policy.accept
        shown = {name: _answer(self.config, name, key) for name, key in it.answers.items()}
        tier = accept.tier(self._severity(it.task.id, it.task.data, shown)) if accept else None
        return Audit(tier.severity, tier.error, error) if tier else None

    def _severity(self, task: int, data: Mapping[str, Any], shown: Mapping[str, Answer]) -> float:
        risk = self.severities.of_texts([{"id": task, "data": data}], self.look)
        return self.severities.of(shown, max(risk.values(), default=0.0))[0]

    def _mend(self, it: Written) -> None:
        """The overlap, where a pass was killed before it was set, or the project's was changed since."""
        short = it.overlap_now < it.overlap_after if it.audit else it.overlap_now > 1
        if short and len(it.people) < it.overlap and not (it.people and not it.audit):
            self.found.changes["overlaps"] += 1
            if self.found.applied:
                self.found.written += self.studio.set_overlap(it.task.id, it.overlap_after)

    def _stop(self) -> None:
        found, accept = self.found, self.policy.accept
        budgets = ", ".join(f"{100 * tier.error:g} %" for tier in accept.tiers) if accept else ""
        why = (
            f"{found.watched.errors:g} of {found.watched.audits} audited tasks are wrong by what people say; at most "
            f"{budgets} were promised."
        )
        found.stop = Stop(
            at=datetime.now(UTC).replace(microsecond=0),
            version=found.version,
            audits=found.watched.audits,
            errors=round(found.watched.errors),
            why=why,
        )
        found.changes["stop"] += 1
        log.warning("auto-accept stops", project=self.key, why=why)
        if found.applied:
            self.project = self.studio.update_project(self.id, {"description": with_stop(self.project, found.stop)})
            found.written += 1

    # ----------------------------------------------------------------------------------------------------- promises

    def _promises(self) -> Mapping[Group, Promise]:
        accept, live = self.policy.accept, self.registry.live(self.key)
        if accept is None or live is None:
            return {}
        try:
            model = self.registry.load(self.key, live)
        except (ModelUnavailable, UnknownName) as error:
            raise ModelUnavailable(error.what, mend=error.mend) from error
        outcomes = {
            name: of
            for name, of in model.outcomes.items()
            if name in self.config and model.heads[name].signature == signature(self.config, self.config[name])
        }
        standard = self.severities.standard
        labelled = self.studio.labelled(self.id) if standard.risk_words else ()
        joined = Joined(self.config, outcomes, self.severities, self.severities.of_texts(labelled, self.look))
        answered = {"local": joined.answered()}
        if joint := self.source.outcomes():
            answered["joint"] = joined.answered(joint)
        return promises(accept, answered)

    # ---------------------------------------------------------------------------------------------------- decisions

    def _page(self, tasks: Sequence[Mapping[str, Any]]) -> None:
        views = self.source.views(tasks)
        texts = texts_of(self.config, tasks, self.look)
        expert = self.policy.expert
        odd = instruction_like(texts) if expert and expert.instruction_like else {}
        risks = self.severities.risks(texts)
        ways: list[Way] = []
        for task, view in zip(tasks, views, strict=True):
            score, detail = odd.get(view.task, (0.0, ""))
            ways.append(self._way(task, view, risks.get(view.task, 0.0), detail if score >= LEAST else ""))
        audits = {it.route.task for it in ways if it.route.audit}
        arms = replace(self.arms, audits=self.arms.audits | audits)
        version = self.found.version
        other = [it for it in ways if differs(self.config, it.task, it.view, version, arms, it.route)]
        self.found.changes["annotations"] += sum(it.accepted is not None for it in ways)
        self.found.changes["predictions"] += len(other)
        if self.found.applied:
            updates = self._updates(other, arms)
            todo = [Todo(it.route.task, updates.get(it.route.task), it.accepted) for it in ways]
            self._write([it for it in todo if it.update or it.accepted])

    def _way(self, task: Mapping[str, Any], view: View, risk: float, instruction: str) -> Way:
        found, accept, id = self.found, self.policy.accept, int(task["id"])
        arm = self.arms.of(id)
        found.blind += arm == "blind"
        found.seeded += arm == "seeded"
        self._count(view)
        shown = on_screen(self.config, {name: it.answer for name, it in view.opinions.items()}, when_unknown=False)
        scores = {name: min(1.0, max(0.0, view.opinions[name].confidence)) for name in shown}
        severity, severe = self.severities.of(shown, risk)
        differ, differing = models_differ(self.config, view.local, view.large)
        accepted = Accepted(
            id, shown, scores, found.version, self.policy.fingerprint, view.by, min(scores.values(), default=0.0),
            bool(accept and self.arms.audited(id, accept.audit)), int(task.get("overlap") or 1),
        )  # fmt: skip
        lacking = self._lacking(shown, accepted) if accept else ""
        judged = Judged(
            id, arm, view.by, None if lacking or not shown else accepted.confidence, lacking, severity, severe, differ,
            differing, instruction,
        )  # fmt: skip
        thresholds = {group: promise.threshold for group, promise in found.promises.items()}
        way = decide(self.policy, thresholds, judged, audited=accepted.audit, stopped=found.stop is not None)
        setattr(found, way.destination, getattr(found, way.destination) + 1)
        if way.destination == "human" and way.why != EXPERIMENT:
            found.notes[way.why] += 1
        return Way(task, view, way, accepted if way.destination == "machine" else None)

    def _lacking(self, shown: Mapping[str, Answer], accepted: Accepted) -> str:
        """Why the machine cannot answer a task alone."""
        if not shown:
            return "the machine has no answer"
        if left := unanswered(self.config, shown):
            return f"the machine has no answer to {', '.join(sorted(left))}, which its answer brings on the screen"
        if accepted.result(self.config) is None:
            return "the machine's answer leaves no region that could say that it is the machine's"
        return ""

    def _updates(self, ways: Sequence[Way], arms: Arms) -> dict[int, Update]:
        """By task: the predictions that differ from what there should be, with the reasons for them."""
        tasks, opinions = [it.task for it in ways], [it.view.opinions for it in ways]
        made = self.predictor.present(self.key, self.config, tasks, opinions, arms)
        found = (update(self.config, it.task, it.view, new, it.route) for it, new in zip(ways, made, strict=True))
        return {it.fields["task"]: it for it in found if it is not None}

    def _count(self, view: View) -> None:
        if view.note:
            self.found.notes[view.note] += 1
        if view.cost is not None:
            for name in ("requests", "input_tokens", "output_tokens", "money", "seconds"):
                self.found.cost[name] = self.found.cost.get(name, 0) + getattr(view.cost, name)

    # ------------------------------------------------------------------------------------------------------- writes

    def _write(self, todo: Sequence[Todo]) -> None:
        if not todo:
            return
        now = self.studio.project(self.id)
        if policy_of(now) != self.policy or (stop_of(now) is None) != (self.found.stop is None):
            raise ConfigError(
                f"The policy of project {self.id} was changed while it was carried out.", mend="Run it again."
            )
        if new := {it.task for it in todo if it.accepted and it.accepted.audit}:
            self.found.pending |= new
            note_audits(self.registry, self.key, self.found.pending)
        for some in _chunks(todo, AT_ONCE):
            self._check_live()
            untouched = {task["id"] for task in self.studio.untouched_tasks(self.id, ids=[it.task for it in some])}
            for it in some:
                if it.task not in untouched:
                    self.found.meanwhile += 1
                    continue
                self._write_one(it)
        self.report(f"{self.found.written} written so far …")

    def _write_one(self, it: Todo) -> None:
        found = self.found
        if it.update:
            self.studio.update_prediction(it.update.id, it.update.fields)
            found.written += 1
        if it.accepted:
            found.written += write(self.studio, self.config, it.accepted, self.account)
            if it.accepted.overlap != it.accepted.overlap_after:
                self.studio.set_overlap(it.task, it.accepted.overlap_after)

    def _check_live(self) -> None:
        live = self.source.version
        if live != self.found.version:
            raise Superseded(self.id, self.found.version, live)


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _answer(config: LabelConfig, name: str, key: str) -> Answer:
    kind = kind_of(config[name])
    try:
        return kind.from_key(key) if kind else ()
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):  # somebody changed the record
        return ()
