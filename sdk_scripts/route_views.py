"""What is thought of a project's tasks when they are routed: the local model's view, or the cascade's where the policy
has a large model asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ml_backend.cascade import Cascade, View, Views
from ml_backend.labeling.answers import on_screen
from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.results import project_key
from ml_backend.outcomes import Outcomes
from ml_backend.policy import Policy
from sdk_scripts.route_promises import Severities, texts_of

if TYPE_CHECKING:
    from ml_backend.encoder import Encoder
    from ml_backend.model_registry import ModelRegistry
    from ml_backend.predictor import Predictor
    from ml_backend.queues import Jobs
    from ml_backend.settings import Settings
    from ml_backend.studio import Studio


@dataclass(frozen=True)
class LocalViews:
    """`ml_backend.cascade.Views` of the local model alone."""

    predictor: Predictor
    key: str
    config: LabelConfig

    @property
    def version(self) -> str:
        return self.predictor.model_version(self.key, self.config)

    def views(self, tasks: Sequence[Mapping[str, Any]]) -> list[View]:
        _, found = self.predictor.views(self.key, self.config, tasks)
        return [View(task["id"], own, local=own) for task, own in zip(tasks, found, strict=True)]

    def outcomes(self) -> Mapping[str, Outcomes]:
        return {}


@contextmanager
def open_views(
    settings: Settings,
    jobs: Jobs,
    studio: Studio,
    project: Mapping[str, Any],
    policy: Policy,
    registry: ModelRegistry,
    encoder: Encoder,
    predictor: Predictor,
    severities: Severities,
) -> Iterator[Views]:
    """Raises ConfigError where the policy has a large model asked and the settings name none."""
    config, key = severities.config, project_key(project)
    if policy.large_model is None:
        yield LocalViews(predictor, key, config)
        return
    from ml_backend.cases import read_cases, usable
    from ml_backend.encoder import look_of
    from ml_backend.large_model import AnswerCache, LargeModel, RedisLedger
    from ml_backend.model_files import ModelFiles

    def at_stake(task: Mapping[str, Any]) -> float:
        _, (opinions,) = predictor.views(key, config, [task])
        shown = on_screen(config, {name: it.answer for name, it in opinions.items()}, when_unknown=False)
        risks = severities.risks(texts_of(config, [task], look_of(encoder)))
        return severities.of(shown, max(risks.values(), default=0.0))[0]

    now, id = datetime.now(UTC), project["id"]
    ledger, cache = RedisLedger(jobs.redis, key), AnswerCache(ModelFiles(f"{settings.models}/answers"))
    with LargeModel(settings, policy.large_model, ledger=ledger, cache=cache) as large:
        yield Cascade(
            key,
            config,
            predictor=predictor,
            registry=registry,
            encoder=encoder,
            large=large,
            terms=policy.large_model,
            guidelines=str(project.get("expert_instruction") or ""),
            labelled=studio.read(studio.labelled(id)),
            cases=usable(read_cases(studio, project, config, now), "precedent", now),
            severity=at_stake if policy.large_model.severity_from is not None else None,
        )


def spent_today(jobs: Jobs, key: str) -> dict[str, float]:
    """On the project's large model: requests, tokens, money, seconds, and labels that it gave. Raises
    QueueUnavailable."""
    from ml_backend.large_model import RedisLedger

    day = RedisLedger(jobs.redis, key).day(datetime.now(UTC).date().isoformat())
    return {
        name: getattr(day, name) for name in ("requests", "input_tokens", "output_tokens", "money", "seconds", "labels")
    }
