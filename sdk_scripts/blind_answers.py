"""What the machine would have said of the tasks that people labelled blind.

It is asked again, the very version that the empty prediction names: the registry keeps versions, and the same version
says the same. A text that it had learned from by then is left out, because it had seen what people say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ml_backend.labeling.errors import TiebreakError
from ml_backend.labeling.kinds import kind_of
from ml_backend.labeling.results import Task, project_key

if TYPE_CHECKING:
    from ml_backend.encoder import Encoder
    from ml_backend.model_registry import ModelRegistry
    from ml_backend.plans import Plans
    from ml_backend.settings import Settings
    from sdk_scripts.sources import Dataset


@dataclass(frozen=True)
class BlindAnswers:
    answers: Mapping[tuple[int, str], str] = field(default_factory=dict)
    """(task, control) -> key of the control's kind."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Why -> how many tasks' answers of a control."""
    why: str = ""
    """Why nothing is known at all; empty where something is, or there is nothing to know."""


def blind_answers(dataset: Dataset, settings: Settings) -> BlindAnswers:
    """Loads the encoder where some task was labelled blind. Never raises for a registry or an encoder that is gone."""
    by_version: dict[str, list[Task]] = {}
    for task in dataset.tasks:
        seen = [it.shown.model_version for it in task.annotations if it.arm == "blind" and it.shown]
        if seen:
            by_version.setdefault(seen[-1], []).append(task)
    if not by_version:
        return BlindAnswers()
    if dataset.project is None:
        return BlindAnswers(why="A file has no models to ask again: give the project's id instead.")
    from ml_backend.encoder import load_encoder
    from ml_backend.model_registry import ModelRegistry
    from ml_backend.plans import Plans

    registry = ModelRegistry(settings.models)
    try:
        encoder = load_encoder(settings)
        plans, key = Plans(registry, encoder), project_key(dataset.project)
        answers: dict[tuple[int, str], str] = {}
        left_out: Counter[str] = Counter()
        for version, tasks in by_version.items():
            found, without = _asked(plans, registry, encoder, dataset, key, version, tasks)
            answers |= found
            left_out += without
    except TiebreakError as error:
        return BlindAnswers(why=error.what)
    return BlindAnswers(answers, dict(left_out))


def _asked(
    plans: Plans,
    registry: ModelRegistry,
    encoder: Encoder,
    dataset: Dataset,
    key: str,
    version: str,
    tasks: Sequence[Task],
) -> tuple[dict[tuple[int, str], str], Counter[str]]:
    import numpy as np

    from ml_backend.encoder import look_of
    from ml_backend.prelabelers import Inputs, readings_of, text_hash
    from ml_backend.presented import Given, shown

    config = dataset.config
    plan = plans.named(key, config, version)
    if plan is None:
        return {}, Counter({f"version {version} is gone": len(tasks)})
    learned_from = {} if version.startswith("zero-shot-") else registry.load(key, version).learned_from
    thought: dict[int, dict[str, Given]] = {}
    left_out: Counter[str] = Counter()
    for name, (_, head) in plan.heads.items():
        readings = readings_of(config, config[name], [task.data for task in tasks], look_of(encoder))
        known = learned_from.get(name, np.zeros(0, np.uint64))
        some = [(task, reading) for task, reading in zip(tasks, readings, strict=True) if reading]
        new = [(task, reading) for task, reading in some if not np.isin(np.uint64(text_hash(reading.key)), known)]
        if len(some) > len(new):
            left_out["the version had learned the text"] += len(some) - len(new)
        opinions = head.opinions(Inputs([reading for _, reading in new], encoder)) if new else []
        for (task, _), opinion in zip(new, opinions, strict=True):
            if opinion is not None:
                thought.setdefault(task.id, {})[name] = Given.of(opinion)
    answers: dict[tuple[int, str], str] = {}
    for id, given in thought.items():
        on_screen = shown(config, given, None)
        for name, answer in (on_screen.answers if on_screen else {}).items():
            if kind := kind_of(config[name]):
                answers[id, name] = kind.key(answer)
    return answers, left_out
