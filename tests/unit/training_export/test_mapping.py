"""Annotation labels to training labels: merged, renamed, dropped, cut, binned; what is left out is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.analysis import exports
from unit.training_export import labelled
from unit.training_export.labelled import LABELS

from ml_backend.labeling.errors import ConfigError
from sdk_scripts.training_export.mapping import ControlMapping, Unmapped, labels_of, same
from sdk_scripts.training_export.rows import Wanted, rows

TREE = """<View><Text name="t" value="$t"/><Taxonomy name="topic" toName="t">
  <Choice value="Food"><Choice value="Fruit"><Choice value="Apple"/></Choice><Choice value="Fish"/></Choice>
  <Choice value="Toys"/></Taxonomy></View>"""
NUMBERS = """<View><Text name="t" value="$t"/><Number name="price" toName="t"/>
  <Rating name="stars" toName="t" maxRating="5"/></View>"""
NESTED = """<View><Text name="t" value="$t"/><Choices name="topic" toName="t" allowNested="true">
  <Choice value="Food"><Choice value="Fruit"/><Choice value="Other"/></Choice>
  <Choice value="Toys"><Choice value="Other"/></Choice></Choices></View>"""


def refused(folder: Path, yaml: str, xml: str = exports.SENTIMENT) -> list[str]:
    with pytest.raises(ConfigError) as found:
        labelled.mapped(folder, yaml, xml)
    return [reason.removeprefix(f"{folder / 'mapping.yaml'}:") for reason in found.value.reasons]


def test_without_a_file_every_label_is_its_own() -> None:
    config = exports.dataset([], exports.EVERY_KIND).config
    for control in config.answerable:
        mapping = same(config, control)
        labels = labels_of(control, mapping.own)
        assert [mapping.training(label) for label in labels] == labels == list(mapping.names)


def test_labels_are_renamed_merged_and_dropped(tmp_path: Path) -> None:
    text = "sentiment: {labels: {negative: strong, positive: strong}, drop: [neutral]}"
    mapping = labelled.mapped(tmp_path, text)["sentiment"]
    assert mapping.of(["positive", "neutral", "negative"]) == ("strong",)
    assert mapping.of(["neutral"]) == ()
    assert mapping.names == ("strong",)
    assert mapping.table == (("negative", "strong"), ("neutral", ""), ("positive", "strong"))


def test_all_that_is_wrong_is_told_with_its_line_and_the_nearest_name(tmp_path: Path) -> None:
    text = "sentiment:\n  labels:\n    negativ: bad\n    positive: good\n  drop:\n    - neutrl\nmood: same\n"
    assert refused(tmp_path, text) == [
        "7: 'mood' is no control of the label config",
        "3: sentiment: 'negativ' is no label of the config, did you mean 'negative'?",
        "5: sentiment: 'neutrl' is no label of the config, did you mean 'neutral'?",
        "1: sentiment: the label 'negative' is neither mapped nor dropped, did you mean 'negativ'?",
        "1: sentiment: the label 'neutral' is neither mapped nor dropped, did you mean 'neutrl'?",
    ]


def test_a_control_that_is_not_mapped_is_refused_with_its_labels(tmp_path: Path) -> None:
    assert refused(tmp_path, "{}") == [
        "1: sentiment: the control is not mapped; its labels: negative, neutral, positive"
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[a]", "1: must be a mapping"),
        ("sentiment: [a]", "1: sentiment: must be a mapping"),
        ("sentiment:\n  label: {}", "2: sentiment: label: is not a field, did you mean labels?"),
        ("sentiment:\n  labels: {negative: 3}", "2: sentiment: labels.negative: must be text"),
        ("sentiment:\n  labels: {negative: x}\n  drop: [negative]", "'negative' is mapped and dropped"),
        ("sentiment: {labels: {negative: ' '}}", "'negative' has an empty training label"),
        ("sentiment: {level: 1}", "level is for taxonomies and nested choices, and this is a Choices"),
        ("sentiment: {bins: [a, 1, b]}", "bins are for numbers and ratings, and this is a Choices"),
        ("sentiment: {labels: {a: b", "1: "),
        ("sentiment: &x {}\nother: *x", "2: uses an alias"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, text: str, why: str) -> None:
    assert why in "\n".join(refused(tmp_path, text))


@pytest.mark.parametrize("bins", ["[a, b]", "[a, 3, b, 2, c]", "[a, 1, a]", "[1, a, 2]", "[a, x, b]"])
def test_bins_are_names_with_rising_numbers_between(tmp_path: Path, bins: str) -> None:
    (why,) = refused(tmp_path, f"price: {{bins: {bins}}}", NUMBERS)
    assert "bins must be names with rising numbers between them" in why


def test_numbers_and_stars_fall_into_bins_and_those_on_a_cut_into_the_upper(tmp_path: Path) -> None:
    text = "price: {bins: [cheap, 10, fair, 99.5, dear]}\nstars: {bins: [bad, 3, fine, 4, good], drop: [fine]}"
    found = labelled.mapped(tmp_path, text, NUMBERS)
    price, stars = found["price"], found["stars"]
    assert [price.of_answer(it) for it in (-1.0, 9.99, 10.0, 99.5)] == [("cheap",), ("cheap",), ("fair",), ("dear",)]
    assert [stars.of_answer(it) for it in (1, 2, 3, 4, 5)] == [("bad",), ("bad",), (), ("good",), ("good",)]
    assert stars.names == ("bad", "good")
    assert stars.table == (("below 3", "bad"), ("from 3 below 4", ""), ("from 4", "good"))


def test_numbers_and_stars_that_a_file_does_not_mention_stay(tmp_path: Path) -> None:
    found = labelled.mapped(tmp_path, "{}", NUMBERS)
    assert found["price"].of_answer(3.5) == ()
    assert found["stars"].of_answer(4) == ("4",)


def test_a_taxonomy_is_cut_at_a_level_and_a_branch_stands_for_what_is_below(tmp_path: Path) -> None:
    cut = labelled.mapped(tmp_path, "topic: {level: 1}", TREE)["topic"]
    assert [cut.training(it) for it in ("Food / Fruit / Apple", "Food / Fish", "Toys")] == ["Food", "Food", "Toys"]
    text = "topic: {labels: {Food: eat, Food / Fish: swim}, drop: [Toys]}"
    named = labelled.mapped(tmp_path, text, TREE)["topic"]
    assert [named.training(it) for it in ("Food", "Food / Fruit / Apple", "Food / Fish", "Toys")] == [
        "eat",
        "eat",
        "swim",
        None,
    ]
    both = labelled.mapped(tmp_path, "topic: {level: 2, labels: {Toys: play}}", TREE)["topic"]
    assert [both.training(it) for it in ("Food / Fruit / Apple", "Toys")] == ["Food / Fruit", "play"]
    assert both.names == ("play", "Food", "Food / Fruit", "Food / Fish")


def test_nested_choices_are_mapped_by_branch_too(tmp_path: Path) -> None:
    found = labelled.mapped(tmp_path, "topic: {labels: {Food: eat, Toys: play}}", NESTED)["topic"]
    assert [found.training(it) for it in ("Fruit", "Food / Other", "Toys / Other")] == ["eat", "eat", "play"]


def test_what_people_may_add_themselves_is_not_known_before_the_data(tmp_path: Path) -> None:
    xml = exports.SENTIMENT.replace('name="sentiment"', 'name="sentiment" value="$more"')
    found = labelled.mapped(tmp_path, "sentiment: {labels: {negative: a, neutral: a, positive: b, odd: b}}", xml)
    assert found["sentiment"].training("odd") == "b"
    with pytest.raises(Unmapped):
        found["sentiment"].training("even")


targets = st.dictionaries(st.sampled_from(LABELS), st.sampled_from(["x", "y", None]), min_size=3, max_size=3)
"""Of each label; None: dropped."""


def written(to: dict[str, str | None]) -> str:
    mapped = {label: name for label, name in to.items() if name}
    return yaml.safe_dump({"sentiment": {"labels": mapped, "drop": [label for label, name in to.items() if not name]}})


@given(targets)
def test_a_label_is_one_training_label_or_dropped_as_the_file_says(
    tmp_path_factory: pytest.TempPathFactory, to: dict[str, str | None]
) -> None:
    mapping = labelled.mapped(tmp_path_factory.mktemp("m"), written(to))["sentiment"]
    assert {label: mapping.training(label) for label in LABELS} == to
    assert set(mapping.names) == {name for name in to.values() if name}
    assert set(mapping.of(LABELS)) == set(mapping.names)


@settings(max_examples=30)
@given(targets, labelled.votes.filter(any))
def test_soft_labels_of_a_mapping_are_those_of_labels_summed_and_made_to_sum_to_one(
    tmp_path_factory: pytest.TempPathFactory, to: dict[str, str | None], votes: list[list[str]]
) -> None:
    evidence, wanted = labelled.of(votes), Wanted(mark_unsure=True)
    plain = labelled.by_task(rows(evidence, wanted))
    mapped = rows(evidence, wanted, labelled.mapped(tmp_path_factory.mktemp("m"), written(to)))
    for task, row in labelled.by_task(mapped).items():
        of: dict[str, float] = {}
        for label, value in plain[task].soft.items():
            if name := to[label]:
                of[name] = of.get(name, 0.0) + value
        whole = sum(of.values())
        assert row.soft == pytest.approx({name: value / whole for name, value in of.items()}, abs=1e-4)
        assert sum(row.soft.values()) == pytest.approx(1, abs=1e-5)


@settings(max_examples=30)
@given(st.permutations(["p", "q", "r"]), labelled.votes.filter(any))
def test_renaming_changes_names_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], votes: list[list[str]]
) -> None:
    evidence, wanted = labelled.of(votes), Wanted(mark_unsure=True)
    to = dict(zip(LABELS, names, strict=True))
    renamed = rows(evidence, wanted, labelled.mapped(tmp_path_factory.mktemp("m"), written(dict(to))))
    plain = labelled.by_task(rows(evidence, wanted))
    for task, row in labelled.by_task(renamed).items():
        assert row.labels == (to[plain[task].labels[0]],)
        assert (row.confidence, row.split, row.marks) == (
            plain[task].confidence,
            plain[task].split,
            plain[task].marks,
        )


def test_a_mapping_says_nothing_of_a_label_it_does_not_know() -> None:
    control = exports.dataset([]).config["sentiment"]
    with pytest.raises(Unmapped):
        ControlMapping(control, control.labels, {"negative": "a"}).training("positive")
