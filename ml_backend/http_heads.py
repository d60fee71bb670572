"""HTTP/1.1 as uvicorn reads it with httptools, which puts no limit to the head of a request, nor to its time."""

from __future__ import annotations

from asyncio import BaseTransport, TimerHandle
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_BYTES = 64_000
"""Of a request line and its headers, give or take one read from the connection."""


class LimitedHeads(HttpToolsProtocol):
    """400, and the connection's end, for a longer head: it would be kept, and cost time that all requests share. The
    end, too, for one that is not there SECONDS after the connection or its first byte: who opens many and says nothing
    would take the places of others."""

    SECONDS = 30.0
    _waits: TimerHandle | None = None
    _head_bytes = 0
    _in_head = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._head_bytes += len(data) if self._in_head else 0
        if self._head_bytes > MOST_BYTES and not self.transport.is_closing():
            self.send_400_response("The request line and the headers are too long.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0
        if self._waits is None:
            self._wait(self.transport)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._in_head = False
        self._wait_no_more()

    def _wait(self, transport: BaseTransport) -> None:
        self._waits = self.loop.call_later(self.SECONDS, transport.close)

    def _wait_no_more(self) -> None:
        if self._waits is not None:
            self._waits.cancel()
            self._waits = None
