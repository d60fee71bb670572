from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from ml_backend.prelabelers._ngrams import Vocabulary, characters, words
from tests.unit.learning.reviews import reviews

TEXTS = [text for text, _ in reviews(80)]


def products(extract, texts: list[str]) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Cosines between the texts' rows: what matters, whatever the order of the columns."""
    found = extract(texts)
    rows = Vocabulary.fit(*found, len(texts), most=100_000).transform(*found, len(texts))
    return (rows @ rows.T).toarray()


def test_words_weigh_as_in_scikit_learn() -> None:
    theirs = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"\w+").fit_transform(TEXTS)
    np.testing.assert_allclose(products(words, TEXTS), (theirs @ theirs.T).toarray(), atol=1e-5)


def test_characters_weigh_as_in_scikit_learn() -> None:
    grams = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4)).build_analyzer()
    visible = TfidfVectorizer(
        analyzer=lambda text: [it for it in grams(text) if it.strip()], min_df=2, sublinear_tf=True
    )
    theirs = visible.fit_transform(TEXTS)
    np.testing.assert_allclose(products(characters, TEXTS), (theirs @ theirs.T).toarray(), atol=1e-5)


def test_the_commonest_are_kept_when_there_is_no_room_for_all() -> None:
    found = words(["a b", "a b", "a c", "a c", "d"])
    kept = Vocabulary.fit(*found, 5, most=1)
    assert kept.hashes.tolist() == words(["a"])[1].tolist()


def test_texts_without_known_words_have_empty_rows() -> None:
    known = Vocabulary.fit(*words(["one two", "one two"]), 2, most=10)
    rows = known.transform(*words(["", "three", "one"]), 3)
    assert rows.getnnz(axis=1).tolist() == [0, 0, 1]


@given(st.lists(st.text(max_size=40), max_size=8))
def test_any_text_can_be_read_and_rows_are_unit_or_empty(texts: list[str]) -> None:
    for extract in (words, characters):
        found = extract(texts)
        rows = Vocabulary.fit(*found, len(texts), most=1_000, least=1).transform(*found, len(texts))
        norms = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
        assert rows.shape[0] == len(texts)
        assert all(abs(norm - 1) < 1e-4 or norm == 0 for norm in norms)
