"""A round's plan as it stands in a description."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.analysis.exports import SENTIMENT
from unit.calibration.made import PEOPLE

from ml_backend.roles import role_of
from sdk_scripts.calibration.rounds import STRATA, Plan, _plan_of, item_key
from sdk_scripts.satellites import About, Satellite, read_about

ITEMS = st.dictionaries(st.integers(-(2**40), 2**40), st.sampled_from(STRATA), min_size=1, max_size=60)


def satellite(more: Any) -> Satellite | None:
    about = About("12.1764000000", "calibration", "round-1", PEOPLE[0], "p1", more)
    project = {
        "id": 7,
        "label_config": SENTIMENT,
        "expert_instruction": "<p>Be fair.</p>",
        "description": f"For people.\r\n\r\ntiebreak satellite: {about.line()}",
    }
    assert not role_of(project).learns
    read = read_about(project)
    return None if read is None else Satellite(7, read, project)


@given(ITEMS)
def test_a_plan_comes_back_out_of_a_description_and_tells_nobody_what_is_gold(items: dict[int, Any]) -> None:
    plan = Plan("round-1", PEOPLE, items, "p1", "<p>Be fair.</p>", SENTIMENT)
    stored = satellite(plan.more())
    assert stored is not None
    assert _plan_of(stored) == plan
    assert not any(name in stored.project["description"] for name in STRATA)


def packed(value: bytes) -> str:
    return base64.b64encode(zlib.compress(value)).decode()


@pytest.mark.parametrize(
    "items",
    [
        None,
        3,
        "",
        "not base64!",
        base64.b64encode(b"not zlib").decode(),
        packed(b"{"),
        packed(b"[1]"),
        packed(json.dumps({"gold": 3}).encode()),
        packed(json.dumps({"gold": ["1", None, True]}).encode()),
        packed(b'{"gold": [' + b"1," * 3_000_000 + b"1]}"),
    ],
)
def test_a_plan_that_people_made_unreadable_is_none(items: object) -> None:
    stored = satellite({"people": list(PEOPLE), "items": items})
    assert stored is not None
    assert _plan_of(stored) is None
    assert _plan_of(Satellite(7, About("1.2", "calibration", "round-1", more={"people": "ana"}), {})) is None


def test_an_items_key_says_nothing_and_differs_between_rounds() -> None:
    keys = {item_key("12.1", name, item) for name in ("round-1", "round-2") for item in (5, -5, 6)}
    assert len(keys) == 6
    assert all(len(key) == 16 for key in keys)
