"""Which heads answer a label config under a project's live version: made once, kept while there is room.

Until a version is trained, heads made from the label config answer, and the version is called zero-shot-…. Where the
config has changed since the live version was trained, its heads answer the controls they still fit and zero-shot heads
the others; the version keeps the live one's name.
"""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary, WeakValueDictionary

from ml_backend.encoder import Encoder
from ml_backend.labeling.config import TEXT_TAGS, Control, LabelConfig
from ml_backend.labeling.errors import InputError, UnknownName
from ml_backend.live_models import LiveModels
from ml_backend.model_registry import Model, ModelRegistry
from ml_backend.prelabelers import PRELABELERS, Head, Learner, options, signature, start

CONFIGS = 256
"""Label configs kept prepared for projects without a trained version."""
CONFIG_BYTES = 64_000_000
"""Of those: one with 1,000 labels takes about 2 MB. The one asked for last is kept even where it alone is larger."""
TRAINED_CONFIGS = 4
"""Label configs kept prepared for one trained version; a project has one at a time."""


@dataclass(frozen=True)
class Plan:
    """Who answers what under one version and one config."""

    version: str
    heads: Mapping[str, tuple[int, Head]]
    """Control name -> a number of its own, and the head."""
    number: int
    """Its own too."""
    fields: tuple[str, ...]
    """Keys of task data that decide the answers; none where more than texts does."""
    bytes: int
    """About what it takes."""


class Plans:
    """Thread-safe, shared by all projects."""

    def __init__(self, registry: ModelRegistry, encoder: Encoder) -> None:
        self._registry = registry
        self._encoder = encoder
        self._models = LiveModels(registry, encoder.id)
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self.made = 0
        """Plans made so far: where it grows, others may have gone."""
        self._zero_shot: OrderedDict[str, Plan] = OrderedDict()
        self._trained: WeakKeyDictionary[Model, OrderedDict[str, Plan]] = WeakKeyDictionary()
        self._answering: WeakValueDictionary[int, Plan] = WeakValueDictionary()

    def live(self, project: str) -> Model | None:
        """As `LiveModels.live`."""
        return self._models.live(project)

    def version(self, project: str, config: LabelConfig) -> str:
        """The version that would answer now; loads no encoder. Raises as `of`, but never for the encoder."""
        model = self._models.live(project)
        return model.info.version if model else self._zero_shot_version(config)

    def answering(self, number: int) -> bool:
        """Whether the plan, or the head, of that number may still be asked."""
        return number in self._answering

    def of(self, project: str, config: LabelConfig) -> Plan:
        """Raises InputError for a project key that is none, and ModelUnavailable where the registry or the encoder
        cannot be read."""
        model = self._models.live(project)
        with self._lock:
            plans = self._trained.setdefault(model, OrderedDict()) if model else self._zero_shot
            if (plan := plans.get(config.xml)) is not None:
                plans.move_to_end(config.xml)
                return plan
        plan = self._make(model, config)
        with self._lock:
            plan = plans.setdefault(config.xml, plan)
            while len(plans) > (TRAINED_CONFIGS if model else CONFIGS):
                plans.popitem(last=False)
            while len(plans) > 1 and sum(it.bytes for it in plans.values()) > CONFIG_BYTES:
                plans.popitem(last=False)
            self._answering.update({number: plan for number, _ in plan.heads.values()})
            self._answering[plan.number] = plan
            self.made += 1
        return plan

    def named(self, project: str, config: LabelConfig, version: str) -> Plan | None:
        """The plan of a version that need not be live, made anew; None where it is gone, or of another encoder. Raises
        as `of`."""
        if version == self._zero_shot_version(config):
            return self._make(None, config)
        try:
            model = self._registry.load(project, version)
        except (UnknownName, InputError):
            return None
        return self._make(model, config) if model.info.encoder == self._encoder.id else None

    def at_hand(self, project: str, xml: str) -> Plan | None:
        """The plan, where it is known without loading anything, parsing the config or asking over a network."""
        live = self._models.at_hand(project)
        if live is None:
            return None
        (model,) = live
        with self._lock:
            plans = self._trained.get(model) if model else self._zero_shot
            return plans.get(xml) if plans else None

    def _make(self, model: Model | None, config: LabelConfig) -> Plan:
        heads = {}
        for control in config.answerable:
            head = (_fitting(model, config, control) if model else None) or start(config, control, self._encoder)
            if head is not None:
                heads[control.name] = next(self._numbers), head
        version = model.info.version if model else self._zero_shot_version(config)
        labels = sum(len(config[name].labels) for name in heads)
        size = 4 * len(config.xml) + labels * (4 * self._encoder.dimension + 500) if heads else len(config.xml)
        return Plan(version, heads, next(self._numbers), _text_fields(config), size)

    def _zero_shot_version(self, config: LabelConfig) -> str:
        """Named after all that its answers depend on: the words of the labels, the fields read, and the encoder."""
        asked = [
            (signature(config, control), [(option.name, option.words) for option in options(control)])
            for control in config.answerable
        ]
        whole = repr((asked, self._encoder.id)).encode(errors="replace")
        return f"zero-shot-{hashlib.sha256(whole).hexdigest()[:8]}"


def _fitting(model: Model, config: LabelConfig, control: Control) -> Head | None:
    """The version's head for the control, if it has one that fits the control as it is now."""
    stored = model.heads.get(control.name)
    if stored is None or stored.signature != signature(config, control):
        return None
    prelabeler = PRELABELERS[stored.prelabeler]
    return prelabeler.load(control, stored.state) if isinstance(prelabeler, Learner) else None


def _text_fields(config: LabelConfig) -> tuple[str, ...]:
    """The keys of task data that a config of nothing but texts shows; none for others: an image can change behind its
    address."""
    if any(source.tag.lower() not in TEXT_TAGS for source in config.sources):
        return ()
    return tuple(dict.fromkeys(source.field for source in config.sources if source.field))
