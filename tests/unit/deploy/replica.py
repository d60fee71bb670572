"""A backend's place holder behind the balancer: tells its name, and dies in the middle of a request when told to.

python replica.py NAME ADDRESS PORT
"""

from __future__ import annotations

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME, ADDRESS, PORT = sys.argv[1], sys.argv[2], int(sys.argv[3])


class Replica(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if body.startswith(b"die " + NAME.encode()):
            os._exit(1)
        self._answer(body)

    def _answer(self, body: bytes) -> None:
        content = f"{NAME} {len(body)}".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


ThreadingHTTPServer((ADDRESS, PORT), Replica).serve_forever()
