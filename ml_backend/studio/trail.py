"""Every change that Tiebreak asks of Label Studio, a line of JSON each: when, by whom, what, and what became of it.

    HOME/audit/2026-11.jsonl

Texts of tasks, answers and secrets are never in it: fields stand there by name, what was made by id and number. What
an undo needs is in files of their own (`kept_values`). Each machine has a trail of its own; a line is written at once,
so that no two processes mix theirs.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from ml_backend.settings import private_folder
from ml_backend.studio.kept_values import ID, KeptValues

log = structlog.stdlib.get_logger()

BY: ContextVar[str] = ContextVar("BY", default="")
"""Who asks for it, where it is not the command this process was started as: the name of a job."""

UNDOES: ContextVar[str] = ContextVar("UNDOES", default="")
"""The id of the entry that is being undone."""

READING = "Tiebreak reads"
"""The title of an export that is there while tasks are read; of a view, with the time it was made (ISO 8601)."""

READING_VIEW = re.compile(rf"{READING} (\d{{4}}-\d\d-\d\dT\S+)")

_STARTED = time.time_ns()
_MOST_FIELDS = 40
_READING = re.compile(r"/api/projects/(validate/|\d+/exports/.*)")
"""What is no GET and changes nothing that anybody keeps."""
_NUMBERS = ("id", "task_count", "annotation_count", "prediction_count", "created", "processed_items", "count")


_SHAPE = {"at": str, "call": str, "sent": dict, "params": dict, "outcome": dict}


class Trail:
    """Safe between threads and processes. What cannot be written is logged, once, and stops nobody."""

    url = ""
    """Of the Label Studio that is changed, without credentials; set by the connection."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.values = KeptValues(folder / "undo")
        self._told = False

    def note(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None,
        sent: Any,
        outcome: Any,
        known: Mapping[str, Any] | None = None,
    ) -> None:
        """`sent` is the body as JSON value or bytes, `outcome` the answer as JSON value, or the error; `known` is what
        an undo needs beside them: `before`, the object as it was, or what the caller says of a bulk call."""
        if method == "GET" or _READING.fullmatch(path) or _to_read(sent) or _to_read((known or {}).get("before")):
            return
        now = datetime.now(UTC)
        by = BY.get() or " ".join(["tiebreak", *sys.argv[1:2]])
        entry = {
            "id": uuid.uuid4().hex[:ID],
            "run": hashlib.sha256(f"{socket.gethostname()} {os.getpid()} {_STARTED} {by}".encode()).hexdigest()[:8],
            "at": now.isoformat(timespec="milliseconds"),
            "by": by,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "studio": self.url,
            "call": f"{method} {path}",
            "params": {str(name): str(value)[:100] for name, value in (params or {}).items()},
            "sent": _named(sent),
            "outcome": _outcome(outcome),
        }
        if (project := _project(path, params, sent, outcome, known)) is not None:
            entry["project"] = project
        if UNDOES.get():
            entry["undoes"] = UNDOES.get()
        line = json.dumps(entry, ensure_ascii=True) + "\n"
        try:
            private_folder(self.folder)
            file = os.open(self.folder / f"{now:%Y-%m}.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(file, line.encode())
            finally:
                os.close(file)
            if (values := _values(method, sent, outcome, known)) and not self.values.keep(str(entry["id"]), values):
                log.warning("a change is too large to be undone", call=entry["call"], entry=entry["id"])
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
                    if entry and entry["at"] >= since and project in (None, entry["project"]):
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


def _to_read(view: Any) -> bool:
    data = view.get("data") if isinstance(view, Mapping) else None
    return isinstance(data, Mapping) and READING_VIEW.fullmatch(str(data.get("title"))) is not None


def _outcome(outcome: Any) -> dict[str, Any]:
    if isinstance(outcome, Exception):
        return {"ok": False, "error": type(outcome).__name__}
    made = outcome if isinstance(outcome, Mapping) else {}
    return {"ok": True} | {name: made[name] for name in _NUMBERS if isinstance(made.get(name), int)}


def _values(method: str, sent: Any, outcome: Any, known: Mapping[str, Any] | None) -> dict[str, Any]:
    """What an undo needs: nothing where nothing was changed."""
    if isinstance(outcome, Exception):
        return {}
    before = (known or {}).get("before")
    if isinstance(before, Mapping) and method == "PATCH" and isinstance(sent, Mapping):
        return {"before": {name: before.get(name) for name in sent}, "after": _as_stored(sent, outcome)}
    values = dict(known or {})
    if method == "POST" and isinstance(sent, Mapping) and "selectedItems" not in sent:
        values["after"] = _as_stored(sent, outcome)
    if isinstance(outcome, Mapping) and isinstance(outcome.get("task_ids"), list):
        values["task_ids"] = outcome["task_ids"]
    return values


def _as_stored(sent: Mapping[str, Any], answer: Any) -> dict[str, Any]:
    stored = answer if isinstance(answer, Mapping) else {}
    return {name: stored.get(name, value) for name, value in sent.items()}


def _project(
    path: str, params: Mapping[str, Any] | None, sent: Any, outcome: Any, known: Mapping[str, Any] | None
) -> int | None:
    if in_path := re.match(r"/api/projects/(\d+)", path):
        return int(in_path[1])
    if path == "/api/projects/":
        return outcome.get("id") if isinstance(outcome, Mapping) else None
    for place in (params, sent, outcome, (known or {}).get("before")):
        if isinstance(place, Mapping) and str(place.get("project")).isdecimal():
            return int(place["project"])
    return None


def _read(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict) or not all(isinstance(entry.get(name), kind) for name, kind in _SHAPE.items()):
        return None
    # what entries had not before Tiebreak could undo them
    id = hashlib.sha256(line.encode()).hexdigest()[:ID]
    project = _project(entry["call"].partition(" ")[2], entry["params"], entry["sent"], entry["outcome"], None)
    return {"id": id, "run": "", "project": project, **entry}
