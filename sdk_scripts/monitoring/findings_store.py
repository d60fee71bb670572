"""Where what is known of a project's findings is kept: beside the models, so that workers on all machines agree.

    inspections/<project>/standings.json          `findings_state.Standings`, as the last inspection left them
    inspections/<project>/alerts.json             `alerts.Told`, what people have been told of
    inspections/<project>/acknowledged/<id>.json  a file an acknowledgement: commands write them while workers inspect

All but the acknowledgements can be lost: the next inspection then takes every finding for new.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import structlog

from ml_backend.labeling.errors import UNREADABLE
from ml_backend.model_files import ModelFiles
from ml_backend.project_state import project_id_of
from sdk_scripts.monitoring.findings_state import Acknowledgement, Standings

if TYPE_CHECKING:
    from ml_backend.settings import Settings

log = structlog.stdlib.get_logger()


class FindingsStore:
    """Of one project. Raises InputError for what is no project key, ModelUnavailable where the storage does not
    answer. Standings and alerts have one writer at a time by a lease; each write is whole or not at all."""

    def __init__(self, settings: Settings, project_key: str) -> None:
        project_id_of(project_key)
        self.project_key = project_key
        self._files = ModelFiles(f"{settings.models}/inspections")

    def standings(self) -> Standings:
        """Empty before the first inspection, and where they are damaged."""
        read = self._read("standings.json")
        try:
            return Standings.from_json(read) if read else Standings()
        except UNREADABLE as error:
            log.error("what is known of findings is damaged", project=self.project_key, why=str(error))
            return Standings()

    def keep(self, standings: Standings) -> None:
        self._write("standings.json", standings.to_json())

    def told(self) -> Mapping[str, Any]:
        return self._read("alerts.json") or {}

    def keep_told(self, told: Mapping[str, Any]) -> None:
        self._write("alerts.json", told)

    def acknowledgements(self) -> dict[str, Acknowledgement]:
        """By key; damaged ones are left out."""
        found: dict[str, Acknowledgement] = {}
        for name in self._files.files(f"{self.project_key}/acknowledged"):
            if not name.endswith(".json"):
                continue
            try:
                it = Acknowledgement.from_json(self._read(f"acknowledged/{name}") or {})
            except ValueError as error:
                log.error("an acknowledgement is damaged", project=self.project_key, file=name, why=str(error))
                continue
            found[it.key] = it
        return found

    def acknowledge(self, it: Acknowledgement) -> None:
        name = hashlib.sha256(it.key.encode()).hexdigest()[:32]
        self._write(f"acknowledged/{name}.json", asdict(it))

    def _read(self, name: str) -> dict[str, Any] | None:
        content = self._files.read(f"{self.project_key}/{name}")
        try:
            read = json.loads(content) if content else None
        except (ValueError, RecursionError) as error:
            log.error("what is known of findings is damaged", project=self.project_key, file=name, why=str(error))
            return None
        return read if isinstance(read, dict) else None

    def _write(self, name: str, document: Mapping[str, Any]) -> None:
        content = json.dumps(document, ensure_ascii=False, sort_keys=True)
        self._files.write(f"{self.project_key}/{name}", content.encode())
