"""Gold questions in the report."""

from __future__ import annotations

from unit.analysis.exports import SENTIMENT

from ml_backend.labeling.config import parse
from sdk_scripts.gold.lifecycle import Retired
from sdk_scripts.gold.scores import scores
from sdk_scripts.quality import Gold
from sdk_scripts.report.html import FILTERS, template
from sdk_scripts.report.sections.gold import GoldPart, GoldQuestions, question_rows, score_rows
from tests.unit.gold.asked import NOW, RIGHT, WRONG, question

CONFIG = parse(SENTIMENT)


def link(task: int) -> str:
    return f"http://studio.example/projects/4/data?task={task}"


def part() -> GoldPart:
    asked = [question(id, [("ann", RIGHT), ("<b>bob</b>", WRONG if id < 18 else RIGHT)]) for id in range(1, 31)]
    leaving = [Retired(asked[4], "contested", "Three good people say neutral.")]
    return GoldPart(
        questions=question_rows(asked, leaving, {5: 7}, CONFIG, link),
        scores=score_rows(scores(asked, Gold(), NOW), link),
        retired=1,
        days=90,
        pass_mark=0.8,
    )


def test_those_who_failed_come_first_with_their_interval_and_gravest_mistake() -> None:
    bob, ann = part().scores
    assert (bob.annotator, bob.verdict, bob.asked, bob.right) == ("<b>bob</b>", "failed", 30, 13)
    assert bob.low < 13 / 30 < bob.high < 0.8
    assert bob.url == link(bob.worst or 0)
    assert (ann.verdict, ann.worst) == ("passed", None)


def test_questions_that_are_about_to_be_retired_come_first_and_say_why() -> None:
    first, second, *_ = part().questions
    assert (first.task, first.state, first.exposures) == (5, "contested", 7)
    assert first.why == "Three good people say neutral."
    assert (second.answer, second.asked, second.right) == ("negative", 2, 1)


def test_names_are_shown_as_text() -> None:
    html = template("sections/gold.html", **FILTERS).render(part=part(), report=None, charts={})
    assert "&lt;b&gt;bob" in html
    assert "<b>bob" not in html
    assert [sheet.name for sheet in GoldQuestions().sheets(part())] == ["Gold", "Gold questions"]
