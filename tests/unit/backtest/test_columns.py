"""What stands in a label column, read as an answer."""

from __future__ import annotations

from typing import Any

import pytest
from unit.backtest.made import SENTIMENT, SEVERAL, STARS, TOPICS

from ml_backend.labeling.config import parse
from sdk_scripts.backtest.columns import Unreadable, answer_of

NUMBERED = """<View><Text name="t" value="$t"/><Choices name="c" toName="t"><Choice value="0"/><Choice value="1"/>
  <Choice value="true"/><Choice value="yes, but"/></Choices></View>"""


@pytest.mark.parametrize(
    ("config", "cell", "answer"),
    [
        (SENTIMENT, "positive", ("positive",)),
        (SENTIMENT, "Positive", ("positive",)),
        (SENTIMENT, " NEGATIVE ", ("negative",)),
        (SENTIMENT, '{"choices": ["Negative"]}', ("negative",)),
        (NUMBERED, 1, ("1",)),
        (NUMBERED, 0.0, ("0",)),
        (NUMBERED, True, ("true",)),
        (NUMBERED, "yes, but", ("yes, but",)),
        (SEVERAL, "late", ("late",)),
        (SEVERAL, "rude, broken", ("broken", "rude")),
        (SEVERAL, "rude;broken", ("broken", "rude")),
        (SEVERAL, "late|late", ("late",)),
        (SEVERAL, '["late", "rude"]', ("late", "rude")),
        (SEVERAL, ["rude", "late", "broken"], ("broken", "late", "rude")),
        (STARS, 4, 4),
        (STARS, "4", 4),
        (STARS, "5.0", 5),
        (TOPICS, "Goods / Taste", (("Goods", "Taste"),)),
        (TOPICS, "goods>taste", (("Goods", "Taste"),)),
        (TOPICS, "Delivery", (("Delivery",),)),
        (TOPICS, "Taste; Delivery", (("Goods", "Taste"), ("Delivery",))),
        (TOPICS, [["Goods", "Damage"]], (("Goods", "Damage"),)),
    ],
)
def test_a_cell_is_an_answer(config: str, cell: Any, answer: object) -> None:
    assert answer_of(parse(config).controls[0], cell) == answer


@pytest.mark.parametrize(
    ("config", "cell", "label"),
    [
        (SENTIMENT, "neutral", "neutral"),
        (SENTIMENT, "positive, negative", "positive, negative"),
        (SENTIMENT, 3, "3"),
        (SEVERAL, "late, torn", "torn"),
        (SEVERAL, {"choices": []}, '{"choices": []}'),
        (SEVERAL, [["late"], {"a": 1}], '{"a": 1}'),
        (SEVERAL, "[" * 5_000, "[" * 5_000),
        (STARS, "6", "6"),
        (STARS, "four", "four"),
        (STARS, 4.5, "4.5"),
        (TOPICS, "Goods / Colour", "Goods / Colour"),
    ],
)
def test_a_label_that_the_control_does_not_have_is_named(config: str, cell: Any, label: str) -> None:
    with pytest.raises(Unreadable) as raised:
        answer_of(parse(config).controls[0], cell)
    assert raised.value.label == label
