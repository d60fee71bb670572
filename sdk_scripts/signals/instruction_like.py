"""The item talks to whoever labels it: a person, or a model."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping

import polars as pl

from sdk_scripts import wording
from sdk_scripts.signals import Evidence, Findings, Suspicion, register

MAX_CHARACTERS = 20_000
"""Of a text; what stands further down is not read."""
QUOTED = 0.5
"""What a pattern between quotation marks counts: texts about such attacks quote them."""
LEAST = 0.5
"""Score from which on a policy counts a text as one: below, it merely quotes some."""

_LABELER = r"(?:annotators?|labell?ers?|moderators?|reviewers?|raters?|ai|llms?|model|assistant|chatbot|bot|classifier)"
_ORDERS = r"(?:instructions?|prompts?|rules|guidelines?|directions?|commands?|polic(?:y|ies))"
_MUST = r"(?:^|[.!?:;,\n] ?|\b(?:please|must|should|then|and|always|only|now) )"
PATTERNS: dict[str, tuple[float, str]] = {
    "tells its reader to ignore instructions": (
        0.8,
        r"\b(?:ignore|disregard|forget|override|bypass)\b[^.!?]{0,30}"
        rf"\b(?:previous|above|prior|preceding|earlier|foregoing)\b[^.!?]{{0,20}}\b{_ORDERS}\b"
        rf"|\b(?:ignore|disregard|override|bypass) (?:all )?(?:of )?your [^.!?]{{0,20}}\b{_ORDERS}\b"
        r"|忽略(?:之前|以上|先前|上面|所有)[^。！？\n]{0,10}(?:指令|指示|提示|规则)"
        r"|\bignor[ae]d? (?:todas )?(?:las|as) (?:instrucciones|instruções)"
        r"|\b(?:ignorez|oubliez) (?:toutes )?les (?:instructions|consignes)"
        r"|\b(?:ignoriere|vergiss) (?:alle )?(?:vorherigen|bisherigen|obigen) (?:anweisungen|regeln)",
    ),
    "asks for a label": (
        0.7,
        rf"{_MUST}(?:label|classify|mark|rate|categori[sz]e|tag|score) (?:this|the|my)"
        r"(?: (?:item|text|post|listing|message|review|comment|content|product))? as\b"
        rf"|{_MUST}(?:do not|don't) (?:flag|reject|report|moderate|label) (?:this|it|my)\b"
        rf"|{_MUST}(?:answer|respond|reply|output) (?:only )?with (?:only )?[\"'“‘]?"
        r"(?:yes|no|safe|ok|allow(?:ed)?|approved?|positive|negative|neutral)\b",
    ),
    "speaks to whoever labels it": (
        0.6,
        rf"\b(?:note|attention|message|hey|dear|instructions?)(?: (?:to|for))?(?: (?:the|all|any))? {_LABELER} ?[:,!]",
    ),
    "gives a model a part to play": (
        0.5,
        r"\byou are (?:now|no longer)(?: (?:a|an|the|my))?(?: \w+)?"
        r" (?:ai|assistant|model|chatbot|dan|gpt|unrestricted)\b"
        r"|\b(?:pretend to be|act as) [^.!?]{0,30}\b(?:ai|assistant|model|chatbot|dan|gpt|unrestricted)\b"
        r"|\b(?:reveal|print|repeat|show) [^.!?]{0,20}\b(?:system|hidden|initial) (?:prompt|instructions)\b",
    ),
    "has the marks of a chat with a model": (
        0.6,
        r"<\|(?:im_start|im_end|system|user|assistant|endoftext|eot_id)[^|]{0,20}\|>|\[/?INST\]|<</?SYS>>"
        r"|^#{2,3} ?(?:system|instructions?|new instructions)\b|^ ?system(?: prompt)? ?: ?you\b",
    ),
    "hides characters that only a machine reads": (0.8, "[\U000e0020-\U000e007f]{3,}"),
}
"""What it does -> how suspicious that is, 0–1, and how one knows it."""
_FOUND = {
    does: (score, re.compile(pattern, re.IGNORECASE | re.MULTILINE)) for does, (score, pattern) in PATTERNS.items()
}
_VERBS = ("label", "classify", "mark", "rate", "categorise", "categorize", "tag", "score")
_HINTS = [
    *("ignor", "disregard", "forget", "override", "bypass", "oubliez", "vergiss", "忽略"),
    *(f"{verb} {it}" for verb in _VERBS for it in ("this", "the", "my")),
    *(f"{it} {verb}" for it in ("not", "n't") for verb in ("flag", "reject", "report", "moderate", "label")),
    *(f"{verb} {it}" for verb in ("answer", "respond", "reply", "output") for it in ("with", "only")),
    *("note ", "attention", "message ", "hey ", "dear ", "instruction"),
    *("you are no", "pretend to be", "act as", "prompt", "<|", "inst]", "sys>>", "##", "system:", "system :"),
]
"""One of them is in every text that a pattern fits: most texts are passed over for having none."""
_HIDDEN = r"[\x{E0020}-\x{E007F}]"
_OPENING, _CLOSING = "\"'“‘«「`", "\"'”’»」`"


@register("instruction_like")
class InstructionLike:
    """How much the item's text is like instructions to its reader: to ignore the guidelines, to give a certain label,
    to play a part. Each of the PATTERNS found counts; two are more suspicious than one, by a noisy-or.

    0: nothing of the sort; 0.8: "ignore all previous instructions". Between quotation marks a pattern counts half, for
    texts about such attacks quote them; some will be suspected all the same, so this signal weighs little.

    Why care: such an item wants to be labelled by its own words. A language model may obey, and a model trained on its
    label learns what the sender wanted it to.
    """

    weight = 0.4

    def __call__(self, evidence: Evidence) -> dict[int, Suspicion]:
        found = Findings(evidence)
        for task, (score, detail) in instruction_like(evidence.texts).items():
            found.add_item(task, score, detail)
        return found.strongest


def instruction_like(texts: Mapping[int, str]) -> dict[int, tuple[float, str]]:
    """Task id -> how much its text is like an instruction (0-1, as the signal has it), and what it does, in words;
    others are left out."""
    rows = pl.DataFrame(
        {"task": list(texts), "text": [_plain(text) for text in texts.values()]},
        schema={"task": pl.Int64, "text": pl.String},
    )
    text = pl.col("text")
    hinted = text.str.contains_any(_HINTS, ascii_case_insensitive=True) | text.str.contains(_HIDDEN)
    found = {}
    for task, suspected in rows.filter(hinted).iter_rows():
        if signs := dict(_signs(suspected)):
            clear = 1.0
            for score, _ in signs.values():
                clear *= 1 - score
            does, (_, words) = max(signs.items(), key=lambda item: (item[1][0], item[0]))
            shown = f": {wording.quoted(words)}" if words.isprintable() else ""
            found[task] = 1 - clear, f"the text {does}{shown}"
    return found


def _plain(text: str) -> str:
    """One blank where a pattern has one, and no hidden characters but those that are looked for."""
    text = text[:MAX_CHARACTERS]
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).replace("’", "'")
        text = "".join(it for it in text if unicodedata.category(it) != "Cf" or "\U000e0020" <= it <= "\U000e007f")
    return "\n".join(line for part in text.splitlines() if (line := " ".join(part.split())))


def _signs(text: str) -> Iterator[tuple[str, tuple[float, str]]]:
    """What the text does -> how suspicious that is, and the words."""
    for does, (score, pattern) in _FOUND.items():
        if match := pattern.search(text):
            before, after = text[: match.start()].rstrip()[-1:], text[match.end() :].lstrip(" .!?,")[:1]
            inside = bool(before) and before in _OPENING and bool(after) and after in _CLOSING
            yield does, (score * QUOTED if inside else score, match[0].strip(" .!?:;,\n"))
