"""Who passes and who fails by gold questions."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sdk_scripts.gold.scores import scores, verdict
from sdk_scripts.quality import Gold
from tests.unit.gold.asked import NOW, RIGHT, SINCE, WRONG, question

GOLD = Gold()


@pytest.mark.parametrize("right", range(11))
def test_nobody_passes_or_fails_on_ten_items(right: int) -> None:
    assert verdict(right, 10, GOLD)[0] == "not enough"


@pytest.mark.parametrize(("right", "asked", "said"), [(40, 40, "passed"), (35, 40, "not enough"), (20, 40, "failed")])
def test_the_interval_and_not_the_share_decides(right: int, asked: int, said: str) -> None:
    found, low, high = verdict(right, asked, GOLD)
    assert found == said
    assert low < right / asked <= high


def test_what_somebody_got_wrong_is_listed_with_the_gravest_first() -> None:
    asked = [
        question(1, [("ann", WRONG)], severity="low"),
        question(2, [("ann", WRONG)], severity="high"),
        question(3, [("ann", RIGHT)], severity="4"),
    ]
    (score,) = scores(asked, GOLD, NOW)
    assert (score.asked, score.right, score.harm) == (3, 1, 4 / 8)
    assert [it["severity"] for it in score.to_json()["mistakes"]] == [3.0, 1.0]


@pytest.mark.parametrize("state", ["leaked", "contested", "stale", "expired", "disputed"])
def test_a_question_that_may_be_wrong_or_known_counts_for_nobody(state: str) -> None:
    assert scores([question(1, [("ann", WRONG)], state=state)], GOLD, NOW) == []


def test_a_question_that_enough_people_have_seen_still_counts_for_them() -> None:
    assert scores([question(1, [("ann", WRONG)], state="worn out")], GOLD, NOW)[0].asked == 1


def test_old_answers_count_no_more() -> None:
    later = SINCE + timedelta(days=GOLD.days)
    assert scores([question(1, [("ann", RIGHT), ("bob", RIGHT)])], GOLD, later)[0].annotator == "ann"
    assert scores([question(1, [("ann", RIGHT)])], GOLD, later + timedelta(hours=1)) == []
