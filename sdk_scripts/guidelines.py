"""Guidelines: Markdown -> the HTML of Label Studio's instructions, safely.

HTML in the Markdown is shown as text, links lead to http(s), mail or an anchor, and nothing is written that Label
Studio would drop (it keeps some attributes only), so that what is read back can be compared with what was sent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Any

_KEPT_ATTRIBUTES = frozenset({"href", "src", "alt", "title", "align", "class"})
_LINK = re.compile(r"^(?:https?://|mailto:|#)", re.IGNORECASE)
_VOID = frozenset({"br", "hr", "img", "col", "wbr"})
MAX_CHARACTERS = 500_000


def instructions_html(markdown: str) -> str:
    """CommonMark with tables and strikethrough, as HTML. Raw HTML stays text."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "linkify": False, "xhtmlOut": False})
    parser.enable(["table", "strikethrough"])
    parser.validateLink = lambda url: bool(_LINK.match(url))  # type: ignore[method-assign]  # its documented hook
    tokens = parser.parse(markdown)
    _mend_attributes(tokens)
    return str(parser.renderer.render(tokens, parser.options, {})).strip()


def same_html(left: str, right: str) -> bool:
    """Whether two HTML texts say the same: quoting, entities, unknown attributes and the space between tags aside."""
    return _canonical(left) == _canonical(right)


def _mend_attributes(tokens: Sequence[Any]) -> None:
    for token in tokens:
        align = re.search(r"text-align:\s*(left|right|center)", str(token.attrs.get("style", "")))
        token.attrs = {key: value for key, value in token.attrs.items() if key in _KEPT_ATTRIBUTES}
        if align:
            token.attrs["align"] = align[1]
        _mend_attributes(token.children or ())


def _canonical(html: str) -> list[object]:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.parts


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[object] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.parts.append((tag, *sorted((k, v or "") for k, v in attrs if k in _KEPT_ATTRIBUTES)))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            self.parts.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.parts.append(" ".join(data.split()))
