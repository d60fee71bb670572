"""What a course's project is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ml_backend.labeling.config import parse
from ml_backend.labeling.errors import ConfigError
from ml_backend.roles import role_of
from sdk_scripts.onboarding.course import PANEL
from sdk_scripts.onboarding.panel import course_config
from sdk_scripts.onboarding.questions import graded, shown
from sdk_scripts.satellites import About
from tests.unit.analysis.exports import EVERY_KIND, SENTIMENT

CONFIGS = sorted((Path(__file__).parents[3] / "label_configs").glob("*/config.xml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda it: it.parent.name)
def test_it_asks_what_the_source_asks_below_the_panel(path: Path) -> None:
    source, course = parse(path.read_text("utf-8")), parse(course_config(path.read_text("utf-8")))
    assert course.controls == source.controls
    assert course.sources[0].field == PANEL
    assert course.sources[1:] == source.sources


def test_a_config_that_has_something_of_the_panels_name_is_refused() -> None:
    with pytest.raises(ConfigError, match=PANEL):
        course_config(SENTIMENT.replace('name="text"', f'name="{PANEL}"').replace('toName="text"', f'toName="{PANEL}"'))


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("$text", {"text": "It smokes."}),
        ("$text.body", {"text": {"body": "It smokes."}}),
        ("$text.body", {"text.body": "It smokes."}),
        ("$text[0]", {"text": ["It smokes."]}),
    ],
)
def test_data_that_the_config_does_not_name_is_not_shown(path: str, data: dict[str, Any]) -> None:
    config = parse(SENTIMENT.replace("$text", path))
    hidden = {"tex": "negative", "text2": "negative", "label": "negative", "tiebreak_case": {"control": "sentiment"}}
    assert shown(config, {**data, **hidden}) == data


def test_labels_and_stars_are_right_or_wrong_and_words_and_spans_are_not() -> None:
    config = parse(EVERY_KIND)
    assert [it.name for it in config.answerable if graded(config, it.name)] == ["verdict", "policy", "stars"]


def test_a_course_knows_its_source_and_learns_nothing() -> None:
    about = About("7.1767225600", "course", "onboarding", "ana@example.com")
    role = role_of({"description": f"A course.\r\n\r\ntiebreak satellite: {about.line()}"})
    assert (role.course_of, role.learns) == ("7.1767225600", False)
    other = About("7.1767225600", "calibration", "round-1", "ana@example.com")
    assert role_of({"description": f"tiebreak satellite: {other.line()}"}).course_of == ""
    assert role_of({"description": "tiebreak satellite: {broken}"}).course_of == ""
