"""Where the large model is worth asking."""

from __future__ import annotations

import pytest

from ml_backend.labeling.config import parse
from ml_backend.policy import LargeModel as Terms
from ml_backend.prelabelers import Doubt, Opinion
from ml_backend.worth import asked_controls, worth

CONFIG = parse(
    '<View><Text name="text" value="$text"/><Choices name="verdict" toName="text"><Choice value="allow"/>'
    '<Choice value="reject"/></Choices>'
    '<View visibleWhen="choice-selected" whenTagName="verdict" whenChoiceValue="reject">'
    '<Choices name="reason" toName="text" required="true"><Choice value="spam"/><Choice value="fake"/></Choices></View>'
    '<TextArea name="remark" toName="text"/></View>'
)


def thinks(confidence: float, answer: str = "allow", distance: float | None = None) -> Opinion:
    return Opinion((answer,), confidence, {}, Doubt(1 - confidence, 1 - confidence, distance=distance))


@pytest.mark.parametrize(
    ("terms", "local", "severity", "expected"),
    [
        (Terms(below=0.8), {"verdict": thinks(0.9)}, 0, None),
        (Terms(below=0.8), {"verdict": thinks(0.8)}, 0, None),
        (Terms(below=0.8), {"verdict": thinks(0.7)}, 0, 0.3),
        (Terms(below=0.8), {"verdict": thinks(0.7)}, 3, 1.2),
        (Terms(below=0.8), {"verdict": thinks(0.9, distance=0.96)}, 0, 0.5),
        (Terms(below=0.8, unknown_from=None), {"verdict": thinks(0.9, distance=1.0)}, 0, None),
        (Terms(below=0.8, severity_from=2), {"verdict": thinks(0.9)}, 2, 0.3),
        (Terms(below=0.8, severity_from=2), {"verdict": thinks(0.9)}, 1.5, None),
        (Terms(below=0.0), {}, 0, None),  # nobody can answer, and nothing has to be
        (Terms(below=0.5), {}, 0, 1.0),
        # what is not on the screen has no say
        (Terms(below=0.8), {"verdict": thinks(0.9), "reason": thinks(0.1, "spam")}, 0, None),
        (Terms(below=0.8), {"verdict": thinks(0.9, "reject"), "reason": thinks(0.6, "spam")}, 0, 0.4),
        # what has to be answered and is not
        (Terms(below=0.0), {"verdict": thinks(0.9, "reject")}, 0, 1.0),
        (Terms(below=0.0), {"verdict": thinks(0.9, "allow")}, 0, None),
    ],
)
def test_it_pays_where_there_is_doubt_or_much_at_stake(
    terms: Terms, local: dict[str, Opinion], severity: float, expected: float | None
) -> None:
    found = worth(CONFIG, terms, local, severity)
    assert found == (None if expected is None else pytest.approx(expected))


def test_remarks_are_left_to_people() -> None:
    assert [control.name for control in asked_controls(CONFIG)] == ["verdict", "reason"]
