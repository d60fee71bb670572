"""Since when each version of a project's guidelines has held, kept beside the models.

    guidelines/<project>.json   [["<ISO 8601, UTC>", "<version>"], …], the oldest first

Label Studio keeps only the guidelines of today. Whoever looks at a project notes their version
(`cases.policy_version`), so a change is known as exactly as somebody looked; of the time before the first look nothing
is.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import structlog

from ml_backend.labeling.results import read_time
from ml_backend.model_files import ModelFiles
from ml_backend.project_state import project_id_of

log = structlog.stdlib.get_logger()


class GuidelineHistory:
    """On the URL of the models. Raises InputError for what is no project key, ModelUnavailable where the storage does
    not answer."""

    def __init__(self, url: str) -> None:
        self._files = ModelFiles(f"{url}/guidelines")

    def of(self, project_key: str) -> list[tuple[datetime, str]]:
        """Since when, and which version (empty: none), in order of time. A damaged one counts as none."""
        project_id_of(project_key)
        content = self._files.read(f"{project_key}.json")
        try:
            read = [(read_time(since), str(version)) for since, version in json.loads(content or b"[]")]
        except (ValueError, TypeError, RecursionError) as error:
            log.error("a project's guideline history is damaged", project=project_key, why=str(error))
            return []
        return sorted((since, version) for since, version in read if since is not None)

    def projects(self) -> list[str]:
        """The keys of those whose guidelines somebody has noted. Raises ModelUnavailable."""
        return [name.removesuffix(".json") for name in self._files.files("") if name.endswith(".json")]

    def note(self, project_key: str, version: str, at: datetime | None = None) -> bool:
        """The version that holds now, or since `at`; whether that was news."""
        known = self.of(project_key)
        if (known[-1][1] if known else None) == version:
            return False
        known.append((at or datetime.now(UTC), version))
        lines = [[since.isoformat(timespec="milliseconds"), version] for since, version in known]
        self._files.write(f"{project_key}.json", json.dumps(lines).encode())
        return True
