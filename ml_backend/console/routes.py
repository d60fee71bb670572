"""GET /console/ (the page), /console/state.json (what it shows), /console/reports/<project>/<id>/<file> (reports).

Everything here is for people who sign in: `Doorkeeper` asks for the backend's user and password. A backend that has
none answers 403, as labels, findings and e-mails are nobody's business who merely reaches the port.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version as package_version
from typing import Any

from fastapi import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ml_backend.console.pages import REPORT_POLICY, answer, static, tag
from ml_backend.console.state import State
from ml_backend.labeling.errors import TiebreakError
from ml_backend.report_history import ReportHistory
from ml_backend.settings import Settings

PATHS = ("/console/", "/console/state.json")
"""Told apart in metrics."""
POLL_SECONDS = 3.0
REPORT_SECONDS = 20.0
"""That a file of a report is waited for."""
AT_ONCE = 4
"""Reports being read: as many threads at the most."""
_REPORT_TYPES = {
    "report.html": "text/html; charset=utf-8",
    "report.xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "report.json": "application/json",
}
_OFF = {
    "detail": "The console is off: this backend asks nobody for a password.",
    "mend": "Set TIEBREAK_BACKEND_USER and TIEBREAK_BACKEND_PASSWORD, then run `tiebreak sync --apply`, which tells "
    "Label Studio.",
}
_BUSY = {"detail": "The storage of the reports does not answer.", "mend": "Try again, or check TIEBREAK_MODELS_URL."}
_NOTHING = {"detail": "There is nothing here.", "mend": "The console is at /console/."}


def console_routes(settings: Settings, state: State, pool: ThreadPoolExecutor) -> list[Route]:
    return _Console(settings, state, pool).routes()


class _Console:
    def __init__(self, settings: Settings, state: State, pool: ThreadPoolExecutor) -> None:
        self._settings = settings
        self._state = state
        self._pool = pool
        self._guarded = settings.backend_password is not None
        self._reading = 0

    def routes(self) -> list[Route]:
        return [
            Route("/console", self._guard(self.redirect)),
            Route("/console/", self._guard(self.page)),
            Route("/console/state.json", self._guard(self.state)),
            Route("/console/reports/{project}/{id}/{name}", self._guard(self.report)),
            Route("/console/{name:path}", self._guard(self.file)),
        ]

    def _guard(self, handler: Callable[[Request], Any]) -> Callable[[Request], Any]:
        async def guarded(request: Request) -> Response:
            if not self._guarded:
                return _refusal(403, _OFF)
            try:
                result: Response = await handler(request)
                return result
            except TiebreakError as error:
                return _refusal(error.status, {"detail": error.what, "mend": error.mend.strip()})
            except HTTPException as error:
                return _refusal(error.status_code, error.detail)

        return guarded

    async def redirect(self, _: Request) -> Response:
        return answer(b"", "text/plain", status=307, location="console/")

    async def page(self, _: Request) -> Response:
        return _file("index.html")

    async def file(self, request: Request) -> Response:
        return _file(request.path_params["name"])

    async def state(self, request: Request) -> Response:
        panels = {name: shown.to_json() for name, shown in (await self._state.refreshed()).items()}
        document = {"version": package_version("tiebreak"), "poll_seconds": POLL_SECONDS, "panels": panels}
        content = json.dumps(document, allow_nan=False, separators=(",", ":")).encode()
        etag = tag(content)
        if request.headers.get("if-none-match") == etag:
            return answer(b"", "application/json", status=304, etag=etag)
        return answer(content, "application/json", etag=etag)

    async def report(self, request: Request) -> Response:
        """report.html runs nothing (REPORT_POLICY); the others are downloads. Names that no report has are a 400."""
        project, id, name = (request.path_params[it] for it in ("project", "id", "name"))
        content = await self._read(project, id, name)
        if content is None:
            raise HTTPException(404, {"detail": "This report is no longer kept.", "mend": "Take one from the list."})
        if name == "report.html":
            return answer(content, _REPORT_TYPES[name], policy=REPORT_POLICY)
        file = f'attachment; filename="{project.partition(".")[0]}-{id}-{name}"'  # all three are checked by now
        return answer(content, _REPORT_TYPES[name], policy=REPORT_POLICY, content_disposition=file)

    async def _read(self, project: str, id: str, name: str) -> bytes | None:
        def read() -> bytes | None:
            return ReportHistory(self._settings, project).read(id, name)

        if self._reading >= AT_ONCE:
            raise HTTPException(503, _BUSY)
        self._reading += 1
        asked = asyncio.get_running_loop().run_in_executor(self._pool, read)
        asked.add_done_callback(self._read_one)
        try:
            return await asyncio.wait_for(asyncio.shield(asked), REPORT_SECONDS)
        except TimeoutError:
            raise HTTPException(503, _BUSY) from None

    def _read_one(self, _: object) -> None:
        self._reading -= 1


def _file(name: str) -> Response:
    found = static(name)
    return answer(*found) if found else _refusal(404, _NOTHING)


def _refusal(status: int, body: object) -> Response:
    return answer(json.dumps(body).encode(), "application/json", status=status)
