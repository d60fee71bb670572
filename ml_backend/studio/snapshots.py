"""Many tasks through export snapshots: two to three times as fast as their pages.

Label Studio writes a snapshot to a file of its own, in one transaction, and while that lasts nobody can save an
annotation where it runs on SQLite: so there is one for each SLICE of tasks. It is fetched to a temporary file, checked,
and deleted over there. Only then its first task is given out, so a caller may turn to the pages where it fails.

The tasks of a slice are those of a view that is there for a moment: exports by id leave a file each on the server for
good.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import IO, Any

import httpx

from ml_backend.labeling.errors import StudioError, StudioNotFound
from ml_backend.studio.refusals import plain
from ml_backend.studio.trail import READING, READING_VIEW
from ml_backend.studio.views import Views

SECONDS = 1800.0
"""The most that writing a snapshot may take: 2 ms a task with three annotations on a quiet machine."""
CHUNK = 1_000_000
SLICE = 500
OPTIONS = {
    "predictions": {"only_id": False},
    "drafts": {"only_id": True},
    "annotations__completed_by": {"only_id": True},
}


class Snapshots(Views):
    def _snapshot(self, project: int, ids: Sequence[int]) -> Iterator[dict[str, Any]]:
        """These tasks, those that are still there, in full, in order of id. Raises StudioError, before the first, where
        that fails."""
        wanted = set(ids)  # of a view that somebody has deleted meanwhile Label Studio gives every task
        with tempfile.TemporaryFile() as file:
            with self._view_of(project, ids) as view:
                count = self._export(project, view, file)
            places = sorted(_places(file))
            if len({id for id, _, _ in places}) != count:
                raise StudioError(f"A snapshot of project {project} holds {len(places)} of {count} tasks.")
            for id, start, length in places:
                if id in wanted:
                    file.seek(start)
                    yield json.loads(file.read(length))

    def _export(self, project: int, view: int, file: IO[bytes]) -> int:
        """How many tasks Label Studio says it has written."""
        made = self._call(
            "POST",
            f"/api/projects/{project}/exports/",
            json={"title": READING, "serialization_options": OPTIONS, "task_filter_options": {"view": view}},
            timeout=SECONDS,
            what=f"project {project}",
        )
        path = f"/api/projects/{project}/exports/{made['id']}"
        try:
            done = self._finished(path)
            self._fetch(f"{path}/download", file, done["md5"])
        finally:
            with suppress(StudioError):
                self._call("DELETE", path)
        return int(done["counters"]["task_number"])

    @contextmanager
    def _view_of(self, project: int, ids: Sequence[int]) -> Iterator[int]:
        """One that a killed reader left is removed, too."""
        now = datetime.now(UTC)
        for view in self.views(project):
            if _left(str(view["data"].get("title")), now):
                self._remove(view)
        condition = {"filter": "filter:tasks:id", "operator": "in_list", "type": "List", "value": list(ids)}
        filters = {"conjunction": "and", "items": [condition]}
        view = self.create_view(project, {"title": f"{READING} {now.isoformat()}", "filters": filters})
        try:
            yield int(view["id"])
        finally:
            self._remove(view)

    def _remove(self, view: Mapping[str, Any]) -> None:
        with suppress(StudioNotFound):
            self._call("DELETE", f"/api/dm/views/{view['id']}/", known={"before": view})

    def _finished(self, path: str) -> dict[str, Any]:
        """It is finished with the call, but where Label Studio has a Redis of its own."""
        deadline = time.monotonic() + SECONDS
        while True:
            export = self._get(path)
            if export["status"] == "completed":
                return export
            if export["status"] == "failed" or time.monotonic() > deadline:
                raise StudioError(f"Label Studio at {self._shown} could not write a snapshot ({export['status']}).")
            time.sleep(0.5)

    def _fetch(self, path: str, file: IO[bytes], md5: str) -> None:
        digest = hashlib.md5(usedforsecurity=False)
        options = {"timeout_in_seconds": self.timeout, "max_retries": 0}
        http = self._client()._client_wrapper.httpx_client
        try:
            with http.stream(path, method="GET", params={"exportType": "JSON"}, request_options=options) as response:
                for chunk in response.iter_bytes(CHUNK) if response.status_code == 200 else ():
                    digest.update(chunk)
                    file.write(chunk)
        except httpx.HTTPError as error:
            raise StudioError(f"A snapshot broke off: {plain(error, self._token)}.") from None
        if digest.hexdigest() != md5:
            raise StudioError(f"A snapshot of Label Studio at {self._shown} came damaged ({response.status_code}).")


def _left(title: str, now: datetime) -> bool:
    """Whether it is a reader's view that was made an hour ago or earlier; people's views stay, whatever their title."""
    made = READING_VIEW.fullmatch(title)
    try:
        return made is not None and now - datetime.fromisoformat(made[1]) > timedelta(hours=1)
    except (ValueError, TypeError):
        return False


def _places(file: IO[bytes]) -> Iterator[tuple[int, int, int]]:
    """Id, first byte and number of bytes of each object in a JSON list, reading a megabyte at a time."""
    file.seek(0)
    decode = codecs.getincrementaldecoder("utf-8")().decode
    scan = json.JSONDecoder().raw_decode
    text, at, start = "", 0, 0  # `start` is the byte at which text[at:] begins
    while chunk := file.read(CHUNK):
        text, at = text[at:] + decode(chunk), 0
        while True:
            while at < len(text) and text[at] in "[, \r\n\t":
                at, start = at + 1, start + 1
            if at == len(text) or text[at] == "]":
                break
            try:
                task, end = scan(text, at)
            except ValueError:
                break  # the rest of it comes with the next chunk
            length = len(text[at:end].encode())
            yield task["id"], start, length
            at, start = end, start + length
    if text[at:].strip() != "]":
        raise StudioError("A snapshot of Label Studio ends in the middle.")
