"""The metrics of a version, on opinions whose figures can be worked out by hand or by the other libraries."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, cohen_kappa_score, precision_recall_fscore_support, roc_auc_score

from ml_backend.labeling.kinds import KINDS, Answer
from ml_backend.prelabelers import Opinion
from ml_backend.prelabelers._evaluation import MOST_LABELS, evaluate

CHOICES = KINDS["choices"]
NAMES = ["a", "b", "c", "d"]


def calibrated(n: int, names: Sequence[str] = NAMES, seed: int = 0) -> tuple[list[Answer], list[Opinion]]:
    """Opinions that are right as often as they say."""
    rng = np.random.default_rng(seed)
    rows = rng.dirichlet([0.1] * len(names), n)
    answers: list[Answer] = [(names[i],) for i in (rows.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)]
    shown = [sorted(zip(names, row, strict=True), key=lambda it: -it[1])[:20] for row in rows.tolist()]
    return answers, [Opinion((row[0][0],), row[0][1], dict(row)) for row in shown]


def test_the_figures_are_those_of_scikit_learn() -> None:
    answers, opinions = calibrated(3_000)
    found = evaluate(CHOICES, answers, opinions)
    truth, said = [a[0] for a in answers], [o.answer[0] for o in opinions]
    right, sure = np.array([a == b for a, b in zip(truth, said, strict=True)]), [o.confidence for o in opinions]
    assert found["auroc_wrong"] == pytest.approx(roc_auc_score(right, sure), abs=1e-5)
    assert found["brier"] == pytest.approx(brier_score_loss(right, sure), abs=1e-5)
    columns = precision_recall_fscore_support(truth, said, labels=NAMES)
    for name, precision, recall, _, support in zip(NAMES, *columns, strict=True):
        assert found["per_label"][name] == {
            "precision": pytest.approx(precision, abs=1e-5),
            "recall": pytest.approx(recall, abs=1e-5),
            "support": support,
        }
    assert found["macro_f1"] == pytest.approx(columns[2].mean(), abs=1e-5)


def test_stars_are_also_judged_by_how_far_off_they_are() -> None:
    rng = np.random.default_rng(0)
    answers: list[Answer] = rng.integers(1, 6, 500).tolist()
    guessed = np.clip(np.array(answers) + rng.integers(-1, 3, 500), 1, 5).tolist()
    found = evaluate(KINDS["rating"], answers, [Opinion(stars, 0.5) for stars in guessed])
    off = np.abs(np.subtract(answers, guessed))
    assert found["mean_absolute_error"] == pytest.approx(off.mean(), abs=1e-5)
    assert found["distance"] == pytest.approx(off.mean() / 4, abs=1e-5)
    assert found["weighted_kappa"] == pytest.approx(cohen_kappa_score(answers, guessed, weights="quadratic"), abs=1e-5)
    assert evaluate(KINDS["rating"], [3, 3], [Opinion(3, 0.5)] * 2)["weighted_kappa"] is None


def test_a_wrong_leaf_of_the_right_branch_is_nearer_than_one_of_another() -> None:
    answers: list[Answer] = [(("A", "a"),)] * 4
    near, far = (evaluate(KINDS["taxonomy"], answers, [Opinion((path,), 0.5)] * 4) for path in (("A", "b"), ("B", "a")))
    assert (near["accuracy"], far["accuracy"]) == (0, 0)
    assert (near["distance"], far["distance"]) == (0.5, 1.0)
    assert near["mean_absolute_error"] is None


def test_what_may_be_accepted_is_promised_for_calibrated_opinions() -> None:
    found = evaluate(CHOICES, *calibrated(3_000))
    assert 0.2 < found["coverage"]["0.95"] < found["coverage_empirical"]["0.95"]
    budgets = {row["error"]: row for row in found["thresholds"]}
    assert budgets[0.05]["coverage"] == pytest.approx(found["coverage"]["0.95"], abs=1e-5)
    assert budgets[0.1]["coverage"] > budgets[0.05]["coverage"]
    assert budgets[0.05]["bound"] <= 0.05
    assert len(found["reliability"]) == 15
    assert found["ece"] < 0.03


def test_conformal_sets_are_larger_for_a_higher_level() -> None:
    found = evaluate(CHOICES, *calibrated(3_000))["conformal"]
    assert 1 <= found["0.9"]["mean_size"] < found["0.95"]["mean_size"] < 4
    assert found["0.9"]["singletons"] > found["0.95"]["singletons"] > 0.2
    assert found["0.9"]["quantile"] < found["0.95"]["quantile"] < 1


def test_few_opinions_promise_nothing_and_it_is_json_all_the_same() -> None:
    answers, _ = calibrated(12)
    found = evaluate(CHOICES, answers, [Opinion(a, 1.0, {a[0]: 1.0}) for a in answers])
    assert found["coverage"] == {"0.95": None, "0.99": None}
    assert found["auroc_wrong"] is None
    assert all(row["confidence"] is None for row in found["thresholds"])
    json.dumps(found, allow_nan=False)


def test_thousands_of_labels_leave_the_metrics_small() -> None:
    answers, opinions = calibrated(1_000, [f"label {i}" for i in range(800)])
    found = evaluate(CHOICES, answers, opinions)
    assert len(found["per_label"]) == MOST_LABELS
    assert min(it["support"] for it in found["per_label"].values()) >= 1
    assert 0 < found["uncertainty"]["entropy"] < 1
    assert len(json.dumps(found, allow_nan=False)) < 100_000


def test_answers_of_several_labels_have_no_sets_of_one() -> None:
    answers: list[Answer] = [("a", "b"), ("a",)] * 20
    opinions = [Opinion(("a", "b"), 0.5, {"a": 0.9, "b": 0.8})] * 40
    found = evaluate(CHOICES, answers, opinions)
    assert found["conformal"] is None
    assert found["accuracy"] == 0.5
    assert found["per_label"]["b"] == {"precision": 0.5, "recall": 1.0, "support": 20}


def test_answers_without_labels_have_an_accuracy_all_the_same() -> None:
    found = evaluate(KINDS["text"], [("x",), ("y",)], [Opinion(("x",), 0.9), Opinion(("x",), 0.4)])
    assert (found["accuracy"], found["macro_f1"], found["conformal"]) == (0.5, None, None)
