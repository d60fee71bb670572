"""Consensus of annotators and of what a text model thinks: better where texts help, no worse where they do not."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from unit.labeling.crowds import Crowd, choices
from unit.labeling.votes import choice, table

from ml_backend.labeling.annotator_models import READERS
from ml_backend.labeling.confidence import expected_calibration_error
from ml_backend.labeling.consensus import METHODS, Consensus, consensus
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.label_probabilities import LabelProbabilities
from ml_backend.labeling.text_prior import TextPrior


def opinions(made: Crowd, strength: float, seed: int = 0, heat: float = 1.0) -> LabelProbabilities:
    """A classifier that knows something of the truth; its probabilities are calibrated at a heat of 1."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(len(made.truth), made.labels))
    logits[np.arange(len(made.truth)), made.truth] += strength
    probabilities = np.exp(strength * logits / heat)  # Gaussian evidence: its log-odds are strength times the logits
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return LabelProbabilities(
        np.arange(len(made.truth)), tuple(f"l{label}" for label in range(made.labels)), probabilities
    )


def scored(made: Crowd, **how: Any) -> tuple[float, float, float, Consensus]:
    """Accuracy, calibration error, AUROC of wrong answers."""
    found = consensus(made.table(), made.config(), **how)
    items = found.items.sort("task")
    right = np.array([json.loads(key)[0] for key in items["answer"]]) == np.array([f"l{it}" for it in made.truth])
    confidence = items["confidence"].to_numpy()
    return (
        float(right.mean()),
        expected_calibration_error(confidence, right),
        float(roc_auc_score(right, confidence)),
        found,
    )


@pytest.mark.parametrize("each", [2, 3])
@pytest.mark.parametrize("labels", [3, 20])
def test_texts_make_the_consensus_better_and_it_stays_calibrated(each: int, labels: int) -> None:
    made = Crowd(0, each=each, labels=labels, tasks=1500, accuracy=(0.4, 0.95))
    with_texts, error, sees, found = scored(made, priors={"c": opinions(made, 1.8)})
    without = scored(made)
    assert with_texts > without[0] + 0.03
    assert error <= 0.05
    assert sees > without[2]
    assert found.controls["c"].method in {model.name for model in READERS}
    assert "with what texts say" in found.controls["c"].reason
    assert found.controls["c"].read


def test_it_is_at_or_above_crowdlab() -> None:
    made = Crowd(1, each=2, tasks=1500, accuracy=(0.4, 0.95))
    prior = {"c": opinions(made, 1.5)}
    ours, theirs = (scored(made, priors=prior, method=method) for method in ("auto", "crowdlab"))
    assert theirs[0] > scored(made, method="majority")[0]
    assert ours[0] >= theirs[0]
    assert ours[1] < theirs[1]
    assert ours[2] > theirs[2]


@pytest.mark.parametrize("heat", [0.3, 3.0])
def test_a_classifier_that_is_too_sure_or_not_sure_enough_is_believed_as_far_as_it_deserves(heat: float) -> None:
    made = Crowd(2, each=2, tasks=1500, accuracy=(0.4, 0.95))
    honest = scored(made, priors={"c": opinions(made, 1.5)})
    found = scored(made, priors={"c": opinions(made, 1.5, heat=heat)})
    assert found[0] > honest[0] - 0.02
    assert found[1] <= 0.05


def test_a_classifier_that_knows_nothing_does_no_harm() -> None:
    made = Crowd(3, each=3, accuracy=(0.5, 0.95))
    rng = np.random.default_rng(0)
    noise = rng.dirichlet(np.ones(made.labels) / 2, len(made.truth))
    nothing = replace(opinions(made, 1.0), values=noise)
    found, without = scored(made, priors={"c": nothing}), scored(made)
    assert found[0] >= without[0] - 0.01
    assert found[1] <= 0.05


def test_with_texts_a_single_judgement_can_be_doubted() -> None:
    made = Crowd(4, each=1, tasks=1500, accuracy=(0.6, 0.95))
    without, found = consensus(made.table(), made.config()), scored(made, priors={"c": opinions(made, 2.0)})
    assert without.items["confidence"].n_unique() <= made.labels
    assert found[2] > 0.8
    assert found[0] == scored(made)[0]  # whoever judged alone stands, however doubtful
    assert "rests on what the texts say" in found[3].note
    assert found[3].annotators["quality"].is_nan().all()


def test_labels_of_multiple_choices_take_texts_one_by_one() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((600, 3)) < 0.4
    truth[~truth.any(axis=1), 0] = True
    flips = rng.random((600, 3, 3)) < 0.2
    rows = []
    for task in range(600):
        for person in range(3):
            said = truth[task] ^ flips[task, person]
            said = said if said.any() else truth[task]
            rows.append((task, "abc"[person], choice(*(f"l{label}" for label in np.flatnonzero(said)))))
    evidence = 2.0 * (2 * truth - 1) + rng.normal(size=truth.shape) * 1.5
    prior = LabelProbabilities(np.arange(600), ("l0", "l1", "l2"), 1 / (1 + np.exp(-2 * evidence / 1.2)))
    config = choices("l0", "l1", "l2", multiple=True)
    expected = [choice(*(f"l{label}" for label in np.flatnonzero(row))) for row in truth]

    def accuracy(found: Consensus) -> float:
        return float(np.mean([answer == it for answer, it in zip(found.items["answer"], expected, strict=True)]))

    found = consensus(table(rows), config, priors={"c": prior})
    assert accuracy(found) > accuracy(consensus(table(rows), config)) + 0.03
    assert found.probabilities["c"].labels == ("l0", "l1", "l2")


@st.composite
def judged(draw: st.DrawFn) -> tuple[list[tuple[int, str, str]], LabelProbabilities]:
    said = draw(
        st.dictionaries(
            st.tuples(st.integers(0, 12), st.sampled_from("abcd")), st.sampled_from("xyz"), min_size=1, max_size=40
        )
    )
    tasks = draw(st.lists(st.integers(0, 15), unique=True, min_size=1))
    values = draw(
        st.lists(
            st.sampled_from([(0.98, 0.01, 0.01), (0.0, 1.0, 0.0), (0.2, 0.3, 0.5), (np.nan,) * 3]),
            min_size=len(tasks),
            max_size=len(tasks),
        )
    )
    prior = LabelProbabilities(np.array(tasks), ("x", "y", "z"), np.array(values))
    return [(task, who, choice(label)) for (task, who), label in said.items()], prior


@settings(deadline=None, max_examples=60)
@given(judged(), st.booleans())
def test_what_everybody_says_is_the_consensus_whatever_texts_say(data: Any, multiple: bool) -> None:
    rows, prior = data
    found = consensus(table(rows), choices("x", "y", "z", multiple=multiple), priors={"c": prior})
    for row in found.items.iter_rows(named=True):
        said = {answer for task, _, answer in rows if task == row["task"]}
        assert len(said) > 1 or row["answer"] in said
        assert 0 <= row["confidence"] <= 1
    assert found.items["task"].to_list() == sorted({task for task, _, _ in rows})


def test_a_label_nobody_gave_needs_people_who_differ_and_more_than_half_the_probability() -> None:
    made = Crowd(5, each=2, labels=10, tasks=2000, accuracy=(0.3, 0.9))
    prior = opinions(made, 2.5)
    found = consensus(made.table(), made.config(), priors={"c": prior})
    given_labels = made.table().group_by("task").agg(pl.col("answer").unique())
    items = found.items.join(given_labels, on="task", suffix="_given")
    new = items.filter(~pl.col("answer").is_in(pl.col("answer_given")))
    assert new.height > 20
    assert (new["answer_given"].list.len() > 1).all()
    assert new["confidence"].min() > 0.5
    right = [json.loads(row["answer"])[0] == f"l{made.truth[row['task']]}" for row in new.iter_rows(named=True)]
    assert np.mean(right) > 0.8


def test_probabilities_of_labels_go_with_the_answers() -> None:
    made = Crowd(6, tasks=300)
    found = consensus(made.table(), made.config(), priors={"c": opinions(made, 1.5)})
    probable = found.probabilities["c"]
    assert probable.tasks.tolist() == found.items["task"].to_list()
    np.testing.assert_allclose(probable.values.sum(axis=1), 1)
    for row, answer, confidence in zip(probable.values, found.items["answer"], found.items["confidence"], strict=True):
        assert row[probable.labels.index(json.loads(answer)[0])] == pytest.approx(confidence, abs=0.5)


def test_answers_and_annotators_of_other_methods_do_not_depend_on_texts() -> None:
    made = Crowd(7, tasks=200)
    for method in ("majority", "dawid-skene"):
        with_texts = consensus(made.table(), made.config(), method=method, priors={"c": opinions(made, 2.0)})
        assert with_texts.items.equals(consensus(made.table(), made.config(), method=method).items)


def test_crowdlab_needs_out_of_fold_predictions() -> None:
    assert "crowdlab" in METHODS
    with pytest.raises(InputError, match="comes with trained models"):
        consensus(table([]), choices("x"), method="crowdlab")


class TestTextPrior:
    def test_a_classifier_that_is_too_sure_is_cooled_down_and_one_that_leans_is_set_straight(self) -> None:
        rng = np.random.default_rng(0)
        truth = rng.choice(3, 4000, p=[0.6, 0.3, 0.1])
        evidence = rng.normal(size=(4000, 3))
        evidence[np.arange(4000), truth] += 1.5
        said = 3.0 * 1.5 * evidence + np.array([0.0, 0.0, 3.0])  # three times too sure, and fond of the third
        said -= np.log(np.exp(said).sum(axis=1, keepdims=True))
        prior = TextPrior.of(said)
        for _ in range(5):
            prior = prior.refitted(np.zeros((4000, 3)), truth)
        assert prior.temperature == pytest.approx(3.0, rel=0.15)
        probabilities = np.exp(prior.log())
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)
        np.testing.assert_allclose(probabilities.mean(axis=0), [0.6, 0.3, 0.1], atol=0.03)

    def test_noise_is_not_believed(self) -> None:
        rng = np.random.default_rng(1)
        prior = TextPrior.of(np.log(rng.dirichlet(np.ones(3), 2000)))
        prior = prior.refitted(np.zeros((2000, 3)), rng.integers(3, size=2000))
        assert np.ptp(np.exp(prior.log()), axis=1).max() < 0.2
