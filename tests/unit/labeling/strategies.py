"""Hypothesis strategies: label configs, the answers that their controls can hold, and results nobody should send.

config = data.draw(configs())
control = data.draw(st.sampled_from(config.answerable))
answer = data.draw(answers_to(control))
"""

from __future__ import annotations

import math
from typing import Any
from xml.sax.saxutils import quoteattr

from hypothesis import strategies as st

from ml_backend.labeling.config import Control, LabelConfig, parse
from ml_backend.labeling.kinds import Answer, in_order, kind_of
from ml_backend.labeling.kinds.boxes import Box
from ml_backend.labeling.kinds.rating import most_stars
from ml_backend.labeling.kinds.spans import Span

letters = st.characters(exclude_categories=["Cc", "Cs", "Cn", "Co", "Zl", "Zp"], exclude_characters="$/,{}")
label_texts = st.text(letters, min_size=1, max_size=12).filter(str.strip)
words = st.text(letters, min_size=1, max_size=30).map(str.strip).filter(bool)
offsets = st.integers(0, 500)
percents = st.integers(0, 1_000_000).map(lambda it: it / 10_000)
SOURCES = (
    '<Text name="text" value="$text"/><HyperText name="html" value="$html"/><Image name="image" value="$image"/>'
    '<Paragraphs name="talk" value="$talk"/><Audio name="audio" value="$audio"/><Text name="other" value="$other"/>'
)


@st.composite
def labels_xml(draw: st.DrawFn, tag: str, *, depth: int = 1) -> str:
    """Two to four labels, some with aliases; under each as many levels of them as `depth` allows."""
    texts = draw(st.lists(label_texts, min_size=2, max_size=4, unique=True))
    aliases = draw(st.lists(st.none() | label_texts, min_size=len(texts), max_size=len(texts), unique_by=repr))
    names = [alias or text for text, alias in zip(texts, aliases, strict=True)]
    xml = ""
    for place, text in enumerate(texts):
        if names.index(names[place]) != place:
            continue  # one label's alias is another's value: what a result means would be a guess
        alias = f" alias={quoteattr(aliases[place] or '')}" if aliases[place] else ""
        below = draw(labels_xml(tag, depth=depth - 1)) if depth > 1 and draw(st.booleans()) else ""
        xml += f"<{tag} value={quoteattr(text)}{alias}>{below}</{tag}>"
    return xml


@st.composite
def controls_xml(draw: st.DrawFn, name: str, tag: str) -> str:
    """A control of this tag, on a source it fits."""
    to_name, attributes, inside = "text", "", ""
    if tag == "Choices":
        nested = draw(st.booleans())
        attributes = f' choice="{draw(st.sampled_from(["single", "multiple", "single-radio"]))}"'
        attributes += ' allowNested="true"' if nested else ""
        inside = draw(labels_xml("Choice", depth=2 if nested else 1))
    elif tag == "Taxonomy":
        inside = draw(labels_xml("Choice", depth=3))
    elif tag == "Rating":
        attributes = draw(st.sampled_from(["", ' maxRating="3"', ' maxRating="10"']))
    elif tag == "Number":
        attributes = draw(st.sampled_from(["", ' min="0" max="100"', ' max="-1.5"', ' slider="true" min="-1e9"']))
    elif tag == "Pairwise":
        to_name = "text,other"
    elif tag == "Labels":
        to_name = draw(st.sampled_from(["text", "html", "audio", "talk"]))
    elif tag != "TextArea":
        to_name = {"HyperTextLabels": "html", "ParagraphLabels": "talk", "RectangleLabels": "image"}[tag]
    if tag.endswith("Labels"):
        inside = draw(labels_xml("Label"))
    return f'<{tag} name="{name}" toName="{to_name}"{attributes}>{inside}</{tag}>'


TAGS = (
    "Choices",
    "Taxonomy",
    "Rating",
    "Number",
    "Labels",
    "HyperTextLabels",
    "ParagraphLabels",
    "RectangleLabels",
    "Pairwise",
    "TextArea",
)


@st.composite
def configs(draw: st.DrawFn, tags: tuple[str, ...] = TAGS, *, most: int = 4) -> LabelConfig:
    """A config of one to `most` controls of these tags, on sources of every kind."""
    chosen = draw(st.lists(st.sampled_from(tags), min_size=1, max_size=most))
    controls = [draw(controls_xml(f"control{place}", tag)) for place, tag in enumerate(chosen)]
    return parse(f"<View>{SOURCES}{''.join(controls)}</View>")


def answers_to(control: Control) -> st.SearchStrategy[Any]:
    """Answers that this control can hold, as `read` gives them."""
    kind = kind_of(control)
    assert kind is not None
    return {
        "choices": _choices,
        "taxonomy": _taxonomy,
        "rating": lambda it: st.integers(1, most_stars(it)),
        "number": _numbers,
        "spans": _spans,
        "boxes": _boxes,
        "pairwise": lambda _: st.sampled_from(["left", "right"]),
        "text": lambda _: st.lists(words, min_size=1, max_size=3).map(tuple),
    }[kind.name](control)


@st.composite
def answered(draw: st.DrawFn, config: LabelConfig) -> dict[str, Answer]:
    """Control name -> answer, for some of the config's controls."""
    return {c.name: draw(answers_to(c)) for c in config.answerable if kind_of(c) and draw(st.booleans())}


def _choices(control: Control) -> st.SearchStrategy[tuple[str, ...]]:
    parents = {label.path[:-1] for label in control.labels}
    ends = [label.key for label in control.labels if label.path not in parents]
    picks = st.lists(st.sampled_from(ends), min_size=1, max_size=4 if control.multiple else 1, unique=True)
    return picks.map(lambda keys: in_order(control, keys))


def _taxonomy(control: Control) -> st.SearchStrategy[tuple[tuple[str, ...], ...]]:
    paths = list(dict.fromkeys(label.path for label in control.labels))
    return st.lists(st.sampled_from(paths), min_size=1, max_size=4, unique=True).map(
        lambda picked: tuple(sorted(picked, key=paths.index))
    )


def _numbers(control: Control) -> st.SearchStrategy[float]:
    low, high = (control.number(end, default) for end, default in (("min", -1e300), ("max", 1e300)))
    return st.floats(low, high).map(lambda it: it + 0.0) | st.integers(math.ceil(low), math.floor(high)).map(float)


@st.composite
def _spans(draw: st.DrawFn, control: Control) -> tuple[Span, ...]:
    paragraphs = control.tag == "ParagraphLabels" or control.to_tags[0] == "paragraphs"
    timed = control.to_tags[0] == "audio"
    found: dict[tuple[Any, ...], Span] = {}
    for _ in range(draw(st.integers(1, 4))):
        start, length = draw(offsets), draw(st.integers(1, 60))
        first = draw(st.integers(0, 12)) if paragraphs else 0
        last = first + (draw(st.integers(0, 3)) if paragraphs else 0)
        labels = draw(st.lists(st.sampled_from(control.keys), min_size=1, max_size=2, unique=True))
        places = (str(first), str(last)) if paragraphs else ("", "")
        fraction = draw(st.sampled_from([0, 0.25])) if timed else 0
        text = "x" * length if draw(st.booleans()) else ""
        span = Span(start + fraction, start + fraction + length, in_order(control, labels), text, *places)
        found[(span.start_in, span.start, span.end_in, span.end)] = span
    return tuple(found[place] for place in sorted(found))


@st.composite
def _boxes(draw: st.DrawFn, control: Control) -> tuple[Box, ...]:
    found: dict[tuple[float, ...], Box] = {}
    for _ in range(draw(st.integers(1, 4))):
        sides = draw(st.tuples(percents, percents, percents.filter(bool), percents.filter(bool)))
        labels = draw(st.lists(st.sampled_from(control.keys), min_size=1, max_size=2, unique=True))
        rotation = draw(st.sampled_from([0, 0, 30, 90.5, 359.9999]))
        box = Box(*sides, rotation, in_order(control, labels), draw(st.sampled_from([0, 0, 2])))
        found[box.place] = box
    return tuple(found[place] for place in sorted(found))


nasty_numbers = st.sampled_from(
    [0, 1, -1, 5, 99, 2.5, -0.0, 1e308, float("nan"), float("inf"), float("-inf"), 10**400, -(2**63), True, False]
)
nasty_texts = st.sampled_from(["", " ", "left", "5", "NaN", "\ud800", "\x00", "‮x", "A", "/div[1]/text()[1]"]) | st.text(
    max_size=5
)
json_values = st.recursive(
    st.none() | nasty_numbers | nasty_texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(nasty_texts, inner, max_size=3),
    max_leaves=8,
)
VALUE_KEYS = [
    "choices",
    "taxonomy",
    "rating",
    "number",
    "selected",
    "text",
    "labels",
    "hypertextlabels",
    "paragraphlabels",
    "rectanglelabels",
    "start",
    "end",
    "startOffset",
    "endOffset",
    "globalOffsets",
    "x",
    "y",
    "width",
    "height",
    "rotation",
]
nasty_values = st.dictionaries(
    st.sampled_from(VALUE_KEYS),
    nasty_numbers | json_values | st.fixed_dictionaries({"start": nasty_numbers, "end": nasty_numbers}),
    max_size=9,
)


def nasty_regions(control_names: list[str]) -> st.SearchStrategy[Any]:
    """Anything that JSON can hold in the place of a region, most of it close to a real one."""
    region = st.fixed_dictionaries(
        {"from_name": st.sampled_from(control_names) | json_values},
        optional={
            "value": nasty_values | json_values,
            "id": json_values,
            "item_index": json_values,
            "origin": json_values,
        },
    )
    return region | region | json_values
