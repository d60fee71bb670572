"""The page's own files, and the headers that keep everything below /console to itself.

No script but ours runs, nothing is fetched from elsewhere, nobody may frame the page, and nothing stays in a cache.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from starlette.responses import Response

TYPES = {
    "index.html": "text/html; charset=utf-8",
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "panels.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
"""The files there are: no other name leads anywhere."""

_HEADERS = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": "DENY",
}
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
REPORT_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""A report is one file with its styles in it; it runs nothing, asks for nothing, and is no part of this site."""


class Static(NamedTuple):
    content: bytes
    media_type: str


@cache
def static(name: str) -> Static | None:
    """None for a name that is none of TYPES."""
    if name not in TYPES:
        return None
    return Static((files(__package__) / "static" / name).read_bytes(), TYPES[name])


def answer(
    content: bytes, media_type: str, *, status: int = 200, policy: str = PAGE_POLICY, **headers: str
) -> Response:
    extra = {name.replace("_", "-"): value for name, value in headers.items()}
    all_headers = {**_HEADERS, "content-security-policy": policy, **extra}
    return Response(content, status, all_headers, media_type)


def tag(content: bytes) -> str:
    """An ETag."""
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'
