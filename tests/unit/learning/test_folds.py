from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ml_backend.prelabelers._folds import folds

TEXTS = st.lists(st.tuples(st.sampled_from([f"text {i}" for i in range(30)]), st.integers(0, 3)), max_size=60)


@given(TEXTS)
def test_the_same_text_is_never_on_both_sides(examples: list[tuple[str, int]]) -> None:
    texts = [text.upper() if i % 2 else f" {text} " for i, (text, _) in enumerate(examples)]
    found = folds(texts, [cls for _, cls in examples])
    of_text: dict[str, set[int]] = {}
    for text, fold in zip(texts, found.tolist(), strict=True):
        of_text.setdefault(text.strip().lower(), set()).add(fold)
    assert all(len(places) == 1 for places in of_text.values())


@given(TEXTS, st.randoms())
def test_the_order_of_examples_does_not_matter(examples: list[tuple[str, int]], source) -> None:  # type: ignore[no-untyped-def]
    def by_example(given: list[tuple[str, int]]) -> Counter:
        return Counter(zip(given, folds([t for t, _ in given], [c for _, c in given]).tolist(), strict=True))

    assert by_example(examples) == by_example(source.sample(examples, len(examples)))


def test_every_class_is_spread_evenly() -> None:
    texts = [f"text {i}" for i in range(103)]
    classes = [0] * 80 + [1] * 16 + [2] * 7
    found = folds(texts, classes)
    for cls, size in ((0, 80), (1, 16), (2, 7)):
        counts = Counter(fold for fold, one in zip(found.tolist(), classes, strict=True) if one == cls)
        assert max(counts.values()) - min(counts.get(fold, 0) for fold in range(5)) <= 1, (cls, size)
