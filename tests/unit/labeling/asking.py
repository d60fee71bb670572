"""A control from its tag, and what its kind reads and writes."""

from __future__ import annotations

from typing import Any

from ml_backend.labeling.config import Control, parse
from ml_backend.labeling.kinds import kind_of


def control(xml: str, source: str = '<Text name="text" value="$text"/>') -> Control:
    return parse(f"<View>{source}{xml}</View>").controls[-1]


def read(asked: Control, *values: Any) -> Any:
    kind = kind_of(asked)
    assert kind
    return kind.read(asked, [{"from_name": asked.name, "value": value} for value in values])


def written(asked: Control, answer: Any) -> list[dict[str, Any]]:
    kind = kind_of(asked)
    assert kind
    return kind.write(asked, answer)
