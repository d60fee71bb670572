"""Text -> tokens that know where they stand: offsets count code points of the text as it is, as Label Studio's do.

A token is a word, or one character where words are not divided by spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese)
or particles grow onto them (Korean), or one other sign. Its key is NFKC, case-folded and free of invisible joiners, so
that spellings that look alike are alike, while its offsets stay those of the raw text.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

_UNSPACED = (
    "\u0e00-\u0edf\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
_JOINERS = "\u00ad\u200b-\u200d\u2060\ufeff"
_HYPHENS = frozenset("-\u00ad\u2010\u2011\u2012\u2013\u2212")
_APOSTROPHES = {ord(it): "'" for it in "\u2018\u2019\u02bc\uff07`´"}
_UNSPACED_CHARACTER = re.compile(f"[{_UNSPACED}]")
_INVISIBLE = re.compile(f"[{_JOINERS}]")
_MARKS_END = 0x20000


@dataclass(frozen=True, slots=True)
class Tokens:
    """Columns of equal length."""

    text: str
    starts: list[int]
    ends: list[int]
    keys: list[str]
    hyphens: list[bool]
    """Whether it is a hyphen that holds two words together."""

    def __len__(self) -> int:
        return len(self.starts)

    def surface(self, token: int) -> str:
        return self.text[self.starts[token] : self.ends[token]]


def tokens(text: str) -> Tokens:
    places = [match.span() for match in _pattern().finditer(text)]
    starts, ends = [start for start, _ in places], [end for _, end in places]
    keys = [key_of(text[start:end]) for start, end in places]
    last = len(places) - 1
    hyphens = [
        text[start] in _HYPHENS
        and end - start == 1
        and 0 < i < last
        and ends[i - 1] == start
        and starts[i + 1] == end
        and text[start - 1].isalnum()
        and text[end].isalnum()
        for i, (start, end) in enumerate(places)
    ]
    return Tokens(text, starts, ends, keys, hyphens)


def unspaced(word: str) -> bool:
    """Whether it is of a script that does not divide words by spaces, or Korean."""
    return _UNSPACED_CHARACTER.match(word) is not None


@lru_cache(maxsize=65_536)
def key_of(word: str) -> str:
    """The spelling under which a word is known; never empty, and without blanks."""
    if word.isascii():
        return "'" if word == "`" else word.lower()
    plain = unicodedata.normalize("NFKC", word).translate(_APOSTROPHES).casefold()
    return "".join(_INVISIBLE.sub("", plain).split()) or word  # NFKC makes blanks of some accents


@lru_cache(maxsize=65_536)
def stem(key: str) -> str:
    """The key without the plural or third person it seems to have: a guess, only ever made for known phrases."""
    if len(key) < 4 or not key.isascii() or not key.isalpha() or key[-1] != "s" or key[-2:] in ("ss", "us", "is"):
        return key
    if key.endswith("ies") and len(key) > 4:
        return key[:-3] + "y"
    if key.endswith(("ses", "xes", "zes", "ches", "shes")):
        return key[:-2]
    return key[:-1]


@lru_cache(maxsize=1)
def _pattern() -> re.Pattern[str]:
    marks = "".join(_ranges([code for code in range(_MARKS_END) if unicodedata.category(chr(code))[0] == "M"]))
    word = f"[^\\W_{_UNSPACED}]"
    rest = f"[^\\W_{_UNSPACED}]|[{marks}{_JOINERS}]"
    return re.compile(f"[{_UNSPACED}][{marks}{_JOINERS}]*|{word}(?:{rest})*|\\S")


def _ranges(codes: list[int]) -> list[str]:
    """Code points as ranges of a character class."""
    found: list[list[int]] = []
    for code in codes:
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return [f"{re.escape(chr(first))}-{re.escape(chr(last))}" for first, last in found]
