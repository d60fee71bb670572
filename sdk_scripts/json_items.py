"""The items of a JSON list in a stream, one at a time."""

from __future__ import annotations

import codecs
import io
import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, NoReturn

_READ = 1 << 20
_LONGEST = 1 << 26
"""Characters of an item that are held at a time; what seems longer is read event by event."""
_BETWEEN = re.compile(r"[ \t\n\r]*([,\]])[ \t\n\r]*")
_BLANK = re.compile(r"[ \t\n\r]*")
_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


class _Doubtful(Exception):
    """What the fast reader does not settle."""


def json_items(stream: io.BufferedIOBase) -> Iterator[Any]:
    """The items of the list that starts at the stream's place, at the pace of the standard library's parser; from the
    first item on that it does not read, ijson reads, and says what is wrong. Numbers beyond 64 bits are read.

    Raises ijson.JSONError, UnicodeDecodeError and what the stream raises.
    """
    import ijson

    start = stream.tell()
    done = 0
    try:
        for item in _fast(stream):
            yield item
            done += 1
    except RecursionError:  # ijson would take memory by the square of the depth
        raise ijson.JSONError("a value is nested too deeply") from None
    except (_Doubtful, UnicodeDecodeError):
        stream.seek(start)
        try:
            yield from islice(ijson.items(stream, "item", use_float=True), done, None)
        except UnicodeDecodeError:
            raise
        except ValueError:  # Python reads no number of more than 4,300 digits
            raise ijson.JSONError("a number is too long") from None


def _fast(stream: io.BufferedIOBase) -> Iterator[Any]:
    decode = codecs.getincrementaldecoder("utf-8")().decode
    parse = json.JSONDecoder(parse_constant=_refuse).raw_decode
    text, place, ended, asked, escaped = "", 0, False, _READ, False

    def more() -> None:
        nonlocal text, place, ended, asked, escaped
        if ended or len(text) - place > _LONGEST:
            raise _Doubtful
        read = stream.read(asked)
        ended = not read
        text, place, asked = text[place:] + decode(read, final=ended), 0, 2 * asked
        escaped = "\\ud" in text or "\\uD" in text

    more()
    place = 1  # after the bracket
    first = True
    while True:
        while (after := _BLANK.match(text, place).end()) == len(text):  # type: ignore[union-attr]  # it always matches
            more()
        if first and text[after] == "]":
            place = after + 1
            break
        try:
            item, end = parse(text, after)
        except ValueError:
            more()
            continue
        between = _BETWEEN.match(text, end)
        if between is None or between.end() == len(text):
            if not ended:  # a number may go on
                more()
                continue
            if between is None:
                raise _Doubtful
        if escaped and _HALF.search(_PAIR.sub("", text[after:end])):
            raise _Doubtful
        yield item
        first, asked, place = False, _READ, between.end()
        if between[1] == "]":
            break
    while not ended:
        more()
    if _BLANK.fullmatch(text, place) is None:
        raise _Doubtful


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
