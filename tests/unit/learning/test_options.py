from __future__ import annotations

import pytest

from ml_backend.labeling.config import Control, parse
from ml_backend.labeling.kinds import kind_of
from ml_backend.prelabelers import options
from ml_backend.prelabelers._options import split_name

POLICY = """<Taxonomy name="policy" toName="text"{attributes}>
  <Choice value="Prohibited goods" alias="goods"><Choice value="Weapons" hint="Firearms and knives."/>
  <Choice value="Tobacco" alias="goods.tobacco"/></Choice><Choice value="Fine"/></Taxonomy>"""


def control(xml: str) -> Control:
    return parse(f'<View><Text name="text" value="$text"/>{xml}</View>').controls[0]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("NotSpam", "not spam"),
        ("not_spam", "not spam"),
        ("card-arrival", "card arrival"),
        ("HTTPError", "http error"),
        ("Not hate, but offensive", "not hate, but offensive"),
        ("+1", "+1"),
        ("-", "-"),
        ("👍", "👍"),
        ("ดี", "ดี"),
    ],
)
def test_names_are_split_into_words(name: str, words: str) -> None:
    assert split_name(name) == words


def test_choices_are_described_by_value_alias_and_hint() -> None:
    choices = """<Choices name="verdict" toName="text"><Choice value="OK" alias="allow" hint="Breaks no clause."/>
      <Choice value="reject"/></Choices>"""
    assert [(o.answer, o.name, o.words) for o in options(control(choices))] == [
        (("allow",), "allow", "ok (allow): Breaks no clause."),
        (("reject",), "reject", "reject"),
    ]


def test_a_taxonomy_offers_paths_with_their_ancestors() -> None:
    found = options(control(POLICY.format(attributes="")))
    assert [(o.answer, o.words, o.leaf) for o in found] == [
        ((("goods",),), "prohibited goods", False),
        ((("goods", "Weapons"),), "prohibited goods: weapons: Firearms and knives.", True),
        ((("goods", "goods.tobacco"),), "prohibited goods: tobacco", True),
        ((("Fine",),), "fine", True),
    ]


def test_with_leafs_only_a_branch_is_no_option() -> None:
    assert [o.name for o in options(control(POLICY.format(attributes=' leafsOnly="true"')))] == [
        "goods / Weapons",
        "goods / goods.tobacco",
        "Fine",
    ]


def test_stars_are_described_by_what_they_are_about() -> None:
    rating = options(control('<Rating name="rating" toName="text"/>'))
    assert [(o.answer, o.words) for o in rating][::2] == [
        (1, "1 star of 5: terrible"),
        (3, "3 stars of 5: average"),
        (5, "5 stars of 5: excellent"),
    ]
    severity = options(control('<Rating name="severity" toName="text" maxRating="3"/>'))
    assert [o.words for o in severity] == ["very low severity", "medium severity", "very high severity"]


@pytest.mark.parametrize(
    "xml",
    [
        '<Choices name="c" toName="text" value="$options"/>',
        '<Taxonomy name="c" toName="text" apiUrl="https://x.test"><Choice value="a"/><Choice value="b"/></Taxonomy>',
        '<TextArea name="c" toName="text"/>',
        '<Number name="c" toName="text"/>',
        '<Labels name="c" toName="text"><Label value="a"/><Label value="b"/></Labels>',
        '<Rating name="c" toName="text" maxRating="100"/>',
        '<Unheard name="c" toName="text"><Choice value="a"/><Choice value="b"/></Unheard>',
    ],
)
def test_what_has_no_fixed_labels_offers_none(xml: str) -> None:
    assert options(control(xml)) == ()


@pytest.mark.parametrize(
    "xml",
    [
        POLICY.format(attributes=""),
        '<Rating name="r" toName="text" maxRating="4"/>',
        '<Choices name="c" toName="text" choice="multiple"><Choice value="a"/><Choice value="b" alias="x"/></Choices>',
        '<Choices name="c" toName="text" allowNested="true"><Choice value="a"><Choice value="b"/></Choice>'
        '<Choice value="c"><Choice value="b"/></Choice></Choices>',
    ],
)
def test_every_option_can_be_written_and_read_back_under_its_name(xml: str) -> None:
    asked = control(xml)
    kind = kind_of(asked)
    assert kind is not None
    assert len(options(asked)) > 1
    for option in options(asked):
        assert kind.read(asked, kind.write(asked, option.answer)) == option.answer
        assert kind.labels(option.answer) == (option.name,)
