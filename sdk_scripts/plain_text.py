"""HTML -> the text a person reads in it, split at its headings."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape

from ml_backend.labeling.markup import pieces

_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_BLOCKS = frozenset({"p", "div", "li", "tr", "br", "ul", "ol", "table", "blockquote", "pre", "section", "article"})
_UNREAD = frozenset({"script", "style", "head", "title", "template"})


@dataclass(slots=True)
class Section:
    heading: str = ""
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def sections(html: str) -> list[Section]:
    """The text under each heading, in order; text above the first heading has an empty one."""
    reader = _Reader()
    for piece in pieces(html):
        if isinstance(piece, str):
            reader.text(piece)
        elif piece.closing:
            reader.end(piece.name)
        else:
            reader.start(piece.name)
    reader.end_line()
    return [section for section in reader.sections if section.heading or section.lines]


def plain_text(html: str) -> str:
    """All of it, one line a block."""
    return "\n".join(part for section in sections(html) for part in (section.heading, section.text) if part)


class _Reader:
    def __init__(self) -> None:
        self.sections = [Section()]
        self._line: list[str] = []
        self._unread = 0

    def start(self, tag: str) -> None:
        if tag in _HEADINGS or tag in _BLOCKS:
            self.end_line()
        elif tag in _UNREAD:
            self._unread += 1

    def end(self, tag: str) -> None:
        if tag in _HEADINGS:
            if heading := " ".join(self._taken().split()):
                self.sections.append(Section(heading))
        elif tag in _BLOCKS:
            self.end_line()
        elif tag in _UNREAD:
            self._unread = max(0, self._unread - 1)

    def text(self, text: str) -> None:
        if not self._unread:
            self._line.append(text)

    def end_line(self) -> None:
        for line in re.split(r"\n\s*\n", self._taken()):
            if text := " ".join(line.split()):
                self.sections[-1].lines.append(text)

    def _taken(self) -> str:
        text, self._line = unescape("".join(self._line)), []
        return text
