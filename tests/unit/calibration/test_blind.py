"""What a person of a round sees of a task."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.analysis.exports import SENTIMENT

from ml_backend.labeling.config import parse
from ml_backend.labeling.errors import ConfigError
from sdk_scripts.calibration.blind import blind_config, blind_data
from sdk_scripts.sources import read_label_config


def test_only_what_the_machine_explains_is_left_out_of_the_label_config() -> None:
    whole = read_label_config(Path(__file__).parents[3] / "label_configs" / "listing_moderation")
    blind = parse(blind_config(whole.xml))
    assert {it.name for it in whole.controls} - {it.name for it in blind.controls} == {"why", "drove"}
    assert blind.answerable == whole.answerable  # hints, aliases and conditions as they were
    assert [it for it in blind.controls if it.feedback]
    assert blind_config(SENTIMENT) == SENTIMENT


def test_a_config_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(ConfigError):
        blind_config("<View>")


def test_of_the_data_only_what_is_shown_comes_along() -> None:
    xml = """<View><Text name="a" value="$text"/><Text name="b" value="$seller.name"/><Image name="i" value="$im[0]"/>
      <Text name="d" value="$dotted.key"/><Choices name="c" toName="a" value="$labels"/></View>"""
    data = {"text": "t", "seller": {"name": "s"}, "im": ["x"], "labels": [], "dotted.key": 1, "guess": "spam", "id": 3}
    assert blind_data({**data, "tiebreak_case": {}}, xml).keys() == data.keys() - {"guess", "id"}
