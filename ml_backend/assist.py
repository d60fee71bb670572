"""A helping hand while people mark spans: they mark one mention, and the others in the text are marked, too.

Label Studio asks for it where the backend is interactive, the `<Labels>` control has `smart="true"` and the annotator
has switched on Auto-Annotation. Whenever they finish a span it sends the annotation's spans with that label, the newest
last. What it gets back it adds to the annotation at once; a region whose id is there already takes its place, so an id
says what its region marks. Deleting a span asks for nothing, so what somebody did away with does not come back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ml_backend.labeling.answers import answers, regions_by_control, write_answers
from ml_backend.labeling.config import Control, LabelConfig
from ml_backend.labeling.kinds import Region, canonical, kind_of
from ml_backend.labeling.kinds.spans import Span
from ml_backend.labeling.results import Task, read_task
from ml_backend.labeling.task_data import lookup
from ml_backend.prelabelers import Opinion
from ml_backend.prelabelers._inputs import MAX_CHARACTERS, countable
from ml_backend.prelabelers._phrases import MOST_TOKENS
from ml_backend.prelabelers._tokens import Tokens, stem, tokens

MOST = 100
"""Spans added at once."""


def others(
    config: LabelConfig,
    task: Mapping[str, Any],
    context: Mapping[str, Any],
    opinions: Mapping[str, Opinion] | None = None,
) -> list[dict[str, Any]]:
    """The regions to add for an interactive request about a task of Label Studio's JSON, whose `context` has the spans
    in sight as its `result`: where else in the same text the words of the newest span stand, and the spans of the same
    label that a head found (`opinions` by control) since the task was predicted: those predicted were seen.

    Words are whole ones; their case and the blanks between them do not matter, nor whether the last is an English
    plural or possessive. A place that a span in sight touches is left out. There is nothing to add to anything but
    spans on a plain `<Text>`. Raises InputError where the task is none.
    """
    about = read_task(task)
    result = context.get("result")
    in_sight = [it for it in result if isinstance(it, Mapping)] if isinstance(result, list) else []
    found: list[dict[str, Any]] = []
    for name, regions in regions_by_control(config, in_sight).items():
        marks = _marks(config, name, about, regions, (opinions or {}).get(name))
        for region in write_answers(config, {name: marks}) if marks else ():
            said = canonical([name, region["value"]]).encode(errors="replace")
            found.append({**region, "id": f"same-{hashlib.blake2b(said, digest_size=8).hexdigest()}"})
    return found


def asked(config: LabelConfig, context: Mapping[str, Any]) -> bool:
    """Whether an interactive request is about spans that may have others like them; one without regions is where the
    config has such a control that is smart: Label Studio sends it when the last span is gone."""
    result = context.get("result")
    names = [it.get("from_name") for it in result if isinstance(it, Mapping)] if isinstance(result, list) else []
    return any(it.name in names or (not names and it.flag("smart")) for it in config.controls if _marks_text(it))


def _marks_text(control: Control) -> bool:
    kind = kind_of(control)
    return kind is not None and kind.name == "spans" and not control.explanation and control.to_tags[:1] == ("text",)


def _marks(
    config: LabelConfig, name: str, task: Task, regions: Sequence[Region], opinion: Opinion | None
) -> tuple[Span, ...]:
    control = next((it for it in config.controls if it.name == name and _marks_text(it)), None)
    source = config.source(control.to_name) if control else None
    kind = kind_of(control) if control else None
    if control is None or source is None or kind is None:
        return ()
    text = lookup(task.data, source.field) if source.field else None
    newest, known = _spans(kind.read(control, regions[-1:])), _spans(kind.read(control, regions))
    if not isinstance(text, str) or not countable(text) or not newest:
        return ()
    (mention,) = newest
    taken = [(it.start, it.end) for it in known if set(it.labels) & set(mention.labels)]
    wanted = [*_mentions(tokens(text[:MAX_CHARACTERS]), text[int(mention.start) : int(mention.end)])]
    seen = {span for it in task.predictions for span in _spans(answers(config, it.regions).get(name))}
    heard = [it for it in _spans(opinion.answer) if it not in seen] if opinion else []
    wanted += [(int(it.start), int(it.end)) for it in heard if set(it.labels) & set(mention.labels)]
    made: list[Span] = []
    for start, end in wanted:
        if len(made) < MOST and end <= len(text) and all(end <= a or b <= start for a, b in taken):
            taken.append((start, end))
            made.append(Span(start, end, mention.labels, text[start:end]))
    return tuple(made)


def _spans(answer: object) -> tuple[Span, ...]:
    return tuple(it for it in answer if isinstance(it, Span)) if isinstance(answer, tuple) else ()


def _mentions(text: Tokens, words: str) -> Iterator[tuple[int, int]]:
    """Start and end of every mention of the words in the text."""
    *first, last = tokens(words).keys or [""]
    count = len(first) + 1
    if count > MOST_TOKENS or not any(key[:1].isalnum() for key in (*first, last)):
        return
    for place in range(len(text) - count + 1):
        end = place + count - 1
        if text.keys[place:end] == first and stem(text.keys[end]) == stem(last):
            start, stop = text.starts[place], text.ends[end]
            if not _within_a_number(text.text, start, stop):
                yield start, stop


def _within_a_number(text: str, start: int, end: int) -> bool:
    """ "5" in "5.99" or "1,5"."""
    after, before = text[end - 1 : end + 2], text[max(0, start - 2) : start + 1]
    return any(len(it) == 3 and it[0].isdecimal() and it[1] in ".,:" and it[2].isdecimal() for it in (after, before))
