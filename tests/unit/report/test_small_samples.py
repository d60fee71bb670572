"""Few judgements say little of anybody, and the report says so."""

from __future__ import annotations

from unit.analysis.exports import annotation, choice, dataset, task, voted

from ml_backend.settings import Settings
from sdk_scripts.report.collect import collect
from sdk_scripts.report.html import page

LABELS = ("negative", "neutral", "positive")


def test_quality_has_an_interval_that_many_judgements_narrow_down(settings: Settings) -> None:
    tasks = [voted(id, f"text {id}", LABELS[id % 3], LABELS[id % 3 if id % 10 else 0]) for id in range(1, 121)]
    tasks.append(
        task(
            999,
            "x",
            [annotation(1, 1, choice("sentiment", "neutral")), annotation(2, 7, choice("sentiment", "neutral"))],
        )
    )
    report = collect(dataset(tasks), settings)
    rows = {row.annotator: row for row in report.annotators}
    assert (rows["1"].few, rows["2"].few, rows["7"].few) == (False, False, True)
    for row in rows.values():
        assert row.quality is not None
        assert row.quality_low is not None
        assert row.quality_high is not None
        assert 0 <= row.quality_low < row.quality <= row.quality_high <= 1
    annotators = page(report).partition('<section id="annotators"')[2].partition("</section>")[0]
    assert annotators.count("too few to say") == 1


def test_of_somebody_whose_answers_nobody_can_compare_nothing_is_said(settings: Settings) -> None:
    (row,) = collect(dataset([voted(1, "text", "neutral")]), settings).annotators
    assert (row.quality, row.quality_low, row.quality_high, row.few) == (None, None, None, True)


def test_a_control_that_cannot_be_compared_does_not_hide_the_quality_shown_by_another(settings: Settings) -> None:
    xml = """<View><Text name="text" value="$text"/>
      <Choices name="sentiment" toName="text"><Choice value="negative"/><Choice value="neutral"/></Choices>
      <Choices name="tone" toName="text"><Choice value="calm"/><Choice value="angry"/></Choices></View>"""
    tasks = [
        task(
            id,
            f"text {id}",
            [
                annotation(id * 10, 1, choice("sentiment", "neutral"), choice("tone", "calm")),
                annotation(id * 10 + 1, 2, choice("sentiment", "neutral")),
            ],
        )
        for id in range(1, 30)
    ]
    rows = {row.annotator: row for row in collect(dataset(tasks, xml), settings).annotators}
    assert rows["1"].quality is not None
