from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from sdk_scripts.marks import Labeling, Mark, credentials_fingerprint, marked, read_mark, unmarked

names = st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,20}", fullmatch=True)
fingerprints = st.sampled_from(["", "00c0ffee"])
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


@given(texts, names, st.booleans(), fingerprints)
def test_a_mark_is_read_back_whatever_people_wrote_above_it(
    text: str, name: str, adopted: bool, fingerprint: str
) -> None:
    mark = Mark(name, adopted, fingerprint)
    assert read_mark(marked(text, mark)) == mark
    assert unmarked(marked(text, mark)) == unmarked(text)


@given(texts, names, names)
def test_a_text_bears_one_mark_only(text: str, first: str, second: str) -> None:
    twice = marked(marked(text, Mark(first)), Mark(second))
    assert twice == marked(text, Mark(second))


def test_the_mark_is_a_line_of_its_own_and_survives_what_editors_do() -> None:
    assert read_mark("Reviews.\r\n\r\ntiebreak: reviews") == Mark("reviews")
    assert read_mark("Reviews.\n  tiebreak: reviews  \n\n") == Mark("reviews")
    assert read_mark("We write tiebreak: reviews in the description") is None
    assert read_mark(None) is None


def test_the_fingerprint_changes_with_the_credentials_and_does_not_hold_them() -> None:
    one = credentials_fingerprint("reviews", "me", SecretStr("hunter2"))
    assert one == credentials_fingerprint("reviews", "me", SecretStr("hunter2"))
    assert len({one, credentials_fingerprint("reviews", "me", SecretStr("hunter3")),
                credentials_fingerprint("reviews", "you", SecretStr("hunter2")),
                credentials_fingerprint("other", "me", SecretStr("hunter2"))}) == 4  # fmt: skip
    assert len(one) == 8


@pytest.mark.parametrize(
    "labeling", [Labeling(), Labeling(1, 0.0), Labeling(2000, 1.0, 3), Labeling(50, 0.0001), Labeling(50, 0.3333, 1)]
)
def test_what_is_labelled_next_is_read_as_it_was_written(labeling: Labeling) -> None:
    mark = Mark("reviews", labeling=labeling)
    assert read_mark(marked("About reviews.", mark)) == mark


def test_a_batch_that_somebody_wrote_too_large_is_no_larger_than_a_manifests() -> None:
    mark = read_mark("tiebreak: reviews (batch 999999, exploration 0.5, most annotations 0)")
    assert mark is not None
    assert mark.labeling == Labeling(2000, 0.5, 1)
