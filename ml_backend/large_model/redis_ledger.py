"""A ledger that all workers share.

    tiebreak:llm:<project key>:<day>    hash: requests, input_tokens, output_tokens, money, seconds, labels,
                                        reserved_tokens, reserved_money; kept for DAYS_KEPT

Money is in millionths: sums of whole numbers leave no remainder.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from ml_backend.labeling.errors import QueueUnavailable
from ml_backend.large_model.ledger import Amount, Day, Limits
from ml_backend.large_model.questions import Cost

if TYPE_CHECKING:
    import redis

DAYS_KEPT = 400
_MILLION = 1_000_000
_RESERVE = """
local function number(field) return tonumber(redis.call('HGET', KEYS[1], field) or '0') end
local tokens = number('input_tokens') + number('output_tokens') + number('reserved_tokens') + tonumber(ARGV[1])
local money = number('money') + number('reserved_money') + tonumber(ARGV[2])
if ARGV[3] ~= '' and tokens > tonumber(ARGV[3]) then return 0 end
if ARGV[4] ~= '' and money > tonumber(ARGV[4]) then return 0 end
redis.call('HINCRBY', KEYS[1], 'reserved_tokens', ARGV[1])
redis.call('HINCRBY', KEYS[1], 'reserved_money', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[5])
return 1
"""


class RedisLedger:
    def __init__(self, client: redis.Redis, project_key: str) -> None:
        self._redis = client
        self._name = f"tiebreak:llm:{project_key}"
        self._reserve = client.register_script(_RESERVE)

    def reserve(self, day: str, amount: Amount, limits: Limits) -> bool:
        tokens = "" if limits.tokens is None else limits.tokens
        money = "" if limits.money is None else math.floor(limits.money * _MILLION)
        asked = (amount.tokens, _millionths(amount.money))
        try:
            return bool(self._reserve(keys=[self._key(day)], args=[*asked, tokens, money, DAYS_KEPT * 86_400]))
        except RedisError as error:
            raise _unavailable(error) from error

    def settle(self, day: str, reserved: Amount, cost: Cost, labels: int) -> None:
        whole = {
            "reserved_tokens": -reserved.tokens,
            "reserved_money": -_millionths(reserved.money),
            "requests": cost.requests,
            "input_tokens": cost.input_tokens,
            "output_tokens": cost.output_tokens,
            "money": _millionths(cost.money),
            "labels": labels,
        }
        try:
            with self._redis.pipeline(transaction=True) as together:
                for name, number in whole.items():
                    together.hincrby(self._key(day), name, number)
                together.hincrbyfloat(self._key(day), "seconds", cost.seconds)
                together.expire(self._key(day), DAYS_KEPT * 86_400)
                together.execute()
        except RedisError as error:
            raise _unavailable(error) from error

    def day(self, day: str) -> Day:
        try:
            found = self._redis.hgetall(self._key(day))
        except RedisError as error:
            raise _unavailable(error) from error
        sums = {_text(name): float(number) for name, number in found.items()}
        whole = {name: int(sums.get(name, 0)) for name in ("requests", "input_tokens", "output_tokens", "labels")}
        return Day(
            **whole,
            money=sums.get("money", 0.0) / _MILLION,
            seconds=sums.get("seconds", 0.0),
            reserved=Amount(int(sums.get("reserved_tokens", 0)), sums.get("reserved_money", 0.0) / _MILLION),
        )

    def _key(self, day: str) -> str:
        return f"{self._name}:{day}"


def _millionths(money: float) -> int:
    """Rounded up, so that limits hold."""
    return math.ceil(round(money * _MILLION, 6))


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _unavailable(error: RedisError) -> QueueUnavailable:
    return QueueUnavailable(f"The large model's budget cannot be read: {error}.", mend="Is TIEBREAK_REDIS_URL right?")
