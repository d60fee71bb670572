"""Export rows: the consensus in training labels, how sure it is, and where it comes from."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.analysis import exports
from unit.training_export import labelled

from ml_backend.labeling.errors import ConfigError, NotEnoughLabels, UnknownName
from sdk_scripts.training_export.pairs import Policies
from sdk_scripts.training_export.rows import Wanted, rows

MARKED = Wanted(mark_gold=True, mark_unsure=True)


@settings(max_examples=40)
@given(labelled.votes.filter(any), st.floats(0, 1))
def test_every_judged_pair_is_a_row_or_dropped_for_one_reason(votes: list[list[str]], sure: float) -> None:
    found = rows(labelled.of(votes), Wanted(sure=sure))
    written = [row.task for it in found.controls for row in it.rows]
    assert len(written) + sum(found.dropped.values()) == found.judged == sum(map(bool, votes))
    assert written == sorted(set(written))


@settings(max_examples=40)
@given(labelled.votes.filter(any))
def test_without_a_mapping_a_row_is_what_the_consensus_says(votes: list[list[str]]) -> None:
    evidence = labelled.of(votes)
    found = labelled.by_task(rows(evidence, MARKED))
    for task, _, answer, confidence, judgements, tied in evidence.consensus.items.iter_rows():
        row = found[task]
        assert f'["{row.labels[0]}"]' == answer
        assert row.confidence == pytest.approx(confidence, abs=1e-6)
        assert row.judgements == judgements == len(votes[task - 1])
        assert ("unsure" in row.marks) == (tied or confidence < 0.5)


@settings(max_examples=40)
@given(labelled.votes.filter(any))
def test_soft_labels_sum_to_one_and_the_label_is_the_most_probable(votes: list[list[str]]) -> None:
    for row in labelled.by_task(rows(labelled.of(votes), MARKED)).values():
        assert sum(row.soft.values()) == pytest.approx(1, abs=1e-5)
        assert row.soft[row.labels[0]] >= max(row.soft.values()) - 2e-6


def test_agreement_is_the_share_that_gave_the_label_and_is_not_known_of_one() -> None:
    found = labelled.by_task(rows(labelled.of([["positive", "positive", "negative"], ["neutral"]]), MARKED))
    assert found[1].agreement == pytest.approx(2 / 3, abs=1e-6)
    assert found[2].agreement is None
    assert found[2].judgements == 1


def test_a_tie_is_left_out_unless_it_is_to_be_marked() -> None:
    evidence = labelled.of([["positive", "negative"], ["neutral", "neutral"]])
    found = rows(evidence, Wanted())
    assert list(labelled.by_task(found)) == [2]
    assert found.dropped == {"unsure": 1}
    assert labelled.by_task(rows(evidence, MARKED))[1].marks == {"unsure"}


def test_a_gold_question_is_left_out_unless_it_is_to_be_marked() -> None:
    evidence = labelled.of([["positive", "positive"], ["neutral", "neutral"]])
    gold = frozenset({("sentiment", 1)})
    assert rows(evidence, Wanted(), gold=gold).dropped == {"gold": 1}
    assert labelled.by_task(rows(evidence, MARKED, gold=gold))[1].marks == {"gold"}


def test_where_a_label_comes_from_is_told() -> None:
    assisted = exports.annotation(401, 1, exports.choice("sentiment", "neutral"), parent_prediction=9)
    found = labelled.by_task(
        rows(
            labelled.evidence(
                [
                    exports.voted(1, labelled.text(1), "positive", "positive"),
                    exports.task(2, labelled.text(2), [labelled.reviewed(201, "negative", "abc")]),
                    exports.task(3, labelled.text(3), [labelled.by_machine(301, "positive", 0.93)]),
                    exports.task(4, labelled.text(4), [assisted], predictions=[exports.predicted(9, "neutral", 0.8)]),
                ]
            ),
            Wanted(),
        )
    )
    assert {task: row.provenance for task, row in found.items()} == {
        1: "human",
        2: "reviewed",
        3: "machine",
        4: "machine-assisted",
    }
    assert (found[2].confidence, found[2].soft, found[2].judgements) == (1.0, {"negative": 1.0}, 0)
    assert (found[3].confidence, found[3].soft) == (0.93, {})


def test_a_review_outweighs_what_people_said() -> None:
    task = exports.voted(1, labelled.text(1), "positive", "positive", "positive")
    task["annotations"].append(labelled.reviewed(190, "negative"))
    row = labelled.by_task(rows(labelled.evidence([task]), Wanted()))[1]
    assert (row.labels, row.provenance, row.confidence) == (("negative",), "reviewed", 1.0)
    assert (row.judgements, row.agreement) == (3, 0.0)


def test_a_decision_that_was_taken_back_leaves_nothing() -> None:
    gone = {**labelled.reviewed(101, "negative"), "ground_truth": False}
    found = rows(labelled.evidence([exports.task(1, "a", [gone]), exports.voted(2, "b", "positive")]), Wanted())
    assert found.dropped == {"unsettled": 1}


def test_wrong_answers_shown_on_purpose_are_no_labels() -> None:
    from dataclasses import replace

    from msgspec import structs

    evidence = labelled.of([["positive"], ["neutral", "neutral"]])
    first, second = evidence.dataset.tasks
    (annotation,) = first.annotations
    shown = structs.replace(annotation, seeded=frozenset({"sentiment"}), arm="seeded")
    dataset = replace(evidence.dataset, tasks=[structs.replace(first, annotations=(shown,)), second])
    found = rows(replace(evidence, dataset=dataset), MARKED)
    assert found.dropped == {"seeded": 1}
    assert list(labelled.by_task(found)) == [2]


def test_the_guidelines_are_those_of_the_time_and_of_a_review_those_it_was_made_under() -> None:
    task = exports.task(2, labelled.text(2), [labelled.reviewed(201, "negative", "of the review")])
    evidence = labelled.evidence([exports.voted(1, labelled.text(1), "positive"), task])

    def policy(*since: tuple[datetime, str]) -> dict[int, str]:
        found = labelled.by_task(rows(evidence, Wanted(), policies=Policies(since)))
        return {id: row.policy for id, row in found.items()}

    assert policy() == {1: "", 2: "of the review"}
    first, later = (datetime(year, 1, 1, tzinfo=UTC) for year in (2025, 2027))
    assert policy((first, "v1"), (later, "v2")) == {1: "v1", 2: "of the review"}
    assert policy((later, "v2"))[1] == ""


def test_merging_labels_settles_what_they_were_torn_between(tmp_path: Path) -> None:
    mapping = labelled.mapped(tmp_path, "sentiment: {labels: {negative: opinion, positive: opinion, neutral: none}}")
    evidence = labelled.of([["positive", "negative"], ["neutral", "neutral"], ["positive", "negative", "neutral"]])
    found = labelled.by_task(rows(evidence, Wanted(), mapping))
    assert found[1].labels == ("opinion",)
    assert found[1].confidence == pytest.approx(found[1].soft["opinion"])
    assert found[1].agreement == 1.0
    assert found[3].labels == ("opinion",)
    assert found[3].agreement == pytest.approx(2 / 3, abs=1e-6)


def test_what_is_probably_a_dropped_label_is_left_out_and_soft_labels_do_without_it(tmp_path: Path) -> None:
    mapping = labelled.mapped(tmp_path, "sentiment: {labels: {negative: bad, positive: good}, drop: [neutral]}")
    evidence = labelled.of([["neutral", "neutral"], ["positive", "positive", "neutral"], ["negative", "negative"]])
    found = rows(evidence, Wanted(), mapping)
    assert found.dropped == {"mapping": 1}
    row = labelled.by_task(found)[2]
    assert row.labels == ("good",)
    assert set(row.soft) == {"good", "bad"}
    assert sum(row.soft.values()) == pytest.approx(1, abs=1e-5)


def test_a_label_of_the_data_that_the_mapping_does_not_know_is_refused_with_its_name(tmp_path: Path) -> None:
    mapping = labelled.mapped(tmp_path, "sentiment: {labels: {negative: bad, positive: good, neutral: good}}")
    evidence = labelled.of([["positve"], ["negative"]])
    with pytest.raises(ConfigError, match=r"m\.yaml:1: sentiment: the label 'positve' .* did you mean 'positive'"):
        rows(evidence, Wanted(), mapping, mapping_file=Path("m.yaml"))


def test_labels_that_go_together_keep_probabilities_of_their_own() -> None:
    xml = exports.SENTIMENT.replace('toName="text">', 'toName="text" choice="multiple">')
    json = [
        exports.task(
            id,
            labelled.text(id),
            [exports.annotation(id * 10 + who, who, exports.choice("sentiment", *picked)) for who, picked in given],
        )
        for id, given in enumerate(
            [[(1, ["negative", "neutral"]), (2, ["negative", "neutral"])], [(1, ["positive"]), (2, ["positive"])]], 1
        )
    ]
    found = labelled.by_task(rows(labelled.evidence(json, xml), MARKED))
    assert found[1].labels == ("negative", "neutral")
    assert found[1].soft["negative"] > 0.5 < found[1].soft["neutral"]


def test_marks_keep_their_place_in_the_text_and_lose_labels_that_are_dropped(tmp_path: Path) -> None:
    mapping = labelled.mapped(
        tmp_path,
        "verdict: same\npolicy: same\nspans: {labels: {brand: name}, drop: [claim]}\nboxes: {labels: {logo: mark}}\n",
        exports.EVERY_KIND,
    )

    def span(start: int, end: int, label: str) -> dict:
        value = {"start": start, "end": end, "labels": [label]}
        return {"from_name": "spans", "to_name": "text", "type": "labels", "value": value}

    box = {
        "from_name": "boxes",
        "to_name": "image",
        "type": "rectanglelabels",
        "original_width": 640,
        "original_height": 480,
        "value": {"x": 1, "y": 2, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": ["logo"]},
    }
    json = exports.task(1, "Acme is best", [exports.annotation(1, 1, span(0, 4, "brand"), span(8, 12, "claim"), box)])
    json["data"]["image"] = "http://images.example/1.jpg"
    found = rows(labelled.evidence([json], exports.EVERY_KIND), MARKED, mapping)
    spans, boxes = labelled.by_task(found, "spans")[1], labelled.by_task(found, "boxes")[1]
    assert [(spans.text[it.start : it.end], it.labels) for it in spans.regions] == [("Acme", ("name",))]
    assert [it.labels for it in boxes.regions] == [("mark",)]
    assert [(it.address, it.width, it.height) for it in boxes.images] == [("http://images.example/1.jpg", 640, 480)]
    assert boxes.text == ""


def test_a_recording_has_no_text_and_its_address_stands_among_the_data() -> None:
    xml = """<View><Audio name="a" value="$audio"/>
      <Choices name="c" toName="a"><Choice value="x"/><Choice value="y"/></Choices></View>"""
    json = exports.task(1, "", [exports.annotation(1, 1, {**exports.choice("c", "x"), "to_name": "a"})])
    json["data"] = {"audio": "http://sounds.example/1.mp3"}
    row = labelled.by_task(rows(labelled.evidence([json], xml), MARKED), "c")[1]
    assert (row.text, row.data) == ("", {"audio": "http://sounds.example/1.mp3"})


def test_marks_in_a_dialogue_count_in_its_joined_text() -> None:
    xml = """<View><Paragraphs name="t" value="$talk" textKey="says"/>
      <ParagraphLabels name="c" toName="t"><Label value="x"/></ParagraphLabels></View>"""
    value = {"start": "0", "end": "1", "startOffset": 6, "endOffset": 3, "paragraphlabels": ["x"]}
    region = {"from_name": "c", "to_name": "t", "type": "paragraphlabels", "value": value}
    json = exports.task(1, "", [exports.annotation(1, 1, region)])
    json["data"] = {"talk": [{"who": "a", "says": "Hello Ann"}, {"who": "b", "says": "Bye now"}]}
    row = labelled.by_task(rows(labelled.evidence([json], xml), MARKED), "c")[1]
    (span,) = row.regions
    assert row.text == "Hello Ann\nBye now"
    assert row.text[span.start : span.end] == "Ann\nBye"


@pytest.mark.parametrize(("said", "kept"), [("bold", True), ("else", False)])
def test_marks_in_html_are_kept_where_the_words_there_are_those_that_were_marked(said: str, kept: bool) -> None:
    xml = """<View><HyperText name="t" value="$html"/>
      <HyperTextLabels name="c" toName="t"><Label value="x"/></HyperTextLabels></View>"""
    value = {"start": "/b[1]/text()[1]", "end": "/b[1]/text()[1]", "startOffset": 0, "endOffset": 4, "text": said}
    value |= {"globalOffsets": {"start": 2, "end": 6}, "hypertextlabels": ["x"]}
    region = {"from_name": "c", "to_name": "t", "type": "hypertextlabels", "value": value}
    json = exports.task(1, "", [exports.annotation(1, 1, region)])
    json["data"] = {"html": "a <b>bold</b> word"}
    row = labelled.by_task(rows(labelled.evidence([json], xml), MARKED), "c")[1]
    assert row.unplaced == (0 if kept else 1)
    assert row.text == "a bold word"
    assert [row.text[it.start : it.end] for it in row.regions] == (["bold"] if kept else [])


def test_columns_are_those_on_the_screen_and_those_asked_for() -> None:
    json = [exports.voted(1, "a text", "positive")]
    json[0]["data"] |= {"email": "buyer@example.com", "shop": "3"}
    evidence = labelled.evidence(json)
    assert labelled.by_task(rows(evidence, Wanted()))[1].data == {"text": "a text"}
    assert labelled.by_task(rows(evidence, Wanted(columns=("shop",))))[1].data == {"text": "a text", "shop": "3"}
    with pytest.raises(UnknownName, match="no column of task data named 'shops'; known: email, shop, text"):
        rows(evidence, Wanted(columns=("shops",)))


def test_nothing_labelled_and_an_unknown_control_are_refused() -> None:
    with pytest.raises(NotEnoughLabels, match="no labels to export"):
        rows(labelled.of([[], []]), Wanted())
    with pytest.raises(UnknownName, match="no control named 'mood'; known: sentiment"):
        rows(labelled.of([["positive"]]), Wanted(controls=("mood",)))


@settings(max_examples=20)
@given(labelled.votes.filter(any), st.randoms(use_true_random=False))
def test_rows_do_not_depend_on_the_order_in_which_tasks_come(votes: list[list[str]], order: random.Random) -> None:
    json = labelled.tasks(votes)
    shuffled = [dict(it) for it in json]
    order.shuffle(shuffled)
    assert rows(labelled.evidence(json), MARKED).controls == rows(labelled.evidence(shuffled), MARKED).controls
