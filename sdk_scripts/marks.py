"""How sync knows its own: a line `tiebreak: <name>` that survives renames.

A project bears it as the last line of its description, an ML backend likewise, a webhook in the header
`X-Tiebreak-Sync`, a view in its data. Whatever bears no mark was made by people and is never deleted; what sync found
and took over says `(adopted)` and is never deleted either.

Above a project's mark may stand lines `tiebreak hard cases: {JSON}`, its standard for hard cases (`standards`), and
`tiebreak policy: {JSON}`, who decides (`ml_backend.policy`), with the line that says why auto-accept stopped, and
`tiebreak quality: {JSON}`, what is watched in the labels (`quality`).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from pydantic import SecretStr

from ml_backend.policy import without_lines

NAME = r"[a-z0-9][a-z0-9_.-]{0,62}"
WEBHOOK_HEADER = "X-Tiebreak-Sync"
VIEW_KEY = "tiebreak"
MOST_A_BATCH = 2000

_LINE = re.compile(rf"^[ \t]*tiebreak: (?P<name>{NAME})(?: \((?P<notes>[^()\n]*)\))?[ \t]*$", re.MULTILINE)
_STANDARD = re.compile(r"^[ \t]*tiebreak hard cases:(?P<json>.*)$", re.MULTILINE)
_QUALITY = re.compile(r"^[ \t]*tiebreak quality:(?P<json>.*)$", re.MULTILINE)
_CREDENTIALS = re.compile(r"\bcredentials ([0-9a-f]{8})\b")
_LABELING = re.compile(r"\bbatch (\d{1,6}), exploration (0(?:\.\d{1,4})?|1)(?:, most annotations (\d{1,4}))?")


@dataclass(frozen=True)
class Labeling:
    """What is labelled next: kept in the project's mark, where workers read it."""

    batch: int = 200
    exploration: float = 0.1
    most_annotations: int | None = None

    def __str__(self) -> str:
        most = "" if self.most_annotations is None else f", most annotations {self.most_annotations}"
        return f"batch {self.batch}, exploration {self.exploration:g}{most}"


@dataclass(frozen=True)
class Mark:
    name: str
    adopted: bool = False
    credentials: str = ""
    """Fingerprint of the credentials that were set; Label Studio never gives a password back to compare."""
    labeling: Labeling | None = None

    def __str__(self) -> str:
        notes = [
            *(["adopted"] if self.adopted else []),
            *([f"credentials {self.credentials}"] if self.credentials else []),
            *([str(self.labeling)] if self.labeling else []),
        ]
        return f"tiebreak: {self.name}" + (f" ({', '.join(notes)})" if notes else "")


def read_mark(text: object) -> Mark | None:
    """The last mark in a text, or None."""
    lines = list(_LINE.finditer(text)) if isinstance(text, str) else []
    if not lines:
        return None
    found = lines[-1]
    notes = found["notes"] or ""
    credentials = _CREDENTIALS.search(notes)
    said = _LABELING.search(notes)
    labeling = _labeling(*said.groups()) if said else None
    return Mark(found["name"], "adopted" in notes, credentials[1] if credentials else "", labeling)


def _labeling(batch: str, exploration: str, most: str | None) -> Labeling:
    """Anybody may have edited the text, so the numbers stay within what a manifest may say."""
    return Labeling(min(max(int(batch), 1), MOST_A_BATCH), float(exploration), max(int(most), 1) if most else None)


def read_standard(text: object) -> str | None:
    """The JSON of the last line `tiebreak hard cases:` in a text, whatever stands there; None where there is none."""
    lines = list(_STANDARD.finditer(text)) if isinstance(text, str) else []
    return lines[-1]["json"].strip() if lines else None


def read_quality_line(text: object) -> str | None:
    """Likewise of `tiebreak quality:`."""
    lines = list(_QUALITY.finditer(text)) if isinstance(text, str) else []
    return lines[-1]["json"].strip() if lines else None


def unmarked(text: object) -> str:
    """A text without its mark lines: what people wrote."""
    return (
        without_lines(_QUALITY.sub("", _STANDARD.sub("", _LINE.sub("", text)))).strip() if isinstance(text, str) else ""
    )


def marked(
    text: str,
    mark: Mark,
    standard: str | None = None,
    policy: str | None = None,
    stop: str | None = None,
    quality: str | None = None,
) -> str:
    """A text with this mark, and no other, as its last line, below the lines of JSON that there are."""
    said = {"hard cases": standard, "quality": quality, "policy": policy, "auto-accept stopped": stop}
    lines = [*(f"tiebreak {name}: {json}" for name, json in said.items() if json is not None), str(mark)]
    written = unmarked(text)
    return "\n".join([written, "", *lines] if written else lines)


def credentials_fingerprint(name: str, user: str, password: SecretStr) -> str:
    """Eight hex digits that change with the credentials.

    Everybody signed in to Label Studio can read them, so they come from a slow hash (scrypt, RFC 7914) and are too few
    to tell a guessed password from 2^32 others.
    """
    salt = f"tiebreak\0{name}\0{user}".encode()
    return hashlib.scrypt(password.get_secret_value().encode(), salt=salt, n=2**14, r=8, p=1, dklen=4).hex()
