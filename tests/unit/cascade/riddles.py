"""Tasks of which the local model can only answer half, and an endpoint that knows the answers to most."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from large_model_server import Brain, LargeModelServer, oracle
from pydantic import SecretStr
from unit.learning.reviews import SENTIMENT, choice, reviews, task

from ml_backend.cascade import Cascade
from ml_backend.encoder import Encoder
from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.results import Task
from ml_backend.large_model import AnswerCache, LargeModel, LedgerInMemory
from ml_backend.model_files import ModelFiles
from ml_backend.model_registry import ModelRegistry
from ml_backend.policy import LargeModel as Terms
from ml_backend.predictor import Predictor
from ml_backend.settings import Settings

KEY = "1"


def riddles(count: int, seed: int = 0, first: int = 1) -> list[tuple[int, str, str]]:
    """(id, text, label): every other one says nothing of its label to who does not know it."""
    draw = random.Random(seed)
    easy = reviews(count, seed)
    found = []
    for i, (text, label) in enumerate(easy):
        if i % 2:
            text, label = (
                f"Order {seed}-{i} about the {draw.choice(('lamp', 'kettle', 'phone'))} came.",
                draw.choice(("positive", "negative")),
            )
        found.append((first + i, text, label))
    return found


def labelled(rows: Iterable[tuple[int, str, str]]) -> list[Task]:
    return [task(id, {"text": text}, [choice("sentiment", label)]) for id, text, label in rows]


def asked(rows: Iterable[tuple[int, str, str]]) -> list[dict[str, Any]]:
    return [{"id": id, "data": {"text": text}} for id, text, _ in rows]


def knowing(*rows: Sequence[tuple[int, str, str]], accuracy: float = 0.95) -> Brain:
    return oracle({text: {"sentiment": label} for some in rows for _, text, label in some}, accuracy=accuracy)


class Project:
    """One whose large model is this server."""

    def __init__(self, server: LargeModelServer, settings: Settings, encoder: Encoder) -> None:
        self.settings = settings.model_copy(
            update={"llm_url": server.url, "llm_model": "test", "llm_key": SecretStr(server.key), "llm_timeout": 5.0}
        )
        self.registry = ModelRegistry(str(settings.home / "models"))
        self.encoder = encoder
        self.predictor = Predictor(self.registry, encoder)
        self.cache = AnswerCache(ModelFiles(str(settings.home / "answers")))
        self.ledger = LedgerInMemory()

    @contextmanager
    def cascade(self, terms: Terms, *, config: LabelConfig = SENTIMENT, **options: Any):
        large = LargeModel(self.settings, terms, ledger=self.ledger, cache=self.cache, pause=0.01)
        try:
            yield Cascade(
                KEY,
                config,
                predictor=self.predictor,
                registry=self.registry,
                encoder=self.encoder,
                large=large,
                terms=terms,
                **options,
            )
        finally:
            large.close()


def right(views: Sequence[Any], rows: Sequence[tuple[int, str, str]], control: str = "sentiment") -> float:
    truth: Mapping[int, str] = {id: label for id, _, label in rows}
    return sum(view.opinions[control].answer == (truth[view.task],) for view in views) / len(views)
