"""Text that others wrote, put where a model takes it for data: bounded, defused, and between delimiters that it cannot
contain.

    <<<5f3c9a1b2d4e6f70 item
    …
    5f3c9a1b2d4e6f70>>>

The code is made of the hash of everything that stands between such delimiters in one message. What a text could be
mistaken for (marks of a chat template, delimiters, characters that nobody sees) is replaced character by character, so
that a place in the defused text is the same place in the text itself.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

_MARKS = re.compile(r"<(?=[^\s\d=-])|(?<=<)<|>(?=>)|(?<=>)>|\[(?=/?[A-Z_]{3,}\])")
_LOOKS = {"<": "‹", ">": "›", "[": "〔"}
_UNSEEN = re.compile(  # but not the joiners within words and emojis
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)


def defused(text: str) -> str:
    """The text without what could be taken for something else; as long as it was."""
    return visible(_MARKS.sub(lambda mark: _LOOKS[mark[0]], text))


def visible(text: str) -> str:
    """The text with a blank for each character that nobody sees, line ends and tabs aside."""
    return _UNSEEN.sub(" ", text)


def code_of(texts: Iterable[str]) -> str:
    """16 hex digits that are in none of these texts."""
    known = list(texts)
    digest = hashlib.sha256("\0".join(known).encode("utf-8", "replace"))
    code = digest.hexdigest()[:16]
    while any(code in text for text in known):
        digest.update(b"again")
        code = digest.hexdigest()[:16]
    return code


def delimited(name: str, text: str, code: str) -> str:
    return f"<<<{code} {name}\n{text}\n{code}>>>"


def bounded(text: str, most: int) -> tuple[str, str]:
    """Its first `most` characters, and a sentence that says what is left out, empty where that is nothing."""
    left = len(text) - most
    return text[:most], f"(It goes on for {left} more characters, which are left out.)" if left > 0 else ""
