"""YAML whose every value remembers its line, from a parser that cannot be talked into anything.

Only plain mappings, lists and scalars: no tags, no aliases (so no "billion laughs"), no merge keys, no duplicate keys.
Scalars follow YAML 1.2 where YAML 1.1 surprises: `no`, `on` and dates are text, `1:30` is not a number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

MAX_BYTES = 1_000_000
MAX_DEPTH = 50
_UNWRITABLE = re.compile("[\0\ud800-\udfff]")

Place = tuple[str | int, ...]
"""Keys and list positions from the top of the document, as pydantic's `loc`."""


@dataclass(frozen=True)
class MarkedYaml:
    data: Any
    lines: dict[Place, int]
    """1-based line of every key and list item."""

    def line(self, place: Place) -> int:
        """The line of a place, or of the nearest one above it that the document has."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)


class YamlProblem(ValueError):
    """`reason`, on `line` (1-based)."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


def read_yaml(text: str) -> MarkedYaml:
    """Parse one document. Raises YamlProblem."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise YamlProblem(1, "is over a megabyte")
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        lines: dict[Place, int] = {}
        return MarkedYaml(None if node is None else _value(loader, node, (), lines), lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlProblem(mark.line + 1 if mark else 1, _said(error)) from None
    except yaml.reader.ReaderError as error:
        line = 1 + text.count("\n", 0, error.position)
        raise YamlProblem(line, f"has a control character (U+{error.character:04X})") from None
    except RecursionError:
        raise YamlProblem(1, f"is nested over {MAX_DEPTH} levels deep") from None


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {}  # noqa: RUF012  # PyYAML's own attribute; filled below

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise YamlProblem(mark.line + 1, "uses an alias (*name); write the value out")
        node = super().compose_node(parent, index)
        if isinstance(node, yaml.ScalarNode) and (bad := _UNWRITABLE.search(node.value)):
            reason = "a NUL (U+0000); take it out"
            if bad[0] != "\0":
                reason = f"half of a character (U+{ord(bad[0]):04X}); write the character itself"
            raise YamlProblem(node.start_mark.line + 1, f"has {reason}")
        return node


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?[0-9]{1,18}", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))

_PLAIN = {f"tag:yaml.org,2002:{name}" for name in ("bool", "null", "int", "float", "str", "seq", "map")}


def _value(loader: _Loader, node: yaml.Node, place: Place, lines: dict[Place, int]) -> Any:
    line = node.start_mark.line + 1
    lines.setdefault(place, line)
    if node.tag not in _PLAIN:
        raise YamlProblem(line, f"has the tag {node.tag.rsplit(':', 1)[-1]!r}; only plain values are read")
    if len(place) > MAX_DEPTH:
        raise YamlProblem(line, f"is nested over {MAX_DEPTH} levels deep")
    if isinstance(node, yaml.SequenceNode):
        return [_value(loader, child, (*place, index), lines) for index, child in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return _scalar(node)
    found: dict[str, Any] = {}
    for key_node, child in node.value:
        key, at = key_node.value, key_node.start_mark.line + 1
        if not isinstance(key, str):
            raise YamlProblem(at, "has a key that is not a plain word")
        if key in found:
            raise YamlProblem(at, f"has {key!r} a second time (first on line {lines[(*place, key)]})")
        lines[(*place, key)] = at
        found[key] = _value(loader, child, (*place, key), lines)
    return found


def _scalar(node: yaml.Node) -> str | int | float | bool | None:
    match node.tag.rsplit(":", 1)[-1]:
        case "bool":
            return str(node.value).lower() == "true"
        case "null":
            return None
        case "int":
            return int(node.value)
        case "float":
            return float(node.value)
    return str(node.value)


def _said(error: yaml.MarkedYAMLError) -> str:
    """PyYAML's words, with the mend for the two slips that are behind most of them."""
    said = ", ".join(part for part in (error.context, error.problem) if part) or "is not YAML"
    if "mapping values are not allowed" in said:
        return f"{said}; put text that has ': ' in it between quotes"
    if "\\t" in said:
        return f"{said}; indent with spaces, not tabs"
    return said
