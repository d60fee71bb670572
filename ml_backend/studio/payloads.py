"""What is sent as JSON, and whether it was stored as it was sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ml_backend.labeling.errors import InputError
from ml_backend.studio.refusals import plain


def encode(value: Any) -> bytes:
    """JSON as Label Studio takes it. Raises InputError for what JSON cannot say (NaN, sets, …)."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError) as error:  # a lone surrogate is a ValueError, too
        raise InputError(f"This cannot be sent as JSON: {plain(error)}.") from None


def differing(sent: Mapping[str, Any], stored: Mapping[str, Any], *, secret: tuple[str, ...] = ()) -> list[str]:
    """Names of the fields that Label Studio did not store as sent. Fields it never shows are `secret`."""
    return [name for name, value in sent.items() if name not in secret and not _same(value, stored.get(name))]


def _same(sent: Any, stored: Any) -> bool:
    if isinstance(sent, Mapping):
        return isinstance(stored, Mapping) and all(_same(value, stored.get(key)) for key, value in sent.items())
    if isinstance(sent, list | tuple):
        return isinstance(stored, list) and len(sent) == len(stored) and all(map(_same, sent, stored))
    if isinstance(sent, str) and isinstance(stored, str):
        return sent.replace("\r\n", "\n").strip() == stored.replace("\r\n", "\n").strip()
    return sent == stored or (sent in (None, "") and stored in (None, ""))
