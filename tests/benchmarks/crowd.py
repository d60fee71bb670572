"""People who label a live Label Studio as its own screen does, and how long each step keeps them waiting.

Opening is asking for the next task (`POST /api/dm/actions?id=next_task`) and reading it (`GET /api/tasks/ID`, which
asks a connected backend about a task without a prediction). Then somebody looks at it (exponential), and submits
(`POST /api/tasks/ID/annotations`, inside which Label Studio calls the webhooks).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx
import numpy as np

from tests.benchmarks.live import say
from tests.unit.learning.reviews import choice

SHOWN = 300
"""Characters of an answer that says why something went wrong."""
T = TypeVar("T")


@dataclass
class Window:
    """What the annotators saw in one condition."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Step -> how long each took."""
    errors: Counter[str] = field(default_factory=Counter)
    lasted: float = 0.0

    def percentile(self, step: str, percent: float) -> float:
        return float(np.percentile(self.seconds[step], percent)) * 1000 if self.seconds[step] else float("nan")

    def a_minute(self) -> float:
        return 60 * len(self.seconds["submit"]) / self.lasted


class Crowd:
    """People who label, each with a token of their own; `labels` is text -> the label they give it."""

    def __init__(self, url: str, tokens: list[str], labels: dict[str, str], think: float) -> None:
        self._url, self._tokens, self._labels, self._think = url, tokens, labels, think

    async def label(self, project: int, seconds: float, window: Window, still: Callable[[], object]) -> None:
        """Everybody labels that long, or until `still`, asked every second, says False. Calls under way are
        waited for; a task that is open then is the first one next time."""
        began = time.monotonic()
        over = asyncio.Event()
        async with asyncio.TaskGroup() as everybody:
            for place, token in enumerate(self._tokens):
                everybody.create_task(self._person(place, token, project, over, window))
            while time.monotonic() < began + seconds and await asyncio.to_thread(still) is not False:
                await asyncio.sleep(1)
            over.set()
        window.lasted += time.monotonic() - began

    async def _person(self, place: int, token: str, project: int, over: asyncio.Event, window: Window) -> None:
        thought = random.Random(place * 1000 + project)
        headers = {"Authorization": f"Token {token}"}
        async with httpx.AsyncClient(base_url=self._url, headers=headers, timeout=120, trust_env=False) as client:
            await asyncio.sleep(thought.uniform(0, self._think))
            while not over.is_set():
                started = datetime.now(UTC)
                task = await _step(window, "open", self._open(client, project))
                with suppress(TimeoutError):  # it is not over yet
                    await asyncio.wait_for(over.wait(), thought.expovariate(1 / self._think))
                if task and not over.is_set():
                    body = self._answer(task, started)
                    await _step(window, "submit", self._submit(client, task["id"], project, body))

    async def _open(self, client: httpx.AsyncClient, project: int) -> dict[str, Any]:
        params = {"id": "next_task", "project": project}
        answer = await client.post("/api/dm/actions", params=params, json={"project": project})
        served = answer.raise_for_status().json()
        read = await client.get(f"/api/tasks/{served['id']}", params={"project": project})
        return {**read.raise_for_status().json(), "unique_lock_id": served.get("unique_lock_id")}

    async def _submit(self, client: httpx.AsyncClient, task: int, project: int, body: dict[str, Any]) -> None:
        path = f"/api/tasks/{task}/annotations"
        (await client.post(path, params={"project": project}, json=body)).raise_for_status()

    def _answer(self, task: dict[str, Any], started: datetime) -> dict[str, Any]:
        """What the screen sends of somebody who began with the newest prediction, and is right."""
        predictions = task["predictions"]
        return {
            "lead_time": (datetime.now(UTC) - started).total_seconds(),
            "result": [{"id": "answer", **choice("sentiment", self._labels[task["data"]["text"]])}],
            "draft_id": 0,
            "parent_prediction": predictions[-1]["id"] if predictions else None,
            "parent_annotation": None,
            "started_at": started.isoformat(),
            **({"unique_id": task["unique_lock_id"]} if task["unique_lock_id"] else {}),
        }


async def _step(window: Window, name: str, work: Awaitable[T]) -> T | None:
    """What came of it; None where it failed, which the window counts."""
    began = time.monotonic()
    try:
        done = await work
    except httpx.HTTPStatusError as error:
        window.errors[f"{name}: {error.response.status_code}"] += 1
        say(f"{name}: {error.response.status_code} {error.response.text[:SHOWN]}")
        return None
    except httpx.TransportError as error:
        window.errors[f"{name}: {type(error).__name__}"] += 1
        return None
    window.seconds[name].append(time.monotonic() - began)
    return done
