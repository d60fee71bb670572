"""What a project has spent on the large model on a day (UTC), and whether more may be spent.

Before a request the most that it can cost is reserved; afterwards the reservation is replaced by what it did cost. So
requests at the same time never spend more than there is. A process that dies leaves its reservation standing for the
rest of the day.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Lock
from typing import Protocol

from ml_backend.large_model.questions import Cost


@dataclass(frozen=True, slots=True)
class Amount:
    tokens: int = 0
    money: float = 0.0


@dataclass(frozen=True, slots=True)
class Limits:
    """None: no limit."""

    tokens: int | None = None
    money: float | None = None


@dataclass(frozen=True, slots=True)
class Day:
    """Sums of one day."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    money: float = 0.0
    seconds: float = 0.0
    labels: int = 0
    """Answers to one control of one task."""
    reserved: Amount = Amount()
    """By requests that have no answer yet."""


class Ledger(Protocol):
    """One project's. `day` is "2026-11-26". Raises QueueUnavailable where it cannot be reached."""

    def reserve(self, day: str, amount: Amount, limits: Limits) -> bool:
        """Whether it fits into the limits beside what is spent and reserved; if so it is reserved, in one step."""

    def settle(self, day: str, reserved: Amount, cost: Cost, labels: int) -> None:
        """Replace a reservation by what it came to, zero for a request that came to nothing."""

    def day(self, day: str) -> Day:
        """What was spent so far; nothing on a day that is not known."""


class LedgerInMemory:
    """For one process: a backtest, say."""

    def __init__(self) -> None:
        self._days: dict[str, Day] = {}
        self._lock = Lock()

    def reserve(self, day: str, amount: Amount, limits: Limits) -> bool:
        with self._lock:
            now = self._days.get(day, Day())
            tokens = now.input_tokens + now.output_tokens + now.reserved.tokens + amount.tokens
            money = now.money + now.reserved.money + amount.money
            if (limits.tokens is not None and tokens > limits.tokens) or (
                limits.money is not None and money > limits.money
            ):
                return False
            held = Amount(now.reserved.tokens + amount.tokens, now.reserved.money + amount.money)
            self._days[day] = replace(now, reserved=held)
            return True

    def settle(self, day: str, reserved: Amount, cost: Cost, labels: int) -> None:
        with self._lock:
            now = self._days.get(day, Day())
            self._days[day] = Day(
                now.requests + cost.requests,
                now.input_tokens + cost.input_tokens,
                now.output_tokens + cost.output_tokens,
                now.money + cost.money,
                now.seconds + cost.seconds,
                now.labels + labels,
                Amount(now.reserved.tokens - reserved.tokens, now.reserved.money - reserved.money),
            )

    def day(self, day: str) -> Day:
        with self._lock:
            return self._days.get(day, Day())
