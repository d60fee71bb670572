"""What project.yaml may say, field by field. Unknown fields are refused; a new section is a model and a line here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from ml_backend.policy import Policy
from ml_backend.settings import Settings
from sdk_scripts.manifest_section import Section
from sdk_scripts.marks import MOST_A_BATCH, NAME, unmarked
from sdk_scripts.standards import Standard

TASK_KEY = "tiebreak_key"
"""Where a task keeps its row's key: in `data`, because the Data Manager cannot filter or sort by anything in `meta`."""

_NAMED_SECRET = re.compile(r"^\$\{(TIEBREAK_[A-Z0-9_]+)\}$")
_NOT_YOURS = frozenset(
    f"TIEBREAK_{name.upper()}"
    for name, field in Settings.model_fields.items()
    if "SecretStr" in str(field.annotation) and name not in ("backend_password", "webhook_secret")
)
"""The settings' other secrets: a manifest says to whom what it names is sent."""


def _secret_name(value: object) -> object:
    match = _NAMED_SECRET.match(value) if isinstance(value, str) else None
    if match is None or match[1] in _NOT_YOURS:
        raise ValueError("must name an environment variable, as in ${TIEBREAK_BACKEND_PASSWORD}, never hold a secret")
    return match[1]


SecretName = Annotated[str, BeforeValidator(_secret_name)]
"""Written `${TIEBREAK_…}`; holds the variable's name. Other variables are nobody's business here."""


def _address(value: str) -> str:
    if not re.match(r"^https?://[^\s/@]+(/[^\s@]*)?$", value):
        raise ValueError("must be an http(s) address without user or password")
    return value.rstrip("/")


Address = Annotated[str, BeforeValidator(lambda value: _address(str(value)))]


class Overlap(Section):
    maximum_annotations: int = Field(ge=1, le=1000, description="annotators a task in the overlap")
    cohort_percentage: int | None = Field(None, ge=0, le=100, description="percent of the tasks in the overlap")
    show_first: bool | None = Field(None, description="the overlap's tasks come first")


class Labeling(Section):
    """What people label next, chosen whenever a version has pre-labeled the project; for `sampling: uncertainty`."""

    batch: int = Field(200, ge=1, le=MOST_A_BATCH, description="tasks chosen at once")
    exploration: float = Field(0.1, ge=0, le=1, description="share of them picked at random, to four digits")
    most_annotations: int | None = Field(
        None, ge=1, le=1000, description="that `tiebreak next` may ask of a task; the overlap's where left out"
    )


COLUMNS: Mapping[str, str] = {
    **dict.fromkeys(["id", "inner_id", "total_annotations", "cancelled_annotations", "total_predictions"], "Number"),
    **dict.fromkeys(["predictions_score", "avg_lead_time"], "Number"),
    **dict.fromkeys(["completed_at", "created_at", "updated_at"], "Datetime"),
    **dict.fromkeys(["annotators", "predictions_model_versions", "updated_by"], "List"),
    **dict.fromkeys(["annotations_results", "annotations_ids", "predictions_results"], "String"),
    **dict.fromkeys(["file_upload", "storage_filename"], "String"),
    "draft_exists": "Boolean",
}
"""The Data Manager's columns with their filter types. Others (agreement, ground_truth, meta.*) answer with an error."""

Operator = Literal[
    "equal", "not_equal", "less", "greater", "less_or_equal", "greater_or_equal", "in", "not_in", "in_list",
    "not_in_list", "empty", "contains", "not_contains", "regex",
]  # fmt: skip


def _column(name: str) -> str:
    if name not in COLUMNS and not re.match(r"^data\.[^_].*$", name):
        raise ValueError(f"must be data.<field> or one of {', '.join(COLUMNS)}")
    return name


def _data_column(name: str) -> str:
    if not name.startswith("data."):
        raise ValueError("must be data.<field>")
    return _column(name)


DataColumn = Annotated[str, BeforeValidator(lambda value: _data_column(str(value)))]


class Filter(Section):
    column: Annotated[str, BeforeValidator(lambda value: _column(str(value)))]
    operator: Operator
    value: bool | int | float | str | list[bool | int | float | str] | dict[Literal["min", "max"], int | float | str]
    type: Literal["Number", "Datetime", "List", "String", "Boolean"] | None = None


class View(Section):
    """A tab of the Data Manager. Its filters, order and layout are exactly these."""

    title: str = Field(min_length=1, max_length=200)
    match: Literal["all", "any"] = "all"
    filters: tuple[Filter, ...] = ()
    order_by: str | None = Field(None, description="a column; `-column` for descending")
    numbers: tuple[DataColumn, ...] = Field(
        (), description="task data to sort as numbers (text, and all data on PostgreSQL, sorts as text)"
    )
    hidden_columns: tuple[Annotated[str, BeforeValidator(lambda value: _column(str(value)))], ...] | None = None
    layout: Literal["list", "grid"] = "list"

    @field_validator("order_by")
    @classmethod
    def _known(cls, column: str | None) -> str | None:
        return column and column[: column.startswith("-")] + _column(column.removeprefix("-"))


class Backend(Section):
    """The ML backend. What is left out comes from the settings TIEBREAK_BACKEND_URL, _USER and _PASSWORD."""

    title: str = Field("Tiebreak", min_length=1, max_length=200)
    url: Address | None = None
    user: SecretName | None = None
    password: SecretName | None = None
    interactive: bool = False

    @model_validator(mode="after")
    def _both(self) -> Backend:
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password come together; name both or neither")
        return self


WebhookAction = Literal[
    "ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED", "PROJECT_UPDATED",
    "TASKS_CREATED", "TASKS_DELETED", "LABEL_LINK_CREATED", "LABEL_LINK_UPDATED", "LABEL_LINK_DELETED",
]  # fmt: skip


class Webhook(Section):
    """Where Label Studio tells of labels: by default the backend's `/webhook`, with TIEBREAK_WEBHOOK_SECRET."""

    url: Address | None = None
    secret: SecretName | None = None
    actions: tuple[WebhookAction, ...] | None = Field(None, min_length=1, description="all of them where left out")


def _names(value: object) -> object:
    """`[a, b]` is short for `{a: a, b: b}`."""
    return (
        {name: name for name in value} if isinstance(value, list) and all(isinstance(v, str) for v in value) else value
    )


Mapped = Annotated[dict[str, str], BeforeValidator(_names)]


class TaskSource(Section):
    """A file whose rows are tasks."""

    file: Path
    outside_folder: bool = Field(False, description="allow a file outside the manifest's folder")
    format: str | None = Field(None, description="by the file's suffix where left out")
    delimiter: str | None = Field(None, min_length=1, max_length=1, description="of CSV")
    name: str = Field("", pattern=f"^(?:{NAME})?$", description="prefix of keys, where two sources share them")
    key: str | None = Field(None, description="column that tells rows apart; the whole row where left out")
    fields: Mapped | None = Field(None, description="column -> key of task data; every column where left out")
    meta: Mapped = Field(default_factory=dict, description="column -> key of task meta")
    numbers: tuple[str, ...] = Field((), description="columns of text (CSV) to read as numbers")

    @model_validator(mode="after")
    def _one_place_each(self) -> TaskSource:
        for what, mapped in (("fields", self.fields or {}), ("meta", self.meta)):
            twice = sorted({key for key in mapped.values() if list(mapped.values()).count(key) > 1})
            if twice:
                raise ValueError(f"{what} maps two columns to {', '.join(twice)}")
            if TASK_KEY in mapped.values():
                raise ValueError(f"{what} may not use {TASK_KEY}: it holds the row's key")
        return self


class Project(Section):
    """What project.yaml says, field by field."""

    name: str = Field(pattern=f"^{NAME}$")
    title: str = Field(min_length=3, max_length=50)
    description: str | None = None
    color: str | None = Field(None, pattern="^#[0-9A-Fa-f]{6}$")
    label_config: Path = Path("config.xml")
    guidelines: Path | None = None
    show_instruction: bool | None = None
    show_skip_button: bool | None = None
    enable_empty_annotation: bool | None = None
    show_annotation_history: bool | None = None
    show_collab_predictions: bool | None = None
    evaluate_predictions_automatically: bool | None = None
    reveal_preannotations_interactively: bool | None = None
    annotator_evaluation_enabled: bool | None = None
    skip_queue: Literal["REQUEUE_FOR_ME", "REQUEUE_FOR_OTHERS", "IGNORE_SKIPPED"] | None = None
    sampling: Literal["sequential", "uniform", "uncertainty"] | None = None
    overlap: Overlap | None = None
    labeling: Labeling | None = None
    views: tuple[View, ...] = ()
    backend: Backend | None = None
    webhook: Webhook | None = None
    tasks: tuple[TaskSource, ...] = ()
    hard_cases: Standard | None = None
    policy: Policy | None = None
    quality: Path | None = Field(None, description="a rules.yaml: what is watched in the labels")

    @field_validator("title", "description")
    @classmethod
    def _bare(cls, text: str | None) -> str | None:
        if text is not None and unmarked(text) != text.strip():
            raise ValueError("may not hold a `tiebreak: …` line; sync writes it")
        return text and text.strip()

    @field_validator("views")
    @classmethod
    def _titles_differ(cls, views: tuple[View, ...]) -> tuple[View, ...]:
        titles = [view.title for view in views]
        if len(set(titles)) < len(titles):
            raise ValueError(f"two views are titled {next(t for t in titles if titles.count(t) > 1)!r}")
        return views
