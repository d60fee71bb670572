"""The day's budget: what is reserved and spent, by one process or by several at once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from ml_backend.labeling.errors import QueueUnavailable
from ml_backend.large_model import Cost, Day, Ledger, LedgerInMemory, RedisLedger
from ml_backend.large_model.ledger import Amount, Limits
from ml_backend.large_model.redis_ledger import DAYS_KEPT
from ml_backend.valkey import Valkey

TODAY, TOMORROW = "2026-11-26", "2026-11-27"


@pytest.fixture(params=["memory", "redis"])
def ledger(request: pytest.FixtureRequest) -> Iterator[Ledger]:
    if request.param == "memory":
        yield LedgerInMemory()
        return
    with redis.Redis.from_url(request.getfixturevalue("valkey").url) as client:
        yield RedisLedger(client, "7.1700000000")


@pytest.mark.parametrize(
    ("limits", "amount", "fits"),
    [
        (Limits(), Amount(10**9, 10**6), True),
        (Limits(tokens=100), Amount(100), True),
        (Limits(tokens=100), Amount(101), False),
        (Limits(money=1.5), Amount(10, 1.5), True),
        (Limits(money=1.5), Amount(10, 1.500001), False),
        (Limits(100, 1.5), Amount(100, 2), False),
        (Limits(100, 1.5), Amount(101, 1), False),
        (Limits(tokens=0), Amount(1), False),
    ],
)
def test_what_does_not_fit_into_the_limits_is_not_reserved(
    ledger: Ledger, limits: Limits, amount: Amount, fits: bool
) -> None:
    assert ledger.reserve(TODAY, amount, limits) is fits
    assert ledger.day(TODAY).reserved.tokens == (amount.tokens if fits else 0)


def test_what_is_reserved_is_not_reserved_twice_and_what_was_spent_less_is_free_again(ledger: Ledger) -> None:
    limits = Limits(tokens=100)
    assert ledger.reserve(TODAY, Amount(60), limits)
    assert not ledger.reserve(TODAY, Amount(60), limits)
    ledger.settle(TODAY, Amount(60), Cost(1, 20, 10), 0)
    assert ledger.reserve(TODAY, Amount(60), limits)
    ledger.settle(TODAY, Amount(60), Cost(), 0)
    assert not ledger.reserve(TODAY, Amount(71), limits)
    assert ledger.reserve(TODAY, Amount(70), limits)


def test_money_that_is_reserved_is_not_reserved_twice(ledger: Ledger) -> None:
    limits = Limits(money=1.0)
    assert ledger.reserve(TODAY, Amount(1, 0.6), limits)
    assert not ledger.reserve(TODAY, Amount(1, 0.6), limits)
    ledger.settle(TODAY, Amount(1, 0.6), Cost(1, 1, 0, 0.25), 0)
    assert ledger.reserve(TODAY, Amount(1, 0.6), limits)
    assert not ledger.reserve(TODAY, Amount(1, 0.2), limits)


def test_a_day_s_sums_can_be_read(ledger: Ledger) -> None:
    ledger.reserve(TODAY, Amount(1000, 0.01), Limits())
    ledger.settle(TODAY, Amount(1000, 0.01), Cost(1, 300, 20, 0.0032, 1.25), 0)
    ledger.settle(TODAY, Amount(), Cost(2, 100, 5, 0.001, 0.5), 3)
    assert ledger.day(TODAY) == Day(3, 400, 25, pytest.approx(0.0042), pytest.approx(1.75), 3, Amount(0, 0.0))
    assert ledger.day(TOMORROW) == Day()


def test_each_day_has_its_own_budget(ledger: Ledger) -> None:
    assert ledger.reserve(TODAY, Amount(100), Limits(tokens=100))
    assert ledger.reserve(TOMORROW, Amount(100), Limits(tokens=100))


def spend(ledger: Ledger, seed: int, limits: Limits) -> int:
    """Reserve and settle as long as it fits, seldom all that was reserved."""
    luck, spent = random.Random(seed), 0
    for _ in range(200):
        most = luck.randint(1, 400)
        amount = Amount(most, most / 1000)
        if ledger.reserve(TODAY, amount, limits):
            used = luck.randint(0, most)
            ledger.settle(TODAY, amount, Cost(1, used, 0, used / 1000), 0)
            spent += used
    return spent


@pytest.mark.parametrize("limits", [Limits(tokens=10_000), Limits(money=10.0)])
def test_threads_at_once_never_spend_more_than_there_is(ledger: Ledger, limits: Limits) -> None:
    with ThreadPoolExecutor(4) as pool:
        spent = sum(pool.map(lambda seed: spend(ledger, seed, limits), range(4)))
    day = ledger.day(TODAY)
    assert day.input_tokens == spent
    assert 9_000 < spent <= 10_000
    assert day.reserved == Amount(0, pytest.approx(0, abs=1e-9))


def test_reservations_at_once_fill_the_budget_to_the_last_token(ledger: Ledger) -> None:
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: ledger.reserve(TODAY, Amount(10), Limits(tokens=205)), range(100)))
    assert sum(got) == 20


@pytest.fixture
def client(valkey: Valkey) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey.url, decode_responses=True) as client:
        yield client


def test_workers_share_a_project_s_budget_and_projects_do_not(client: redis.Redis, valkey: Valkey) -> None:
    limits = Limits(tokens=100)
    assert RedisLedger(client, "7.1").reserve(TODAY, Amount(60), limits)
    with redis.Redis.from_url(valkey.url) as another:
        assert not RedisLedger(another, "7.1").reserve(TODAY, Amount(60), limits)
        assert RedisLedger(another, "8.1").reserve(TODAY, Amount(60), limits)


def test_fractions_of_a_millionth_are_rounded_up(client: redis.Redis) -> None:
    ledger, limits = RedisLedger(client, "7.1"), Limits(money=0.000_003)
    assert [ledger.reserve(TODAY, Amount(1, 0.000_000_4), limits) for _ in range(4)] == [True, True, True, False]


def test_a_day_is_forgotten_in_the_end(client: redis.Redis) -> None:
    RedisLedger(client, "7.1").reserve(TODAY, Amount(60), Limits())
    RedisLedger(client, "8.1").settle(TODAY, Amount(), Cost(1), 1)
    for project in ("7.1", "8.1"):
        assert 0 < int(client.ttl(f"tiebreak:llm:{project}:{TODAY}")) <= DAYS_KEPT * 86_400  # type: ignore[arg-type]


def test_a_budget_that_cannot_be_read_is_said() -> None:
    client = redis.Redis(port=1, socket_connect_timeout=0.2, retry=None)
    ledger = RedisLedger(client, "7.1")
    for call in (
        lambda: ledger.reserve(TODAY, Amount(1), Limits()),
        lambda: ledger.settle(TODAY, Amount(1), Cost(), 0),
        lambda: ledger.day(TODAY),
    ):
        with pytest.raises(QueueUnavailable, match="budget"):
            call()
