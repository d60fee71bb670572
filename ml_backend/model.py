"""The same predictor as Label Studio's own ML backend framework knows it: for the official label-studio-ml server.

Runs under label-studio-ml 1.x and 2.x, whose constructors and calls differ:

    1.x   Model(label_config=…, train_output=…, hostname=…, access_token=…)   predict(tasks, login=…, context=…)
          fit((), event=…, data=…, job_id=…)
    2.x   Model(project_id=…, label_config=…)                                 predict(tasks, context=…, **params)
          fit(event, data, **params)

Its server tells a model the project's id at most, so the time of creation, the other half of a project's key, is asked
of Label Studio once. `ml_backend.app` needs none of this, and is the better server: see the README.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import structlog
from label_studio_ml.model import LabelStudioMLBase

from ml_backend.encoder import load_encoder
from ml_backend.hints import changed_labels
from ml_backend.labeling.config import parse
from ml_backend.labeling.errors import InputError, StudioError
from ml_backend.labeling.results import project_key
from ml_backend.model_registry import ModelRegistry
from ml_backend.predictor import REQUEST_SECONDS, Predictor
from ml_backend.project_state import project_id_of
from ml_backend.queues import Jobs
from ml_backend.roles import role_of
from ml_backend.settings import Settings, load_settings

log = structlog.stdlib.get_logger()


class TiebreakModel(LabelStudioMLBase):
    """Predicts with the project's live version; `fit` asks a worker for a training and returns at once."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Tiebreak talks to TIEBREAK_STUDIO_URL with its own token, never to an address out of a request.
        super().__init__(*args, **{key: value for key, value in kwargs.items() if key not in _NOT_KEPT})

    def predict(
        self, tasks: Sequence[Mapping[str, Any]], context: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> list[dict[str, Any]]:
        """One prediction a task, `{}` where there is none. Raises ConfigError for a label config it cannot read."""
        config = parse(str(self.label_config or ""))
        key = self._project_key(kwargs.get("project"), tasks)
        return list(_runtime().predictor.predict(key, config, tasks, context).results)

    def fit(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """`{"job": id}` of the training that was asked for, `{}` where the event has nothing to do with labels."""
        event = kwargs.get("event", args[0] if args else None)
        data = kwargs.get("data", args[1] if len(args) > 1 else None)
        project = data.get("project") if isinstance(data, Mapping) else None
        if not isinstance(event, str) or not isinstance(data, Mapping) or not isinstance(project, Mapping):
            return {}
        key = project_key(project)
        with Jobs(_runtime().settings) as jobs:
            if event == "START_TRAINING":
                return {"job": jobs.request_training(key, project_id_of(key)).id}
            labels = changed_labels(event, data.get("annotation"), data.get("annotations"), data.get("tasks"))
            if labels is not None:
                jobs.project_changed(role_of(project), key, project_id_of(key), labels)
        return {}

    def _project_key(self, given: object, tasks: Sequence[Mapping[str, Any]]) -> str:
        if isinstance(given, str):
            project_id_of(given)
            return given
        ids = [getattr(self, "project_id", None), *(t.get("project") for t in tasks[:1] if isinstance(t, Mapping))]
        id = next((str(id) for id in ids if isinstance(id, str | int) and str(id).isdigit()), None)
        return _runtime().key_of(int(id)) if id else _NO_PROJECT


class _Runtime:
    """What all instances share: the official server makes one for every request."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        registry, encoder = ModelRegistry(settings.models), load_encoder(settings)
        self.predictor = Predictor(
            registry,
            encoder,
            image_seconds=REQUEST_SECONDS,
            policy_secret=settings.policy_secret.get_secret_value(),
        )
        self._keys: dict[int, str] = {}

    def key_of(self, id: int) -> str:
        """The project's key; just its id, which no version is trained under, where Label Studio cannot be asked."""
        from ml_backend.studio import Studio

        if id not in self._keys:
            try:
                self._keys[id] = project_key(Studio.connect(self.settings).project(id))
            except (StudioError, InputError) as error:
                log.warning("predicting without the trained version", project=id, why=str(error))
                return str(id)
        return self._keys[id]


@cache
def _runtime() -> _Runtime:
    return _Runtime(load_settings())


_NOT_KEPT = ("hostname", "access_token")
_NO_PROJECT = "0"
