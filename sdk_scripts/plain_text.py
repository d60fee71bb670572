"""HTML -> the text a person reads in it, split at its headings."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

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
    reader.feed(html)
    reader.close()
    reader.end_line()
    return [section for section in reader.sections if section.heading or section.lines]


def plain_text(html: str) -> str:
    """All of it, one line a block."""
    return "\n".join(part for section in sections(html) for part in (section.heading, section.text) if part)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.sections = [Section()]
        self._line = ""
        self._unread = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HEADINGS or tag in _BLOCKS:
            self.end_line()
        elif tag in _UNREAD:
            self._unread += 1

    def handle_endtag(self, tag: str) -> None:
        if tag in _HEADINGS:
            if heading := " ".join(self._line.split()):
                self.sections.append(Section(heading))
            self._line = ""
        elif tag in _BLOCKS:
            self.end_line()
        elif tag in _UNREAD:
            self._unread = max(0, self._unread - 1)

    def handle_data(self, data: str) -> None:
        if not self._unread:
            self._line += data

    def end_line(self) -> None:
        for line in re.split(r"\n\s*\n", self._line):
            if text := " ".join(line.split()):
                self.sections[-1].lines.append(text)
        self._line = ""
