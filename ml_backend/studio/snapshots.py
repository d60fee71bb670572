"""A whole project, or its labelled tasks, through an export snapshot: two to three times as fast as its pages.

Label Studio writes the snapshot to a file of its own, in one transaction; it is fetched to a temporary file, checked,
and deleted over there. Only then the first task is given out, so a caller may turn to the pages where it fails.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, Any

import httpx

from ml_backend.labeling.errors import StudioError
from ml_backend.studio.connection import Connection
from ml_backend.studio.refusals import plain

SECONDS = 1800.0
"""The most that writing a snapshot may take: 2 ms a task with three annotations on a quiet machine."""
CHUNK = 1_000_000
OPTIONS = {
    "predictions": {"only_id": False},
    "drafts": {"only_id": True},
    "annotations__completed_by": {"only_id": True},
}


class Snapshots(Connection):
    def _snapshot(self, project: int, *, view: int | None = None, labelled: bool = False) -> Iterator[dict[str, Any]]:
        """Every task of the project, or of a view of it, or those with an annotation that was not skipped, in full, in
        order of id. Raises StudioError, before the first, where that fails. Of a view that is not there (any more)
        Label Studio gives every task."""
        only: dict[str, int | str] = {} if view is None else {"view": view}
        if labelled:
            only["annotated"] = "only"
        with tempfile.TemporaryFile() as file:
            made = self._call(
                "POST",
                f"/api/projects/{project}/exports/",
                json={"title": "Tiebreak reads", "serialization_options": OPTIONS, "task_filter_options": only},
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
            places = sorted(_places(file))
            if len({id for id, _, _ in places}) != done["counters"]["task_number"]:
                raise StudioError(
                    f"A snapshot of project {project} holds {len(places)} of {done['counters']['task_number']} tasks."
                )
            for _, start, length in places:
                file.seek(start)
                yield json.loads(file.read(length))

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
