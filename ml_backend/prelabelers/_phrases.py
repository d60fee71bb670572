"""Where known phrases and forms stand in texts: the places that a span may have.

Phrases are kept as a sorted list, which is as good as a trie: a stretch of text is worth growing while some phrase
begins with it. So the cost of a text does not depend on how many phrases are known, but for the logarithm.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ml_backend.prelabelers._patterns import PATTERNS, matches
from ml_backend.prelabelers._tokens import Tokens, stem

MOST_TOKENS = 12
"""Of a phrase: longer spans are sentences, which do not come back."""
LOWER, UPPER, MIXED = 0, 1, 2
"""How an occurrence is written."""


@dataclass(frozen=True)
class Places:
    """m places in some texts, in order of text: columns of equal length."""

    text: np.ndarray
    start: np.ndarray
    end: np.ndarray
    """In code points."""
    phrase: np.ndarray
    """Its number in the phrase book; several may be at one place."""
    case: np.ndarray
    variant: np.ndarray
    """bool: found by another form of the phrase, such as its plural."""

    def __len__(self) -> int:
        return len(self.text)

    def take(self, rows: np.ndarray) -> Places:
        return Places(*(getattr(self, name)[rows] for name in ("text", "start", "end", "phrase", "case", "variant")))


@dataclass(frozen=True)
class PhraseBook:
    """What is looked for: the forms of `_patterns` first, then `phrases`, each the keys of its tokens with single
    blanks between them; those joined by a hyphen in the text it was learned from are in `hyphened` too, without it."""

    phrases: tuple[str, ...]
    hyphened: tuple[tuple[str, str], ...] = ()
    """("wifi", "wi fi"): how it may be written together."""

    def __len__(self) -> int:
        return len(PATTERNS) + len(self.phrases)

    @cached_property
    def _forms(self) -> dict[str, list[tuple[int, bool]]]:
        """How phrases may be written -> their numbers, and whether it is another form of them; the exact one first."""
        number = {phrase: i for i, phrase in enumerate(self.phrases, len(PATTERNS))}
        found = {phrase: [(i, False)] for phrase, i in number.items()}
        for together, phrase in self.hyphened:
            if phrase in number:
                found.setdefault(together, []).append((number[phrase], True))
        for phrase, i in number.items():
            found.setdefault(_with_stem(phrase, phrase[phrase.rfind(" ") + 1 :]), []).append((i, True))
        return found

    @cached_property
    def _first_tokens(self) -> set[str]:
        return {phrase.split(" ", 1)[0] for phrase in self._sorted}

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self._forms)

    def places(self, read: Sequence[Tokens]) -> Places:
        rows = [(number, *place) for number, words in enumerate(read) for place in self._in(words)]
        columns = np.array(rows, dtype=np.int64).reshape(len(rows), 6).T
        text, start, end, phrase, case, variant = columns
        return Places(text, start, end, phrase, case, variant.astype(bool))

    def _in(self, words: Tokens) -> Iterator[tuple[int, int, int, int, bool]]:
        for name, start, end in matches(words.text):
            yield start, end, _FORM[name], LOWER, False
        if not self.phrases:
            return
        for first in range(len(words)):
            for last, phrase, variant in self._from(words, first):
                start, end = words.starts[first], words.ends[last]
                yield start, end, phrase, case_of(words.text[start:end]), variant

    def _from(self, words: Tokens, first: int) -> Iterator[tuple[int, int, bool]]:
        spaced = together = words.keys[first]
        hyphen_next = first + 1 < len(words) and words.hyphens[first + 1]
        if words.hyphens[first] or not (hyphen_next or {spaced, stem(spaced)} & self._first_tokens):
            return
        known = self._sorted
        for last in range(first, min(len(words), first + MOST_TOKENS)):
            key = words.keys[last]
            if last > first:
                if words.hyphens[last]:
                    continue
                spaced = f"{spaced} {key}"
                together += key if words.hyphens[last - 1] else f" {key}"
            forms = [spaced]
            if together != spaced:
                forms.append(together)
            if (stemmed := _with_stem(spaced, key)) != spaced:
                forms.append(stemmed)
            seen: set[int] = set()
            for form in forms:
                for number, other in self._forms.get(form, ()):
                    if number not in seen:
                        seen.add(number)
                        yield last, number, other or form != spaced
            if not (_begins(known, spaced) or (together != spaced and _begins(known, together))):
                return


_FORM = {name: number for number, name in enumerate(PATTERNS)}


def phrase_of(words: Tokens, first: int, last: int) -> tuple[str, str]:
    """The phrase that tokens `first` to `last` (both included) are, and how it may be written together."""
    kept = [i for i in range(first, last + 1) if not words.hyphens[i]]
    spaced = " ".join(words.keys[i] for i in kept)
    together = "".join(words.keys[i] if i == first or words.hyphens[i - 1] else f" {words.keys[i]}" for i in kept)
    return spaced, together


def case_of(words: str) -> int:
    if words == words.lower():
        return LOWER
    return UPPER if len(words) > 1 and words == words.upper() else MIXED


def _with_stem(phrase: str, last: str) -> str:
    """The phrase, which ends with the token `last`, with that token's stem in its place."""
    return phrase if (short := stem(last)) == last else phrase[: len(phrase) - len(last)] + short


def _begins(known: list[str], beginning: str) -> bool:
    at = bisect_left(known, beginning)
    return at < len(known) and known[at].startswith(beginning)
