"""What the tests of Studio share: projects of their own, and a connection that loses answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from ml_backend.studio import Studio

CONFIG = """<View>
  <Text name="text" value="$text"/>
  <Choices name="sentiment" toName="text"><Choice value="positive"/><Choice value="negative"/></Choices>
</View>"""

Projects = Callable[..., int]


def choice(label: str, control: str = "sentiment") -> list[dict[str, Any]]:
    return [{"from_name": control, "to_name": "text", "type": "choices", "value": {"choices": [label]}}]


def prediction(
    task: int, version: str = "v1", score: Any = 0.5, label: str = "positive", **more: Any
) -> dict[str, Any]:
    return {"task": task, "result": choice(label), "score": score, "model_version": version, **more}


def ids_of(studio: Studio, project: int) -> list[int]:
    return [task["id"] for task in studio.tasks(project, data_only=True)]


class Repeats(httpx.BaseTransport):
    """Sends every POST to `path` twice, as Label Studio does by itself where it finds its SQLite locked at the end."""

    def __init__(self, path: str) -> None:
        self.path, self.inner = path, httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST" and request.url.path.endswith(self.path):
            self.inner.handle_request(request).read()
        return self.inner.handle_request(request)


class LosesAnswers(httpx.BaseTransport):
    """Passes calls on to the real server; of calls to `path` it loses the first `times` answers, or the calls."""

    def __init__(self, path: str, *, times: int = 1, arrives: bool = True) -> None:
        self.path, self.times, self.arrives, self.calls = path, times, arrives, 0
        self.inner = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET" or not request.url.path.endswith(self.path):
            return self.inner.handle_request(request)
        self.calls += 1
        if self.calls > self.times:
            return self.inner.handle_request(request)
        if self.arrives:
            self.inner.handle_request(request).read()
        raise httpx.ReadTimeout("no answer", request=request)
