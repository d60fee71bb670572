"""pydantic's complaints about a manifest -> `file:line: field: what is wrong; the mend`. Values are never repeated."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from sdk_scripts.marked_yaml import MarkedYaml, Place

_SAYINGS = {
    "string_type": "must be text; put quotes around it",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "tuple_type": "must be a list (`- …`, or `[…, …]`)",
    "dict_type": "must be a mapping (`field: value`)",
    "model_type": "must be a mapping (`field: value`)",
    "path_type": "must be a file name",
    "missing": "is missing; add it",
}


def reasons(error: ValidationError, marked: MarkedYaml, path: Path, model: type[BaseModel]) -> list[str]:
    """One sentence a complaint, in the file's order."""
    found: dict[tuple[int, str], None] = {}
    for item in error.errors(include_url=False, include_input=False):
        place = tuple(part for part in item["loc"] if part in _written(marked, item["loc"]))
        if item["type"] in {"missing", "extra_forbidden"}:
            place = item["loc"]
        line = marked.line(place)
        found[(line, f"{path}:{line}: {_name(place)}{_said(item, place, model)}")] = None
    return [reason for _, reason in sorted(found)]


def _written(marked: MarkedYaml, loc: Place) -> set[str | int]:
    """The parts of a place that the file has: pydantic adds the names of a union's members."""
    kept: Place = ()
    for part in loc:
        if (*kept, part) in marked.lines:
            kept = (*kept, part)
    return set(kept)


def dotted(place: Place) -> str:
    """A place as people write it: `views[0].title`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")


def _name(place: Place) -> str:
    return f"{dotted(place)}: " if place else ""


def _said(item: Any, place: Place, model: type[BaseModel]) -> str:
    kind, context = item["type"], item.get("ctx", {})
    if kind == "extra_forbidden":
        known = sorted(_fields(model, place[:-1]))
        return f"is not a field{_nearest(str(place[-1]), known)}; known: {', '.join(known)}"
    if kind == "literal_error":
        return f"must be {context['expected']}"
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_pattern_mismatch":
        return f"must match {context['pattern']}"
    return _SAYINGS.get(kind) or str(item["msg"])[:1].lower() + str(item["msg"])[1:]


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f", did you mean {close[0]}?" if close else ""


def _fields(model: type[BaseModel], place: Place) -> set[str]:
    """Names of the fields that the model at a place has."""
    for part in place:
        if isinstance(part, str) and part in model.model_fields:
            model = _model_in(model.model_fields[part].annotation) or model
    return set(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_in(part))), None)
