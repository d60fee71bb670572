"""A request as the JSON that an endpoint takes, and what it turns out not to take."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock
from typing import Any

MOST_OUTPUT = 2_000
"""Tokens of an answer."""
WAYS_ON = (20, 5, 0)
"""Log-probabilities asked for at each token; fewer where the endpoint refuses."""
FORMATS = ("json_schema", "json_object", "")


@dataclass(frozen=True)
class Request:
    messages: Sequence[Mapping[str, str]]
    schema: Mapping[str, Any]
    temperature: float = 0.0

    @property
    def most_tokens(self) -> int:
        """No answer uses more: a token is a byte at least, and some bytes go round each message."""
        said = [*(message["content"] for message in self.messages), json.dumps(self.schema)]
        return sum(len(it.encode("utf-8", "replace")) + 16 for it in said)


@dataclass
class Manners:
    """What an endpoint was found to take; shared by a process, so that each thing is refused once."""

    format: int = 0
    """Index of FORMATS."""
    ways_on: int = 0
    """Index of WAYS_ON."""
    limit: str = "max_tokens"
    temperature: bool = True
    system: bool = True
    """Messages of the role "system"; without, they open what the user says."""
    lock: Lock = field(default_factory=Lock)

    def body(self, model: str, request: Request) -> dict[str, Any]:
        body: dict[str, Any] = {"model": model, "messages": self._messages(request), self.limit: MOST_OUTPUT}
        if self.temperature:
            body["temperature"] = request.temperature
        if FORMATS[self.format] == "json_schema":
            form = {"name": "answer", "strict": True, "schema": request.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        elif FORMATS[self.format]:
            body["response_format"] = {"type": FORMATS[self.format]}
        if WAYS_ON[self.ways_on]:
            body |= {"logprobs": True, "top_logprobs": WAYS_ON[self.ways_on]}
        return body

    def learn(self, reason: str, sent: Mapping[str, Any]) -> bool:
        """From a refusal: do without what it names. False where it names nothing that was sent."""
        reason = reason.lower()
        with self.lock:
            if "max_completion_tokens" in reason and "max_tokens" in sent:
                self.limit = "max_completion_tokens"
            elif "logprobs" in reason and "logprobs" in sent:
                self._fewer_ways(sent)
            elif any(it in reason for it in ("response_format", "schema", "json_object")) and "response_format" in sent:
                self._looser(sent)
            elif "temperature" in reason and "temperature" in sent:
                self.temperature = False
            elif "system" in reason and "role" in reason and sent["messages"][0]["role"] == "system":
                self.system = False
            else:
                return False
            return True

    def leave_out_all(self) -> None:
        with self.lock:
            self.format, self.ways_on, self.temperature = len(FORMATS) - 1, len(WAYS_ON) - 1, False

    def _messages(self, request: Request) -> list[Mapping[str, str]]:
        first, *rest = request.messages
        if self.system or first["role"] != "system" or not rest:
            return [first, *rest]
        return [{**rest[0], "content": f"{first['content']}\n\n{rest[0]['content']}"}, *rest[1:]]

    def _fewer_ways(self, sent: Mapping[str, Any]) -> None:
        self.ways_on = max(self.ways_on, min(WAYS_ON.index(sent["top_logprobs"]) + 1, len(WAYS_ON) - 1))

    def _looser(self, sent: Mapping[str, Any]) -> None:
        self.format = max(self.format, min(FORMATS.index(sent["response_format"]["type"]) + 1, len(FORMATS) - 1))


@lru_cache(maxsize=64)
def manners_of(url: str, model: str) -> Manners:
    return Manners()
