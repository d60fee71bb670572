from __future__ import annotations

import os
from pathlib import Path

import pytest

from ml_backend import processors as module
from ml_backend.processors import processors


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("5000 100000", 1),
        ("900000 100000", 8),
        ("max 100000", 8),
        ("", 8),
        (None, 8),
    ],
)
def test_a_container_uses_no_more_processors_than_its_limit(
    share: str | None, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(module, "SHARE", tmp_path / "cpu.max")
    if share is not None:
        (tmp_path / "cpu.max").write_text(f"{share}\n")
    assert processors() == expected
