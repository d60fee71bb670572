"""Trust is kept as JSON, and learned anew when it no longer holds."""

from __future__ import annotations

import numpy as np
import pytest
from unit.learning.reviews import SENTIMENT

from ml_backend.joint_opinions import Joiner
from ml_backend.outcomes import Outcomes
from ml_backend.trust import Trust

OUTCOMES = Outcomes(
    np.array([2**64 - 1, 7], np.uint64),
    np.array([0.9, 0.5], np.float32),
    np.array([True, False]),
    np.array([0, 1], np.int32),
    np.array([0, 0], np.int32),
    ('["negative"]', '["positive"]'),
)
TRUST = Trust({"sentiment": Joiner.fit(SENTIMENT["sentiment"], ())}, {"sentiment": OUTCOMES}, 100, 50, 48, 5.0)


def test_it_is_json_and_back() -> None:
    read = Trust.from_json(TRUST.to_json("key"), "key", SENTIMENT)
    assert read is not None
    assert read.joiners == TRUST.joiners
    for name, column in OUTCOMES.arrays.items():
        found = read.outcomes["sentiment"].arrays[name]
        assert found.dtype == column.dtype
        assert (found == column).all()
    assert (read.labelled, read.asked, read.answered, read.again) == (100, 50, 48, 5.0)


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"null", b'{"key": "key"}', TRUST.to_json("other")])
def test_what_is_damaged_or_of_another_model_is_none(content: bytes | None) -> None:
    assert Trust.from_json(content, "key", SENTIMENT) is None


def test_a_control_that_is_gone_or_asks_otherwise_takes_the_trust_with_it() -> None:
    from ml_backend.labeling.config import parse

    for tag in ('<Number name="sentiment" toName="text"/>', '<Number name="other" toName="text"/>'):
        config = parse(f'<View><Text name="text" value="$text"/>{tag}</View>')
        assert Trust.from_json(TRUST.to_json("key"), "key", config) is None


@pytest.mark.parametrize(
    ("trust", "labelled", "now", "holds"),
    [
        (Trust(labelled=100), 100, 0.0, True),
        (Trust(labelled=100), 160, 0.0, True),
        (Trust(labelled=100), 161, 0.0, False),
        (Trust(labelled=100), 10, 0.0, True),  # labels that were withdrawn
        (Trust(), 0, 0.0, True),
        (Trust(), 1, 0.0, False),
        (Trust(labelled=100, again=50.0), 100, 49.0, True),
        (Trust(labelled=100, again=50.0), 100, 50.0, False),
    ],
)
def test_it_holds_until_there_are_half_as_many_labels_again_or_more_can_be_asked(
    trust: Trust, labelled: int, now: float, holds: bool
) -> None:
    assert trust.holds(labelled, now) is holds
