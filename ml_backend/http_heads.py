"""HTTP/1.1 as uvicorn reads it with httptools, which puts no limit to the head of a request."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_BYTES = 64_000
"""Of a request line and its headers, give or take one read from the connection."""


class LimitedHeads(HttpToolsProtocol):
    """400, and the connection's end, for a longer head: it would be kept, and cost time that all requests share."""

    _head_bytes = 0
    _in_head = False

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._head_bytes += len(data) if self._in_head else 0
        if self._head_bytes > MOST_BYTES and not self.transport.is_closing():
            self.send_400_response("The request line and the headers are too long.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._in_head = False
