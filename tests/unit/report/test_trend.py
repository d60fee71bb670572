"""Agreement over time: which tasks belong where, and what is too few to say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from unit.analysis.exports import SENTIMENT, annotation, choice, dataset, task

from ml_backend.labeling.agreement import agreement
from sdk_scripts.evidence import Evidence
from sdk_scripts.report.sections.trend import LEAST_ITEMS, Trend, TrendPart, trend

START = datetime(2026, 1, 5, 9, tzinfo=UTC)  # a Monday
LABELS = ("negative", "neutral", "positive")


def judged(id: int, *answers: str, days: Sequence[float] = (0, 0, 0)) -> dict[str, Any]:
    given = []
    for who, (label, day) in enumerate(zip(answers, days, strict=False), start=1):
        time = (START + timedelta(days=day)).isoformat()
        given.append(annotation(id * 10 + who, who, choice("sentiment", label), created_at=time, updated_at=time))
    return task(id, f"text {id}", given)


def over(tasks: Sequence[dict[str, Any]]) -> TrendPart | None:
    evidence = Evidence(dataset(tasks, SENTIMENT))
    return trend(evidence.judgements, evidence.config)


def weeks(n: int, each: int, *, first: int = 1, agree: bool = True) -> list[dict[str, Any]]:
    return [
        judged(
            first + week * each + it,
            LABELS[it % 3],
            LABELS[it % 3 if agree else (it + week) % 3],
            days=(7 * week, 7 * week + 1),
        )
        for week in range(n)
        for it in range(each)
    ]


def test_each_stretch_has_the_alpha_of_its_own_tasks() -> None:
    tasks = weeks(2, 40) + weeks(2, 40, first=500, agree=False)
    found = over([*tasks, *(judged(900 + it, LABELS[it % 3], LABELS[it % 3], days=(30, 31)) for it in range(40))])
    assert found is not None
    whole = found.lines[0]
    assert found.step == "week"
    assert [(it.since, it.items) for it in whole.points] == [("2026-01-05", 80), ("2026-01-12", 80), ("2026-02-02", 40)]
    second = dataset([it for it in tasks if it["annotations"][0]["created_at"] > "2026-01-12"], SENTIMENT)
    alone = agreement(Evidence(second).judgements, second.config).controls["sentiment"]
    assert whole.points[1].alpha == pytest.approx(alone.alpha)
    assert (whole.points[1].alpha_low, whole.points[1].alpha_high) == (alone.alpha_low, alone.alpha_high)


def test_a_task_belongs_to_the_day_of_its_second_answer_whatever_comes_later() -> None:
    tasks = weeks(5, LEAST_ITEMS)
    before = over(tasks)
    tasks[0] = judged(1, LABELS[0], LABELS[0], LABELS[0], days=(0, 1, 33))  # a third, weeks later
    after = over(tasks)
    assert before is not None
    assert after is not None
    assert [it.items for it in after.lines[0].points] == [it.items for it in before.lines[0].points]


def test_stretches_with_too_few_tasks_are_joined_with_the_next() -> None:
    found = over(weeks(6, LEAST_ITEMS // 2))
    assert found is not None
    assert [it.items for it in found.lines[0].points] == [LEAST_ITEMS] * 3
    first = found.lines[0].points[0]
    assert (first.since, first.until) == ("2026-01-05", "2026-01-13")


def test_what_is_left_at_the_end_joins_the_last_stretch() -> None:
    found = over([*weeks(4, LEAST_ITEMS), judged(999, "neutral", "neutral", days=(35, 36))])
    assert found is not None
    assert [it.items for it in found.lines[0].points] == [LEAST_ITEMS] * 3 + [LEAST_ITEMS + 1]


@pytest.mark.parametrize("tasks", [[], weeks(1, 200), weeks(2, 5), [judged(it, "neutral") for it in range(1, 99)]])
def test_nothing_is_said_of_one_stretch_of_few_tasks_and_without_overlap(tasks: list[dict[str, Any]]) -> None:
    found = over(tasks)
    assert found is None or len({it.since for it in found.lines[0].points}) > 1


def test_a_fall_is_called_more_than_chance_and_a_wobble_is_not() -> None:
    steady = over(weeks(4, 60))
    assert steady is not None
    assert "within chance" in steady.lines[0].said
    falling = over(weeks(2, 60) + weeks(5, 60, first=1000, agree=False)[120:])
    assert falling is not None
    assert "worse by more than chance" in falling.lines[0].said


def test_judgements_without_a_time_are_left_out_and_counted() -> None:
    tasks = weeks(3, LEAST_ITEMS)
    lost = judged(999, "neutral", "neutral")
    for it in lost["annotations"]:
        it["created_at"] = it["updated_at"] = None
    found = over([*tasks, lost])
    assert found is not None
    assert found.undated == 2
    assert sum(it.items for it in found.lines[0].points) == 3 * LEAST_ITEMS


def test_every_point_of_the_chart_is_in_the_table() -> None:
    part = over(weeks(3, LEAST_ITEMS))
    assert part is not None
    (sheet,) = Trend().sheets(part)
    assert len(list(sheet.rows)) == sum(len(it.points) for it in part.lines)
    assert set(Trend().charts(part)) == {"sentiment"}
