"""Agreement against the textbooks, against slow loops that follow the definitions, and against its laws."""

from __future__ import annotations

import json
import math
from itertools import combinations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.labeling.votes import choice, table

from ml_backend.labeling.agreement import agreement, krippendorff_alpha, pair_agreement
from ml_backend.labeling.annotator_agreement import wilson_interval
from ml_backend.labeling.bootstrap import percentile_interval, resample
from ml_backend.labeling.coefficients import (
    cohen_kappa,
    fleiss_kappa,
    gwet_ac1,
    interval_distance,
    nominal_distance,
    ordinal_distance,
    percent_agreement,
)
from ml_backend.labeling.config import parse
from tests.unit.labeling.coded import OBSERVERS, cells, choices, codes, observed_over_expected, rounded


class TestCoefficients:
    def test_cohens_kappa_of_a_textbook_table(self):
        first = np.repeat([1, 1, 0, 0], [20, 5, 10, 15])
        second = np.repeat([1, 0, 1, 0], [20, 5, 10, 15])
        assert cohen_kappa(first, second) == pytest.approx(0.4)

    def test_cohens_kappa_is_undefined_where_both_always_say_the_same(self):
        assert math.isnan(cohen_kappa(np.ones(4, dtype=int), np.ones(4, dtype=int)))
        assert math.isnan(cohen_kappa(np.zeros(0, dtype=int), np.zeros(0, dtype=int)))

    def test_fleiss_kappa_of_fourteen_raters(self):
        counts = [
            [0, 0, 0, 0, 14],
            [0, 2, 6, 4, 2],
            [0, 0, 3, 5, 6],
            [0, 3, 9, 2, 0],
            [2, 2, 8, 1, 1],
            [7, 7, 0, 0, 0],
            [3, 2, 6, 3, 0],
            [2, 5, 3, 2, 2],
            [6, 5, 2, 1, 0],
            [0, 2, 2, 3, 7],
        ]
        units, values = zip(
            *[(u, v) for u, row in enumerate(counts) for v, n in enumerate(row) for _ in range(n)], strict=True
        )
        found = cells(np.array(units), np.array(values))
        assert percent_agreement(found) == pytest.approx(0.378, abs=0.0005)
        assert fleiss_kappa(found) == pytest.approx(0.210, abs=0.0005)

    def test_gwets_ac1_stays_high_where_kappa_collapses(self):
        first = np.repeat([0, 0, 1], [118, 5, 2])
        second = np.repeat([0, 1, 0], [118, 5, 2])
        found = cells(np.tile(np.arange(125), 2), np.r_[first, second])
        assert cohen_kappa(first, second) == pytest.approx(-0.0234, abs=0.00005)
        assert gwet_ac1(found) == pytest.approx(0.9408, abs=0.00005)

    def test_gwets_ac1_with_missing_ratings(self):
        found = cells(*codes(OBSERVERS))
        assert percent_agreement(found) == pytest.approx(0.8181818)
        assert gwet_ac1(found) == pytest.approx(0.77544, abs=0.000005)

    def test_ac1_knows_categories_that_nobody_used(self):
        found = cells(np.array([0, 0, 1, 1]), np.zeros(4, dtype=int))
        assert math.isnan(gwet_ac1(found))
        assert gwet_ac1(found, 3) == 1


class TestBootstrap:
    def test_it_covers_the_truth_about_as_often_as_it_says(self):
        rng = np.random.default_rng(7)
        covered = 0
        for trial in range(200):
            sample = rng.exponential(size=(60, 1))
            features = np.column_stack([sample, np.ones(60)])
            low, high = percentile_interval(resample(features, lambda s: s[:, :1] / s[:, 1:], seed=trial))
            covered += low[0] <= 1 <= high[0]
        assert 0.86 <= covered / 200 <= 0.99

    def test_grouping_many_tasks_leaves_the_width_as_it_is(self):
        rng = np.random.default_rng(1)
        features = np.column_stack([rng.random(40_000), np.ones(40_000)])
        spread = resample(features, lambda s: s[:, :1] / s[:, 1:], seed=0, resamples=1000).std()
        assert spread == pytest.approx(features[:, 0].std() / math.sqrt(40_000), rel=0.12)

    def test_a_statistic_that_is_mostly_undefined_has_no_interval(self):
        low, high = percentile_interval(np.array([[1.0, np.nan]] * 3 + [[2.0, 1.0]]))
        assert low[0] <= high[0]
        assert math.isnan(low[1])
        assert math.isnan(high[1])


class TestAgreement:
    def test_every_figure_of_a_small_control(self):
        rows = [(1, "a", "spam"), (1, "b", "spam"), (2, "a", "ham"), (2, "b", "spam"), (3, "a", "ham"), (3, "b", "ham")]
        rows += [(4, "a", "ham")]
        found = agreement(table([(t, a, choice(x)) for t, a, x in rows]), choices("ham", "spam")).controls["c"]
        assert (found.items, found.annotators, found.judgements) == (3, 2, 7)
        assert found.percent == pytest.approx(2 / 3)
        units, values = np.array([1, 1, 2, 2, 3, 3]), np.array([1, 1, 0, 1, 0, 0])
        assert found.alpha == pytest.approx(observed_over_expected(units, values, nominal_distance(2)))
        assert found.alpha_low <= found.alpha <= found.alpha_high
        assert found.cohen == pytest.approx(0.4)
        assert found.labels["spam"].count == 3
        assert found.labels["spam"].alpha == pytest.approx(found.alpha)
        assert "3 tasks" in found.note

    def test_one_judgement_a_person_and_task_counts_and_it_is_the_last(self):
        twice = [(1, "a", choice("x")), (1, "b", choice("y")), (2, "a", choice("x")), (2, "b", choice("x"))]
        again = [*twice, (1, "a", choice("y"))]
        once = [(1, "a", choice("y")), *twice[1:]]
        config = choices("x", "y")
        repeated, single = (agreement(table(rows), config).controls["c"] for rows in (again, once))
        assert repeated == single
        assert repeated.judgements == 4

    def test_judgements_of_nobody_known_are_those_of_different_people(self):
        rows = [(task, "", choice(label)) for task, label in [(1, "x"), (1, "x"), (2, "y"), (2, "x"), (2, "y")]]
        found = agreement(table(rows), choices("x", "y"))
        assert found.controls["c"].items == 2
        assert found.controls["c"].judgements == 5
        assert found.annotators == {}

    def test_scales_of_choices_follow_the_configs_order_and_the_numbers_in_it(self):
        answers = {"a": [1, 2, 3, 3, 2], "b": [1, 2, 4, 3, 2], "c": [1, 3, 4, 3, 1]}
        names = ["none", "some", "more", "most"]

        def rows(label):
            return [(t, who, choice(label(v))) for who, row in answers.items() for t, v in enumerate(row)]

        units = np.tile(np.arange(5), 3)
        values = np.array([v - 1 for row in answers.values() for v in row])
        ordinal = krippendorff_alpha(units, values, ordinal_distance(np.bincount(values)))
        interval = krippendorff_alpha(units, values, interval_distance(np.arange(4)))
        worded = agreement(table(rows(lambda v: names[v - 1])), choices(*names)).controls["c"]
        assert worded.alphas["ordinal"] == pytest.approx(ordinal)
        assert "interval" not in worded.alphas
        shuffled = agreement(table(rows(str)), choices("3", "1", "4", "2")).controls["c"]
        assert shuffled.alphas["ordinal"] == pytest.approx(ordinal)
        assert shuffled.alphas["interval"] == pytest.approx(interval)

    def test_an_answer_the_config_does_not_list_has_no_rank(self):
        rows = [(1, "a", choice("x")), (1, "b", choice("old")), (2, "a", choice("y")), (2, "b", choice("y"))]
        found = agreement(table(rows), choices("x", "y")).controls["c"]
        assert set(found.alphas) == {"nominal"}
        assert found.labels["old"].count == 1

    def test_ratings_are_ordinal(self):
        config = parse('<View><Text name="t" value="$text"/><Rating name="c" toName="t"/></View>')
        units, values = codes(OBSERVERS)
        who = [f"observer {n}" for n, row in enumerate(OBSERVERS) for value in row if value]
        rows = [(int(u), w, str(v + 1)) for u, w, v in zip(units, who, values, strict=True)]
        found = agreement(table(rows), config).controls["c"]
        assert found.alpha == pytest.approx(0.815, abs=0.0005)
        assert found.alphas["nominal"] == pytest.approx(0.743, abs=0.0005)
        assert found.alphas["interval"] == pytest.approx(0.849, abs=0.0005)

    def test_numbers_are_on_an_interval_scale(self):
        config = parse('<View><Text name="t" value="$text"/><Number name="c" toName="t"/></View>')
        rows = [(1, "a", "1.0"), (1, "b", "1.5"), (2, "a", "7.0"), (2, "b", "7.0"), (3, "a", "2.0"), (3, "b", "4.0")]
        found = agreement(table(rows), config).controls["c"]
        units, values = np.array([1, 1, 2, 2, 3, 3]), np.array([0, 1, 4, 4, 2, 3])
        numbers = np.array([1, 1.5, 2, 4, 7])
        assert found.alpha == pytest.approx(observed_over_expected(units, values, interval_distance(numbers)))

    def test_several_choices_are_compared_as_sets(self):
        rows = [(1, "a", choice("x", "y")), (1, "b", choice("x")), (2, "a", choice("z")), (2, "b", choice("z"))]
        found = agreement(table(rows), choices("x", "y", "z", multiple=True)).controls["c"]
        sets = [{"x", "y"}, {"x"}, {"z"}]
        jaccard = np.array([[1 - len(a & b) / len(a | b) for b in sets] for a in sets])
        units, values = np.array([1, 1, 2, 2]), np.array([0, 1, 2, 2])
        assert found.alpha == pytest.approx(observed_over_expected(units, values, jaccard))
        assert found.percent == pytest.approx(0.75)
        assert found.labels["y"].alpha == pytest.approx(
            observed_over_expected(units, np.array([1, 0, 0, 0]), nominal_distance(2))
        )
        assert math.isnan(found.ac1)

    def test_free_text_is_compared_by_distance(self):
        config = parse('<View><Text name="t" value="$text"/><TextArea name="c" toName="t"/></View>')
        rows = [(1, "a", '["no brand"]'), (1, "b", '["no brand"]'), (2, "a", '["fine"]'), (2, "b", '["wrong size"]')]
        found = agreement(table(rows), config).controls["c"]
        assert found.scale == "distance"
        assert found.alpha < 1
        assert 0.5 <= found.percent < 1

    @pytest.mark.parametrize(
        ("rows", "says"),
        [
            ([], "Nobody"),
            ([(1, "a", choice("x")), (2, "a", choice("y"))], "Only one person"),
            ([(1, "a", choice("x")), (2, "b", choice("y"))], "No task has two judgements"),
            ([(1, "a", choice("x")), (1, "b", choice("x")), (2, "a", choice("x")), (2, "b", choice("x"))], "same"),
        ],
        ids=["no judgement", "one annotator", "no overlap", "no variation"],
    )
    def test_what_is_undefined_is_null_and_says_why(self, rows, says):
        document = agreement(table(rows), choices("x", "y")).to_json()
        found = document["controls"]["c"]
        assert found["alpha"] is None
        assert found["alpha_low"] is None
        assert says in found["note"]
        json.dumps(document, allow_nan=False)

    def test_all_equal_answers_still_have_a_percentage_and_ac1(self):
        rows = [(t, who, choice("x")) for t in range(5) for who in "ab"]
        found = agreement(table(rows), choices("x", "y")).controls["c"]
        assert found.percent == 1
        assert found.ac1 == 1

    def test_the_interval_is_the_same_for_the_same_seed(self):
        rng = np.random.default_rng(0)
        rows = [(t, who, choice("xyz"[rng.integers(3)])) for t in range(30) for who in "ab"]
        one, same, other = (agreement(table(rows), choices(*"xyz"), seed=seed).controls["c"] for seed in (0, 0, 1))
        assert one == same
        assert one.alpha == other.alpha
        assert one.alpha_low != other.alpha_low

    def test_controls_are_measured_apart(self):
        config = parse(
            '<View><Text name="t" value="$text"/><Choices name="c" toName="t"><Choice value="x"/><Choice value="y"/>'
            '</Choices><Rating name="stars" toName="t"/></View>'
        )
        both = pl.concat(
            [
                table([(t, who, choice("x" if t else "y")) for t in range(4) for who in "ab"]),
                table([(t, who, str(1 + (t + n) % 5)) for t in range(4) for n, who in enumerate("ab")], "stars"),
            ]
        )
        found = agreement(both, config)
        assert found.controls["c"].alpha == 1
        assert found.controls["stars"].alpha < 1
        assert found.annotators["a"].controls["c"] == 1
        assert found.annotators["a"].percent_with_others == pytest.approx(0.5)

    @settings(max_examples=50, deadline=None)
    @given(st.dictionaries(st.tuples(st.integers(0, 6), st.sampled_from("abcd")), st.sampled_from("xyz"), min_size=1))
    def test_annotators_against_the_others_equals_the_loop(self, given_answers):
        rows = [(task, who, choice(label)) for (task, who), label in given_answers.items()]
        found = agreement(table(rows), choices(*"xyz"))
        for name in {who for _, who in given_answers}:
            shares = []
            for (task, who), label in given_answers.items():
                others = [it for (t, w), it in given_answers.items() if t == task and w != who]
                if who == name and others:
                    shares.append(sum(it == label for it in others) / len(others))
            expected = sum(shares) / len(shares) if shares else math.nan
            assert found.annotators[name].percent_with_others == pytest.approx(expected, nan_ok=True)
            assert found.annotators[name].items == len(shares)
        per_task = [
            np.mean([a == b for a, b in combinations([x for (t, _), x in given_answers.items() if t == task], 2)])
            for task in {t for t, _ in given_answers}
            if sum(t == task for t, _ in given_answers) > 1
        ]
        percent = float(np.mean(per_task)) if per_task else math.nan
        assert found.controls["c"].percent == pytest.approx(percent, nan_ok=True)

    @settings(max_examples=40, deadline=None)
    @given(
        st.dictionaries(st.tuples(st.integers(0, 6), st.sampled_from("abcd")), st.sampled_from("xyz"), min_size=1),
        st.permutations("abcd"),
        st.randoms(),
    )
    def test_annotators_names_and_the_order_of_rows_do_not_matter(self, given_answers, names, random):
        rows = [(task, who, choice(label)) for (task, who), label in given_answers.items()]
        renamed = [(task, names["abcd".index(who)], label) for task, who, label in rows]
        random.shuffle(renamed)
        before, after = (agreement(table(it), choices(*"xyz")).controls["c"] for it in (rows, renamed))
        assert rounded(after.to_json()) == rounded(before.to_json())

    def test_the_json_is_the_contract(self):
        rows = [(t, who, choice("xy"[(t + (who == "b" and t == 3)) % 2])) for t in range(12) for who in "ab"]
        document = agreement(table(rows), choices("x", "y")).to_json()
        control = document["controls"]["c"]
        wanted = {"kind", "items", "annotators", "judgements", "percent", "alpha", "alpha_low", "alpha_high", "labels"}
        assert wanted <= set(control)
        assert set(document["annotators"]) == {"a", "b"}
        assert control["labels"]["x"]["count"] == 13 or control["labels"]["x"]["count"] == 11


def test_every_two_annotators_have_cohens_kappa():
    rows = [(t, "a", choice("xy"[t % 2])) for t in range(6)] + [(t, "b", choice("xy"[t // 3])) for t in range(6)]
    rows += [(0, "c", choice("x")), (7, "d", choice("x"))]
    found = {(row["a"], row["b"]): row for row in pair_agreement(table(rows), "c").iter_rows(named=True)}
    assert set(found) == {("a", "b"), ("a", "c"), ("b", "c")}
    first, second = np.array([t % 2 for t in range(6)]), np.array([t // 3 for t in range(6)])
    assert found["a", "b"]["items"] == 6
    assert found["a", "b"]["kappa"] == pytest.approx(cohen_kappa(first, second))
    assert found["a", "c"]["kappa"] is None


def test_the_wilson_interval_holds_its_share_and_stays_in_bounds():
    assert wilson_interval(0.5, 100) == pytest.approx((0.4038, 0.5962), abs=0.0001)
    assert wilson_interval(1.0, 3)[0] > 0.4
    assert wilson_interval(1.0, 3)[1] == 1
    assert all(math.isnan(end) for end in wilson_interval(math.nan, 0))
