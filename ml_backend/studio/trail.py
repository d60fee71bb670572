"""Every change that Tiebreak asks of Label Studio, a line of JSON each: when, by whom, what, and what became of it.

    HOME/audit/2026-11.jsonl

Texts of tasks, answers and secrets are never in it: fields stand there by name, what was made by id and number. Each
machine has a trail of its own; a line is written at once, so that no two processes mix theirs.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from ml_backend.settings import private_folder

log = structlog.stdlib.get_logger()

BY: ContextVar[str] = ContextVar("BY", default="")
"""Who asks for it, where it is not the command this process was started as: the name of a job."""

_MOST_FIELDS = 40
_READING = re.compile(r"/api/projects/(validate/|\d+/exports/.*)")
"""What is no GET and changes nothing that anybody keeps."""
_NUMBERS = ("id", "task_count", "annotation_count", "prediction_count", "created", "processed_items", "count")


class Trail:
    """Safe between threads and processes. What cannot be written is logged, once, and stops nobody."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._told = False

    def note(self, method: str, path: str, params: Mapping[str, Any] | None, sent: Any, outcome: Any) -> None:
        """`sent` is the body as JSON value or bytes, `outcome` the answer as JSON value, or the error."""
        if method == "GET" or _READING.fullmatch(path):
            return
        now = datetime.now(UTC)
        entry = {
            "at": now.isoformat(timespec="milliseconds"),
            "by": BY.get() or " ".join(["tiebreak", *sys.argv[1:2]]),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "call": f"{method} {path}",
            "params": {str(name): str(value)[:100] for name, value in (params or {}).items()},
            "sent": _named(sent),
            "outcome": _outcome(outcome),
        }
        line = json.dumps(entry, ensure_ascii=True) + "\n"
        try:
            private_folder(self.folder)
            file = os.open(self.folder / f"{now:%Y-%m}.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(file, line.encode())
            finally:
                os.close(file)
        except OSError as error:
            if not self._told:
                log.error("the audit trail cannot be written", folder=str(self.folder), why=str(error))
            self._told = True

    def entries(self, *, since: str = "", project: int | None = None) -> Iterator[dict[str, Any]]:
        """The oldest first, from that time (ISO 8601) on; those of a project as far as the call names it. Lines that a
        full disk has cut are left out."""
        for file in sorted(self.folder.glob("[0-9]*-[0-9]*.jsonl")):
            if file.stem < since[:7]:
                continue
            with file.open(encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    entry = _read(line)
                    if entry and entry["at"] >= since and (project is None or _of(entry, project)):
                        yield entry


def _named(sent: Any) -> dict[str, Any]:
    if isinstance(sent, bytes):
        return {"bytes": len(sent)}
    if isinstance(sent, list):
        return {"items": len(sent)}
    if not isinstance(sent, Mapping):
        return {}
    named: dict[str, Any] = {"fields": sorted(map(str, sent))[:_MOST_FIELDS]}
    chosen = sent.get("selectedItems")
    if isinstance(chosen, Mapping) and isinstance(chosen.get("included"), list):
        named["ids"] = chosen["included"]
    if isinstance(sent.get("project"), int):
        named["project"] = sent["project"]
    return named


def _outcome(outcome: Any) -> dict[str, Any]:
    if isinstance(outcome, Exception):
        return {"ok": False, "error": type(outcome).__name__}
    made = outcome if isinstance(outcome, Mapping) else {}
    return {"ok": True} | {name: made[name] for name in _NUMBERS if isinstance(made.get(name), int)}


def _of(entry: Mapping[str, Any], project: int) -> bool:
    named = {str(entry["sent"].get("project", "")), str(entry["params"].get("project", ""))}
    path = re.match(r"\w+ /api/projects/(\d+)", entry["call"])
    return str(project) in named | ({path[1]} if path else set())


def _read(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and {"at", "call", "sent", "params", "outcome"} <= entry.keys() else None
