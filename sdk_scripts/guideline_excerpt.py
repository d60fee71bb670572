"""The part of a project's guidelines that speaks about the answers in dispute."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sdk_scripts.plain_text import Section, sections

MAX_EXCERPT = 800
"""Characters."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    heading: str
    text: str


def excerpt(instruction: str, words: Iterable[str]) -> Excerpt | None:
    """The section of the instruction (HTML, as Label Studio keeps it) that names most of the `words`; the earliest of
    equals. None where none is named."""
    patterns = [re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE) for word in dict.fromkeys(words) if word]
    best: tuple[int, int, Section] | None = None
    for section in sections(instruction):
        found = [pattern for pattern in patterns if pattern.search(section.heading) or pattern.search(section.text)]
        mentions = sum(len(pattern.findall(section.text)) for pattern in found)
        if found and (best is None or (len(found), mentions) > best[:2]):
            best = (len(found), mentions, section)
    if best is None:
        return None
    section = best[2]
    return Excerpt(section.heading, _window(section.lines, patterns))


def _window(lines: list[str], patterns: list[re.Pattern[str]]) -> str:
    """Whole lines from the first that names a word, as many as fit."""
    start = next((i for i, line in enumerate(lines) if any(pattern.search(line) for pattern in patterns)), 0)
    kept: list[str] = []
    for line in lines[start:]:
        if sum(map(len, kept)) + len(line) > MAX_EXCERPT:
            if not kept:
                kept.append(line[: MAX_EXCERPT - 1].rstrip() + "…")
            break
        kept.append(line)
    return "\n".join(kept)
