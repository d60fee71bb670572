"""No regular expression of the product takes hostile text for longer than its length allows."""

from __future__ import annotations

import importlib
import pkgutil
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

import ml_backend
import sdk_scripts

LONG = 20_000
CPU_SECONDS = 0.1
"""Of one expression and one text, which takes some milliseconds where time grows with the length."""
BOUNDED = {
    "ml_backend.labeling.markup._TAG": "words() tries it once where it does not end (test_markup.py)",
    "sdk_scripts.monitoring.alerts._EMAIL": "single words of a line of an alert, cut to its length before",
    "sdk_scripts.json_items._BETWEEN": "matched at one place, never looked for",
}
"""Expressions that need to be kept short by who uses them, and are."""
REPEATED = [
    *" \n\tA1<>\"'/.-_@#&{}[]()\\`*!,=:;+$~|あ",
    "a", "0.", "a.", "a@", "<a ", "<p ", "a-", "A1", "1,", "1 ", " x", "\r\n",
    " \n", "tiebreak: a (", "\ntiebreak: a", '<a "', "http://", "data:", ";a=", "a b ", "you ", "</", "${", "}  ", "_x",
]  # fmt: skip
STARTS = {
    "data:": "data:",
    "tiebreak": "tiebreak: a (",
    "policy": "tiebreak policy: {",
    "https": "https://",
    "<": "<p ",
}
"""What an expression that has the first in it is also given, before the repeated."""


class TooLong(Exception):
    pass


@contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    def end(_: int, __: FrameType | None) -> None:
        raise TooLong

    before = signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def expressions() -> dict[str, re.Pattern[str]]:
    """Those that stand in a module, alone or in a table, by name."""
    found: dict[str, re.Pattern[str]] = {}
    for package in (ml_backend, sdk_scripts):
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            for name, value in vars(importlib.import_module(info.name)).items():
                table = value.items() if isinstance(value, dict) else [("", value)]
                for key, held in table:
                    it = held[-1] if isinstance(held, tuple) and held else held
                    if isinstance(it, re.Pattern) and isinstance(it.pattern, str) and it not in found.values():
                        found[f"{info.name}.{name}{f'[{key}]' if key else ''}"] = it
    return found


def takes_too_long(it: re.Pattern[str]) -> list[str]:
    slow = []
    for start in ("", *(start for name, start in STARTS.items() if name in it.pattern)):
        for piece in REPEATED:
            text = f"{start}{piece * (LONG // len(piece))}\x01"
            try:
                with cpu_limit(CPU_SECONDS):
                    it.sub("", text)
                    it.fullmatch(text)
            except TooLong:
                slow.append(f"{start!r} and then many {piece!r}")
    return slow


def test_hostile_text_costs_an_expression_no_more_than_its_length() -> None:
    found = expressions()
    assert len(found) > 60
    assert set(BOUNDED) <= set(found)
    assert {name: slow for name, it in found.items() if name not in BOUNDED and (slow := takes_too_long(it))} == {}


def test_an_expression_whose_time_is_the_square_of_the_length_would_be_found() -> None:
    assert takes_too_long(re.compile("<[^>]*>"))


@pytest.mark.timeout(30)
def test_the_data_uri_of_an_image_is_read_in_the_time_its_length_takes() -> None:
    from ml_backend.images import Unreadable
    from ml_backend.images.sources import _inline

    with pytest.raises(Unreadable):
        _inline("data:" + "a" * 2_000_000)
