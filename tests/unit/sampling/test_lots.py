"""Lots: what is drawn, what stays, what is decided of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from unit.analysis.exports import SENTIMENT, annotation, choice, dataset, voted
from unit.analysis.given import GivenEvidence
from unit.sampling.lots import SEVERE, evidence, judged, lot

from ml_backend.labeling.errors import InputError, UnknownName
from ml_backend.model_files import ModelFiles
from sdk_scripts.quality import Lot as Wanted
from sdk_scripts.sampling.draw import draw
from sdk_scripts.sampling.lots import Lot, Lots, drawn
from sdk_scripts.sampling.strata import severe_from
from sdk_scripts.standards import Standard

LABELS = {task: "negative" if task % 20 == 0 else "positive" for task in range(1, 1001)}


def test_the_same_lot_has_the_same_sample_and_another_name_or_key_another() -> None:
    first = lot(LABELS)
    assert first.sample == lot(dict(reversed(LABELS.items()))).sample
    assert first.sample != lot(LABELS, "december").sample
    assert drawn(LABELS, "november", "3.1", "secret") != drawn(LABELS, "november", "3.1")


def test_the_sample_is_the_lots_by_the_tables_and_the_high_risk_stratums_by_zero_acceptance() -> None:
    found = lot(LABELS)
    assert len(found.high) == 50
    assert (found.plan.n, found.plan.accept, found.plan.letter) == (80, 2, "J")
    assert found.zero.accept == 0
    assert len(found.sample_of_high) == found.zero.n > 30
    assert set(found.sample) == found.sample_of_all | found.sample_of_high
    assert len(found.sample) < found.plan.n + found.zero.n  # what both draw is inspected once


def test_what_the_model_sees_as_a_violation_is_high_risk_although_nobody_labelled_it_so() -> None:
    labels = dict.fromkeys(range(1, 101), "positive")
    seen = {task: 0.4 if task < 4 else 0.01 for task in labels}
    assert draw(evidence(labels, seen=seen), Wanted(), "a").high == {1, 2, 3}
    assert draw(evidence(labels, seen=seen), Wanted(seen_from=0.5), "a").high == frozenset()


def test_without_severities_there_is_one_plan_for_all() -> None:
    found = lot(LABELS, standard=Standard())
    assert (found.high, found.severe) == (frozenset(), None)
    assert [part.name for part in judged(found, standard=Standard()).parts] == ["all"]


def test_the_highest_severity_named_is_that_of_no_acceptance_unless_the_project_says_so() -> None:
    assert severe_from(SEVERE, None) == 5
    assert severe_from(SEVERE, 2) == 2
    assert severe_from(Standard(risk_words={"gun": 7}), None) == 7
    assert severe_from(Standard(), 2) is None


def test_a_task_is_in_one_lot_only_and_what_a_review_has_decided_in_none() -> None:
    tasks = [voted(task, f"text {task}", "positive") for task in range(1, 31)]
    decided = annotation(9_000, 7, choice("sentiment", "neutral") | {"meta": {"tiebreak": {"review": "5/1/1"}}})
    tasks[0]["annotations"].append(decided | {"ground_truth": True})
    given = GivenEvidence(dataset(tasks), standard=SEVERE)
    first = draw(given, Wanted(), "a")
    assert sorted(first.labels) == list(range(2, 31))
    with pytest.raises(InputError, match="no lot yet"):
        draw(given, Wanted(), "b", earlier=[first])
    half = replace(first, labels=dict(list(first.labels.items())[:10]))
    assert draw(given, Wanted(), "b", earlier=[half]).labels.keys() == first.labels.keys() - half.labels.keys()


def test_a_lot_is_about_a_control_with_labels() -> None:
    with pytest.raises(UnknownName, match="sentiment"):
        draw(evidence(LABELS), Wanted(), "a", control="feeling")
    config = SENTIMENT.replace("</View>", '<TextArea name="why" toName="text"/></View>')
    with pytest.raises(InputError, match="--control: sentiment"):
        draw(GivenEvidence(dataset([voted(1, "a", "positive")], config)), Wanted(), "a", control="why")


def test_a_record_is_read_as_it_was_written(tmp_path) -> None:
    lots = Lots(ModelFiles(str(tmp_path)), "3.1764547200")
    first = lot(LABELS)
    lots.write(first)
    read = lots.read("november")
    assert read == first
    assert read.sample == first.sample
    assert list(read.labels) == list(first.labels)
    assert lots.all() == [first]
    assert lots.read("december") is None


@pytest.mark.parametrize("name", ["", "..", "a/b", "../../etc", "a b", "x" * 65, "a..b"])
def test_a_name_that_could_leave_the_folder_is_refused(tmp_path, name) -> None:
    with pytest.raises(InputError, match="no name of a lot"):
        Lots(ModelFiles(str(tmp_path)), "3.1").read(name)


def test_a_damaged_record_is_named(tmp_path) -> None:
    lots = Lots(ModelFiles(str(tmp_path)), "3.1")
    lots.files.write("3.1/lots/a/lot.json", b'{"name": "a"}')
    with pytest.raises(InputError, match=r"3\.1/lots/a/lot\.json"):
        lots.all()


def wrong(found: Lot, label: str, n: int, *, high: bool) -> dict[int, str]:
    """The first n of the sample inside or outside the high-risk stratum, decided otherwise."""
    some = [task for task in found.sample if (task in found.high) is high and (high or task in found.sample_of_all)]
    return dict.fromkeys(some[:n], label)


@pytest.mark.parametrize(
    ("label", "n", "high", "verdict"),
    [
        ("neutral", 0, False, "accepted"),
        ("neutral", 2, False, "accepted"),  # Ac 2
        ("neutral", 3, False, "rejected"),
        ("negative", 1, False, "rejected"),  # a violation nobody saw, in whatever stratum
        ("positive", 1, True, "rejected"),  # a violation that is none
    ],
)
def test_a_lot_is_accepted_by_what_was_found_and_how_bad_it_is(label, n, high, verdict) -> None:
    found = lot(LABELS)
    assert judged(found, wrong(found, label, n, high=high)).verdict == verdict


def test_a_lot_waits_for_its_sample_unless_it_is_rejected_already() -> None:
    found = lot(LABELS)
    waiting = judged(found, decided=len(found.sample) - 1)
    assert (waiting.verdict, len(waiting.waiting), waiting.error_rate) == ("waiting", 1, None)
    early = judged(found, wrong(found, "neutral", 3, high=False), decided=len(found.sample) - 1)
    assert early.verdict == "rejected"


def test_a_task_that_was_deleted_before_it_was_decided_counts_as_nonconforming() -> None:
    found = lot(LABELS)
    ordinary = [task for task in found.sample if task not in found.high][:3]
    assert judged(found, gone=ordinary[:2]).verdict == "accepted"
    assert judged(found, gone=ordinary).verdict == "rejected"


def test_errors_are_counted_by_class_and_weighed_by_stratum() -> None:
    found = lot(LABELS)
    some = judged(found, wrong(found, "neutral", 2, high=False) | wrong(found, "positive", 1, high=True))
    assert some.found == {"critical": 1, "major": 2, "minor": 0}
    ordinary = len([task for task in found.sample if task not in found.high])
    high = len(found.sample) - ordinary
    assert some.error_rate.value == pytest.approx((950 * 2 / ordinary + 50 * 1 / high) / 1000)
    assert some.error_rate.low < some.error_rate.value < some.error_rate.high


def test_recall_is_of_violations_that_reviewers_confirm() -> None:
    found = lot(LABELS)
    assert judged(found).violations_found.value == 1
    missed = judged(found, wrong(found, "negative", 1, high=False))
    ordinary = len([task for task in found.sample if task not in found.high])
    assert missed.violations_found.value == pytest.approx(50 / (50 + 950 / ordinary))


def test_what_is_inspected_beyond_the_sample_changes_no_verdict_and_makes_the_rate_exact() -> None:
    found = lot(LABELS)
    bad = wrong(found, "neutral", 3, high=False)
    before = judged(found, bad)
    assert len(before.rest) == 1000 - len(found.sample)
    everything = {task: ('["neutral"]' if task in bad else key) for task, key in found.labels.items()}
    after = replace(before, decided=everything)
    assert (after.verdict, after.rest) == ("rejected", ())
    assert after.error_rate.low == after.error_rate.high == pytest.approx(0.003)
