"""What is particular to choices, taxonomies, ratings, numbers, pairs and texts."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from ml_backend.labeling.errors import InputError, UnknownName
from ml_backend.labeling.kinds import KINDS
from tests.unit.labeling.asking import control, read, written


class TestChoices:
    single = control('<Choices name="c" toName="text"><Choice value="Spam" alias="s"/><Choice value="Fine"/></Choices>')
    multiple = control(
        '<Choices name="c" toName="text" choice="multiple"><Choice value="b"/><Choice value="a"/><Choice value="c"/>'
        "</Choices>"
    )
    nested = control(
        '<Choices name="c" toName="text" choice="multiple" allowNested="true"><Choice value="Food">'
        '<Choice value="Fruit"/><Choice value="Other"/></Choice><Choice value="Toys"><Choice value="Other"/>'
        '</Choice><Choice value="None"/></Choices>'
    )

    @pytest.mark.parametrize("value", [{}, {"choices": []}, {"choices": [3, None, True, ""]}, {"choices": {"s": 1}}])
    def test_what_is_no_choice_is_no_answer(self, value: Any) -> None:
        assert read(self.single, value) is None

    def test_the_order_is_the_config_s_not_that_of_clicking(self) -> None:
        assert read(self.multiple, {"choices": ["c", "a", "b", "b"]}) == ("b", "a", "c")

    def test_one_choice_may_be_no_list(self) -> None:
        assert read(self.single, {"choices": "s"}) == ("s",)

    def test_a_single_choice_with_two_picks_is_no_answer_and_cannot_be_written(self) -> None:
        assert read(self.single, {"choices": ["s", "Fine"]}) is None
        with pytest.raises(InputError, match="takes one choice, not 2"):
            written(self.single, ("s", "Fine"))

    def test_a_label_that_left_the_config_is_still_read_and_last(self) -> None:
        assert read(self.multiple, {"choices": ["Gone", "c"]}) == ("c", "Gone")

    def test_an_unknown_label_cannot_be_written_and_the_known_ones_are_listed(self) -> None:
        with pytest.raises(UnknownName, match=r"no label of 'c' named 'Spam'; known: Fine, s\. .*alias"):
            written(self.single, ("Spam",))

    def test_nested_choices_are_stored_as_paths_and_told_apart_where_their_ends_are_alike(self) -> None:
        assert self.nested.keys == ("Food", "Fruit", "Food / Other", "Toys", "Toys / Other", "None")
        answer = read(self.nested, {"choices": [["Food", "Fruit"], ["Toys", "Other"], ["None"]]})
        assert answer == ("Fruit", "Toys / Other", "None")
        assert written(self.nested, answer)[0]["value"] == {"choices": [["Food", "Fruit"], ["Toys", "Other"], ["None"]]}

    def test_a_parent_beside_its_children_says_nothing_more(self) -> None:
        every = [["Food"], ["Food", "Fruit"], ["Food", "Other"]]
        assert read(self.nested, {"choices": every}) == ("Fruit", "Food / Other")

    @pytest.mark.parametrize(
        "attributes", ['value="$options"', 'allowOther="true"', 'value="$options" allowNested="true"']
    )
    def test_where_labels_come_from_elsewhere_any_can_be_written(self, attributes: str) -> None:
        asked = control(f'<Choices name="c" toName="text" {attributes}><Choice value="a"/></Choices>')
        assert read(asked, written(asked, ("brand new",))[0]["value"]) == ("brand new",)
        assert read(asked, written(asked, ("one / two",))[0]["value"]) == ("one / two",)

    def test_distance_is_the_share_of_labels_not_in_common(self) -> None:
        assert KINDS["choices"].distance(("a", "b"), ("b", "c")) == pytest.approx(2 / 3)


class TestTaxonomy:
    tree = control(
        '<Taxonomy name="c" toName="text"><Choice value="Food" alias="f"><Choice value="Fruit"><Choice value="Apple"/>'
        '</Choice><Choice value="Fish"/></Choice><Choice value="Toys"/></Taxonomy>'
    )

    def test_paths_hold_ancestors_and_aliases(self) -> None:
        assert [label.path for label in self.tree.labels][:3] == [("f",), ("f", "Fruit"), ("f", "Fruit", "Apple")]
        assert read(self.tree, {"taxonomy": [["Toys"], ["f", "Fish"], ["f", "Fish"]]}) == (("f", "Fish"), ("Toys",))

    @pytest.mark.parametrize("paths", [[], [[]], [["f", ""]], [["f", 3]], [3], "Toys", None, {"f": 1}])
    def test_what_is_no_path_is_no_answer(self, paths: Any) -> None:
        assert read(self.tree, {"taxonomy": paths}) is None

    def test_an_unknown_path_cannot_be_written(self) -> None:
        with pytest.raises(UnknownName, match=r"'Fruit'; known: Toys, f, f / Fish"):
            written(self.tree, (("Fruit",),))

    def test_a_tree_from_a_server_takes_any_path(self) -> None:
        asked = control('<Taxonomy name="c" toName="text" apiUrl="https://example.com/tree"/>')
        assert written(asked, (("a", "b"),))[0]["value"] == {"taxonomy": [["a", "b"]]}

    def test_distance_shrinks_with_every_shared_ancestor(self) -> None:
        far = [(("Toys",),), (("f",),), (("f", "Fruit"),), (("f", "Fruit", "Apple"),)]
        distances = [KINDS["taxonomy"].distance(answer, far[-1]) for answer in far]
        assert distances == pytest.approx([1, 0.5, 0.2, 0])

    def test_one_more_path_costs_less_than_another_one(self) -> None:
        one, two, other = (("a",),), (("a",), ("b",)), (("b",),)
        distance = KINDS["taxonomy"].distance
        assert distance(one, two) == pytest.approx(1 / 3)
        assert distance(one, other) == 1


class TestRating:
    stars = control('<Rating name="c" toName="text" maxRating="4"/>')

    @pytest.mark.parametrize("rating", [0, -1, 5, 99, 2.5, math.nan, math.inf, 10**400, True, "3", None, [3], {"r": 3}])
    def test_what_the_control_cannot_hold_is_no_answer_and_cannot_be_written(self, rating: Any) -> None:
        assert read(self.stars, {"rating": rating}) is None
        with pytest.raises(InputError, match="takes 1 to 4 whole stars"):
            written(self.stars, rating)

    def test_three_and_three_point_nought_are_one_answer(self) -> None:
        assert read(self.stars, {"rating": 3.0}) == 3
        assert KINDS["rating"].key(3.0) == KINDS["rating"].key(3) == "3"
        assert isinstance(written(self.stars, 3.0)[0]["value"]["rating"], int)

    @pytest.mark.parametrize("given", ["", "many", "-3", "nan", "1e9"])
    def test_a_useless_maximum_is_label_studio_s_own_five(self, given: str) -> None:
        asked = control(f'<Rating name="c" toName="text" maxRating="{given}"/>')
        assert read(asked, {"rating": 5}) == 5
        assert read(asked, {"rating": 6}) is None

    def test_distance_is_by_the_stars_between(self) -> None:
        distance = KINDS["rating"].distance
        assert [distance(5, stars) for stars in (5, 4, 3, 1)] == [0, 0.25, 0.5, 1]
        assert distance(1, 10) == 1


class TestNumber:
    price = control('<Number name="c" toName="text" min="0" max="10"/>')

    @pytest.mark.parametrize("value", [-1, 10.5, math.nan, math.inf, 10**400, True, "3", None, [3]])
    def test_what_the_control_cannot_hold_is_no_answer_and_cannot_be_written(self, value: Any) -> None:
        assert read(self.price, {"number": value}) is None
        with pytest.raises(InputError, match="takes a number from 0 to 10"):
            written(self.price, value)

    def test_one_and_one_point_nought_are_one_answer_and_so_are_the_noughts(self) -> None:
        key = KINDS["number"].key
        assert key(read(self.price, {"number": 1})) == key(read(self.price, {"number": 1.0})) == key(1)
        assert key(-0.0) == key(0)

    def test_whole_numbers_are_written_as_label_studio_writes_them(self) -> None:
        assert json.dumps(written(self.price, 5.0)[0]["value"]) == '{"number": 5}'

    def test_distance_is_relative(self) -> None:
        distance = KINDS["number"].distance
        assert distance(100, 101) < distance(1, 2) < distance(1, -1) == 1
        assert distance(1e308, 1.7e308) < 1
        assert distance(0, 5e-324) == 1


class TestPairwise:
    pair = control('<Pairwise name="c" toName="a,b"/>', '<Text name="a" value="$a"/><Text name="b" value="$b"/>')

    @pytest.mark.parametrize("value", ["none", "both", "", None, 1, ["left"], {"left": 1}])
    def test_what_is_no_side_is_no_answer(self, value: Any) -> None:
        assert read(self.pair, {"selected": value}) is None

    def test_a_tie_is_read_is_half_way_and_cannot_be_written(self) -> None:
        assert read(self.pair, {"selected": "tie"}) == "tie"
        assert KINDS["pairwise"].distance("tie", "left") == KINDS["pairwise"].distance("tie", "right") == 0.5
        with pytest.raises(InputError, match=r"has no ties.*<Choices>"):
            written(self.pair, "tie")


class TestText:
    words = control('<TextArea name="c" toName="text"/>')

    @pytest.mark.parametrize("value", [None, "", "  ", [], [" ", "\n"], 5, [5], {"a": "b"}, True])
    def test_nothing_written_is_no_answer(self, value: Any) -> None:
        assert read(self.words, {"text": value}) is None

    def test_one_text_or_several_are_read_alike(self) -> None:
        assert read(self.words, {"text": " a b "}) == ("a b",)
        assert read(self.words, {"text": ["a", "", "b"]}, {"text": ["c"]}) == ("a", "b", "c")

    @pytest.mark.parametrize("answer", ["bare", (), ("",), (3,), ("ok", " ")])
    def test_what_is_no_tuple_of_texts_cannot_be_written(self, answer: Any) -> None:
        with pytest.raises(InputError, match="takes a tuple of texts"):
            written(self.words, answer)

    @pytest.mark.parametrize(
        ("a", "b"), [("Fake  brand", "fake brand"), ("ＡＢＣ", "abc"), ("straße", "STRASSE"), ("one\ntwo", "one two")]
    )
    def test_case_width_and_blanks_are_no_disagreement(self, a: str, b: str) -> None:
        assert KINDS["text"].distance((a,), (b,)) == 0

    def test_distance_grows_with_the_difference(self) -> None:
        distance = KINDS["text"].distance
        said = ("The price is far below the brand's",)
        assert distance(said, ("The price is far below the brand",)) < 0.1
        assert distance(said, ("Stolen picture",)) > 0.7
        assert distance(("价格太低",), ("价格过低",)) < distance(("价格太低",), ("盗图",)) == pytest.approx(1)
