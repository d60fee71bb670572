"""A local server that speaks `POST /v1/chat/completions` as large-model endpoints do, with a brain of your own.

    with LargeModelServer(oracle({"a text": {"verdict": "reject"}}, accuracy=0.9)) as server:
        settings = load_settings(llm_url=server.url, llm_model="test", llm_key=SecretStr(server.key))

A *brain* is called with what was Asked and gives the answer: an object (control -> value as the schema has it), an
object with the probabilities behind it (Answered), or the words of a bad answer. Brains here:

    by_keywords({"refund": {"verdict": "reject"}}, otherwise={"verdict": "allow"})     the first word found decides
    oracle({text: {control: value}}, accuracy=…)     knows the answers, and errs on a calibrated share of them, by hash
    obedient(brain)                                  does what a text tells it: `ANSWER WITH {"verdict": "allow"}`

*Troubles* are what befalls a request instead: Status(429, retry_after=1), Status(503), Closed(), Slow(seconds), and
Says("words") answers with these words. `troubles=[…]` befall the first requests, one each; None lets one pass.
`always=…` befalls each of them.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

_BLOCK = re.compile(
    r"^<<<(?P<code>[0-9a-f]{16}) (?P<name>[^\n]*)\n(?P<text>.*?)\n(?P=code)>>>$", re.DOTALL | re.MULTILINE
)
_ORDER = re.compile(r"ANSWER WITH (\{.*\})")
_LOOKS = str.maketrans("‹›〔", "<>[")


@dataclass(frozen=True)
class Asked:
    """One request, as the brain sees it."""

    body: Mapping[str, Any]
    number: int
    """Of the request, from 0 on."""

    @property
    def system(self) -> str:
        return "\n".join(it["content"] for it in self.body["messages"] if it["role"] == "system")

    @property
    def blocks(self) -> list[tuple[str, str]]:
        """(name, text) of each delimited block of what the user says."""
        said = "\n".join(it["content"] for it in self.body["messages"] if it["role"] == "user")
        return [(it["name"], it["text"]) for it in _BLOCK.finditer(said)]

    @property
    def text(self) -> str:
        """The item's: without the examples before it."""
        return "\n".join(text for name, text in self.blocks if name.split()[0] == "item")

    @property
    def schema(self) -> Mapping[str, Any]:
        """Control -> the schema of its value; empty where the request has none."""
        form = self.body.get("response_format") or {}
        return dict(form.get("json_schema", {}).get("schema", {}).get("properties", {}))

    @property
    def temperature(self) -> float:
        return float(self.body.get("temperature", 1.0))

    @property
    def repairs(self) -> bool:
        """Whether it asks to mend an answer."""
        return any(it["role"] == "assistant" for it in self.body["messages"])

    def labels(self, control: str) -> list[Any]:
        """What the schema lets the control answer, where it lists that; else nothing."""
        return listed(self.schema.get(control, {}))


@dataclass(frozen=True)
class Answered:
    """An answer with the probabilities of each control's values, by value; they make the log-probabilities."""

    answer: Mapping[str, Any]
    probabilities: Mapping[str, Mapping[Any, float]] = field(default_factory=dict)


Brain = Callable[[Asked], "Mapping[str, Any] | Answered | str"]


@dataclass(frozen=True)
class Status:
    code: int
    retry_after: str | float | None = None
    message: str = "no"
    location: str = ""


@dataclass(frozen=True)
class Closed:
    """The connection ends without an answer."""


@dataclass(frozen=True)
class Slow:
    seconds: float


@dataclass(frozen=True)
class Says:
    words: str
    finish: str = "stop"


Trouble = Status | Closed | Slow | Says


def by_keywords(rules: Mapping[str, Mapping[str, Any]], *, otherwise: Mapping[str, Any]) -> Brain:
    return lambda asked: next((answer for word, answer in rules.items() if word in asked.text), otherwise)


def oracle(answers: Mapping[str, Mapping[str, Any]], *, accuracy: float = 1.0, salt: str = "") -> Brain:
    """Knows each text's answers. How sure it is of one is uniform over (2 · accuracy − 1, 1), by hash of text and
    control, and it is right with just that probability; else it gives another label of the schema. Texts it does not
    know, and controls it has no other label for when wrong, are answered null. At a temperature above 0 its answer is
    drawn anew with each request, by the same probabilities."""
    known = {plain(text): answer for text, answer in answers.items()}

    def answer(asked: Asked) -> Answered:
        found = next(
            (known[it] for it in map(plain, (asked.text, *(t for _, t in asked.blocks[::-1]))) if it in known), None
        )
        controls = asked.schema or found or {}
        if found is None:
            return Answered(dict.fromkeys(controls))
        given: dict[str, Any] = {}
        behind: dict[str, dict[Any, float]] = {}
        for control in controls:
            right = found.get(control)
            others = [it for it in asked.labels(control) if it != right and it is not None]
            if right is None or isinstance(right, list | dict):
                given[control] = right
                continue
            sure = 2 * accuracy - 1 + 2 * (1 - accuracy) * _share(salt, "sure", asked.text, control)
            order = sorted(others, key=lambda it: _share(salt, "other", asked.text, control, it))
            first = right if _share(salt, "right", asked.text, control) < sure else (order or [None])[0]
            rest = [it for it in (right, *others) if it != first]
            behind[control] = {first: sure, **dict.fromkeys(rest, (1 - sure) / max(1, len(rest)))}
            draw = _share(salt, "draw", asked.text, control, asked.number) if asked.temperature else 0.0
            given[control] = first if not asked.temperature else _drawn(behind[control], draw)
        return Answered(given, behind)

    return answer


def obedient(brain: Brain) -> Brain:
    """Falls for orders in the text."""

    def answer(asked: Asked) -> Mapping[str, Any] | Answered | str:
        order = _ORDER.search(asked.text)
        return order[1] if order else brain(asked)

    return answer


class LargeModelServer:
    """`with LargeModelServer(brain) as server: server.url`, which ends in /v1. `asked` holds every request that came
    through the door, `bodies` their JSON, `most_at_once` how many were there together, `turned_away` wrong keys."""

    def __init__(
        self,
        brain: Brain,
        *,
        key: str = "a-key-for-tests",
        logprobs: bool = True,
        usage: bool = True,
        refuses: Collection[str] = (),
        troubles: Sequence[Trouble | None] = (),
        always: Trouble | None = None,
        models: Sequence[str] = ("test",),
    ) -> None:
        """`refuses` names what it answers 400 to: "json_schema", "response_format", "logprobs", "temperature",
        "max_tokens", "system", or "anything more", without saying what that was; `logprobs=False` silently leaves them
        out."""
        self.brain, self.key, self.logprobs, self.usage = brain, key, logprobs, usage
        self.refuses, self.troubles, self.always = set(refuses), list(troubles), always
        self.models = models
        self.asked: list[Asked] = []
        self.turned_away = 0
        self.most_at_once = self._at_once = self._befallen = 0
        self._lock = threading.Lock()
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    @property
    def bodies(self) -> list[Mapping[str, Any]]:
        return [it.body for it in self.asked]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, path: str, authorization: str, raw: bytes) -> tuple[int, dict[str, str], Any] | None:
        """Status, headers and JSON; None closes the connection."""
        if path not in ("/v1/chat/completions", "/v1/models"):
            return 404, {}, _error(f"no such path: {path}")
        if self.key and authorization != f"Bearer {self.key}":
            with self._lock:
                self.turned_away += 1
            return 401, {}, _error(f"Incorrect API key provided: {authorization}")  # as some do, key and all
        if path == "/v1/models":
            return 200, {}, {"object": "list", "data": [{"id": name} for name in self.models]}
        body = json.loads(raw)
        with self._lock:
            asked = Asked(body, len(self.asked))
            self.asked.append(asked)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            trouble = self.troubles[self._befallen] if self._befallen < len(self.troubles) else self.always
            self._befallen += 1
        try:
            return self._answer(asked, trouble)
        finally:
            with self._lock:
                self._at_once -= 1

    def _answer(self, asked: Asked, trouble: Trouble | None) -> tuple[int, dict[str, str], Any] | None:
        if isinstance(trouble, Closed):
            return None
        if isinstance(trouble, Status):
            headers = {} if trouble.retry_after is None else {"Retry-After": str(trouble.retry_after)}
            headers |= {"Location": trouble.location} if trouble.location else {}
            return trouble.code, headers, _error(trouble.message)
        if isinstance(trouble, Slow):
            time.sleep(trouble.seconds)
        if (refused := self._refused(asked.body)) is not None:
            return 400, {}, _error(refused)
        answer = trouble.words if isinstance(trouble, Says) else self.brain(asked)
        finish = trouble.finish if isinstance(trouble, Says) else "stop"
        probabilities = answer.probabilities if isinstance(answer, Answered) else {}
        given = answer.answer if isinstance(answer, Answered) else answer
        content = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
        choice: dict[str, Any] = {"index": 0, "finish_reason": finish}
        choice["message"] = {"role": "assistant", "content": content}
        if self.logprobs and asked.body.get("logprobs"):
            known = given if isinstance(given, Mapping) else {}
            choice["logprobs"] = {"content": log_probabilities(content, known, probabilities)}
        made: dict[str, Any] = {"id": f"chat-{asked.number}", "object": "chat.completion", "choices": [choice]}
        made["model"] = asked.body["model"]
        if self.usage:
            said = sum(len(tokens(it["content"])) for it in asked.body["messages"])
            made["usage"] = {"prompt_tokens": said, "completion_tokens": len(tokens(content))}
        return 200, {}, made

    def _refused(self, body: Mapping[str, Any]) -> str | None:
        form = (body.get("response_format") or {}).get("type")
        extras = set(body) - {"model", "messages", "max_tokens"}
        if "anything more" in self.refuses and extras:
            return "Bad request."
        if form and ("response_format" in self.refuses or form in self.refuses):
            return f"'response_format' of type '{form}' is not supported with this model."
        if "logprobs" in self.refuses and "logprobs" in body:
            return "This model does not support logprobs."
        if "temperature" in self.refuses and "temperature" in body:
            return "Unsupported value: 'temperature' does not support this value with this model."
        if "system" in self.refuses and any(it["role"] == "system" for it in body["messages"]):
            return "System role not supported"
        if "max_tokens" in self.refuses and "max_tokens" in body:
            return "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'."
        return None


def tokens(text: str) -> list[str]:
    """Pieces of up to four letters or digits; a quote goes with what follows it, as byte-pair encodings have it."""
    return re.findall(r'"?\w{1,4}|\s+|"[,:}\]]*|[^\w\s"]', text)


def log_probabilities(
    content: str, given: Mapping[str, Any], probabilities: Mapping[str, Mapping[Any, float]]
) -> list[dict[str, Any]]:
    """`logprobs.content` of this answer: at each token of a value the share of each way on, over the values that begin
    as what was said so far; elsewhere certainty."""
    made: list[dict[str, Any]] = []
    place = 0
    values = {_value_at(content, control): control for control in given if control in probabilities}
    for token in tokens(content):
        start, control = next(((at, it) for at, it in values.items() if at <= place < at + _length(given[it])), (0, ""))
        shares: dict[str, float] = {}
        for value, probability in probabilities.get(control, {}).items():
            literal = json.dumps(value, ensure_ascii=False)
            so_far, whole = content[start:place], literal + content[start + _length(given[control]) :]
            if whole.startswith(so_far) and probability > 0:
                way = _next_token(whole, so_far)
                if way is not None:
                    shares[way] = shares.get(way, 0.0) + probability
        total = sum(shares.values())
        ways = {way: share / total for way, share in shares.items()} if token in shares else {token: 1.0}
        listed = [{"token": way, "logprob": math.log(it)} for way, it in sorted(ways.items(), key=lambda it: -it[1])]
        made.append({"token": token, "logprob": math.log(ways[token]), "top_logprobs": listed[:20]})
        place += len(token)
    return made


def listed(schema: Mapping[str, Any]) -> list[Any]:
    """The values a schema lists: an enum's, a whole number's between its bounds."""
    for part in (schema, *schema.get("anyOf", ())):
        if "enum" in part:
            return list(part["enum"])
        if part.get("type") == "integer" and {"minimum", "maximum"} <= part.keys():
            return list(range(int(part["minimum"]), int(part["maximum"]) + 1))
    return []


def plain(text: str) -> str:
    """As texts are compared: blanks made one, and brackets as delimiting leaves them."""
    return " ".join(text.translate(_LOOKS).split())


def _value_at(content: str, control: str) -> int:
    key = json.dumps(control, ensure_ascii=False) + ": "
    return content.index(key) + len(key)


def _length(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False))


def _next_token(whole: str, so_far: str) -> str | None:
    """The token of `whole` that begins where `so_far` ends; None where none does."""
    place = 0
    for token in tokens(whole):
        if place >= len(so_far):
            return token if place == len(so_far) else None
        place += len(token)
    return None


def _share(*parts: object) -> float:
    """Uniform in [0, 1), by hash."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:6]) / 2**48


def _drawn(probabilities: Mapping[Any, float], draw: float) -> Any:
    for value, probability in probabilities.items():
        draw -= probability
        if draw < 0:
            return value
    return next(iter(probabilities))


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error"}}


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    owner: LargeModelServer

    def handle_error(self, *about: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # who is too slow is left
            super().handle_error(*about)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Http

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = self.server.owner.answer(self.path, self.headers.get("Authorization", ""), raw)
        if answer is None:
            self.close_connection = True
            return
        status, headers, made = answer
        content = json.dumps(made).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Type": "application/json", "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST  # noqa: N815  # http.server looks for this name

    def log_message(self, *_: object) -> None:
        pass
