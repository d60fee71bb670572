from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from unit.backtest.made import SEVERAL

from ml_backend.labeling.config import parse
from ml_backend.labeling.kinds import kind_of
from sdk_scripts.backtest.splits import grid, halves, shots

KIND = kind_of(parse(SEVERAL).controls[0])
assert KIND is not None
answers_of = st.lists(st.sets(st.sampled_from("abc"), min_size=1).map(lambda it: tuple(sorted(it))), max_size=200)


@given(answers=answers_of, share=st.floats(0.05, 0.95))
def test_every_text_is_in_one_half_and_every_answer_has_its_share(answers: list[tuple[str, ...]], share: float) -> None:
    train, test = halves(KIND, answers, share)
    assert sorted([*train.tolist(), *test.tolist()]) == list(range(len(answers)))
    tested = Counter(answers[row] for row in test.tolist())
    assert all(abs(tested[answer] - share * n) <= 1 for answer, n in Counter(answers).items())


@given(answers=answers_of, size=st.integers(1, 40))
def test_each_label_has_as_many_texts_as_were_asked_for_or_all_it_has(
    answers: list[tuple[str, ...]], size: int
) -> None:
    picked = shots(KIND, answers, size, np.random.default_rng(0)).tolist()
    assert len(set(picked)) == len(picked)
    have = Counter(label for row in picked for label in answers[row])
    there = Counter(label for answer in answers for label in answer)
    assert all(have[label] >= min(size, n) for label, n in there.items())


def test_sizes_double_until_they_are_most_of_what_there_is() -> None:
    assert grid(KIND, [("a",)] * 100 + [("b",)] * 100) == [8, 16, 32]
    assert grid(KIND, [("a",)] * 8 + [("b",)] * 8) == []
