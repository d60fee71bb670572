"""Judgements -> consensus -> fit -> calibrate -> evaluate -> promote."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import structlog

from ml_backend.cases import Case, case_texts, cases_fingerprint
from ml_backend.encoder import Encoder, look_of
from ml_backend.examples import examples_of, fingerprint, text_hashes
from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.errors import InputError, ModelUnavailable, NotEnoughLabels
from ml_backend.labeling.kinds import kind_of
from ml_backend.labeling.results import Task
from ml_backend.languages import note
from ml_backend.model_registry import Model, ModelRegistry, StoredHead, VersionInfo
from ml_backend.outcomes import Outcomes, outcomes_of
from ml_backend.prelabelers import Examples, Learned, Opinion, learners, options, signature
from ml_backend.promotion import judge

log = structlog.stdlib.get_logger()

MOST_HELD_OUT = 20_000
"""Labelled texts whose labels are held out in turn: beyond, more of them teach a model little and cost their time."""

RECIPE = 5
"""Raised when the same labels would now give another model."""


@dataclass(frozen=True)
class TrainingOutcome:
    version: str
    labels: int
    """Tasks it learned from."""
    metrics: dict[str, Any]
    """Control -> JSON, see `prelabelers.Learned.metrics`."""
    promoted: bool
    """Whether this version answers now."""
    reason: str
    """Why, in a sentence."""


def train(
    project: str,
    config: LabelConfig,
    tasks: Iterable[Task],
    encoder: Encoder,
    registry: ModelRegistry,
    *,
    promote: bool | Callable[[], bool] = True,
    cases: Sequence[Case] = (),
    policy_version: str = "",
) -> TrainingOutcome:
    """Learn from the labels, keep the result as a version, and make it live if it is not worse than what is.

    Texts of `cases` are learned by no version: they try each. The same labels, config, encoder, cases and policy lead
    to the version they led to before; so a training that was cut short is simply done again. `promote` may be asked
    right before: whether this is still the project's training. Raises NotEnoughLabels, with numbers, where no control
    can be learned yet.
    """
    cases = [case for case in cases if any(control.name == case.control for control in config.answerable)]
    examples = {
        name: _without(known, case_texts(cases, name, config, look_of(encoder)))
        for name, known in examples_of(config, tasks, encoder).items()
    }
    label_fingerprint = fingerprint(examples, config)
    origin = _origin(
        config, label_fingerprint, encoder, policy_version, cases_fingerprint(cases, config, look_of(encoder))
    )
    info = next(
        (it for it in registry.versions(project) if it.fingerprint == origin and _intact(registry, project, it)), None
    )
    if info is None:
        learned = _learn(config, examples)
        languages = {name: note(examples[name].inputs.texts, encoder.id) for name in learned}
        for said in {said for said in languages.values() if said}:
            log.warning("languages", project=project, note=said)
        accepted, reason = judge(project, config, examples, learned, encoder, registry, cases)
        info = VersionInfo(
            version="",
            created_at=datetime.now(UTC),
            labels=len({task for name in learned for task in examples[name].tasks}),
            metrics={
                name: {**it.metrics, **({"languages": languages[name]} if languages[name] else {})}
                for name, it in learned.items()
            },
            fingerprint=origin,
            label_fingerprint=label_fingerprint,
            data_fingerprint=_data_fingerprint(examples),
            config_fingerprint=config.fingerprint,
            encoder=encoder.id,
            recipe=RECIPE,
            policy_version=policy_version,
            accepted=accepted,
            reason=reason,
        )
        info = replace(info, version=registry.save(project, _model(config, examples, learned, info)))
    promoted, reason = _promote(project, info, registry, promote)
    log.info("trained", project=project, version=info.version, labels=info.labels, promoted=promoted, why=reason)
    return TrainingOutcome(info.version, info.labels, dict(info.metrics), promoted, reason)


def out_of_fold(
    config: LabelConfig, tasks: Iterable[Task], encoder: Encoder, agreed: pl.DataFrame | None = None
) -> dict[str, dict[int, Opinion]]:
    """Control -> task id -> what a model thinks of the labelled task that has not seen its label.

    It learns the annotators' consensus, or what is `agreed` (see `examples.examples_of`), of up to MOST_HELD_OUT texts:
    each of those is judged by a model of other folds, and the texts beyond them by one of all of those. Raises
    NotEnoughLabels, with numbers, where no control can be learned yet.
    """
    examples = examples_of(config, tasks, encoder, agreed)
    sampled = {name: _sample(known) for name, known in examples.items()}
    found: dict[str, dict[int, Opinion]] = {}
    for name, it in _learn(config, {name: _rows(examples[name], rows) for name, rows in sampled.items()}).items():
        known, rows = examples[name], sampled[name]
        rest = np.setdiff1d(np.arange(len(known.tasks)), rows)
        opinions = [*it.opinions, *it.head.opinions(known.inputs.take(rest.tolist()))]
        asked = (known.tasks[row] for row in (*rows.tolist(), *rest.tolist()))
        found[name] = {task: opinion for task, opinion in zip(asked, opinions, strict=True) if opinion is not None}
    return found


def _sample(examples: Examples) -> np.ndarray:
    """(m,) rows, ascending: all, or MOST_HELD_OUT of them, those with the smallest hashes of texts; equal texts stay
    together."""
    if len(examples.tasks) <= MOST_HELD_OUT:
        return np.arange(len(examples.tasks))
    hashes = text_hashes(examples)
    return np.flatnonzero(hashes <= np.partition(hashes, MOST_HELD_OUT - 1)[MOST_HELD_OUT - 1])


def _learn(config: LabelConfig, examples: Mapping[str, Examples]) -> dict[str, Learned]:
    """Control -> what the pre-labeler learned that learned it best: with the highest out-of-fold accuracy."""
    best: dict[str, Learned] = {}
    missing: list[NotEnoughLabels] = []
    for name, known in examples.items():
        for learner in learners(config, config[name]):
            try:
                learned = learner.learn(config, config[name], known)
            except NotEnoughLabels as error:
                missing.append(error)
                continue
            if name not in best or learned.metrics["accuracy"] > best[name].metrics["accuracy"]:
                best[name] = learned
    if not best:
        raise NotEnoughLabels(
            " ".join(error.what for error in missing)
            or "This project asks nothing that can be learned from its texts.",
            mend=missing[0].mend
            if missing
            else "Choices, taxonomies, ratings, spans and comparisons of texts are learned.",
        )
    return best


def _without(examples: Examples, texts: np.ndarray) -> Examples:
    """The examples but those with these text hashes."""
    if not len(texts):
        return examples
    return _rows(examples, np.flatnonzero(~np.isin(text_hashes(examples), texts)))


def _rows(examples: Examples, kept: np.ndarray) -> Examples:
    if len(kept) == len(examples.tasks):
        return examples
    rows = kept.tolist()
    return Examples(
        tuple(examples.tasks[i] for i in rows),
        examples.inputs.take(rows),
        tuple(examples.answers[i] for i in rows),
        examples.weights[kept],
    )


def _data_fingerprint(examples: Mapping[str, Examples]) -> str:
    """16 hex digits of the texts, whatever was answered."""
    hashes = [text_hashes(known) for known in examples.values()]
    return hashlib.sha256(np.unique(np.concatenate(hashes)).tobytes()).hexdigest()[:16]


def _origin(config: LabelConfig, labels: str, encoder: Encoder, policy: str, cases: str) -> str:
    """16 hex digits of everything a model is made of and tried on: labels, config (hints count as examples), encoder,
    guidelines, cases, recipe."""
    asked = [
        (signature(config, control), [(option.name, option.words) for option in options(control)])
        for control in config.answerable
        if learners(config, control)
    ]
    whole = repr((RECIPE, labels, config.fingerprint, asked, encoder.id, policy, cases))
    return hashlib.sha256(whole.encode(errors="replace")).hexdigest()[:16]


def _intact(registry: ModelRegistry, project: str, info: VersionInfo) -> bool:
    try:
        registry.load(project, info.version)
    except (ModelUnavailable, InputError) as error:
        log.warning("trained anew", project=project, version=info.version, why=str(error))
        return False
    return True


def _model(
    config: LabelConfig, examples: Mapping[str, Examples], learned: Mapping[str, Learned], info: VersionInfo
) -> Model:
    heads = {
        name: StoredHead(it.prelabeler, signature(config, config[name]), it.head.state())
        for name, it in learned.items()
    }
    hashes = {name: text_hashes(examples[name]) for name in learned}
    return Model(
        info,
        heads,
        {name: np.unique(hashes[name]) for name in learned},
        {name: _outcomes(config, name, hashes[name], examples[name], it) for name, it in learned.items()},
    )


def _outcomes(config: LabelConfig, name: str, hashes: np.ndarray, examples: Examples, learned: Learned) -> Outcomes:
    kind = kind_of(config[name])
    if kind is None:
        raise InputError(f"No kind of control reads {name!r}.", mend="Leave it out of the training.")
    return outcomes_of(kind, hashes, examples.answers, learned.opinions)


def _promote(
    project: str, info: VersionInfo, registry: ModelRegistry, wanted: bool | Callable[[], bool]
) -> tuple[bool, str]:
    pointer = registry.pointer(project)
    if pointer.version == info.version:
        return True, info.reason
    if not wanted:
        return False, "Promotion was not asked for."
    if info.version in pointer.withdrawn:
        return False, "This version was rolled back; promote it by hand if it should answer after all."
    if not info.accepted:
        return False, info.reason
    if callable(wanted) and not wanted():
        return False, "Another worker trains the project: this one was cut off for too long."
    registry.promote(project, info.version)
    return True, info.reason
