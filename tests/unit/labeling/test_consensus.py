"""Consensus: what everybody agrees on stands, ties are unsure, and better models win on crowds whose truth is known."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.labeling.crowds import Crowd, choices
from unit.labeling.votes import choice, table

from ml_backend.labeling.annotator_models import MAJORITY, MODELS, temper
from ml_backend.labeling.confidence import expected_calibration_error
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.consensus import ANNOTATORS, ITEMS, consensus
from ml_backend.labeling.errors import UnknownName
from ml_backend.labeling.model_choice import choose
from ml_backend.labeling.published_models import dawid_skene

METHODS = ("auto", "majority", "dawid-skene")
SOURCE = '<Text name="t" value="$text"/>'


def rows_of(items: pl.DataFrame) -> dict[int, dict[str, Any]]:
    return {row["task"]: row for row in items.iter_rows(named=True)}


CROWDS: dict[str, dict[str, Any]] = {
    "mixed skill": {"each": 3},
    "two judgements": {"each": 2, "tasks": 1500},
    "half spammers": {"each": 5, "spammers": 0.4},
    "confusions": {"each": 4, "confused": True, "people": 15, "labels": 5},
    "hundreds of annotators": {"people": 400, "tasks": 800, "labels": 2, "accuracy": (0.6, 0.95)},
    "a rare class": {"labels": 2, "prior": [0.9, 0.1], "accuracy": (0.6, 0.95)},
    "good people": {"people": 8, "accuracy": (0.85, 0.98)},
    "forty classes": {"labels": 40, "each": 3, "tasks": 1200},
}


@pytest.mark.parametrize("crowd", list(CROWDS))
def test_auto_is_not_below_the_better_of_majority_and_dawid_skene(crowd):
    scores = {method: [] for method in METHODS}
    for seed in range(2):
        made = Crowd(seed, **CROWDS[crowd])
        for method in METHODS:
            scores[method].append(made.score(method))
    accuracy = {method: np.mean([it[0] for it in found]) for method, found in scores.items()}
    assert accuracy["auto"] >= max(accuracy["majority"], accuracy["dawid-skene"]) - 0.01
    assert np.mean([it[1] for it in scores["auto"]]) <= 0.08  # calibration error


def test_auto_gains_where_people_differ_in_skill():
    made = Crowd(0, each=5, spammers=0.4)
    assert made.score("auto")[0] > made.score("majority")[0] + 0.05


def test_auto_says_which_model_it_took_and_why():
    made = Crowd(0, each=5, spammers=0.4)
    found = consensus(made.table(), made.config()).to_json()
    how = found["controls"]["c"]
    assert found["method"] == "auto"
    assert how["method"] in {model.name for model in MODELS} - {"majority"}
    assert "held-out judgements" in how["reason"]
    assert how["scores"][how["method"]] > how["scores"]["majority"]


def test_quality_ranks_annotators_and_finds_spammers():
    made = Crowd(3, each=5, spammers=0.3)
    people = consensus(made.table(), made.config()).annotators.sort("annotator")
    quality = people["quality"].to_numpy()
    assert np.corrcoef(quality, made.skill)[0, 1] > 0.9
    assert np.abs(quality - made.skill).mean() < 0.06
    assert quality[made.skill < 0.3].max() < np.median(quality)
    inside = (people["low"].to_numpy() <= made.skill) & (made.skill <= people["high"].to_numpy())
    assert inside.mean() > 0.8


def test_quality_of_few_judgements_is_drawn_to_the_others_and_its_interval_is_wide():
    rows = [(t, who, choice("x" if t % 2 else "y")) for t in range(40) for who in "ab"]
    rows += [(0, "new", choice("x"))]  # wrong, once
    people = {row["annotator"]: row for row in consensus(table(rows), choices("x", "y")).annotators.to_dicts()}
    assert 0.5 < people["new"]["quality"] < people["a"]["quality"]
    assert people["new"]["high"] - people["new"]["low"] > 2 * (people["a"]["high"] - people["a"]["low"])
    assert (people["new"]["judgements"], people["a"]["judgements"]) == (1, 40)


kinds_with_answers = st.sampled_from(
    [
        (choices("x", "y", "z"), [choice("x"), choice("y"), choice("z")]),
        (choices("x", "y", "z", multiple=True), [choice("x"), choice("x", "y"), choice("z"), choice("y", "z")]),
        (parse(f'<View>{SOURCE}<Rating name="c" toName="t"/></View>'), ["1", "2", "3", "5"]),
        (parse(f'<View>{SOURCE}<Number name="c" toName="t"/></View>'), ["1.0", "2.5", "40.0"]),
        (
            parse(f'<View>{SOURCE}<TextArea name="c" toName="t"/></View>'),
            ['["no brand"]', '["fake"]', '["wrong size"]'],
        ),
        (
            parse(
                f'<View>{SOURCE}<Taxonomy name="c" toName="t"><Choice value="a"><Choice value="b"/>'
                '<Choice value="c"/></Choice></Taxonomy></View>'
            ),
            ['[["a"]]', '[["a","b"]]', '[["a","c"]]'],
        ),
    ]
)


@st.composite
def judged(draw: st.DrawFn) -> tuple[LabelConfig, list[tuple[int, str, str]]]:
    config, answers = draw(kinds_with_answers)
    given_answers = draw(
        st.dictionaries(
            st.tuples(st.integers(0, 8), st.sampled_from("abcd")), st.sampled_from(answers), min_size=1, max_size=30
        )
    )
    return config, [(task, who, answer) for (task, who), answer in given_answers.items()]


class TestLaws:
    @settings(deadline=None, max_examples=60)
    @given(judged(), st.sampled_from(["auto", "majority"]))
    def test_what_everybody_says_is_the_consensus(self, data, method):
        config, rows = data
        for task, row in rows_of(consensus(table(rows), config, method=method).items).items():
            said = {answer for t, _, answer in rows if t == task}
            if len(said) == 1:
                assert row["answer"] in said
                assert not row["tied"]
            assert 0 <= row["confidence"] <= 1
            assert row["judgements"] == sum(t == task for t, _, _ in rows)

    @settings(deadline=None, max_examples=10)
    @given(judged())
    def test_dawid_skene_keeps_the_same_law(self, data):
        config, rows = data
        for task, row in rows_of(consensus(table(rows), config, method="dawid-skene").items).items():
            said = {answer for t, _, answer in rows if t == task}
            assert len(said) > 1 or row["answer"] in said
            assert 0 <= row["confidence"] <= 1

    @settings(deadline=None, max_examples=60)
    @given(judged(), st.permutations("abcd"), st.randoms())
    def test_names_of_annotators_and_the_order_of_judgements_do_not_matter(self, data, names, random):
        config, rows = data
        other = [(task, names["abcd".index(who)], answer) for task, who, answer in rows]
        random.shuffle(other)
        before, after = (rows_of(consensus(table(it), config).items) for it in (rows, other))
        for task, row in before.items():
            assert after[task]["confidence"] == pytest.approx(row["confidence"], abs=1e-6)
            assert after[task]["answer"] == row["answer"] or row["confidence"] <= 0.5 + 1e-6

    @settings(deadline=None, max_examples=40)
    @given(judged())
    def test_the_tables_have_their_columns_and_every_judged_task_once(self, data):
        config, rows = data
        found = consensus(table(rows), config)
        assert dict(found.items.schema) == ITEMS
        assert dict(found.annotators.schema) == ANNOTATORS
        assert found.items["task"].to_list() == sorted({task for task, _, _ in rows})
        assert set(found.annotators["annotator"]) == {who for _, who, _ in rows}
        quality = found.annotators["quality"].drop_nans()
        assert quality.is_between(0, 1).all()
        json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.parametrize("method", ["auto", "majority"])
@pytest.mark.parametrize("each", [2, 3])
def test_intervals_of_quality_hold_the_truth_though_the_right_answers_are_not_known(method, each):
    inside = []
    for seed in range(3):
        made = Crowd(seed, each=each, labels=3, accuracy=(0.55, 0.95))
        people = consensus(made.table(), made.config(), method=method).annotators.sort("annotator")
        inside += people.select(pl.lit(pl.Series(made.skill)).is_between("low", "high")).to_series().to_list()
    assert np.mean(inside) >= 0.9


class TestTies:
    def test_a_tie_is_unsure_and_marked(self):
        rows = [(1, "a", choice("x")), (1, "b", choice("y")), (2, "a", choice("y")), (2, "b", choice("y"))]
        found = rows_of(consensus(table(rows), choices("x", "y"), method="majority").items)
        assert found[1]["tied"]
        assert found[1]["confidence"] <= 0.5
        assert found[1]["answer"] == choice("y")  # the more common elsewhere
        assert found[2]["confidence"] > 0.5

    def test_a_tie_of_equally_common_labels_is_decided_by_the_configs_order_whoever_came_first(self):
        for labels in ("xy", "yx"):
            rows = [(1, who, choice(label)) for who, label in zip("ab", labels, strict=True)]
            found = rows_of(consensus(table(rows), choices("y", "x")).items)
            assert found[1]["answer"] == choice("y")
            assert found[1]["confidence"] <= 0.5

    @pytest.mark.parametrize("xml", ['<Rating name="c" toName="t"/>', '<TextArea name="c" toName="t"/>'])
    def test_one_word_against_another_is_unsure_for_every_kind(self, xml):
        keys = ["1", "5"] if "Rating" in xml else ['["yes"]', '["never"]']
        rows = [(1, "a", keys[0]), (1, "b", keys[1])]
        found = rows_of(consensus(table(rows), parse(f"<View>{SOURCE}{xml}</View>")).items)
        assert found[1]["confidence"] <= 0.5
        assert found[1]["tied"]


class TestDegenerate:
    @pytest.mark.parametrize("method", METHODS)
    def test_one_judgement_a_task_says_nothing_about_annotators(self, method):
        rows = [(t, "ab"[t % 2], choice("xy"[t % 2])) for t in range(20)]
        found = consensus(table(rows), choices("x", "y"), method=method)
        assert found.controls["c"].method == "majority"
        assert "assumption" in found.note
        assert found.items["confidence"].is_between(0.5, 0.9).all()
        assert found.annotators["quality"].is_nan().all()
        assert found.to_json()["annotators"][0]["quality"] is None

    @pytest.mark.parametrize("method", METHODS)
    def test_one_label_only_is_that_label(self, method):
        rows = [(t, who, choice("x")) for t in range(30) for who in "abc"]
        found = consensus(table(rows), choices("x", "y"), method=method)
        assert found.items["answer"].unique().to_list() == [choice("x")]
        assert found.items["confidence"].min() > 0.95

    @pytest.mark.parametrize("method", METHODS)
    def test_no_judgement_at_all_is_an_empty_table(self, method):
        found = consensus(table([]), choices("x", "y"), method=method)
        assert found.items.is_empty()
        assert found.to_json()["items"] == []

    def test_too_few_tasks_to_compare_models_are_counted_by_majority(self):
        rows = [(t, who, choice("x")) for t in range(5) for who in "ab"] + [(5, "a", choice("y"))]
        found = consensus(table(rows), choices("x", "y"))
        assert found.controls["c"].method == "majority"
        assert "Only 5 tasks" in found.controls["c"].reason

    def test_judgements_of_nobody_known_count_but_are_nobodys_quality(self):
        rows = [(t, "", choice("x")) for t in range(4) for _ in range(2)]
        found = consensus(table(rows), choices("x", "y"))
        assert found.items["judgements"].to_list() == [2] * 4
        assert found.annotators.is_empty()

    def test_more_judgements_that_agree_are_surer(self):
        rows = [(t, f"p{n}", choice("xy"[t % 2])) for t in range(60) for n in range(1 + t % 4)]
        rows += [(100, "p0", choice("x")), (100, "p1", choice("y"))]
        found = consensus(table(rows), choices("x", "y"), method="majority").items.filter(pl.col("task") < 60)
        means = found.group_by("judgements").agg(pl.col("confidence").mean()).sort("judgements")["confidence"]
        assert means.is_sorted()
        assert means.n_unique() == 4


class TestKinds:
    def test_labels_of_multiple_choices_are_decided_one_by_one(self):
        rows = [
            (1, "a", choice("x", "y")),
            (1, "b", choice("x")),
            (1, "c", choice("x", "y", "z")),
            *((t, who, choice("xyz"[t % 3])) for t in range(2, 30) for who in "abc"),
        ]
        found = rows_of(consensus(table(rows), choices("x", "y", "z", multiple=True)).items)
        assert found[1]["answer"] == choice("x", "y")  # an answer that most of its labels have, here also one's own
        assert found[1]["confidence"] < found[2]["confidence"]

    def test_labels_without_any_majority_leave_an_unsure_answer_not_an_empty_one(self):
        rows = [(1, "a", choice("x")), (1, "b", choice("y")), (1, "c", choice("z"))]
        found = rows_of(consensus(table(rows), choices("x", "y", "z", multiple=True)).items)
        assert json.loads(found[1]["answer"])
        assert found[1]["confidence"] <= 0.5

    def test_stars_have_a_median_not_a_most_frequent(self):
        config = parse(f'<View>{SOURCE}<Rating name="c" toName="t"/></View>')
        stars = [1, 1, 3, 4, 5]
        rows = [(1, f"p{n}", str(it)) for n, it in enumerate(stars)]
        found = consensus(table(rows), config, method="majority")
        assert found.items["answer"].to_list() == ["3"]
        assert found.controls["c"].method == "median"

    def test_the_probability_of_a_median_is_calibrated(self):
        rng = np.random.default_rng(0)
        truth = rng.integers(1, 6, 1500)
        rows = []
        for task, stars in enumerate(truth):
            for person in rng.choice(12, 4, replace=False):
                said = int(np.clip(np.round(stars + rng.normal(scale=0.4 + 0.08 * person)), 1, 5))
                rows.append((task, f"p{person}", str(said)))
        config = parse(f'<View>{SOURCE}<Rating name="c" toName="t"/></View>')
        found = consensus(table(rows), config)
        items = found.items.sort("task")
        right = items["answer"].cast(pl.Int64).to_numpy() == truth
        assert expected_calibration_error(items["confidence"].to_numpy(), right) < 0.08
        people = found.annotators.sort("annotator").filter(pl.col("annotator").is_in(["p0", "p11"]))
        assert people["quality"][0] > people["quality"][1]

    def test_one_rating_alone_is_not_certain(self):
        config = parse(f'<View>{SOURCE}<Rating name="c" toName="t"/></View>')
        for stars in ("3", "5"):
            assert 0.1 < consensus(table([(1, "a", stars)]), config).items["confidence"][0] < 0.9

    def test_text_has_the_answer_nearest_to_all(self):
        config = parse(f'<View>{SOURCE}<TextArea name="c" toName="t"/></View>')
        said = ["the seller is not the brand", "seller is not the brand", "the seller is not a brand", "spam"]
        rows = [(1, f"p{n}", json.dumps([it])) for n, it in enumerate(said)]
        found = consensus(table(rows), config)
        assert json.loads(found.items["answer"][0]) != ["spam"]
        assert found.items["confidence"][0] < 1
        assert found.controls["c"].method == "medoid"

    def test_the_answer_in_json_is_the_label_or_the_keys_value(self):
        rows = [(1, who, choice("x")) for who in "ab"]
        document = consensus(table(rows), choices("x", "y"), method="majority").to_json()
        assert document["items"][0]["answer"] == "x"
        assert {"task", "control", "answer", "confidence", "judgements"} <= set(document["items"][0])
        assert {"annotator", "quality", "judgements"} <= set(document["annotators"][0])


class TestMethods:
    def test_an_unknown_method_lists_the_known(self):
        with pytest.raises(UnknownName, match="auto, crowdlab, dawid-skene, majority"):
            consensus(table([]), choices("x"), method="mode")

    def test_dawid_skene_finds_the_confusions_of_a_crowd(self):
        made = Crowd(1, each=5, people=10, tasks=2000, confused=True)
        fit = dawid_skene(made.votes)
        np.testing.assert_allclose(fit.posterior.sum(axis=1), 1)
        assert (fit.posterior.argmax(axis=1) == made.truth).mean() > 0.95
        np.testing.assert_allclose(fit.confusion.sum(axis=1), 1, atol=1e-6)

    @pytest.mark.parametrize("model", MODELS, ids=lambda model: model.about)
    def test_every_model_gives_probabilities(self, model):
        made = Crowd(2, tasks=200)
        fit = model.fit(made.votes)
        np.testing.assert_allclose(fit.posterior.sum(axis=1), 1)
        if fit.confusion is not None:
            np.testing.assert_allclose(fit.confusion.sum(axis=1), 1)
        all_votes = [fit.likelihood(np.zeros(1, dtype=int), np.array([value])) for value in range(made.labels)]
        np.testing.assert_allclose(sum(all_votes), 1)

    def test_majority_ranks_answers_by_their_votes(self):
        made = Crowd(4, each=5, labels=3)
        posterior, counts = MAJORITY.fit(made.votes).posterior, made.votes.counts
        best = counts == counts.max(axis=1, keepdims=True)
        np.testing.assert_array_equal(posterior >= posterior.max(axis=1, keepdims=True) - 1e-12, best)

    def test_softening_keeps_the_order_of_answers(self):
        posterior = MODELS[2].fit(Crowd(5, tasks=100).votes).posterior
        for temperature in (1.0, 2.0, 5.0):
            softened = temper(posterior, temperature)
            np.testing.assert_array_equal(softened.argmax(axis=1), posterior.argmax(axis=1))
            assert (softened.max(axis=1) <= posterior.max(axis=1) + 1e-12).all()

    def test_the_choice_is_the_same_for_the_same_seed(self):
        votes = Crowd(6, tasks=300).votes
        assert choose(votes, seed=1) == choose(votes, seed=1)
