"""Words and phrases of a policy in texts: as whole words, whatever their case, Unicode form or hidden characters.

Scripts that put no spaces between words (Chinese, Japanese, Thai and others) are searched for the characters.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import polars as pl


@dataclass(frozen=True, slots=True)
class Risk:
    words: tuple[str, ...]
    """As the policy has them, the most severe first."""
    severity: float
    """Of the most severe."""


def risk_words(texts: Mapping[int, str], severity: Mapping[str, float]) -> dict[int, Risk]:
    """Task id -> which of these words its text has. `severity`: word or phrase -> severity."""
    by_pattern: dict[str, list[str]] = {}
    for word in severity:
        if pattern := _pattern(word):
            by_pattern.setdefault(pattern, []).append(word)
    if not by_pattern or not texts:
        return {}
    patterns = list(by_pattern)
    rows = pl.DataFrame({"task": list(texts), "text": [f" {plain(text)} " for text in texts.values()]})
    hits = rows.filter(pl.col("text").str.contains_any(patterns)).with_columns(
        pl.col("text").str.extract_many(patterns, overlapping=True).list.unique().alias("hit")
    )
    found = {}
    for task, hit in hits.select("task", "hit").iter_rows():
        words = sorted({word for it in hit for word in by_pattern[it]}, key=lambda word: (-severity[word], word))
        found[task] = Risk(tuple(words), severity[words[0]])
    return found


def plain(text: str) -> str:
    """Words in lower case with one space between them, and nothing else."""
    if text.isascii():
        return " ".join(text.lower().translate(_ASCII).split())
    shown = (it for it in unicodedata.normalize("NFKC", text).casefold() if unicodedata.category(it) != "Cf")
    return " ".join("".join(it if _in_word(it) else " " for it in shown).split())


_ASCII = str.maketrans({chr(code): " " for code in range(128) if not chr(code).isalnum()})
_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")


def _pattern(word: str) -> str:
    """The word between spaces; at an end that is of a script without spaces it may go on. "" where no word is left."""
    words = plain(word)
    if not words:
        return ""
    return f"{'' if _unspaced(words[0]) else ' '}{words}{'' if _unspaced(words[-1]) else ' '}"


@lru_cache(maxsize=10_000)
def _in_word(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character).startswith("M")


def _unspaced(character: str) -> bool:
    return unicodedata.name(character, "").startswith(_UNSPACED)
