"""The schema of the one JSON object that answers all controls of a task: `null` for each it is unsure of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from ml_backend.labeling.answers import with_task_labels
from ml_backend.labeling.config import Control, LabelConfig
from ml_backend.labeling.kinds import one_line
from ml_backend.large_model.forms import Form, Schema, form_of

if TYPE_CHECKING:
    from jsonschema.protocols import Validator


@dataclass(frozen=True)
class AnswerSchema:
    """What one task is asked. Nothing in it depends on the text; labels that come with a task are its annotators'."""

    controls: Mapping[str, Control]
    """Those asked, with the labels of the task."""
    forms: Mapping[str, Form]
    left_out: Mapping[str, str]
    """Control -> why it is not asked."""
    parts: Mapping[str, Schema]
    """Control -> the schema of its value, null aside."""

    @cached_property
    def json(self) -> dict[str, Any]:
        """As strict endpoints take it: every key is required, and no other may come."""
        values = {name: {"anyOf": [part, {"type": "null"}]} for name, part in self.parts.items()}
        return {"type": "object", "properties": values, "required": list(values), "additionalProperties": False}

    def objection(self, name: str, value: Any) -> str:
        """What is wrong with a control's value, in a line; empty where nothing is."""
        try:
            error = next(iter(self._validators[name].iter_errors(value)), None)
            if error is None:
                return ""
            wrong = repr(error.instance)
            return one_line(error.message.replace(wrong, one_line(wrong, 60)), 200)
        except RecursionError:
            return "it is nested too deep"

    @cached_property
    def _validators(self) -> dict[str, Validator]:
        from jsonschema import Draft202012Validator

        return {name: Draft202012Validator(part) for name, part in self.parts.items()}


def answer_schema(config: LabelConfig, controls: Sequence[Control], data: Mapping[str, Any]) -> AnswerSchema:
    """What these controls of a task with this data can be asked. Controls that have no answer of their own (asked per
    region, feedback) are left out."""
    answerable = {control.name for control in config.answerable}
    ready = _sdk_schemas(config.xml)
    asked: dict[str, Control] = {}
    forms: dict[str, Form] = {}
    left_out: dict[str, str] = {}
    for control in controls:
        seen = with_task_labels(control, data)
        form = form_of(seen) if control.name in answerable else "it is not asked about the task"
        if isinstance(form, str):
            left_out[control.name] = form
        else:
            asked[control.name], forms[control.name] = seen, form
    parts = {name: form.schema(asked[name], ready.get(name, {})) for name, form in forms.items()}
    return AnswerSchema(asked, forms, left_out, parts)


@lru_cache(maxsize=64)
def _sdk_schemas(xml: str) -> Mapping[str, Schema]:
    """Control -> the SDK's schema; empty where the SDK cannot read the config."""
    from label_studio_sdk.label_interface import LabelInterface

    try:
        found: Mapping[str, Schema] = LabelInterface(xml).to_json_schema()["properties"]
    except Exception:  # it raises whatever its parsers do
        return {}
    return found
