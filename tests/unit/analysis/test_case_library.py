"""The library's label config, and what its annotations say."""

from __future__ import annotations

import pytest

from ml_backend.cases import PANEL
from ml_backend.labeling.config import parse
from ml_backend.labeling.errors import ConfigError
from sdk_scripts.case_panel import library_config, panel_regions
from tests.unit.analysis.exports import EVERY_KIND, SENTIMENT


@pytest.mark.parametrize("xml", [SENTIMENT, EVERY_KIND])
def test_a_librarys_config_is_its_sources_and_a_panel(xml: str) -> None:
    source, library = parse(xml), parse(library_config(xml))
    assert library.controls[: len(source.controls)] == source.controls
    assert tuple(control.name for control in library.controls[len(source.controls) :]) == PANEL
    assert library.answerable == source.answerable
    assert library.sources == source.sources


def test_nothing_is_required_in_a_library() -> None:
    config = parse(library_config(SENTIMENT.replace('name="sentiment"', 'name="sentiment" Required="true"')))
    assert not any(control.required for control in config.controls)


def test_a_config_whose_root_is_no_view_gets_one_around_it() -> None:
    xml = library_config('<Custom><Text name="t" value="$t"/><Rating name="stars" toName="t"/></Custom>')
    assert xml.startswith("<View><Custom>")


@pytest.mark.parametrize(
    "xml",
    [
        '<View><Text name="t" value="$t"/></View>',
        '<View><Text name="t" value="$t"/><Rating name="tiebreak_use" toName="t"/></View>',
        '<!DOCTYPE a><View><Text name="t" value="$t"/><Rating name="stars" toName="t"/></View>',
        "<View>",
    ],
)
def test_a_config_without_room_for_the_panel_is_refused(xml: str) -> None:
    with pytest.raises(ConfigError):
        library_config(xml)


def test_what_the_panel_does_not_say_has_no_region() -> None:
    library = parse(library_config(SENTIMENT))
    assert panel_regions(library) == []
    said = panel_regions(library, uses=["gold", "precedent", "?"], clause=" 4.2 ", rationale="x" * 9_999)
    assert [(it["from_name"], it["value"]) for it in said] == [
        ("tiebreak_use", {"choices": ["precedent", "gold"]}),
        ("tiebreak_clause", {"text": ["4.2"]}),
        ("tiebreak_rationale", {"text": ["x" * 2_000]}),
    ]
