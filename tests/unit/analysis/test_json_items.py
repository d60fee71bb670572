from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import ijson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdk_scripts import json_items

TEXTS = [
    *(
        b"[]",
        b"[ ]",
        b"[1]\n",
        b"[12,345,6]",
        b"[1.0, 1E5, -0.0]",
        b'[{"a":1,"a":2}]',
        b'[{"a":[1,2,"\xe0\xb8\x81"]} ]  ',
    ),
    *(
        b"[",
        b"[1",
        b"[1,",
        b"[1,]",
        b"[,1]",
        b"[1 2]",
        b"[]]",
        b"[1] x",
        b"[1]\n[2]",
        b"[1]\x00",
        b"[01]",
        b"[1.]",
        b"[NaN]",
    ),
    *(b'["\xff"]', b'["\xed\xa0\x80"]', b'["\x00"]', b'["a\tb"]', b'["\\/ \\x"]', b"[/*c*/1]", b"[1,\xa02]"),
    *(b'["\\ud83d\\ude00"]', b'["\\ud800x"]', b'["\\udc00"]', b'[1,"\\ud83d\\ude00\\ud83d"]', b'["a\\\\ud800"]'),
]


def _read(reader: Callable[[io.BytesIO], Iterator[Any]], text: bytes) -> tuple[str, str]:
    """The items, and what is wrong with the rest."""
    items = []
    try:
        for item in reader(io.BytesIO(text)):
            items.append(item)
    except (ijson.JSONError, UnicodeDecodeError) as error:
        return repr(items), f"{type(error).__name__}: {error}"
    return repr(items), ""


def _by_events(stream: io.BytesIO) -> Iterator[Any]:
    return iter(ijson.items(stream, "item", use_float=True))


@pytest.mark.parametrize("size", [1, 2, 7, 1 << 20])
@pytest.mark.parametrize("text", TEXTS)
def test_what_is_read_and_what_is_refused_is_what_ijson_says(
    text: bytes, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_items, "_READ", size)
    assert _read(json_items.json_items, text) == _read(_by_events, text)


@given(items=st.lists(st.recursive(st.none() | st.booleans() | st.text() | st.integers(-(2**63), 2**63 - 1), st.lists)))
def test_every_list_that_was_written_is_read_back(items: list[Any]) -> None:
    for ascii_only in (True, False):
        text = json.dumps(items, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
        assert _read(json_items.json_items, text) == (repr(items), "")


def test_an_item_longer_than_is_held_is_read_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_items, "_READ", 8)
    monkeypatch.setattr(json_items, "_LONGEST", 100)
    items = [1, "a" * 1_000, 2]
    assert list(json_items.json_items(io.BytesIO(json.dumps(items).encode()))) == items
