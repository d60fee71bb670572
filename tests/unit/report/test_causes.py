"""Hard cases by cause."""

from __future__ import annotations

from sdk_scripts.hard_cases import HardCase, Reason
from sdk_scripts.report.model import HardCaseRow
from sdk_scripts.report.sections.causes import DO, cause_rows
from sdk_scripts.signals import SIGNALS


def case(task: int, *signals: str) -> HardCase:
    return HardCase(task, 0.9, tuple(Reason(it, 0.9, f"{it} of {task}", "verdict") for it in signals))


def shown(*cases: HardCase) -> dict[int, HardCaseRow]:
    return {it.task: HardCaseRow(task=it.task, url=None, text="t", score=0.9, reasons=[]) for it in cases}


CASES = (case(1, "skips", "feedback"), case(2, "skips"), case(3, "feedback", "skips"), case(4, "novelty"))


def test_each_cause_is_counted_with_what_only_it_has_found() -> None:
    rows = cause_rows(CASES, shown(*CASES))
    assert [(it.signal, it.cases, it.share, it.first, it.only) for it in rows] == [
        ("skips", 3, 0.75, 2, 1),
        ("feedback", 2, 0.5, 1, 0),
        ("novelty", 1, 0.25, 1, 1),
    ]


def test_examples_are_the_hardest_of_which_it_is_the_strongest_reason() -> None:
    many = (case(9, "feedback", "skips"), *CASES, case(5, "skips"), case(6, "skips"))
    (skips,) = [it for it in cause_rows(many, shown(*many)) if it.signal == "skips"]
    assert [it.task for it in skips.examples] == [1, 2, 5]
    assert skips.examples[0].reasons == ["skips of 1"]


def test_every_signal_says_why_to_care_and_what_helps() -> None:
    rows = cause_rows([case(1, name) for name in SIGNALS], shown(case(1)))
    assert all(it.why and it.why.endswith(".") for it in rows)
    assert set(SIGNALS) == set(DO)


def test_a_signal_that_is_no_more_is_shown_without_a_reason_to_care() -> None:
    (row,) = cause_rows([case(1, "of_old")], shown(case(1)))
    assert (row.why, row.do) == ("", "Review them.")
