"""What is particular to spans and boxes."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_backend.labeling.errors import InputError, UnknownName
from ml_backend.labeling.kinds import KINDS
from ml_backend.labeling.kinds.boxes import Box
from ml_backend.labeling.kinds.spans import Span
from tests.unit.labeling.asking import control, read, written
from tests.unit.labeling.strategies import percents


class TestSpans:
    text = control('<Labels name="c" toName="text"><Label value="A"/><Label value="B"/></Labels>')
    html = control(
        '<HyperTextLabels name="c" toName="html"><Label value="A"/></HyperTextLabels>',
        '<HyperText name="html" value="$html"/>',
    )
    talk = control(
        '<ParagraphLabels name="c" toName="talk"><Label value="A"/></ParagraphLabels>',
        '<Paragraphs name="talk" value="$talk"/>',
    )
    xpaths: ClassVar = {"start": "/p[1]/text()[1]", "startOffset": 2, "end": "/p[2]/b[1]/text()[1]", "endOffset": 3}

    @pytest.mark.parametrize(
        "value",
        [
            {"start": 5, "end": 5},
            {"start": 5, "end": 2},
            {"start": -1, "end": 2},
            {"start": 0.5, "end": 2},
            {"start": True, "end": 2},
            {"start": "0", "end": "2"},
            {"start": 0, "end": math.nan},
            {"start": 0, "end": 10**400},
            {"end": 2},
            {"start": 0, "end": 2, "labels": "A"},
            {"start": 0, "end": 2, "labels": [3]},
        ],
    )
    def test_what_is_no_stretch_of_a_text_is_no_answer(self, value: dict[str, Any]) -> None:
        assert read(self.text, {"labels": ["A"], **value}) is None

    def test_one_broken_region_does_not_cost_the_others(self) -> None:
        assert read(self.text, {"start": 3, "end": 1, "labels": ["A"]}, {"start": 1, "end": 3, "labels": ["A"]}) == (
            Span(1, 3, ("A",)),
        )

    def test_a_blank_selected_along_with_a_word_is_no_disagreement(self) -> None:
        exact = read(self.text, {"start": 6, "end": 9, "text": "bag", "labels": ["A"]})
        sloppy = read(self.text, {"start": 5, "end": 11, "text": " bag\n ", "labels": ["A"]})
        assert sloppy == exact == (Span(6, 9, ("A",)),)
        assert sloppy[0].text == "bag"

    def test_a_text_that_does_not_fit_its_offsets_moves_nothing(self) -> None:
        assert read(self.text, {"start": 5, "end": 9, "text": " much longer ", "labels": ["A"]}) == (
            Span(5, 9, ("A",)),
        )
        assert read(self.text, {"start": 5, "end": 8, "text": "   ", "labels": ["A"]}) == (Span(5, 8, ("A",)),)

    def test_two_regions_over_one_stretch_are_one_span_with_both_labels(self) -> None:
        twice = read(self.text, {"start": 0, "end": 2, "labels": ["B"]}, {"start": 0, "end": 2, "labels": ["A"]})
        assert twice == read(self.text, {"start": 0, "end": 2, "labels": ["A", "B"]}) == (Span(0, 2, ("A", "B")),)

    def test_hypertext_counts_from_its_global_offsets_and_keeps_its_xpaths(self) -> None:
        value = {**self.xpaths, "globalOffsets": {"start": 12, "end": 40}, "text": "words", "hypertextlabels": ["A"]}
        answer = read(self.html, value)
        assert answer == (Span(12, 40, ("A",)),)
        assert written(self.html, answer)[0]["value"] == value

    def test_a_span_without_xpaths_of_its_own_counts_from_the_root(self) -> None:
        value = written(self.html, (Span(12, 40, ("A",)),))[0]["value"]
        assert value == {
            "start": "",
            "startOffset": 12,
            "end": "",
            "endOffset": 40,
            "globalOffsets": {"start": 12, "end": 40},
            "hypertextlabels": ["A"],
        }

    def test_labels_on_hypertext_are_written_as_hypertext_labels_are(self) -> None:
        asked = control(
            '<Labels name="c" toName="html"><Label value="A"/></Labels>', '<HyperText name="html" value="$h"/>'
        )
        assert written(asked, (Span(1, 2, ("A",)),))[0]["value"]["globalOffsets"] == {"start": 1, "end": 2}

    def test_without_global_offsets_the_xpaths_say_where(self) -> None:
        value = {**self.xpaths, "hypertextlabels": ["A"]}
        answer = read(self.html, value)
        assert answer == (Span(2, 3, ("A",), "", "/p[1]/text()[1]", "/p[2]/b[1]/text()[1]"),)
        assert written(self.html, answer)[0]["value"] == value

    @pytest.mark.parametrize("number", [0, "0", 0.0])
    def test_paragraphs_are_numbers_however_they_are_stored(self, number: Any) -> None:
        value = {"start": number, "end": number, "startOffset": 2, "endOffset": 8, "paragraphlabels": ["A"]}
        assert read(self.talk, value) == (Span(2, 8, ("A",), "", "0", "0"),)

    def test_a_span_over_several_paragraphs_may_end_before_its_own_offset(self) -> None:
        value = {"start": "0", "end": "2", "startOffset": 30, "endOffset": 4, "paragraphlabels": ["A"]}
        assert read(self.talk, value) == (Span(30, 4, ("A",), "", "0", "2"),)

    def test_seconds_of_an_audio_have_fractions(self) -> None:
        asked = control('<Labels name="c" toName="a"><Label value="A"/></Labels>', '<Audio name="a" value="$a"/>')
        assert read(asked, {"start": 0.5, "end": 2.25, "labels": ["A"]}) == (Span(0.5, 2.25, ("A",)),)

    def test_distance_is_one_minus_the_f1_of_labelled_characters(self) -> None:
        distance = KINDS["spans"].distance
        a = (Span(0, 10, ("A",)),)
        assert distance(a, (Span(5, 15, ("A",)),)) == pytest.approx(0.5)
        assert distance(a, (Span(0, 10, ("B",)),)) == 1
        assert distance(a, (Span(10, 20, ("A",)),)) == 1
        assert distance(a, (Span(0, 10, ("A", "B")),)) == pytest.approx(1 / 3)
        assert distance(a, (Span(0, 4, ("A",)), Span(4, 10, ("A",)))) == 0

    def test_distance_of_spans_over_paragraphs_falls_with_the_paragraphs_they_share(self) -> None:
        distance = KINDS["spans"].distance
        one, two, far = ((Span(3, 5, ("A",), "", first, last),) for first, last in (("0", "3"), ("0", "4"), ("7", "9")))
        assert 0 < distance(one, two) < distance(one, far) == 1

    @given(end=st.integers(1, 2**53 - 1))
    def test_enormous_offsets_cost_nothing(self, end: int) -> None:
        assert 0 <= KINDS["spans"].distance((Span(0, end, ("A",)),), (Span(0, 3, ("A",)),)) <= 1

    @pytest.mark.parametrize("span", [Span(3, 3, ("A",)), Span(-1, 3, ("A",)), Span(0.5, 3, ("A",))])
    def test_an_impossible_span_cannot_be_written(self, span: Span) -> None:
        with pytest.raises(InputError, match="cannot hold the span"):
            written(self.text, (span,))

    def test_a_span_with_an_unknown_label_cannot_be_written(self) -> None:
        with pytest.raises(UnknownName):
            written(self.text, (Span(0, 1, ("Z",)),))


class TestBoxes:
    image = '<Image name="image" value="$image"/>'
    logos = control('<RectangleLabels name="c" toName="image"><Label value="L"/></RectangleLabels>', image)
    good: ClassVar = {"x": 10, "y": 10, "width": 20, "height": 20, "rotation": 0, "rectanglelabels": ["L"]}

    @pytest.mark.parametrize("name", ["x", "y", "width", "height"])
    @pytest.mark.parametrize("value", [-5, 101, math.nan, math.inf, True, "10", None, [1]])
    def test_what_is_no_box_is_no_answer(self, name: str, value: Any) -> None:
        assert read(self.logos, {**self.good, name: value}) is None

    @pytest.mark.parametrize(
        "wrong", [{"width": 0}, {"height": 0}, {"rotation": math.nan}, {"rotation": "90"}, {"rectanglelabels": "L"}]
    )
    def test_a_box_without_an_inside_or_of_wrong_types_is_no_answer(self, wrong: dict[str, Any]) -> None:
        assert read(self.logos, {**self.good, **wrong}) is None

    def test_the_screen_s_rounding_errors_are_forgiven(self) -> None:
        assert read(self.logos, {**self.good, "x": -1e-13, "width": 100.00000000000001}) == (
            Box(0, 10, 100, 20, 0, ("L",)),
        )

    def test_a_full_turn_is_none(self) -> None:
        assert Box(1, 2, 3, 4, 360) == Box(1, 2, 3, 4, -360) == Box(1, 2, 3, 4)
        assert Box(1, 2, 3, 4, -90).rotation == 270

    def test_whole_and_broken_percents_of_one_place_are_one_key(self) -> None:
        key = KINDS["boxes"].key
        assert key((Box(10, 10, 20, 20),)) == key((Box(10.0, 10.00000001, 20, 20),))

    def test_boxes_of_different_pages_share_nothing(self) -> None:
        kind = KINDS["boxes"]
        first = kind.read(self.logos, [{"value": self.good}])
        second = kind.read(self.logos, [{"value": self.good, "item_index": 1}])
        assert kind.distance(first, second) == 1
        assert kind.write(self.logos, second)[0]["item_index"] == 1

    def test_distance_is_one_minus_the_matched_overlap(self) -> None:
        distance = KINDS["boxes"].distance
        a = (Box(0, 0, 10, 10, 0, ("L",)),)
        assert distance(a, (Box(5, 0, 10, 10, 0, ("L",)),)) == pytest.approx(1 - 50 / 150)
        assert distance(a, (Box(0, 0, 10, 10, 0, ("M",)),)) == 1
        assert distance(a, (*a, Box(50, 50, 10, 10, 0, ("L",)))) == pytest.approx(1 / 3)

    def test_the_best_matching_is_found_not_the_first(self) -> None:
        left, middle, right = (Box(x, 0, 10, 10, 0, ("L",)) for x in (0, 4, 8))
        best = 2 * (60 / 140)  # left-middle and middle-right, rather than middle-middle and nothing
        assert KINDS["boxes"].distance((left, middle), (middle, right)) == pytest.approx(
            1 - max(best, 1 + 20 / 180) / 2
        )

    def test_rotated_boxes_overlap_as_polygons_do(self) -> None:
        square = (Box(40, 40, 10, 10),)
        turned = (Box(50, 40, 10, 10, 90),)  # turned around its top left corner onto the square
        assert KINDS["boxes"].distance(square, turned) == pytest.approx(0, abs=1e-9)
        diamond = (Box(45, 45 - math.sqrt(50), 10, 10, 45),)  # the same centre, an eighth of a turn
        octagon = 200 * (math.sqrt(2) - 1)
        assert KINDS["boxes"].distance(square, diamond) == pytest.approx(1 - octagon / (200 - octagon))

    @given(turn=st.floats(0, 360), x=percents, y=percents)
    @settings(deadline=None)
    def test_turning_both_boxes_alike_around_one_corner_changes_nothing(self, turn: float, x: float, y: float) -> None:
        small, large = (Box(x, y, 20, 10, turn),), (Box(x, y, 40, 20, turn),)
        assert KINDS["boxes"].distance(small, large) == pytest.approx(0.75, abs=1e-3)

    @pytest.mark.parametrize("box", [Box(-5, 0, 1, 1), Box(0, 0, 0, 1), Box(0, 0, 101, 1), Box(0, math.nan, 1, 1)])
    def test_an_impossible_box_cannot_be_written(self, box: Box) -> None:
        with pytest.raises(InputError, match="percent of the image"):
            written(self.logos, (box,))
