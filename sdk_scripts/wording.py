"""Answers and counts in words, as people read them in reasons and reviews."""

from __future__ import annotations

from collections.abc import Mapping

from ml_backend.labeling.config import Control, LabelConfig
from ml_backend.labeling.kinds import Answer, kind_of, one_line

MAX_ANSWER = 60
"""Characters; a longer answer is cut."""


def short(text: str, length: int = MAX_ANSWER) -> str:
    """One line of at most `length` characters, none of them a control character."""
    return one_line(text, length)


def quoted(text: str, length: int = MAX_ANSWER) -> str:
    """Somebody's words between quotation marks, on one line."""
    inner = text.replace("“", "'").replace("”", "'")
    return f"“{short(inner, length)}”"


def show(control: Control, answer: Answer, length: int = MAX_ANSWER) -> str:
    """An answer on one line; "nothing" where it is empty."""
    kind = kind_of(control)
    return short(kind.show(answer) if kind else str(answer), length) or "nothing"


def show_key(control: Control, key: str, length: int = MAX_ANSWER) -> str:
    """The same for an answer's key."""
    kind = kind_of(control)
    return show(control, kind.from_key(key), length) if kind else short(key, length)


def about(config: LabelConfig, control: str, sentence: str) -> str:
    """The sentence, with the control's name before it where a task asks more than one thing."""
    return f"{control}: {sentence}" if len(config.answerable) > 1 else sentence


def votes(control: Control, counts: Mapping[str, int], most: int = 3) -> str:
    """ "2 of 3 say negative, 1 says positive": the most frequent of the answers (key -> judgements), then the rest."""
    total = sum(counts.values())
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    parts = []
    for position, (key, n) in enumerate(ranked[:most]):
        of = f" of {total}" if position == 0 else ""
        parts.append(f"{n}{of} {'says' if n == 1 else 'say'} {show_key(control, key)}")
    if rest := sum(n for _, n in ranked[most:]):
        answers = len(ranked) - most
        parts.append(f"{rest} {'gives' if rest == 1 else 'give'} {answers} other answer{'s' if answers > 1 else ''}")
    return ", ".join(parts)


def of_people(n: int, total: int, verb: str) -> str:
    """ "2 of 3 people skipped it" for the verb "skipped it"; "the only annotator …" where there is one."""
    return f"the only annotator {verb}" if n == total == 1 else f"{n} of {total} people {verb}"


def people_said(n: int, *, unanimous: bool) -> str:
    """ "the 3 annotators said", or whose consensus an answer is where they did not all say it."""
    if n == 1:
        return "the annotator said"
    return f"the {n} annotators said" if unanimous else f"the consensus of the {n} annotators is"
