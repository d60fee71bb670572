"""Questions -> replies: cache, budget, requests, repair, and what to do when the endpoint is down."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Lock
from typing import Any, Self

from ml_backend.labeling.answers import on_screen
from ml_backend.labeling.config import Control, LabelConfig
from ml_backend.labeling.errors import ConfigError, TiebreakError
from ml_backend.labeling.kinds import one_line
from ml_backend.large_model.answer_cache import AnswerCache, Kept, key_of
from ml_backend.large_model.delimiting import defused
from ml_backend.large_model.endpoint import Endpoint, EndpointError, Outage, Refused, Said
from ml_backend.large_model.ledger import Amount, Ledger, Limits
from ml_backend.large_model.prompt import VERSION, item_texts, system_message, user_message
from ml_backend.large_model.questions import Cost, Question, Reply, Terms, price
from ml_backend.large_model.reading import Read, read
from ml_backend.large_model.requests import MOST_OUTPUT, Request
from ml_backend.large_model.schema import AnswerSchema, answer_schema
from ml_backend.large_model.self_consistency import vote
from ml_backend.large_model.token_confidence import Sureness, read_tokens, sureness
from ml_backend.prelabelers import Opinion
from ml_backend.settings import Settings

MOST_OUTAGES = 3
"""Questions in a row without an answer; the rest of the run is not asked then."""
REST = 60.0
"""Seconds for which a new run asks nothing either."""
WARM = 0.7
"""Temperature of samples after the first."""
MOST_QUOTED = 4_000  # characters of a bad answer that is shown to the model again
SPENT = "the budget of the day is spent"

Progress = Callable[[int, int], object]


class LargeModel:
    """Answers every control of a task with one request, and a few more where nothing tells how sure it is.
    Thread-safe. `with` closes its connections."""

    def __init__(
        self,
        settings: Settings,
        terms: Terms,
        *,
        ledger: Ledger,
        cache: AnswerCache | None = None,
        pause: float = 0.5,
    ) -> None:
        """`pause` is in seconds, before a failed request is first repeated. Raises ConfigError where the settings name
        no endpoint or no model."""
        if not settings.llm_url or not settings.llm_model:
            raise ConfigError(
                "No large model is set up.",
                mend="Set TIEBREAK_LLM_URL and TIEBREAK_LLM_MODEL, and _KEY if it needs one.",
            )
        self.id = f"{settings.llm_model}@{VERSION}"
        """What its answers depend on, beside the question: the model and the prompt."""
        self._terms, self._ledger, self._cache = terms, ledger, cache
        self._concurrency = settings.llm_concurrency
        self._endpoint = Endpoint(
            settings.llm_url,
            settings.llm_model,
            settings.llm_key.get_secret_value() if settings.llm_key else "",
            timeout=settings.llm_timeout,
            concurrency=settings.llm_concurrency,
            pause=pause,
        )
        self._down = (0.0, "")
        """Until when it is left alone, and why."""

    def close(self) -> None:
        self._endpoint.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(
        self,
        config: LabelConfig,
        controls: Sequence[Control],
        guidelines: str,
        questions: Sequence[Question],
        *,
        progress: Progress | None = None,
    ) -> list[Reply]:
        """One reply a question, in their order. What goes wrong is the reason of a reply and raises nothing; once the
        budget is spent or the endpoint is down, those left get their reason at once."""
        until, why = self._down
        run = _Run(config, tuple(controls), guidelines, stopped=why if time.monotonic() < until else "")
        replies: dict[int, Reply] = {}
        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="large-model") as pool:
            places = {pool.submit(self._reply, run, question): place for place, question in enumerate(questions)}
            try:
                for done in as_completed(places):
                    replies[places[done]] = done.result()
                    if progress:
                        progress(len(replies), len(questions))
            except BaseException:  # Ctrl-C, say: those that wait are not waited for
                run.stop("interrupted")
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        if run.down:
            self._down = (time.monotonic() + REST, run.stopped)
        return [replies[place] for place in range(len(questions))]

    def _reply(self, run: _Run, question: Question) -> Reply:
        schema = answer_schema(run.config, run.controls, question.data)
        if not schema.forms or not any(text.strip() for _, text in item_texts(question, schema)):
            return Reply(question.task, reason="; ".join(_left_out(schema)) or "there is no text to read")
        messages = (system_message(run.config, schema, run.guidelines), user_message(question, schema))
        asked = _Asked(run, question, schema, messages)
        reads: list[Read] = []
        sure: Mapping[str, Sureness] = {}
        trouble = ""
        try:
            first, sure = self._sample(asked, 0)
            reads.append(first)
            if not first.answers.keys() <= sure.keys():
                for number in range(1, self._terms.samples):
                    reads.append(self._sample(asked, number)[0])
        except _Halt as halt:
            trouble = str(halt)
        if not reads:
            return Reply(question.task, reason=trouble, cost=replace(asked.cost, cached=False))
        opinions = _opinions(asked, reads, sure)
        if opinions and not asked.cost.cached:
            self._record(asked.day, Amount(), Cost(), len(opinions))
        return Reply(question.task, opinions, _reason(schema, reads[0], opinions), asked.cost)

    def _sample(self, asked: _Asked, number: int) -> tuple[Read, Mapping[str, Sureness]]:
        """One answer, mended once where it is not valid. Raises _Halt where there is none."""
        request = Request(asked.messages, asked.schema.json, WARM if number else 0.0)
        key = key_of(
            id=self.id,
            messages=[dict(it) for it in request.messages],
            schema=request.schema,
            temperature=request.temperature,
            sample=number,
        )
        if self._cache and (kept := self._cache.get(key)) is not None:
            answer = asked.read(kept.said)
            if not answer.objections:
                return answer, kept.sure
        said = self._request(asked, request)
        answer = asked.read(said.text)
        if answer.objections and said.finish != "length":
            said, answer = self._mended(asked, request, said, answer)
        elif answer.objections:
            answer = replace(answer, objections={"": f"it was cut off after {MOST_OUTPUT} tokens"})
        sure = sureness(said.text, answer, asked.schema, read_tokens(said.logprobs, said.text))
        if self._cache and not answer.objections:
            self._cache.put(key, Kept(said.text, sure))
        return answer, sure

    def _mended(self, asked: _Asked, request: Request, said: Said, answer: Read) -> tuple[Said, Read]:
        wrong = [f"- {one_line(defused(name)) or 'all of it'}: {why}" for name, why in answer.objections.items()]
        listing = defused("\n".join(wrong[:20]))
        repair = (
            {"role": "assistant", "content": defused(said.text[:MOST_QUOTED]).strip() or "(nothing)"},
            {"role": "user", "content": f"That is not valid:\n{listing}\nAnswer again, with the JSON object alone."},
        )
        try:
            again = self._request(asked, replace(request, messages=(*request.messages, *repair)))
        except _Halt:
            return said, answer
        better = asked.read(again.text)
        if not better.objections or len(better.answers) >= len(answer.answers):
            return again, better
        return said, answer

    def _request(self, asked: _Asked, request: Request) -> Said:
        """Raises _Halt, and stops the run where no other request would fare better."""
        run = asked.run
        if run.stopped:
            raise _Halt(run.stopped)
        most = Amount(request.most_tokens + MOST_OUTPUT, price(self._terms, request.most_tokens, MOST_OUTPUT))
        day = asked.day
        try:
            fits = self._ledger.reserve(day, most, Limits(self._terms.tokens_a_day, self._terms.money_a_day))
        except TiebreakError as error:
            raise run.stop(str(error)) from None
        if not fits:
            raise run.stop(SPENT)
        cost, started = Cost(), time.monotonic()
        try:
            said = self._endpoint.ask(request)
            cost = self._cost(said, request)
            run.answered()
            return said
        except EndpointError as error:
            raise run.failed(error) from None
        finally:
            cost = replace(cost, seconds=time.monotonic() - started)
            asked.cost = asked.cost + cost
            self._record(day, most, cost, 0)

    def _cost(self, said: Said, request: Request) -> Cost:
        """What the endpoint does not count is taken to be the most it can be."""
        tokens_in = request.most_tokens if said.input_tokens is None else said.input_tokens
        tokens_out = MOST_OUTPUT if said.output_tokens is None else said.output_tokens
        return Cost(1, tokens_in, tokens_out, price(self._terms, tokens_in, tokens_out))

    def _record(self, day: str, reserved: Amount, cost: Cost, labels: int) -> None:
        try:
            self._ledger.settle(day, reserved, cost, labels)
        except TiebreakError:
            return  # the reservation stands, which spends more than it did


class _Halt(Exception):
    """Why a question gets no further."""


@dataclass
class _Run:
    config: LabelConfig
    controls: tuple[Control, ...]
    guidelines: str
    stopped: str = ""
    """Why nothing more is asked."""
    down: bool = False
    outages: int = 0
    lock: Lock = field(default_factory=Lock)

    def stop(self, why: str) -> _Halt:
        with self.lock:
            self.stopped = self.stopped or why
        return _Halt(why)

    def answered(self) -> None:
        with self.lock:
            self.outages = 0

    def failed(self, error: EndpointError) -> _Halt:
        if isinstance(error, Refused):
            return _Halt(str(error))
        with self.lock:
            self.outages += 1
            if not isinstance(error, Outage):
                self.stopped, self.down = self.stopped or str(error), True
            elif self.outages >= MOST_OUTAGES and not self.stopped:
                self.stopped, self.down = f"not asked, as {MOST_OUTAGES} before it failed: {error}", True
        return _Halt(str(error))


@dataclass
class _Asked:
    """One question on its way."""

    run: _Run
    question: Question
    schema: AnswerSchema
    messages: tuple[Mapping[str, str], ...]
    cost: Cost = field(default_factory=lambda: Cost(cached=True))
    day: str = field(default_factory=lambda: datetime.now(UTC).date().isoformat())

    def read(self, said: str) -> Read:
        return read(said, self.run.config, self.schema, self.question)


def _opinions(asked: _Asked, reads: Sequence[Read], sure: Mapping[str, Sureness]) -> dict[str, Opinion]:
    opinions: dict[str, Opinion] = {}
    for name, control in asked.schema.controls.items():
        answer = reads[0].answers.get(name)
        if answer is not None and (known := sure.get(name)) is not None:
            opinions[name] = Opinion(answer, known.confidence, known.probabilities)
        elif (found := vote(control, [it.answers.get(name) for it in reads])) is not None:
            opinions[name] = found
    shown = on_screen(asked.run.config, {name: it.answer for name, it in opinions.items()})
    return {name: opinions[name] for name in shown}


def _reason(schema: AnswerSchema, first: Read, opinions: Mapping[str, Any]) -> str:
    invalid = [f"{name}: {why}" if name else why for name, why in first.objections.items() if name not in opinions]
    reasons = [f"the answer is not valid: {', '.join(invalid)}"] if invalid else []
    reasons += [f"{name}: {why}" for name, why in first.unsure.items() if name not in opinions]
    return one_line("; ".join([*reasons, *_left_out(schema)]), 500)


def _left_out(schema: AnswerSchema) -> list[str]:
    return [f"{name}: {why}" for name, why in schema.left_out.items()]
