"""The forms of everything that Tiebreak keeps, and what becomes of it with a Tiebreak of another version.

    HOME/format.json, and in a storage of models that is elsewhere: {"format": 1, "tiebreak": "0.1.0"}

says which FORMAT the newest Tiebreak that wrote there has. An older one refuses to work on it rather than take what it
does not know for damaged, and write over it. FORMAT is raised when an older Tiebreak could not read what is kept, or
would lose some of it; fields that it may pass over do not count. A newer Tiebreak reads what older ones left: tests
load what they really wrote.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ml_backend.labeling.errors import ConfigError, ModelUnavailable
from ml_backend.model_files import ModelFiles

if TYPE_CHECKING:
    from ml_backend.settings import Settings

FORMAT = 1
NAME = "format.json"


@dataclass(frozen=True)
class Part:
    """`where` it lies, and what its own number is (`own`), if it has one; `unread`: what is done with what is damaged,
    or of a form that is not known."""

    where: str
    unread: str
    own: str = ""
    lost: bool = True
    """Whether it can be lost: it comes again from Label Studio, or costs time or money alone."""


PARTS: dict[str, Part] = {
    "model versions": Part("models/<project>/<version>/", "passed over: trained anew", "ml_backend.model_format"),
    "live version": Part("models/<project>/live.json, live/", "refused, with its file", lost=False),
    "briefs": Part("models/<project>/brief.json", "written anew by the next job"),
    "trust in the large model": Part("models/<project>/trust.json", "learned anew"),
    "answers of the large model": Part("models/answers/", "asked again"),
    "findings": Part("models/inspections/<project>/standings.json, alerts.json", "every finding counts as new"),
    "acknowledgements": Part("models/inspections/<project>/acknowledged/", "left out, and logged", lost=False),
    "guideline history": Part("models/guidelines/", "begun anew, and logged", lost=False),
    "reports": Part("models/reports/", "left out of the history, and logged", lost=False),
    "snapshots": Part("snapshots/<project>/index.json", "read anew from Label Studio", "sdk_scripts.snapshots.kept"),
    "vectors": Part("vectors/*.sqlite", "set aside, computed anew"),
    "converted encoders": Part("encoders/", "converted anew"),
    "backups": Part("backups/", "refused where newer", "sdk_scripts.backup", lost=False),
    "audit trail": Part("audit/*.jsonl", "lines passed over", lost=False),
    "values for undo": Part("audit/undo/*.jsonl", "said not to be undoable"),
    "queues": Part("Redis, tiebreak:* and rq:*", "jobs are asked for again by the reconciler"),
    "marks in Label Studio": Part(
        "descriptions of projects, data and meta of tasks", "refused, or left alone", lost=False
    ),
}


def claim(settings: Settings) -> None:
    """Sees that a newer Tiebreak has not been here, and says that this one is. Raises ConfigError where one has."""
    home = settings.home.absolute()
    if home.is_dir():
        _claim(ModelFiles(str(home)), f"{home} (TIEBREAK_HOME)")
    if settings.models_url:
        _claim(ModelFiles(settings.models_url), "The storage that TIEBREAK_MODELS_URL names")


def _claim(files: ModelFiles, where: str) -> None:
    try:
        found = _read(files.read(NAME))
        if found.get("format", 0) > FORMAT:
            raise ConfigError(
                f"{where} was written by Tiebreak {found.get('tiebreak', '')}, in format {found['format']}; this one, "
                f"{version('tiebreak')}, knows up to {FORMAT} and would damage it.",
                mend="Update Tiebreak, or give this one a place of its own.",
            )
        if found.get("format", 0) < FORMAT:
            files.write(NAME, json.dumps({"format": FORMAT, "tiebreak": version("tiebreak")}).encode())
    except ModelUnavailable:  # read-only, or away: who needs it says so
        return


def _read(content: bytes | None) -> dict[str, Any]:
    """Empty where there is none, or no number in it."""
    try:
        found = json.loads(content or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("format"), int) else {}
