"""Where images may come from.

- `data:` URIs, whose image is in the task itself;
- files of Label Studio's own (`/data/upload/…`, `/data/local-files/…`, with or without its address), fetched from
  TIEBREAK_STUDIO_URL with its token, which no other host is sent;
- http and https on the hosts of TIEBREAK_IMAGE_HOSTS, which is empty unless set. A listed host must be at public
  addresses, unless TIEBREAK_IMAGE_HOSTS_PRIVATE says otherwise (`guarded_http`).
"""

from __future__ import annotations

import base64
import binascii
import re
import time
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from ml_backend.images import Unreadable
from ml_backend.images.guarded_http import MOST_BYTES, get, limited
from ml_backend.labeling.errors import StudioError
from ml_backend.settings import Settings

if TYPE_CHECKING:
    from ml_backend.studio import Studio

_DATA = re.compile(r"data:[\w.+-]*(?:/[\w.+-]*)?(?:;[\w.+-]+=[\w.+-]*)*;base64,", re.IGNORECASE)


class Sources:
    """Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._hosts = frozenset(settings.image_hosts.lower().replace(",", " ").split())
        self._addresses = [it for it in (settings.studio_url, settings.studio_public_url) if it]

    def fetch(self, value: str, deadline: float) -> bytes:
        """The file behind the value of an `<Image>` tag, by `deadline` (of `time.monotonic`). Raises Unreadable."""
        value = value.strip()
        if value[:5].lower() == "data:":
            return _inline(value)
        if not value.isprintable():
            raise Unreadable("its address has characters that no address has")
        if (path := self._path_in_studio(value)) is not None:
            return self._own(path, deadline)
        if value[:8].lower().startswith(("http://", "https://")):
            return get(value, self._hosts, private=self._settings.image_hosts_private, deadline=deadline)
        raise Unreadable("it is neither a data: URI, nor a file of Label Studio's, nor an http(s) address")

    def _path_in_studio(self, value: str) -> str | None:
        for address in self._addresses:
            for before in (address, urlsplit(address).path.rstrip("/")):
                if value.startswith(f"{before}/data/"):
                    return value.removeprefix(before)
        return None

    def _own(self, path: str, deadline: float) -> bytes:
        parts = urlsplit(path)
        name = unquote(parts.path)
        steps = name.split("/")
        # The token opens all of Label Studio: what a task names must not lead anywhere but to files.
        if not name.startswith(("/data/upload/", "/data/local-files/")) or "\\" in name or {".", ".."} & set(steps):
            raise Unreadable("it is no uploaded file of Label Studio's")
        left = deadline - time.monotonic()
        if left <= 0:
            raise Unreadable("there was no time left")
        try:
            with self._studio.file(quote(name), dict(parse_qsl(parts.query)), timeout=left) as chunks:
                return limited(chunks)
        except StudioError as error:
            raise Unreadable(error.what) from None

    @cached_property
    def _studio(self) -> Studio:
        from ml_backend.studio import Studio

        return Studio.connect(self._settings)


def _inline(value: str) -> bytes:
    start = _DATA.match(value)
    if not start:
        raise Unreadable("its data: URI is not in base64")
    if len(value) > MOST_BYTES * 4 // 3 + 200:
        raise Unreadable(f"it is over {MOST_BYTES // 1_000_000} MB")
    try:
        return base64.b64decode(unquote(value[start.end() :]), validate=True)
    except (binascii.Error, ValueError):
        raise Unreadable("its data: URI is not in base64") from None
