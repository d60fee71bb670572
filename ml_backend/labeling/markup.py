"""The words of HTML, in time that grows with its length whatever it is: the standard library's parser takes a minute
for 200 KB of unclosed tags, and fails on some declarations."""

from __future__ import annotations

import re
from html import unescape

_TAG = re.compile(r"""</?[a-z](?:[^>"']|"[^"]*"|'[^']*')*+>""", re.IGNORECASE)
_OPENS = re.compile(r"[a-z/!?]", re.IGNORECASE)
_HIDDEN = re.compile(r"<(script|style)\b", re.IGNORECASE)


def words(html: str) -> str:
    """What a reader of the page sees: text without tags, comments, scripts and styles, its spaces made one. What is
    not closed is left out to the end, as browsers do."""
    seen: list[str] = []
    place, quotes_close = 0, True
    while (tag := html.find("<", place)) >= 0:
        seen.append(html[place:tag])
        if not _OPENS.match(html, tag + 1):
            seen.append("<")
            place = tag + 1
            continue
        if html.startswith("<!--", tag):
            place = _after(html, "-->", tag + 4)
        elif quotes_close and (whole := _TAG.match(html, tag)):
            place = whole.end()
        else:
            quotes_close = quotes_close and html[tag + 1] in "!?"  # looked for once: each time takes up to all the rest
            place = _after(html, ">", tag)
        if hidden := _HIDDEN.match(html, tag):
            end = re.compile(f"</{hidden[1]}", re.IGNORECASE).search(html, place)
            place = end.start() if end else len(html)
    seen.append(html[place:])
    return " ".join(unescape(" ".join(seen)).split())


def _after(html: str, end: str, start: int) -> int:
    found = html.find(end, start)
    return found + len(end) if found >= 0 else len(html)
