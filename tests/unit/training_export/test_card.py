"""The data card: what an export holds and what it does not, in words that nobody's labels can turn into markup."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from unit.analysis import exports
from unit.training_export import labelled

from ml_backend.settings import Settings
from sdk_scripts.training_export.card import card
from sdk_scripts.training_export.collect import Asked, collect
from sdk_scripts.training_export.markdown import table
from sdk_scripts.training_export.rows import Wanted

VOTES = [["positive", "positive"], ["negative", "negative"], ["neutral", "positive"], ["negative", "negative"]]


def made(settings: Settings, json: Any = None, xml: str = exports.SENTIMENT, **more: Any) -> str:
    wanted = more.pop("wanted", None)
    export = collect(exports.dataset(json or labelled.tasks(VOTES), xml), settings, wanted, Asked(**more))
    front = {"jsonl": {"configs": [{"config_name": "sentiment"}]}}
    return card(export, ["jsonl"], {"jsonl": {"an <image> without a size": 2}}, front)


def rendered(text: str) -> str:
    return str(MarkdownIt("commonmark").enable("table").render(text))


def lines(card: str, heading: str) -> list[list[str]]:
    """The rows of the tables under a heading."""
    part = card.split(f"\n## {heading}\n", 1)[1].split("\n## ")[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in part.splitlines() if line.startswith("|")]


def test_the_card_tells_counts_provenance_agreement_and_what_was_left_out(settings: Settings) -> None:
    card = made(settings)
    assert "3 labels, for 3 of 4 tasks" in card
    counted = {line[0]: sum(map(int, line[1:])) for line in lines(card, "sentiment") if line[0] in labelled.LABELS}
    assert counted == {"negative": 2, "neutral": 0, "positive": 1}
    assert ["human", "3", "1.000", "people answered, unaided"] in lines(card, "sentiment")
    assert ["not known", "3"] in lines(card, "sentiment")
    assert "Krippendorff's alpha" in card
    assert lines(card, "What was left out")[2] == ["sentiment", "unsure", "1", "tied, or a confidence below the bar"]
    assert ["jsonl", "an \\<image\\> without a size", "2"] in lines(card, "What was left out")


def test_annotators_have_numbers_unless_they_are_to_be_named(settings: Settings) -> None:
    json = labelled.tasks(VOTES)
    for task in json:
        for annotation in task["annotations"]:
            annotation["completed_by"] = {"id": annotation["completed_by"], "email": f"p{annotation['id'] % 100}@x.org"}
    assert "x.org" not in made(settings, json)
    assert [line[:3] for line in lines(made(settings, json), "Annotators")[2:]] == [
        ["sentiment", "annotator 1", "4"],
        ["sentiment", "annotator 2", "4"],
    ]
    assert "p1\\@x.org" in made(settings, json, names=True)


def test_numbers_of_annotators_stay_when_others_join(settings: Settings) -> None:
    json = labelled.tasks(VOTES)
    late = exports.annotation(901, 0, exports.choice("sentiment", "neutral"), created_at="2027-01-01T00:00:00Z")
    json[0]["annotations"].insert(0, late)
    assert [line[1] for line in lines(made(settings, json), "Annotators")[2:]] == [
        "annotator 1",
        "annotator 2",
        "annotator 3",
    ]
    assert lines(made(settings, json), "Annotators")[-1][2] == "1"


def test_the_mapping_and_the_licence_are_told(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "labels.yaml"
    path.write_text("sentiment: {labels: {negative: bad, positive: good}, drop: [neutral]}")
    card = made(settings, mapping=path, licence="cc-by-4.0")
    assert ["negative", "bad"] in lines(card, "sentiment")
    assert ["neutral", "left out"] in lines(card, "sentiment")
    assert "Licence: cc-by-4.0" in card
    assert yaml.safe_load(card.split("---\n")[1])["license"] == "cc-by-4.0"
    assert "Licence: not stated" in made(settings)


def test_the_front_matter_is_that_of_the_format_that_datasets_reads(settings: Settings) -> None:
    front = yaml.safe_load(made(settings).split("---\n")[1])
    assert front == {"pretty_name": "reviews", "configs": [{"config_name": "sentiment"}]}


def test_labels_and_titles_cannot_become_markup(settings: Settings) -> None:
    label = "<script>alert(1)</script> | [a](http://evil.example) **b** `c`"
    xml = exports.SENTIMENT.replace('"negative"', f'"{label.replace("<", "&lt;")}"')
    json = labelled.tasks([[label, label], ["positive", "positive"]])
    html = (
        MarkdownIt("commonmark")
        .enable("table")
        .render(made(settings, json, xml, wanted=Wanted(sure=0)).split("---\n", 2)[2])
    )
    assert "<script>" not in html
    assert "<a " not in html
    assert "<strong>" not in html
    assert f"<td>{label.replace('<', '&lt;').replace('>', '&gt;')}</td>" in re.sub(r' style="[^"]*"', "", html)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs"]), min_size=1, max_size=60))
def test_words_in_a_table_are_shown_as_they_are(text: str) -> None:
    from html import unescape

    html = rendered("\n".join(table(["head"], [[text], ["end"]])))
    (cell,) = re.findall(r"<td[^>]*>(.*?)</td>", html)[:1]
    assert "<" not in cell
    assert unescape(cell) == text.strip()


@pytest.mark.parametrize("value", [True, None, 3, 0.25, -1.5, "a"])
def test_a_cell_is_never_empty(value: object) -> None:
    assert "|  |" not in table(["head"], [[value]])[2]
