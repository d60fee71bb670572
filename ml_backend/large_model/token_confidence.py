"""How sure a model is of each value it gave, by the log-probabilities of its tokens.

A value is the product of its tokens, up to where the label is decided: after `"rej` only "reject" is left, and what
follows is spelling. Where ways on are listed (`top_logprobs`), each of them is worth its share for the labels that it
begins. Labels that begin alike ("all", "allow") are told apart by the longest token that begins them, which is how
tokenizers spell; where one token leads to several labels of which none was followed, each gets an equal part. What
leads to no label is not counted, as a schema would have kept it from being said.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ml_backend.labeling.errors import UNREADABLE
from ml_backend.labeling.kinds import kind_of
from ml_backend.large_model.forms import listed, one_of_them
from ml_backend.large_model.reading import Read
from ml_backend.large_model.schema import AnswerSchema

MOST_LABELS = 20
_ENDS = (b",", b"}", b"]", b"")


@dataclass(frozen=True, slots=True)
class Token:
    said: bytes
    probability: float
    others: Mapping[bytes, float] = field(default_factory=dict)
    """Every way on that is listed, itself too; empty where none is."""


@dataclass(frozen=True, slots=True)
class Sureness:
    confidence: float
    """Probability of the whole value, 0 to 1."""
    probabilities: Mapping[str, float]
    """By label name, the likeliest twenty; summing to 1 at most where one label is picked."""


def read_tokens(logprobs: Any, said: str) -> tuple[Token, ...]:
    """The tokens of `choices[].logprobs` of an OpenAI-compatible answer; none where they are not those of what was
    said, or anything about them is not as it should be."""
    items = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    try:
        tokens = tuple(map(_token, items)) if isinstance(items, list) else ()
    except UNREADABLE:
        return ()
    return tokens if b"".join(token.said for token in tokens) == said.encode("utf-8", "replace") else ()


def sureness(said: str, read: Read, schema: AnswerSchema, tokens: Sequence[Token]) -> dict[str, Sureness]:
    """By control, for those answers whose tokens are known."""
    if not tokens:
        return {}
    found = {}
    for name, value in read.values.items():
        start, end = (len(said[:place].encode("utf-8", "replace")) for place in (value.start, value.end))
        control = schema.controls[name]
        kind = kind_of(control)
        literals = {literal(it): str(it) for it in listed(control)}
        if literals and kind is not None and kind.name != "spans":
            if one_of_them(control):
                sure = _one(tokens, start, end, {**literals, b"null": ""})
            else:
                sure = _several(said, value.start, value.value, tokens, literals)
        else:
            sure = Sureness(_joint(tokens, start, end), {})
        if sure is not None:
            found[name] = sure
    return found


def literal(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def _one(tokens: Sequence[Token], start: int, end: int, literals: Mapping[bytes, str]) -> Sureness | None:
    shares = _shares(tokens, start, end, literals)
    if shares is None:
        return None
    said, by_literal = shares
    return Sureness(by_literal[said], _likeliest({literals[it]: share for it, share in by_literal.items()}))


def _several(
    said: str, start: int, value: Sequence[Any], tokens: Sequence[Token], literals: Mapping[bytes, str]
) -> Sureness | None:
    """A list: the product of its places, and of ending where it ends. A label that was not picked is as probable as at
    the place where it came closest."""
    place, confidence = start, 1.0
    probabilities: dict[str, float] = {}
    for item in value:
        words = json.dumps(item, ensure_ascii=False)
        place = said.find(words, place)
        if place < 0:
            return None
        first = len(said[:place].encode("utf-8", "replace"))
        place += len(words)
        shares = _shares(tokens, first, first + len(words.encode("utf-8", "replace")), literals)
        if shares is None:
            return None
        picked, by_literal = shares
        confidence *= by_literal[picked]
        for way, share in by_literal.items():
            probabilities[literals[way]] = max(share, probabilities.get(literals[way], 0.0))
    close = said.find("]", place)
    last = len(said[:close].encode("utf-8", "replace"))
    return Sureness(confidence * _joint(tokens, last, last + 1), _likeliest(probabilities))


def _shares(
    tokens: Sequence[Token], start: int, end: int, literals: Mapping[bytes, str]
) -> tuple[bytes, dict[bytes, float]] | None:
    """The literal said in these bytes, and how probable each was; None where it is none of them."""
    whole = b"".join(token.said for token in tokens)
    actual = whole[start:end]
    if actual not in literals:
        return None  # spelled with escapes
    left, reached, shares = set(literals), 1.0, dict.fromkeys(literals, 0.0)
    after = 0
    for token in tokens:
        place, after = after, after + len(token.said)
        if after <= start or len(left) == 1:
            continue
        lead, so_far = whole[place : max(place, start)], whole[start : max(place, start)]
        ways = {**token.others, token.said: token.probability}
        spelled = {way: so_far + way[len(lead) :] for way in ways if way.startswith(lead)}
        homes = {it: _home(it, spelled) for it in left}
        leading = {way: [it for it, home in homes.items() if home == way] for way in spelled}
        counted = sum(ways[way] for way, led in leading.items() if led or way == token.said)
        counted += max(0.0, 1.0 - sum(ways.values()))  # what is not listed may lead to labels, too
        for way, led in leading.items():
            for it in led if way != token.said else ():
                shares[it] += reached * ways[way] / counted / len(led)
        reached *= token.probability / counted if counted > 0 else 0.0
        left = {*leading[token.said], actual}
    shares[actual] += reached
    return actual, {it: min(1.0, share) for it, share in shares.items()}


def _home(literal: bytes, ways: Mapping[bytes, bytes]) -> bytes | None:
    """The longest way on that leads to the literal: it begins it, or ends it and closes what is around."""
    fitting = [
        way
        for way, spelled in ways.items()
        if literal.startswith(spelled)
        or (spelled.startswith(literal) and spelled[len(literal) :].lstrip()[:1] in _ENDS)
    ]
    return max(fitting, key=len, default=None)


def _joint(tokens: Sequence[Token], start: int, end: int) -> float:
    total, place = 0.0, 0
    for token in tokens:
        after = place + len(token.said)
        if place < end and after > start:
            total += math.log(max(token.probability, 1e-12))
        place = after
    return math.exp(total)


def _likeliest(probabilities: Mapping[str, float]) -> dict[str, float]:
    ranked = sorted((it for it in probabilities.items() if it[0] and it[1] > 0), key=lambda it: (-it[1], it[0]))
    return dict(ranked[:MOST_LABELS])


def _token(item: Mapping[str, Any]) -> Token:
    others = {_bytes(other): _probability(other) for other in item.get("top_logprobs") or ()}
    return Token(_bytes(item), _probability(item), others)


def _bytes(item: Mapping[str, Any]) -> bytes:
    """`bytes` where they are given: the text of half a character says nothing."""
    given = item.get("bytes")
    return bytes(given) if isinstance(given, list) else str(item["token"]).encode("utf-8", "replace")


def _probability(item: Mapping[str, Any]) -> float:
    logprob = float(item["logprob"])
    if math.isnan(logprob):
        raise ValueError("no log-probability")
    return min(1.0, math.exp(min(logprob, 0.0)))
