"""The secret of each project's webhook: who reads that of one project cannot speak for another.

    X-Tiebreak-Secret: 12.1795381865:<64 hex digits>    the project's key, and its HMAC-SHA256 (RFC 2104)

Everybody signed in to Label Studio may read the headers of a webhook, so the key of the HMAC comes from the setting by
a slow hash (scrypt, RFC 7914): a setting that is a word is not found by trying words against the header.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import cache

HEADER = "X-Tiebreak-Secret"


@cache
def _key(setting: str) -> bytes:
    return hashlib.scrypt(setting.encode(), salt=b"tiebreak webhooks", n=2**14, r=8, p=1, dklen=32)


class WebhookSecrets:
    """Of all projects, from one setting: TIEBREAK_WEBHOOK_SECRET, or without it TIEBREAK_BACKEND_PASSWORD."""

    def __init__(self, setting: str) -> None:
        self._key = _key(setting)

    def of(self, project_key: str) -> str:
        """What the header of the project's webhook says."""
        return f"{project_key}:{hmac.new(self._key, project_key.encode(), hashlib.sha256).hexdigest()}"

    def project_of(self, header: bytes) -> str | None:
        """The key of the project whose secret it is; None where it is nobody's. Compared in constant time."""
        named = header[:100].partition(b":")[0].decode("latin-1")
        return named if hmac.compare_digest(header, self.of(named).encode()) else None
