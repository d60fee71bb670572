"""Text of any language -> tokens that know where they stand, without a model or a dictionary.

A token is a word; one character of a script that does not divide words by spaces (Chinese, Japanese, Thai, Lao, Khmer,
Burmese) or whose particles grow onto words (Korean); an emoji with all that is joined to it; or one other sign.
Combining marks, joiners and other invisible signs belong to what they follow. This is finer than the word boundaries of
Unicode (UAX #29): words end at apostrophes and points, too, so that the brand in "Acme's" is a token of its own.

Every character but blanks is in exactly one token.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

Place = tuple[int, int]
"""Start and end, in code points."""

_UNSPACED = (
    "\u0e00-\u0edf\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
_SKIN = "\U0001f3fb-\U0001f3ff"
_FLAG = "[\U0001f1e6-\U0001f1ff]"
_EMOJI = "[\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
_ZWJ = "\u200d"


def tokens(text: str) -> list[Place]:
    """In order of place."""
    return [match.span() for match in _pattern().finditer(text)]


@lru_cache(maxsize=1)
def _pattern() -> re.Pattern[str]:
    categories = ("Mn", "Mc", "Me", "Cf")
    marks = _class(code for code in range(sys.maxunicode) if unicodedata.category(chr(code)) in categories)
    after = f"[{marks}{_SKIN}]*"
    letter = f"[^\\W_{_UNSPACED}]"
    emoji = f"{_EMOJI}{after}(?:(?<={_ZWJ}){_EMOJI}{after})*"
    return re.compile(f"[{_UNSPACED}]{after}|{letter}(?:{letter}|[{marks}])*|{_FLAG}{_FLAG}{after}|{emoji}|\\S{after}")


def _class(codes: Iterable[int]) -> str:
    """Code points as ranges of a character class."""
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"{re.escape(chr(first))}-{re.escape(chr(last))}" for first, last in ranges)
