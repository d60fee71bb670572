"""Groups of comments: by meaning, kind and pair; and the same from run to run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from unit.feedback.said import CONCERNS

from ml_backend.labeling.errors import ModelUnavailable
from sdk_scripts.feedback.comments import Comment, Pair
from sdk_scripts.feedback.groups import Meaning, grouped

START = datetime(2026, 11, 1, tzinfo=UTC)
SOME = "There is no label for scams"


def comment(id: int, text: str = "", kind: str = "note", pair: Pair | None = None) -> Comment:
    return Comment(id, id, "ann", START + timedelta(minutes=id), (kind,), text, pair, ())


def members(comments: Sequence[Comment], meaning: Meaning, known: dict[int, str] | None = None) -> dict[str, set[int]]:
    return {it.id: {one.id for one in it.comments} for it in grouped(comments, meaning, known or {})}


def known_after(comments: Sequence[Comment], meaning: Meaning) -> dict[int, str]:
    return {one: id for id, ones in members(comments, meaning).items() for one in ones}


def all_comments() -> list[Comment]:
    return [comment(id, text) for id, text in enumerate((it for said in CONCERNS.values() for it in said), start=1)]


def test_comments_that_mean_the_same_come_together_and_others_do_not(encoder) -> None:
    """Pairs of comments, as the docstring of NEAR gives them."""
    comments = all_comments()
    meaning = Meaning.told_by(encoder, [it.text for it in comments])
    group = known_after(comments, meaning)
    labels = np.array([group[it.id] for it in comments])
    concern = np.repeat(np.arange(len(CONCERNS)), 5)
    pairs = np.triu_indices(len(comments), 1)
    same, together = (concern[:, None] == concern)[pairs], (labels[:, None] == labels)[pairs]
    assert (same & together).sum() / together.sum() > 0.9
    assert (same & together).sum() / same.sum() > 0.65


def test_the_kind_parts_what_the_words_do_not_and_another_pair_moves_apart(encoder) -> None:
    meaning = Meaning.told_by(encoder, [SOME])
    assert len(members([comment(1, SOME, "a"), comment(2, SOME, "b")], meaning)) == 2
    one, other = comment(1, SOME, pair=("c", "x", "y")), comment(2, SOME, pair=("c", "y", "x"))
    assert 0.09 < meaning.distances([one], [other])[0, 0] < 0.11


def test_comments_without_words_are_grouped_by_kind_and_pair() -> None:
    comments = [
        comment(1, kind="a", pair=("c", "x", "y")),
        comment(2, kind="a", pair=("c", "x", "y")),
        comment(3, kind="a"),
        comment(4, kind="b"),
    ]
    assert members(comments, Meaning({}, 1.0)) == {"g1": {1, 2}, "g3": {3}, "g4": {4}}


@given(st.permutations(range(24)), st.integers(0, 24))
def test_a_comment_keeps_its_group_whatever_comes_later(order, early) -> None:
    said = [text for texts in list(CONCERNS.values())[:8] for text in texts[:3]]
    comments = [comment(id, said[place]) for id, place in enumerate(order, start=1)]
    vectors = dict(zip(said, np.repeat(np.eye(8), 3, axis=0), strict=True))  # each concern is a direction of its own
    meaning = Meaning(vectors, 1.0)
    before = known_after(comments[:early], meaning)
    after = known_after_all(comments, meaning, before)
    assert before.items() <= after.items()
    assert len(set(after.values())) == 8
    assert after == known_after_all(comments, meaning, after)


def known_after_all(comments: Sequence[Comment], meaning: Meaning, known: dict[int, str]) -> dict[int, str]:
    return {one: id for id, ones in members(comments, meaning, known).items() for one in ones}


def test_two_groups_are_never_merged_however_alike_they_are() -> None:
    meaning = Meaning({"same": np.array([1.0])}, 1.0)
    comments = [comment(1, "same"), comment(2, "same"), comment(3, "same")]
    found = members(comments, meaning, {1: "g1", 2: "g2"})
    assert found in ({"g1": {1, 3}, "g2": {2}}, {"g1": {1}, "g2": {2, 3}})


def test_without_an_encoder_comments_are_grouped_by_their_words() -> None:
    class Without:
        @property
        def encoder(self):
            raise ModelUnavailable("There is no encoder.")

    comments = [comment(1, "replica watches"), comment(2, "replica watches again"), comment(3, "the image is missing")]
    meaning = Meaning.of(Without(), comments)
    assert meaning.by == "There is no encoder."
    assert members(comments, meaning) == {"g1": {1, 2}, "g3": {3}}


def test_the_title_is_the_comment_nearest_to_the_others() -> None:
    angles = {"left": 0.0, "middle": 0.3, "right": 0.5}
    meaning = Meaning({text: np.array([np.cos(it), np.sin(it)]) for text, it in angles.items()}, 1.0)
    assert meaning.central([comment(1, "left"), comment(2, "middle"), comment(3, "right"), comment(4)]).text == "middle"
