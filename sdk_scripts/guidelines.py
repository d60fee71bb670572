"""Guidelines: Markdown -> the HTML of Label Studio's instructions, safely.

HTML in the Markdown is shown as text, links lead to http(s), mail or an anchor, and nothing is written that Label
Studio would drop (it keeps some attributes only), so that what is read back can be compared with what was sent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import unescape
from typing import Any

from ml_backend.labeling.markup import Tag, pieces

_KEPT_ATTRIBUTES = frozenset({"href", "src", "alt", "title", "align", "class"})
_LINK = re.compile(r"^(?:https?://|mailto:|#)", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([^\s"'>/=]++)(?:\s*+=\s*+(?:"([^"]*)"|'([^']*)'|([^\s"'>]++)))?""")
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
    parts: list[object] = []
    text: list[str] = []
    for piece in (*pieces(html), Tag("", True, "")):
        if isinstance(piece, str):
            text.append(piece)
            continue
        if said := " ".join(unescape("".join(text)).split()):
            parts.append(said)
        text = []
        if not piece.closing:
            found = ((name.lower(), unescape("".join(value))) for name, *value in _ATTRIBUTE.findall(piece.attributes))
            parts.append((piece.name, *sorted(it for it in found if it[0] in _KEPT_ATTRIBUTES)))
        elif piece.name not in _VOID:
            parts.append(f"/{piece.name}")
    return parts
