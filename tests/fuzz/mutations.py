"""Inputs that are nearly right: real ones, with a few places spoilt.

content = data.draw(spoilt_bytes(EXPORTS))
document = data.draw(spoilt_json(TASKS))
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
RECORDED = {
    path.stem: json.loads(path.read_text("utf-8")) for path in (ROOT / "tests/contract/recorded").glob("*.json")
}
"""What a real Label Studio sent, by name."""
CONFIGS = tuple(path.read_text("utf-8") for path in sorted((ROOT / "label_configs").glob("*/config.xml")))

NASTY: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 5, 2**31, 2**63, -(2**63) - 1, 10**400, 0.1, -0.0, 1e308, -1e-320),
    *(float("nan"), float("inf"), float("-inf")),
    *(
        "",
        " ",
        "0",
        "NaN",
        "\ud800",
        "\x00",
        "\x1b[2J",
        "\u202etxt",
        "x" * 5_000,
        "../../etc/passwd",
        "=1+1",
        "<b>",
        "$text",
    ),
    *("2026-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1e999", "null"),
    *([], {}, [[]], [None], {"": {}}, [0] * 50, {"id": {"id": {"id": None}}}),
)
TOKENS = (
    *(b"", b"\x00", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\r", b"\n", b"\t", b"\\ud800", b"\\"),
    *(b'"', b"'", b"{", b"}", b"[", b"]", b",", b":", b"NaN", b"Infinity", b"-", b"1e999", b"9" * 5_000, b"null"),
    *(b"true", b"[" * 3_000, b'{"a":' * 3_000),
    *(b"<", b">", b"&", b"&amp;", b"&#0;", b"&#x110000;", b"]]>", b"<!--", b"-->", b"<![", b"<?", b"<!DOCTYPE x>"),
    *(b"<View>" * 300, b"/", b"$", b"%", b"<think>", b"</think>", b"```json"),
    *(
        b"- ",
        b": ",
        b"&a ",
        b"*a",
        b"!!python/object:os.system",
        b"!!binary x",
        b"%YAML 9.9",
        b"---\n",
        b"|\n",
        b"~",
        b"?",
    ),
    *(b"0x1F", b"1:30", b"&a;"),
)


@st.composite
def spoilt_bytes(draw: st.DrawFn, seeds: Sequence[bytes], tokens: Sequence[bytes] = TOKENS, most: int = 6) -> bytes:
    """One of the seeds, cut, doubled, overwritten, and with tokens of its grammar where they do not belong."""
    content = bytearray(draw(st.sampled_from(list(seeds))))
    for _ in range(draw(st.integers(0, most))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 40)))
        match draw(st.integers(0, 5)):
            case 0:
                content[start:end] = draw(st.sampled_from(list(tokens)))
            case 1:
                content[start:start] = content[start:end]
            case 2:
                del content[start:]
            case 3:
                content[start:end] = draw(st.binary(max_size=8))
            case 4:
                other = draw(st.sampled_from(list(seeds)))
                content[start:end] = other[start % (len(other) + 1) :][:200]
            case _:
                content[start:end] = draw(st.sampled_from(list(tokens))) + bytes(content[start:end])
    return bytes(content)


def spoilt_text(seeds: Sequence[str], tokens: Sequence[bytes] = TOKENS) -> st.SearchStrategy[str]:
    """The same as text; what is no UTF-8 stays there as halves of surrogate pairs."""
    encoded = [seed.encode("utf-8", "surrogatepass") for seed in seeds]
    return spoilt_bytes(encoded, tokens).map(lambda it: it.decode("utf-8", "surrogateescape"))


def spoilt_json(seeds: Sequence[Any], most: int = 5) -> st.SearchStrategy[Any]:
    """One of the documents with some values replaced, dropped, doubled, wrapped or swapped for another of its own."""

    def made(seed: Any, random: Random, times: int) -> Any:
        document = [copy.deepcopy(seed)]
        for _ in range(times):
            _spoil(document, random)
        return document[0]

    return st.builds(made, st.sampled_from(list(seeds)), st.randoms(use_true_random=False), st.integers(0, most))


def _spoil(document: list[Any], random: Random) -> None:
    places = list(_places(document))
    holder, key = random.choice(places)
    match random.randrange(6):
        case 0 | 1:
            holder[key] = copy.deepcopy(random.choice(NASTY))
        case 2 if holder is not document:
            del holder[key]
        case 3:
            holder[key] = [copy.deepcopy(holder[key]) for _ in range(random.randrange(3))]
        case 4:
            other, there = random.choice(places)
            holder[key] = copy.deepcopy(other[there])
        case 5 if isinstance(holder, list) and holder is not document:
            holder.insert(key, copy.deepcopy(holder[key]))
        case _ if isinstance(holder, dict):
            holder[random.choice(["", "id", "value", "\ud800", "result", "$", str(key).upper()])] = holder[key]


def _places(value: Any) -> Any:
    """(container, key) of everything inside, at most a few thousand."""
    waiting, found = [value], 0
    while waiting and found < 3_000:
        holder = waiting.pop()
        for key in list(holder) if isinstance(holder, dict) else range(len(holder)):
            yield holder, key
            found += 1
            if isinstance(holder[key], dict | list):
                waiting.append(holder[key])
