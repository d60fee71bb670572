"""What replies cost, and that a day's budget ends a run cleanly."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis

from ml_backend.large_model import LedgerInMemory, RedisLedger
from ml_backend.large_model.asking import SPENT
from ml_backend.large_model.ledger import Amount
from ml_backend.valkey import Valkey
from tests.large_model_server import (
    LargeModelServer,
    Slow,
    Status,
)
from tests.unit.large_model.asking import (
    RULES,
    TEXTS,
    VERDICT,
    Given,
    ask,
    questions,
    said_of,
    today,
)


def most_of_one(server: LargeModelServer, home: Path) -> tuple[int, int]:
    """The tokens reserved for one of TEXTS, and those used; known after it was asked."""

    class Watched(LedgerInMemory):
        most = 0

        def reserve(self, day: str, amount: Amount, limits: Any) -> bool:
            self.most = max(self.most, amount.tokens)
            return super().reserve(day, amount, limits)

    ledger = Watched()
    replies = ask(server, home, VERDICT, questions(VERDICT, *TEXTS), ledger=ledger)
    return ledger.most, max(reply.cost.tokens for reply in replies)


def test_a_spent_budget_stops_the_run_cleanly(home: Path) -> None:
    ledger = LedgerInMemory()
    with LargeModelServer(RULES) as server:
        most, used = most_of_one(server, home)
        before = len(server.asked)
        terms = Given(tokens_a_day=most + used)
        replies = ask(server, home, VERDICT, questions(VERDICT, *TEXTS), terms=terms, ledger=ledger, llm_concurrency=1)
        more = ask(server, home, VERDICT, questions(VERDICT, *TEXTS), terms=terms, ledger=ledger)
    assert said_of(replies) == ["reject", "allow", None, None]
    assert [reply.reason for reply in replies] == ["", "", SPENT, SPENT]
    assert [reply.reason for reply in more] == [SPENT] * 4
    assert len(server.asked) == before + 2
    assert today(ledger).input_tokens + today(ledger).output_tokens <= most + used
    assert today(ledger).reserved.tokens == 0


def test_money_is_counted_and_stops_it_too(home: Path) -> None:
    ledger = LedgerInMemory()
    with LargeModelServer(RULES) as server:
        most, _ = most_of_one(server, home)
        prices = {"input_price": 2.0, "output_price": 8.0}
        [reply] = ask(server, home, VERDICT, questions(VERDICT, TEXTS[0]), terms=Given(**prices), ledger=ledger)
        cost = reply.cost
        assert cost.money == pytest.approx((2 * cost.input_tokens + 8 * cost.output_tokens) / 1_000_000)
        assert today(ledger).money == pytest.approx(cost.money)
        assert (today(ledger).requests, today(ledger).labels) == (1, 1)
        assert today(ledger).seconds == pytest.approx(cost.seconds)
        terms = Given(money_a_day=cost.money + 1e-6, **prices)
        [stopped] = ask(server, home, VERDICT, questions(VERDICT, TEXTS[1]), terms=terms, ledger=ledger)
    assert stopped.reason == SPENT
    assert most > cost.tokens


def test_an_endpoint_that_counts_no_tokens_costs_the_most_it_can(home: Path) -> None:
    with LargeModelServer(RULES, usage=False) as server:
        most, used = most_of_one(server, home)
    assert most == used


def test_threads_at_once_never_spend_more_than_the_budget_in_redis(home: Path, valkey: Valkey) -> None:
    with LargeModelServer(RULES, always=Slow(0.01)) as server, redis.Redis.from_url(valkey.url) as client:
        most, used = most_of_one(server, home)
        ledger, limit = RedisLedger(client, "7.1"), 5 * used + most
        tasks = [questions(VERDICT, *({"text": f"text {run} {number}"} for number in range(10))) for run in range(2)]
        with ThreadPoolExecutor(2) as pool:
            both = list(
                pool.map(
                    lambda asked: ask(server, home, VERDICT, asked, terms=Given(tokens_a_day=limit), ledger=ledger),
                    tasks,
                )
            )
        spent = today(ledger)
    replies = [reply for replies in both for reply in replies]
    assert 0 < spent.input_tokens + spent.output_tokens <= limit
    assert spent.input_tokens + spent.output_tokens == sum(reply.cost.tokens for reply in replies)
    assert spent.reserved == Amount(0, 0.0)
    assert {reply.reason for reply in replies} == {"", SPENT}


def test_a_ledger_that_cannot_be_reached_stops_the_run(home: Path) -> None:
    ledger = RedisLedger(redis.Redis(port=1, socket_connect_timeout=0.2, retry=None), "7.1")
    with LargeModelServer(RULES) as server:
        replies = ask(server, home, VERDICT, questions(VERDICT, *TEXTS), ledger=ledger)
    assert server.asked == []
    assert all("budget" in reply.reason for reply in replies)


def test_an_outage_gives_its_reservation_back(home: Path) -> None:
    ledger = LedgerInMemory()
    with LargeModelServer(RULES, always=Status(500)) as server:
        ask(server, home, VERDICT, questions(VERDICT, TEXTS[0]), ledger=ledger)
    day = today(ledger)
    assert (day.requests, day.input_tokens, day.reserved) == (0, 0, Amount(0, 0.0))
