"""The JSON that answers one control: its schema, and JSON <-> answer.

It is what Label Studio's SDK says of the control (`LabelInterface.to_json_schema`), except where that is no answer of
ours or no question for a model:

    labels     Label.key, which is the SDK's alias except where labels of nested choices end alike
    taxonomy   a whole path is one value, "Food / Fruit": the SDK takes any labels in any order for a path
    rating     from 1 on: the SDK's 0 stars are stored as none
    spans      a quote, its label and which occurrence it is, as models do not count characters
    text       one string: the SDK's `oneOf` is unknown to strict endpoints, as are its `uniqueItems`
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ml_backend.labeling.config import PATH_SEPARATOR, Control
from ml_backend.labeling.kinds import Answer, finite, in_order, kind_of
from ml_backend.labeling.kinds.rating import most_stars
from ml_backend.labeling.kinds.spans import Span
from ml_backend.large_model.delimiting import defused, visible

Schema = Mapping[str, Any]
MOST_LABELS = 1000
"""An enum of OpenAI's strict mode has no more values."""
MOST_WRITTEN = 5_000
"""Characters of a text that is an answer."""


class Form(Protocol):
    def schema(self, control: Control, ready: Schema) -> Schema:
        """`ready` is the SDK's, empty where it has none."""

    def read(self, control: Control, value: Any, text: str) -> Answer | None:
        """The answer in a value that the schema admits; None where there is none in it. `text` is that of the
        control's own object, in which quotes are looked for."""

    def say(self, control: Control, answer: Answer, text: str) -> Any:
        """The value for an answer to a task with this text; None where the schema admits none."""


def form_of(control: Control) -> Form | str:
    """The form of a control as the task's annotator sees it (`with_task_labels`), or why it has none."""
    kind = kind_of(control)
    if kind is None:
        return f"<{control.tag}> is not asked for"
    if kind.name == "boxes":
        return "a model that reads text sees no image"
    if kind.name == "spans" and control.to_tags != ("text",):
        return "words are marked in a <Text> only"
    if kind.name in ("number", "text"):
        return _FREE[kind.name]
    labels = len(listed(control))
    if not labels or labels > MOST_LABELS:
        return f"it has over {MOST_LABELS} labels" if labels else "it has no labels"
    return _FREE.get(kind.name) or _LISTED


def listed(control: Control) -> dict[str | int, Answer]:
    """The values that say one label of the control, each with the answer it is; empty where answers are free.
    `str(value)` is what tables call the label (`Kind.labels`)."""
    kind = kind_of(control)
    if kind is None:
        return {}
    if kind.name == "rating":
        return {stars: stars for stars in range(1, most_stars(control) + 1)}
    if kind.name == "pairwise":
        return {side: side for side in ("left", "right")}
    known = [label for label in control.labels if not label.text.startswith("$")]
    ends = {label.path for label in known} - {label.path[:-1] for label in known}
    if kind.name == "taxonomy":
        paths = [label.path for label in known if label.path in ends or not control.flag("leafsOnly")]
        return {PATH_SEPARATOR.join(path): (path,) for path in paths}
    return {label.key: (label.key,) for label in known if label.path in ends or not control.nested}


def one_of_them(control: Control) -> bool:
    """Whether the answer is one of the listed values, and not several."""
    kind = kind_of(control)
    if kind is not None and kind.name == "taxonomy":
        return control.number("maxUsages", 0) == 1
    return kind is not None and kind.name != "spans" and not control.multiple


class _Listed:
    def schema(self, control: Control, ready: Schema) -> Schema:
        found = list(listed(control))
        if isinstance(found[0], int):
            return {"type": "integer", "minimum": found[0], "maximum": found[-1]}
        label = {"type": "string", "enum": found}
        return label if one_of_them(control) else {"type": "array", "items": label, "minItems": 1}

    def read(self, control: Control, value: Any, text: str) -> Answer | None:
        known = listed(control)
        picked = {str(it): known[it] for it in (value if isinstance(value, list) else [value])}
        if len(picked) == 1:
            return next(iter(picked.values()))
        several = [part for answer in picked.values() for part in answer]  # type: ignore[attr-defined]  # tuples
        kind = kind_of(control)
        if kind is not None and kind.name == "taxonomy":
            place = {label.path: i for i, label in enumerate(control.labels)}
            return tuple(sorted(several, key=lambda path: place[path]))
        return in_order(control, several)

    def say(self, control: Control, answer: Answer, text: str) -> Any:
        kind = kind_of(control)
        names = {str(value): value for value in listed(control)}
        said = [names.get(label) for label in (kind.labels(answer) if kind else ())]
        if not said or None in said or (len(said) > 1 and one_of_them(control)):
            return None
        return said[0] if one_of_them(control) else said


class _Number:
    def schema(self, control: Control, ready: Schema) -> Schema:
        return {"type": "number", **{name: ready[name] for name in ("minimum", "maximum") if name in ready}}

    def read(self, control: Control, value: Any, text: str) -> Answer | None:
        number = finite(value)
        return None if number is None else float(number)

    def say(self, control: Control, answer: Answer, text: str) -> Any:
        return finite(answer)


class _Spans:
    def schema(self, control: Control, ready: Schema) -> Schema:
        span = {
            "type": "object",
            "properties": {
                "quote": {"type": "string"},
                "label": {"type": "string", "enum": list(listed(control))},
                "occurrence": {"type": "integer", "minimum": 1},
            },
            "required": ["quote", "label", "occurrence"],
            "additionalProperties": False,
        }
        return {"type": "array", "items": span, "minItems": 1}

    def read(self, control: Control, value: Any, text: str) -> Answer | None:
        """Quotes that are not in the text are left out."""
        places: dict[tuple[int, int], set[str]] = {}
        shown = defused(text)
        for span in value:
            if place := _located(span["quote"], span["occurrence"], shown):
                places.setdefault(place, set()).add(span["label"])
        found = (
            Span(start, end, in_order(control, labels), text[start:end])
            for (start, end), labels in sorted(places.items())
        )
        return tuple(found) or None

    def say(self, control: Control, answer: Answer, text: str) -> Any:
        said = []
        for span in answer if isinstance(answer, tuple) else ():
            words = defused(span.text).strip()
            if not words or defused(text).count(words) != 1:  # more often: which it is cannot be told in this text
                return None
            said += [{"quote": words, "label": label, "occurrence": 1} for label in span.labels]
        return said or None


class _Text:
    def schema(self, control: Control, ready: Schema) -> Schema:
        return {"type": "string"}

    def read(self, control: Control, value: Any, text: str) -> Answer | None:
        words = visible(value).strip()
        return (words,) if words and len(words) <= MOST_WRITTEN else None

    def say(self, control: Control, answer: Answer, text: str) -> Any:
        return "\n".join(answer) if isinstance(answer, tuple) else None


def _located(quote: str, occurrence: int, text: str) -> tuple[int, int] | None:
    """Where the quote stands for that time, counted from 1; the only place where it stands once."""
    words = defused(quote).strip()
    if not words:
        return None
    places: list[int] = []
    start = text.find(words)
    while start >= 0 and len(places) < occurrence:
        places.append(start)
        start = text.find(words, start + len(words))
    if len(places) == occurrence or (len(places) == 1 and start < 0):
        return places[-1], places[-1] + len(words)
    return None


_LISTED: Form = _Listed()
_FREE: Mapping[str, Form] = {"number": _Number(), "spans": _Spans(), "text": _Text()}
