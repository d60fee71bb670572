"""Label Studio's labeling config (XML) -> LabelConfig.

Tiebreak reads what it needs (the controls, their labels, the data they look at) and leaves the rest of the XML alone.
The parser refuses DTDs and entities, because a config is untrusted text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from ml_backend.labeling.errors import ConfigError, UnknownName

_VARIABLE = re.compile(r"^\$([\w.\-\[\]]+)$")
_LABEL_TAGS = frozenset({"choice", "label", "item"})
_NOT_CONTROLS = frozenset({"filter", "relations"})  # they point to controls and regions, and hold no answer
PATH_SEPARATOR = " / "
MAX_XML_BYTES = 1_000_000
MAX_XML_DEPTH = 200


@dataclass(frozen=True, slots=True)
class Label:
    """One thing an annotator can pick. `path` has the ancestors first; a flat label's path is itself alone. Its parts
    are what Label Studio stores in a result: the alias where there is one, else the value.

    `key` names the label within its control: the end of the path, or the whole path where two labels of a nested
    control end alike ("Food / Other", "Toys / Other").
    """

    path: tuple[str, ...]
    text: str
    hint: str = ""
    hotkey: str = ""
    key: str = ""

    def __post_init__(self) -> None:
        if not self.key:
            object.__setattr__(self, "key", self.path[-1])


@dataclass(frozen=True, slots=True)
class Source:
    """An object tag: what an annotator looks at. `field` is the key of task data behind `$field`, or None; `name` is
    empty for tags that no control points to, such as a Header."""

    name: str
    tag: str
    field: str | None


@dataclass(frozen=True, slots=True)
class Condition:
    """`visibleWhen` of a control or of a View around it: shown only while control `control` has one of `values`
    selected (any value where `values` is empty). Other kinds of visibleWhen have an empty `control`."""

    control: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Control:
    """A control tag: a question put to the annotator. `labels` is empty where answers are free (numbers, text)."""

    name: str
    tag: str
    to_names: tuple[str, ...]
    labels: tuple[Label, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    visible_when: tuple[Condition, ...] = ()
    """All of these must hold for the control to be on the screen."""
    to_tags: tuple[str, ...] = ()
    """The tags of `to_names`, in lower case ("hypertext")."""

    @property
    def to_name(self) -> str:
        return self.to_names[0]

    @property
    def multiple(self) -> bool:
        return self.attributes.get("choice", "") == "multiple"

    @property
    def per_region(self) -> bool:
        """Asked about each region rather than about the task, so it has no answer of its own."""
        return self.flag("perregion") or self.flag("peritem") or self.flag("labeling")

    @property
    def conditional(self) -> bool:
        """Shown only for some answers to other controls."""
        return bool(self.visible_when)

    @property
    def feedback(self) -> bool:
        """Marked `tiebreak="feedback"`: annotators talk back here, so it is neither predicted nor compared."""
        return self.attributes.get("tiebreak", "").lower() == "feedback"

    @property
    def explanation(self) -> bool:
        """Marked `tiebreak="explanation"`: the machine says here why it answers as it does. Label Studio copies what it
        says into whatever is submitted, so that is never an answer."""
        return self.attributes.get("tiebreak", "").lower() == "explanation"

    @property
    def required(self) -> bool:
        return self.flag("required")

    @property
    def dynamic_field(self) -> str | None:
        """The key of task data that holds this control's labels, where the config says `value="$field"`."""
        match = _VARIABLE.match(self.attributes.get("value", ""))
        return match[1] if match else None

    @property
    def open(self) -> bool:
        """Annotators may pick labels that the config does not list: they come from task data or a server, or people
        add their own."""
        return (
            not self.labels
            or self.dynamic_field is not None
            or "apiurl" in self.attributes
            or any(self.flag(attribute) for attribute in ("legacy", "allowaddlabels", "allowother"))
            or any(label.text.startswith("$") for label in self.labels)
        )

    @property
    def nested(self) -> bool:
        """A Choices tag whose labels are stored as paths."""
        return self.flag("allownested")

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(label.key for label in self.labels)

    def flag(self, attribute: str) -> bool:
        return self.attributes.get(attribute.lower(), "").lower() == "true"

    def number(self, attribute: str, default: float) -> float:
        """A numeric attribute; the default where it is absent or not a number."""
        try:
            return float(self.attributes.get(attribute.lower(), default))
        except ValueError:
            return default


@dataclass(frozen=True)
class LabelConfig:
    """A parsed config. Attribute names are lower case, as Label Studio itself does not tell `toName` from `toname`."""

    xml: str
    controls: tuple[Control, ...]
    sources: tuple[Source, ...]

    @cached_property
    def answerable(self) -> tuple[Control, ...]:
        """The controls that ask about the task as a whole: not those asked per region, not the feedback panel, not
        where the machine explains itself."""
        return tuple(it for it in self.controls if not (it.per_region or it.feedback or it.explanation))

    @cached_property
    def labels_beside(self) -> Mapping[str, Control]:
        """Name of a `<Rectangle>` -> the `<Labels>` control that labels what it draws."""
        labels = [it for it in self.controls if it.tag.lower() == "labels" and not it.explanation]
        drawn = [control for control in self.controls if control.tag.lower() == "rectangle"]
        return {it.name: beside for it in drawn for beside in labels[::-1] if set(beside.to_names) & set(it.to_names)}

    @cached_property
    def fingerprint(self) -> str:
        """Changes when a control, its labels or its sources change; not with layout, colours or explanations."""
        parts = [
            (c.name, c.tag, c.to_names, c.multiple, c.per_region, tuple(label.path for label in c.labels))
            for c in self.controls
            if not c.explanation
        ]
        return hashlib.sha256(repr((parts, self.sources)).encode()).hexdigest()[:16]

    def __getitem__(self, name: str) -> Control:
        if name not in self._by_name:
            raise UnknownName("control", name, list(self._by_name))
        return self._by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    @cached_property
    def _by_name(self) -> dict[str, Control]:
        return {control.name: control for control in self.controls}

    def source(self, name: str) -> Source | None:
        return next((source for source in self.sources if source.name == name), None)

    def text_fields(self, control: Control) -> tuple[str, ...]:
        """Keys of task data whose text a model may read for this control: its own source first, then every other
        text shown on the screen (a verdict on an image is helped by the title above it)."""
        return self._fields(control, TEXT_TAGS)

    def image_fields(self, control: Control) -> tuple[str, ...]:
        """The same for images."""
        return self._fields(control, IMAGE_TAGS)

    def _fields(self, control: Control, tags: frozenset[str]) -> tuple[str, ...]:
        own = [s.field for s in self.sources if s.name in control.to_names and s.tag.lower() in tags]
        rest = [s.field for s in self.sources if s.tag.lower() in tags]
        return tuple(dict.fromkeys(f for f in (*own, *rest) if f))


# Markdown is left out: it shows explanations, the machine's own among them, and no model may learn from its own words.
TEXT_TAGS = frozenset({"text", "hypertext", "header", "paragraphs"})
IMAGE_TAGS = frozenset({"image"})


@lru_cache(maxsize=512)
def parse(xml: str) -> LabelConfig:
    """Parse a labeling config. Raises ConfigError with every reason found, each with its line.

    The result is immutable and cached: a backend sees the same config with every request.
    """
    reasons: list[str] = []
    controls: list[tuple[int, Control]] = []
    sources: list[tuple[int, Source]] = []
    for element, line, conditions in _elements(*_read(xml)):
        attributes = {key.lower(): value for key, value in element.attrib.items()}
        name, to_names = attributes.get("name", ""), attributes.get("toname")
        if to_names is not None and element.tag.lower() not in _NOT_CONTROLS:
            names = tuple(part.strip() for part in to_names.split(",") if part.strip())
            if not name:
                reasons.append(f"line {line}: <{element.tag} toName={to_names!r}> has no name")
            elif not names:
                reasons.append(f"line {line}: <{element.tag} name={name!r}> has an empty toName")
            else:
                labels = unambiguous(tuple(_labels(element, ())))
                controls.append((line, Control(name, element.tag, names, labels, attributes, conditions)))
        elif to_names is None and element.tag.lower() not in _LABEL_TAGS:
            match = _VARIABLE.match(attributes.get("value") or attributes.get("valuelist") or "")
            if match or (name and "value" in attributes):
                sources.append((line, Source(name, element.tag, match[1] if match else None)))
    reasons += _contradictions(controls, sources)
    if reasons:
        raise ConfigError("The label config cannot be used:", reasons, mend="Mend these in the config's XML.")
    tags = {source.name: source.tag.lower() for _, source in sources}
    return LabelConfig(
        xml,
        tuple(replace(c, to_tags=tuple(tags.get(name, "") for name in c.to_names)) for _, c in controls),
        tuple(source for _, source in sources),
    )


def _read(xml: str) -> tuple[Element, list[int]]:
    """The root, and the line of every element in document order."""
    if len(xml.encode("utf-8", "surrogatepass")) > MAX_XML_BYTES:
        raise ConfigError("The label config is over a megabyte.", mend="Labels that long belong in task data.")
    parser = DefusedXMLParser(forbid_dtd=True)
    expat: Any = parser.parser
    build = expat.StartElementHandler
    lines: list[int] = []

    def start(tag: str, attributes: list[str]) -> object:
        lines.append(expat.CurrentLineNumber)  # ElementTree keeps no line numbers
        return build(tag, attributes)

    expat.StartElementHandler = start
    try:
        parser.feed(xml)
        return parser.close(), lines
    except ParseError as error:
        line, column = error.position
        raise ConfigError(
            f"The label config is not valid XML: line {line}, column {column + 1}: {str(error).split(':')[0]}.",
            mend="Close every tag, quote every attribute, and write & as &amp;.",
        ) from None
    except DefusedXmlException:
        raise ConfigError(
            "The label config has a DTD or an entity.", mend="Remove <!DOCTYPE …> and <!ENTITY …>."
        ) from None
    except ValueError as error:  # characters that XML cannot hold, such as half of a surrogate pair
        raise ConfigError(f"The label config cannot be read: {error}.", mend="Remove those characters.") from None


def _elements(root: Element, lines: list[int]) -> Iterator[tuple[Element, int, tuple[Condition, ...]]]:
    """Every element in document order, with its line and the conditions under which it is on the screen."""
    stack: list[tuple[Element, int, tuple[Condition, ...]]] = [(root, 0, ())]
    found = []
    for line in lines:
        element, depth, conditions = stack.pop()
        if depth > MAX_XML_DEPTH:
            raise ConfigError(
                f"The label config is nested over {MAX_XML_DEPTH} tags deep, at line {line}.",
                mend="Take some of the tags around it away.",
            )
        conditions += _conditions(element)
        found.append((element, line, conditions))
        stack.extend((child, depth + 1, conditions) for child in reversed(element))
    return iter(found)  # only after every depth was looked at: labels are read recursively


def _conditions(element: Element) -> tuple[Condition, ...]:
    attributes = {key.lower(): value for key, value in element.attrib.items()}
    if "visiblewhen" not in attributes:
        return ()
    if attributes["visiblewhen"] != "choice-selected":
        return (Condition(""),)
    values = attributes.get("whenchoicevalue", "")
    return (
        Condition(
            attributes.get("whentagname", ""), tuple(value.strip() for value in values.split(",") if value.strip())
        ),
    )


def _labels(element: Element, above: tuple[str, ...]) -> Iterator[Label]:
    for child in element:
        if child.tag.lower() in _LABEL_TAGS:
            attributes = {key.lower(): value for key, value in child.attrib.items()}
            value = attributes.get("value") or attributes.get("alias")
            if not value:
                continue
            path = (*above, attributes.get("alias") or value)
            yield Label(path, value, attributes.get("hint", ""), attributes.get("hotkey", ""))
            yield from _labels(child, path)
        else:  # layout inside a control, such as <View> around some of its choices
            yield from _labels(child, above)


def unambiguous(labels: tuple[Label, ...]) -> tuple[Label, ...]:
    """The labels with keys that tell apart those whose paths end alike."""
    paths: dict[str, set[tuple[str, ...]]] = {}
    for label in labels:
        paths.setdefault(label.path[-1], set()).add(label.path)
    return tuple(
        replace(label, key=PATH_SEPARATOR.join(label.path)) if len(paths[label.path[-1]]) > 1 else label
        for label in labels
    )


def _contradictions(controls: list[tuple[int, Control]], sources: list[tuple[int, Source]]) -> Iterator[str]:
    first: dict[str, int] = {}
    named = [(line, control.name) for line, control in controls] + [(line, source.name) for line, source in sources]
    for line, name in sorted(named):
        if name in first:
            yield f"line {line}: the name {name!r} is taken by a tag in line {first[name]}"
        elif name:
            first[name] = line
    listed = ", ".join(sorted(s.name for _, s in sources if s.name)) or "none"
    for line, control in controls:
        for to_name in control.to_names:
            if to_name not in first:
                yield (
                    f"line {line}: <{control.tag} name={control.name!r}> points to {to_name!r}, "
                    f"but the data tags are: {listed}"
                )
