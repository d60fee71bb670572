"""Inputs nobody should send, a few in every run, as many as fit into FUZZ_SECONDS (a test) with `make fuzz`.

Without FUZZ_SECONDS the inputs are the same every time. With it they are new ones, and FUZZ_COUNTS names a file that
gets a line of JSON a test: target, engine, inputs, seconds, whether it crashed.
"""

from __future__ import annotations

import json
import os
import time
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz.settling import SECONDS

COUNTS = os.environ.get("FUZZ_COUNTS")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Again and again, each time with other inputs, until the time is up."""
    if not SECONDS or not hasattr(pyfuncitem.obj, "hypothesis"):
        return None
    asked = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    handle = pyfuncitem.obj.hypothesis
    inner, tried, began, crashed = handle.inner_test, 0, time.monotonic(), True

    @wraps(inner)
    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal tried
        tried += 1
        return inner(*args, **kwargs)

    handle.inner_test = counted
    try:
        while time.monotonic() - began < SECONDS:
            pyfuncitem.obj(**asked)
        crashed = False
    finally:
        handle.inner_test = inner
        if COUNTS:
            engine = getattr(pyfuncitem.module, "ENGINE", "hypothesis")
            line = [pyfuncitem.name.removeprefix("test_").replace("_", " "), engine, tried]
            with Path(COUNTS).open("a") as file:
                file.write(json.dumps([*line, round(time.monotonic() - began), int(crashed)]) + "\n")
    return True
