"""The reports of a project, kept beside the models, so that workers on all machines add to them and every backend
shows them.

    reports/<project>/<id>/report.html, report.xlsx, report.json
    reports/<project>/<id>/about.json   written last: a report without it is not there
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import structlog

from ml_backend.labeling.errors import InputError
from ml_backend.model_files import ModelFiles
from ml_backend.project_state import project_id_of

if TYPE_CHECKING:
    from ml_backend.settings import Settings

log = structlog.stdlib.get_logger()

NAMES = ("report.html", "report.xlsx", "report.json")
_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")


@dataclass(frozen=True, slots=True)
class Kept:
    """A report of the history, as lists show it."""

    id: str
    """Sorts by time."""
    made_at: str
    """ISO 8601, UTC."""
    why: str
    """What asked for it: schedule, labels, batch, webhook or command."""
    title: str = ""
    url: str | None = None
    """The project in Label Studio."""
    figures: Mapping[str, float | None] = field(default_factory=dict)
    """The headline figures by name, for trends."""


class ReportHistory:
    """Of one project. Raises InputError for what is no project key, ModelUnavailable where the storage does not
    answer."""

    def __init__(self, settings: Settings, project_key: str) -> None:
        project_id_of(project_key)
        self.project_key = project_key
        self._files = ModelFiles(f"{settings.models}/reports")

    def add(
        self,
        files: Mapping[str, bytes],
        *,
        why: str,
        title: str = "",
        url: str | None = None,
        figures: Mapping[str, float | None] | None = None,
    ) -> Kept:
        """Keep a report: its files by their names (NAMES). Killed in between, it is not there."""
        if unknown := files.keys() - set(NAMES):
            raise ValueError(f"no files of a report: {', '.join(sorted(unknown))}")
        now = datetime.now(UTC)
        id = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        kept = Kept(id, now.isoformat(timespec="seconds"), why, title, url, dict(figures or {}))
        for name, content in files.items():
            self._files.write(self._path(id, name), content)
        self._files.write(self._path(id, "about.json"), json.dumps(asdict(kept), ensure_ascii=False).encode())
        return kept

    def kept(self, most: int | None = None) -> list[Kept]:
        """The newest first, `most` of them; unfinished and damaged ones are left out."""
        return list(islice(self._whole(), most))

    def read(self, id: str, name: str) -> bytes | None:
        """A file of a report; None where it is not there. Raises InputError for names that no report has."""
        if not _ID.fullmatch(id) or name not in NAMES:
            raise InputError(f"There is no {name!r} of a report {id!r}.", mend="Take a report from the list.")
        return self._files.read(self._path(id, name))

    def newest(self) -> tuple[Kept, dict[str, Any]] | None:
        """The newest whole report, and what its report.json says."""
        for kept in self._whole():
            content = self.read(kept.id, "report.json")
            try:
                document = json.loads(content) if content else None
            except (ValueError, RecursionError):
                document = None
            if isinstance(document, dict):
                return kept, document
            log.error("a kept report is damaged", project=self.project_key, report=kept.id)
        return None

    def prune(self, keep: int) -> int:
        """Remove all but the newest `keep`, unfinished ones older than those, too; how many were removed."""
        ids = [id for id in reversed(self._files.folders(self.project_key)) if _ID.fullmatch(id)]
        whole = [id for id in ids if self._about(id) is not None]
        oldest = min(whole[:keep], default="") if whole else ""
        gone = [id for id in ids if id < oldest or id in whole[keep:]]
        for id in gone:
            self._files.remove(self._path(id, "about.json"))
            self._files.remove(f"{self.project_key}/{id}")
        return len(gone)

    def _whole(self) -> Iterator[Kept]:
        found = (self._about(id) for id in reversed(self._files.folders(self.project_key)) if _ID.fullmatch(id))
        return (it for it in found if it is not None)

    def _about(self, id: str) -> Kept | None:
        content = self._files.read(self._path(id, "about.json"))
        if content is None:
            return None
        try:
            kept = Kept(**json.loads(content))
            if not (isinstance(kept.figures, dict) and all(isinstance(it, str) for it in (kept.made_at, kept.why))):
                raise TypeError("its fields are not what they should be")
        except (ValueError, TypeError, RecursionError) as error:
            log.error("a kept report is damaged", project=self.project_key, report=id, why=str(error))
            return None
        return kept if kept.id == id else None

    def _path(self, id: str, name: str) -> str:
        return f"{self.project_key}/{id}/{name}"
