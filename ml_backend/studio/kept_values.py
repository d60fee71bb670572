"""What stood in Label Studio before Tiebreak changed it: for a while, for `tiebreak audit undo` alone.

    HOME/audit/undo/2026-11-26.jsonl    a line for each change, by the id that it has in the trail

Here, unlike in the trail, are values: label configs, answers, task data. So only the owner may read the files, they go
after DAYS, and what is larger than the limits below is not kept. Secrets never are: fields that hold them, and
addresses with a password.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

DAYS = 30
DAY_BYTES = 64_000_000
TOTAL_BYTES = 256_000_000
ENTRY_BYTES = 8_000_000
SECRET = ("headers", "basic_auth_pass", "extra_params", "password", "task_data_password", "token", "access_token")
ID = 12
"""Characters of an entry's id."""


class KeptValues:
    """Safe between threads and processes. Raises OSError where it cannot be written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, id: str, values: Mapping[str, Any]) -> bool:
        """Whether there was room for them. Values are JSON; secrets are left out here."""
        line = (json.dumps({"id": id, **_public(values)}, ensure_ascii=True, default=str) + "\n").encode()
        file = self.folder / f"{datetime.now(UTC):%Y-%m-%d}.jsonl"
        if not file.exists():
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._clear()
        if len(line) > ENTRY_BYTES or (file.exists() and file.stat().st_size + len(line) > DAY_BYTES):
            return False
        handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, line)
        finally:
            os.close(handle)
        return True

    def of(self, ids: Collection[str]) -> dict[str, dict[str, Any]]:
        """Those of these entries that are kept."""
        return dict(self._lines(ids))

    def _lines(self, ids: Collection[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        for file in self._files():
            with file.open(encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    id = line[8 : 8 + ID]  # {"id": "…
                    if id not in ids:
                        continue
                    try:
                        values = json.loads(line)
                    except ValueError:  # a full disk has cut it
                        continue
                    yield id, values

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("????-??-??.jsonl"))

    def _clear(self) -> None:
        """The oldest go, with the first change of a day."""
        last = f"{datetime.now(UTC) - timedelta(days=DAYS):%Y-%m-%d}"
        total = 0
        for file in reversed(self._files()):
            total += file.stat().st_size
            if file.stem < last or total > TOTAL_BYTES:
                file.unlink(missing_ok=True)


def without_secrets(fields: Mapping[str, Any]) -> dict[str, Any]:
    """An object's fields but those that hold a secret; whether there were headers is told."""
    told = {"headers_set": bool(fields["headers"])} if "headers" in fields else {}
    return told | {
        name: value for name, value in fields.items() if name not in SECRET and not (name == "url" and _key(value))
    }


def _public(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: without_secrets(value) if isinstance(value, Mapping) else value for name, value in values.items()}


def _key(url: Any) -> bool:
    try:
        return "@" in urlsplit(str(url)).netloc
    except ValueError:
        return True
