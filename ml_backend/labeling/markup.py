"""The words and tags of HTML, in time that grows with its length whatever it is: the standard library's parser takes a
minute for 200 KB of unclosed tags, and fails on some declarations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape

_TAG = re.compile(r"""</?[a-z](?:[^>"']|"[^"]*"|'[^']*')*+>""", re.IGNORECASE)
_OPENS = re.compile(r"[a-z/!?]", re.IGNORECASE)
_NAME = re.compile(r"<(/?)([a-z][^\s/>]*)", re.IGNORECASE)
_HIDDEN = re.compile(r"<(script|style)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Tag:
    name: str
    """In lower case."""
    closing: bool
    attributes: str
    """As they stand in the page."""


def words(html: str) -> str:
    """What a reader of the page sees, its spaces made one."""
    return " ".join(unescape(" ".join(it for it in pieces(html) if isinstance(it, str))).split())


def pieces(html: str) -> Iterator[str | Tag]:
    """The page's tags and the text between them, as it stands, in pieces; without comments, declarations, and what is
    in scripts and styles. What is not closed is left out to the end, as browsers do."""
    place, quotes_close = 0, True
    while (start := html.find("<", place)) >= 0:
        if start > place:
            yield html[place:start]
        if not _OPENS.match(html, start + 1):
            yield "<"
            place = start + 1
            continue
        if html.startswith("<!--", start):
            place = _after(html, "-->", start + 4)
        elif quotes_close and (whole := _TAG.match(html, start)):
            place = whole.end()
        else:
            quotes_close = quotes_close and html[start + 1] in "!?"  # looked for once: it takes up to all the rest
            place = _after(html, ">", start)
        if (named := _NAME.match(html, start)) and html[place - 1] == ">":
            yield Tag(named[2].lower(), bool(named[1]), html[named.end() : place - 1])
        if hidden := _HIDDEN.match(html, start):
            end = re.compile(f"</{hidden[1]}", re.IGNORECASE).search(html, place)
            place = end.start() if end else len(html)
    if place < len(html):
        yield html[place:]


def _after(html: str, end: str, start: int) -> int:
    found = html.find(end, start)
    return found + len(end) if found >= 0 else len(html)
