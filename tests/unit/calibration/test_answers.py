"""Whose answers count, and who is waited for."""

from __future__ import annotations

from datetime import timedelta

from unit.calibration.made import PEOPLE, said

from ml_backend.labeling.results import Annotation
from sdk_scripts.calibration.answers import _by
from sdk_scripts.rule_examples import START


def test_a_skip_is_no_answer_but_nobody_waits_for_it() -> None:
    answers = said({1: {"ana": "negative", "ben": None}, 2: {"ana": "neutral", "ben": "neutral", "cho": "neutral"}})
    assert answers.waiting == {PEOPLE[2]: 1}
    assert answers.skipped == {PEOPLE[1]: 1}
    assert not answers.complete
    assert answers.table.select("task", "annotator").rows() == [
        (1, PEOPLE[0]),
        *((2, who) for who in PEOPLE),
    ]


def test_what_somebody_else_changed_is_theirs() -> None:
    def by(seconds: float, updated_by: str) -> str:
        after = START + timedelta(seconds=seconds)
        return _by(Annotation(1, "Ana@example.com", (), created_at=START, updated_at=after, updated_by=updated_by))

    assert by(60, "boss@example.com") == "boss@example.com"
    assert by(60, "") == by(0.5, "boss@example.com") == by(60, "ana@example.com") == "ana@example.com"
