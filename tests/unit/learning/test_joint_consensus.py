"""The consensus of annotators and texts, with the real encoder."""

from __future__ import annotations

import random

import numpy as np
import pytest

from ml_backend.encoder import Encoder
from ml_backend.joint_consensus import consensus_with_texts, priors_of
from ml_backend.labeling.config import parse
from ml_backend.labeling.consensus import consensus
from ml_backend.labeling.errors import NotEnoughLabels, UnknownName
from ml_backend.labeling.judgements import judgements
from ml_backend.labeling.results import Task
from ml_backend.prelabelers import Opinion
from tests.unit.learning.reviews import SENTIMENT, choice, reviews, task

TRUTH = dict(enumerate((label for _, label in reviews(240)), 1))


def judged(each: int, wrong: float = 0.3) -> list[Task]:
    """Reviews with so many judgements, each wrong by chance."""
    source = random.Random(1)
    other = {"positive": "negative", "negative": "positive"}
    return [
        task(
            id,
            {"text": text},
            *([choice("sentiment", other[label] if source.random() < wrong else label)] for _ in range(each)),
        )
        for id, (text, label) in enumerate(reviews(240), 1)
    ]


def accuracy(items: object) -> float:
    rows = items.iter_rows(named=True)  # type: ignore[attr-defined]
    return float(np.mean([row["answer"] == f'["{TRUTH[row["task"]]}"]' for row in rows]))


def test_texts_settle_what_annotators_leave_open(encoder: Encoder) -> None:
    tasks = judged(2)
    found = consensus_with_texts(SENTIMENT, tasks, encoder)
    plain = consensus(judgements(tasks, SENTIMENT), SENTIMENT)
    assert accuracy(found.items) > accuracy(plain.items) + 0.05
    assert found.controls["sentiment"].read
    assert found.controls["sentiment"].scores["majority"] < max(found.controls["sentiment"].scores.values())
    assert (found.items["confidence"] < 0.5).sum() > 0  # both annotators wrong: theirs stands, and is doubted
    assert consensus_with_texts(SENTIMENT, tasks, encoder).items.equals(found.items)


def test_crowdlab_is_cleanlabs(encoder: Encoder) -> None:
    found = consensus_with_texts(SENTIMENT, judged(3), encoder, method="crowdlab")
    assert found.controls["sentiment"].method == "crowdlab"
    assert accuracy(found.items) > 0.8


def test_where_no_model_can_be_trained_it_is_the_plain_consensus_and_says_so(encoder: Encoder) -> None:
    few = judged(2)[:4]
    found = consensus_with_texts(SENTIMENT, few, encoder)
    assert found.items.equals(consensus(judgements(few, SENTIMENT), SENTIMENT).items)
    assert "Texts were not read" in found.note
    with pytest.raises(NotEnoughLabels):
        consensus_with_texts(SENTIMENT, few, encoder, method="crowdlab")


def test_methods_that_count_votes_need_no_model(encoder: Encoder) -> None:
    found = consensus_with_texts(SENTIMENT, judged(2)[:4], encoder, method="majority")
    assert found.note == ""
    with pytest.raises(UnknownName, match="crowdlab"):
        consensus_with_texts(SENTIMENT, [], encoder, method="mode")


def test_labels_an_opinion_does_not_show_share_what_is_left() -> None:
    config = parse(
        '<View><Text name="text" value="$text"/><Choices name="c" toName="text">'
        '<Choice value="x"/><Choice value="y"/><Choice value="z"/><Choice value="w"/></Choices></View>'
    )
    opinions = {
        1: Opinion(("x",), 0.6, {"x": 0.6, "y": 0.3}),
        2: Opinion(("z",), 0.7, {"z": 0.7, "y": 0.2}),
        3: Opinion(("w",), 1.0, {"w": 1.0, "x": 0.0, "y": 0.0, "z": 0.0}),
    }
    prior = priors_of(config, {"c": opinions})["c"]
    assert prior.tasks.tolist() == [1, 2, 3]
    assert set(prior.labels) == set("xyzw")
    columns = {label: prior.values[:, place] for place, label in enumerate(prior.labels)}
    np.testing.assert_allclose([columns[label][0] for label in "xyzw"], [0.6, 0.3, 0.05, 0.05])
    np.testing.assert_allclose(prior.values.sum(axis=1), 1)
