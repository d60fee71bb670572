"""Spans and boxes: marks that overlap are one, most people's marks count, and none is made up."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.labeling.marks import BOXES, LABELS, SPANS, kind, marked
from unit.labeling.votes import table

from ml_backend.labeling.alpha import Distances
from ml_backend.labeling.central_answer import medoid
from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.consensus import consensus
from ml_backend.labeling.judgements import latest
from ml_backend.labeling.kinds.boxes import Box
from ml_backend.labeling.kinds.spans import Span
from ml_backend.labeling.units import code


def settled(config: LabelConfig, *said: tuple[Any, ...]) -> dict[str, Any]:
    """The consensus of one task judged by a, b, c, …, beside twenty that all agree on."""
    it, usual = kind(config), (Span(0, 5, ("Brand",)),) if config is SPANS else (Box(1, 1, 9, 9, 0, ("Brand",)),)
    rows = [(1, who, it.key(answer)) for who, answer in zip("abcdefg", said, strict=False)]
    rows += [(task, who, it.key(usual)) for task in range(2, 22) for who in "abcdefg"]
    row = consensus(table(rows), config).items.row(0, named=True)
    return {**row, "answer": it.from_key(row["answer"])}


def spans(*marks: tuple[int, int, str]) -> tuple[Span, ...]:
    return tuple(Span(start, end, (label,)) for start, end, label in marks)


def test_the_marks_of_most_people_make_an_answer_that_nobody_gave() -> None:
    found = settled(
        SPANS,
        spans((10, 20, "Brand"), (40, 50, "Price")),
        spans((10, 20, "Brand"), (70, 80, "Contact")),
        spans((40, 50, "Price"), (70, 80, "Contact")),
    )
    assert found["answer"] == spans((10, 20, "Brand"), (40, 50, "Price"), (70, 80, "Contact"))
    assert not found["tied"]


def test_edges_are_at_the_median_of_those_given() -> None:
    found = settled(SPANS, spans((10, 20, "Brand")), spans((12, 21, "Brand")), spans((11, 30, "Brand")))
    assert found["answer"] == spans((11, 21, "Brand"))
    boxes = [(Box(x, 10, 20, 20, 0, ("Brand",)),) for x in (10, 11, 15)]
    assert settled(BOXES, *boxes)["answer"] == (Box(11, 10, 20, 20, 0, ("Brand",)),)


def test_the_same_place_under_different_labels_is_no_agreement() -> None:
    found = settled(SPANS, spans((10, 20, "Brand")), spans((10, 20, "Price")), spans((10, 20, "Contact")))
    assert len(found["answer"]) == 1
    assert found["tied"]
    assert found["confidence"] <= 0.5


def test_two_labels_of_one_place_stay_one_mark() -> None:
    both = (Span(10, 20, ("Brand", "Price")),)
    assert settled(SPANS, both, both, spans((10, 20, "Brand")))["answer"] == both


@pytest.mark.parametrize("config", [SPANS, BOXES], ids=["spans", "boxes"])
def test_a_mark_that_half_of_the_people_made_is_unsure(config: LabelConfig) -> None:
    one, more = (
        (spans((10, 20, "Brand")), spans((10, 20, "Brand"), (40, 50, "Price")))
        if config is SPANS
        else ((Box(1, 1, 9, 9, 0, ("Brand",)),), (Box(1, 1, 9, 9, 0, ("Brand",)), Box(50, 50, 9, 9, 0, ("Price",))))
    )
    found = settled(config, one, more)
    assert found["tied"]
    assert found["confidence"] <= 0.5


def test_rough_edges_of_two_people_are_no_tie() -> None:
    found = settled(SPANS, spans((10, 30, "Brand")), spans((11, 30, "Brand")))
    assert not found["tied"]
    assert found["confidence"] > 0.8


def test_rotated_boxes_and_spans_across_paragraphs_have_the_most_central_mark() -> None:
    tilted = [(Box(x, 10, 20, 20, 30, ("Brand",)),) for x in (10, 11, 16)]
    assert settled(BOXES, *tilted)["answer"] == tilted[1]
    across = [(Span(5, end, ("Brand",), "", "0", "2"),) for end in (4, 5, 60)]
    assert settled(SPANS, *across)["answer"] in across[:2]


def by_medoid(config: LabelConfig, rows: pl.DataFrame) -> pl.DataFrame:
    coded = code(latest(rows), config["c"], kind(config))
    central = medoid(coded, Distances(coded.answers, kind(config).distance))
    return pl.DataFrame({"task": coded.tasks, "answer": [coded.keys[place] for place in central.answer]})


@pytest.mark.parametrize("config", [SPANS, BOXES], ids=["spans", "boxes"])
@pytest.mark.parametrize("each", [3, 4, 5])
def test_it_is_nearer_to_the_truth_than_the_medoid(config: LabelConfig, each: int) -> None:
    ours, theirs = [], []
    for seed in range(3):
        made = marked(config, seed, each=each)
        ours.append(made.f1(consensus(made.table(), config).items))
        theirs.append(made.f1(by_medoid(config, made.table())))
    assert np.mean(ours) > np.mean(theirs)


def test_confidence_tells_good_answers_from_bad() -> None:
    made = marked(SPANS, 0, tasks=300)
    items = consensus(made.table(), SPANS).items.sort("task")
    it = kind(SPANS)
    near = [1 - it.distance(it.from_key(key), truth) for key, truth in zip(items["answer"], made.truth, strict=True)]
    assert np.corrcoef(items["confidence"].to_numpy(), near)[0, 1] > 0.5


box = st.builds(
    lambda x, y, w, h, turn, label: Box(x, y, w, h, turn, (label,)),
    st.integers(0, 60), st.integers(0, 60), st.integers(1, 40), st.integers(1, 40), st.sampled_from([0, 0, 0, 30]),
    st.sampled_from(LABELS),
)  # fmt: skip
span = st.builds(
    lambda start, length, label: Span(start, start + length, (label,)),
    st.integers(0, 60), st.integers(1, 20), st.sampled_from(LABELS),
)  # fmt: skip


@st.composite
def judged(draw: st.DrawFn) -> tuple[LabelConfig, list[tuple[int, str, tuple[Any, ...]]]]:
    config, mark = draw(st.sampled_from([(SPANS, span), (BOXES, box)]))
    it = kind(config)
    answers = st.lists(mark, min_size=1, max_size=4).map(
        lambda marks: it.read(config["c"], it.write(config["c"], tuple(marks)))
    )
    pool = draw(st.lists(answers, min_size=1, max_size=4))
    said = draw(
        st.dictionaries(
            st.tuples(st.integers(0, 4), st.sampled_from("abcd")), st.sampled_from(pool), min_size=1, max_size=15
        )
    )
    return config, [(task, who, answer) for (task, who), answer in said.items()]


@settings(deadline=None, max_examples=80)
@given(judged())
def test_what_all_mark_is_the_consensus_and_nothing_is_made_up(data: Any) -> None:
    config, said = data
    it = kind(config)
    items = consensus(table([(task, who, it.key(answer)) for task, who, answer in said]), config).items
    for row in items.iter_rows(named=True):
        given_answers = {answer for task, _, answer in said if task == row["task"]}
        answer = it.from_key(row["answer"])
        assert answer == it.read(config["c"], it.write(config["c"], answer))  # an answer the control can hold
        assert set(it.labels(answer)) <= {label for one in given_answers for label in it.labels(one)}
        assert len(given_answers) > 1 or answer in given_answers
        assert 0 <= row["confidence"] <= 1
        assert not row["tied"] or row["confidence"] <= 0.5


@settings(deadline=None, max_examples=60)
@given(judged(), st.permutations("abcd"), st.randoms())
def test_names_of_annotators_and_the_order_of_judgements_do_not_matter(data: Any, names: Any, random: Any) -> None:
    config, said = data
    rows = [(task, who, kind(config).key(answer)) for task, who, answer in said]
    other = [(task, names["abcd".index(who)], key) for task, who, key in rows]
    random.shuffle(other)
    before, after = (consensus(table(it), config).items for it in (rows, other))
    assert before["task"].to_list() == after["task"].to_list()
    for left, right in zip(before.iter_rows(named=True), after.iter_rows(named=True), strict=True):
        assert left["confidence"] == pytest.approx(right["confidence"], abs=1e-6)
        assert left["answer"] == right["answer"] or left["confidence"] <= 0.5 + 1e-6
