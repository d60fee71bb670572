"""The HTTP face: Label Studio's ML backend protocol, and a little more.

    GET  /health    is it up; always at once            POST /predict   tasks -> predictions, one a task
    POST /setup     Label Studio connects a project     POST /webhook   hints that labels changed
    GET  /console/  what goes on, for people
    POST /train     train a project in the background   GET  /versions, /metrics, /version
    POST /report    make a report in the background

Who may ask: with TIEBREAK_BACKEND_USER and _PASSWORD everything but /health wants them (Basic). /webhook takes the
project's own secret in `X-Tiebreak-Secret` as well (`webhook_secrets`), as Label Studio sends those credentials with
its training button but not with webhooks. The webhook that Label Studio adds by itself on connecting has no headers:
its calls get 401 until `tiebreak sync` adopts it, and the reconciler finds the labels meanwhile. With neither password
nor TIEBREAK_WEBHOOK_SECRET anybody may send hints; all a hint can do is to train the project on the labels it has.

Of what /setup brings, `hostname` and `access_token` are neither used nor kept: Tiebreak talks to TIEBREAK_STUDIO_URL
only. Nothing here waits for Redis, training or the encoder longer than Label Studio waits for an answer.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.metadata import version as package_version
from typing import Annotated, Any, TypeVar

import structlog
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, generate_latest
from pydantic import AfterValidator, BaseModel, Field, StrictStr, ValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException

from ml_backend.allocator import return_large_blocks
from ml_backend.console.gauges import Gauges
from ml_backend.console.routes import PATHS as CONSOLE_PATHS
from ml_backend.console.routes import console_routes
from ml_backend.console.state import State
from ml_backend.encoder import Encoder, load_encoder
from ml_backend.guards import NO_SECRET, WEBHOOK_PROJECT, BodyLimit, Doorkeeper, Watch
from ml_backend.hints import Hints, changed_labels
from ml_backend.labeling.config import parse
from ml_backend.labeling.errors import ConfigError, InputError, TiebreakError
from ml_backend.labeling.results import project_key
from ml_backend.logs import set_up_logs
from ml_backend.model_registry import ModelRegistry
from ml_backend.predictor import REQUEST_SECONDS, Predictor, Written
from ml_backend.project_state import project_id_of
from ml_backend.roles import role_of
from ml_backend.settings import Settings, load_settings, secrets_of, webhook_secrets

log = structlog.stdlib.get_logger()
T = TypeVar("T")

SETUP_SECONDS = 1.5  # Label Studio gives up after 3
AT_ONCE_TASKS = 8  # of known texts in one request are answered by the event loop itself
AT_ONCE_BYTES = 100_000  # of a body: longer ones are read by a thread
MOST_VALUES = 2_000_000  # in a body: 64 MB of empty lists are 5 GB once they are read
PATHS = ("/health", "/setup", "/predict", "/webhook", "/train", "/report", "/versions", "/metrics", "/version")


def _checked(key: str) -> str:
    project_id_of(key)
    return key


ProjectKey = Annotated[StrictStr, AfterValidator(_checked)]


class SetupRequest(BaseModel):
    project: ProjectKey
    label_config: StrictStr = Field("", alias="schema")


class PredictParams(BaseModel):
    context: dict[str, Any] | None = None


class PredictRequest(BaseModel):
    tasks: list[Any]
    project: ProjectKey
    label_config: StrictStr
    params: PredictParams | None = None

    @property
    def context(self) -> dict[str, Any] | None:
        """Of an interactive request."""
        return self.params.context if self.params else None


class WebhookRequest(BaseModel):
    action: StrictStr
    project: dict[str, Any] | None = None
    annotation: Any = None
    annotations: Any = None
    tasks: Any = None


class WorkRequest(BaseModel):
    project: ProjectKey


class StrictJSON(JSONResponse):
    """ASCII, so that a lone surrogate in a label cannot break it; NaN raises, because it is not JSON."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


def create_app(settings: Settings | None = None, *, encoder: Encoder | None = None) -> FastAPI:
    """The backend. Called without settings, as uvicorn's factory, it reads the environment and sets up the process.

    An `encoder` that is loaded already can be shared.

    Raises ConfigError where the settings cannot be used.
    """
    if settings is None:
        settings = load_settings()
        set_up_logs(settings.log_level, secrets_of(settings))
        return_large_blocks()
    face = _Face(settings, encoder or load_encoder(settings))
    app = FastAPI(title="Tiebreak", docs_url=None, redoc_url=None, openapi_url=None, lifespan=face.lifespan)
    app.add_route("/predict", face.predict, methods=["POST"])
    app.get("/health")(face.health)
    app.get("/version")(face.version)
    app.get("/versions")(face.versions)
    app.get("/metrics")(face.metrics)
    app.router.routes += console_routes(settings, face.state, face.waiting)
    app.post("/setup")(face.setup)
    app.post("/webhook")(face.webhook)
    app.post("/train", status_code=201)(face.train)
    app.post("/report", status_code=201)(face.report)
    app.exception_handler(RequestValidationError)(_malformed)
    app.exception_handler(StarletteHTTPException)(_refused)
    app.exception_handler(TiebreakError)(_foreseen)
    app.add_middleware(BodyLimit, most=settings.max_body_bytes)
    app.add_middleware(Doorkeeper, credentials=_credentials(settings), secrets=webhook_secrets(settings))
    app.add_middleware(Watch, registry=face.metrics_registry, paths=(*PATHS, *CONSOLE_PATHS))
    return app


class _Face:
    """The routes, and the runtime all projects share."""

    def __init__(self, settings: Settings, encoder: Encoder) -> None:
        self.registry = ModelRegistry(settings.models)
        self.encoder = encoder
        self.predictor = Predictor(
            self.registry,
            self.encoder,
            image_seconds=REQUEST_SECONDS,
            policy_secret=settings.policy_secret.get_secret_value(),
        )
        self.hints = Hints(settings)
        self.ready = self.closing = False
        # Predictions compute, the rest waits for files and Redis: neither may take the other's threads. Predictions
        # mostly wait for a batch that another computes: the encoder limits how many compute.
        self.computing = ThreadPoolExecutor(32, thread_name_prefix="predict")
        self.waiting = ThreadPoolExecutor(16, thread_name_prefix="wait")
        self.metrics_registry = CollectorRegistry()
        self.predicted = Counter(
            "tiebreak_predictions", "Tasks asked for, by outcome.", ["outcome"], registry=self.metrics_registry
        )
        for outcome in ("answered", "unanswered"):
            self.predicted.labels(outcome)  # there from the start, at 0
        self.state = State(settings, self.registry, self.hints, self.waiting)
        self.metrics_registry.register(Gauges(self.state))

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        # A daemon: loading cannot be interrupted, and nobody should wait for it to stop the server.
        threading.Thread(target=self._warm, name="warm", daemon=True).start()
        try:
            yield
        finally:
            self.closing = True
            self.hints.close()
            for pool in (self.computing, self.waiting):
                pool.shutdown(wait=False, cancel_futures=True)

    async def health(self) -> Response:
        return StrictJSON({"status": "UP", "model_class": "TiebreakModel", "ready": self.ready})

    async def version(self) -> Response:
        return StrictJSON({"version": package_version("tiebreak")})

    async def metrics(self) -> Response:
        await self.state.refreshed()
        return Response(generate_latest(self.metrics_registry), media_type=CONTENT_TYPE_LATEST)

    async def setup(self, body: SetupRequest) -> Response:
        config = parse(body.label_config) if body.label_config else None
        self.hints.remember(body.project)
        if config is None:
            return StrictJSON({"model_version": ""})
        asked = self._in(self.waiting, lambda: self.predictor.model_version(body.project, config))
        try:
            return StrictJSON({"model_version": await asyncio.wait_for(asked, SETUP_SECONDS)})
        except (TimeoutError, TiebreakError) as error:
            log.warning("the model version is not known yet", project=body.project, why=str(error))
            return StrictJSON({"model_version": "", "note": "The models cannot be read just now."})

    async def predict(self, request: Request) -> Response:
        """A plain route, because most requests are single tasks whose text is known: FastAPI's own reading of a body
        takes longer than their answer. Those are answered here, the others by a thread."""
        content = await request.body()
        if "json" not in request.headers.get("content-type", ""):
            raise _malformed_body("this is not sent as application/json")
        if len(content) > AT_ONCE_BYTES:
            return await self._in(self.computing, lambda: self._answer(_predict_request(content)))
        body = _predict_request(content)
        if len(body.tasks) <= AT_ONCE_TASKS and body.context is None:
            known = self.predictor.written(body.project, body.label_config, body.tasks)
            if known is not None:
                return self._written(known)
        return await self._in(self.computing, lambda: self._answer(body))

    def _answer(self, body: PredictRequest) -> Response:
        config = parse(body.label_config)
        return self._written(self.predictor.write(body.project, config, body.tasks, body.context))

    def _written(self, answers: Written) -> Response:
        unanswered = answers.items.count("{}")
        self.predicted.labels("answered").inc(len(answers.items) - unanswered)
        self.predicted.labels("unanswered").inc(unanswered)
        content = f'{{"results":[{",".join(answers.items)}],"model_version":{json.dumps(answers.model_version)}}}'
        return Response(content.encode(), media_type="application/json")

    async def webhook(self, body: WebhookRequest, request: Request) -> Response:
        if body.project is None:
            return StrictJSON({"accepted": False, "note": "It names no project."})
        key = project_key(body.project)
        if request.scope.get(WEBHOOK_PROJECT, key) != key:
            return StrictJSON(NO_SECRET, 401)
        id = project_id_of(key)
        if body.action == "START_TRAINING":
            return StrictJSON({"job": await self.hints.train(key, id)}, 201)
        labels = changed_labels(body.action, body.annotation, body.annotations, body.tasks)
        if labels is None:
            return StrictJSON({"accepted": False, "note": "Nothing is done on this action."})
        accepted = await self.hints.labels_changed(role_of(body.project), key, id, labels)
        note = {} if accepted else {"note": "The queue does not answer; the reconciler will count the labels."}
        return StrictJSON({"accepted": accepted, **note}, 202)

    async def train(self, body: WorkRequest) -> Response:
        return StrictJSON({"job": await self.hints.train(body.project, project_id_of(body.project))}, 201)

    async def report(self, body: WorkRequest) -> Response:
        return StrictJSON({"job": await self.hints.report(body.project, project_id_of(body.project))}, 201)

    async def versions(self, project: str | None = None) -> Response:
        if project is None:  # Label Studio asks so, without saying for which project
            return StrictJSON({"versions": []})
        found = await self._in(self.waiting, lambda: self.registry.versions(_checked(project)))
        details = [info.to_json() for info in found]
        return StrictJSON({"versions": [info.version for info in found], "details": details})

    # ------------------------------------------------------------------------------------------------------------------

    def _warm(self) -> None:
        self.hints.open()
        try:
            width = self.encoder.dimension  # loads it; a text might be answered from the cache
            self.ready = True
            log.info("ready", encoder=self.encoder.id, dimension=width)
        except TiebreakError as error:
            if not self.closing:
                log.error("the encoder cannot be loaded; it is tried again with every prediction", why=str(error))

    async def _in(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, work)


def _credentials(settings: Settings) -> str | None:
    user, password = settings.backend_user, settings.backend_password
    if not user and not password:
        return None
    if not user or not password or ":" in user:
        raise ConfigError(
            "Basic auth of the backend is set by half.",
            mend="Set both TIEBREAK_BACKEND_USER (without a colon) and TIEBREAK_BACKEND_PASSWORD, or neither.",
        )
    return f"{user}:{password.get_secret_value()}"


def _predict_request(content: bytes) -> PredictRequest:
    """Raises RequestValidationError, and HTTPException for one that would take too much memory."""
    if sum(map(content.count, (b",", b"[", b"{"))) > MOST_VALUES:
        what = f"The body has more than {MOST_VALUES:,} values."
        raise HTTPException(413, {"detail": what, "mend": "Send fewer tasks at once."})
    try:
        return PredictRequest.model_validate(json.loads(content))
    except ValidationError as error:
        raise RequestValidationError([{**it, "loc": ("body", *it["loc"])} for it in error.errors()]) from None
    except (ValueError, RecursionError) as error:
        raise _malformed_body(f"JSON decode error: {error}") from None


def _malformed_body(why: str) -> RequestValidationError:
    return RequestValidationError([{"loc": ("body",), "msg": why}])


_PROTOCOL = "Send what Label Studio's ML backend protocol says; the README names the fields."


async def _malformed(_: Request, error: Exception) -> Response:
    errors = error.errors() if isinstance(error, RequestValidationError) else []
    reasons = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in errors[:20]]
    return StrictJSON({"detail": "; ".join(reasons), "mend": _PROTOCOL}, 400)


async def _refused(_: Request, error: Exception) -> Response:
    if not isinstance(error, StarletteHTTPException):
        raise error
    body = error.detail if isinstance(error.detail, dict) else {"detail": error.detail, "mend": _PROTOCOL}
    return StrictJSON(body, error.status_code, headers=dict(error.headers or {}))


async def _foreseen(_: Request, error: Exception) -> Response:
    if not isinstance(error, TiebreakError):
        raise error
    level = "info" if isinstance(error, InputError) else "warning"
    getattr(log, level)("refused", why=error.what)
    return StrictJSON({"detail": error.what, "mend": error.mend.strip()}, error.status)
