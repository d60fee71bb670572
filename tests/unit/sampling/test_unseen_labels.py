"""Who inspects a lot is not told what others answered."""

from __future__ import annotations

import json

from unit.analysis.exports import dataset, voted
from unit.analysis.given import GivenEvidence, opinion, sentiment

from sdk_scripts.hard_cases import HardCase, Reason
from sdk_scripts.review_cases import CaseFacts
from sdk_scripts.review_plan import DRAWN
from sdk_scripts.review_tasks import build_review_tasks
from sdk_scripts.reviewers import Seat


def review(signal: str) -> dict[str, object]:
    project = {"id": 3, "title": "Reviews", "created_at": "2026-01-01T00:00:00Z"}
    seen = sentiment({1: opinion("neutral", 0.91)})
    given = GivenEvidence(dataset([voted(1, "a lamp", "negative", "negative", "positive")], project=project), seen)
    facts = CaseFacts(given)
    case = HardCase(1, 0.5, (Reason(signal, 0.5, "Why it is here.", "sentiment"),))
    (task,) = build_review_tasks(facts, [(case, Seat(facts.case(case), 1, ""))])
    return task["data"]


def test_a_task_drawn_from_a_lot_shows_neither_votes_nor_model_and_others_do() -> None:
    shown = {name: review(name) for name in (DRAWN, "disagreement")}
    told = {
        name: json.dumps([data[panel] for panel in ("votes", "model", "options", "reasons", "item")])
        for name, data in shown.items()
    }
    for words in ("2 of 3 annotators", "the model", "0.91", "Annotator A"):
        assert words in told["disagreement"]
        assert words not in told[DRAWN]
    assert [it["value"] for it in shown[DRAWN]["options"]] == [it["value"] for it in shown["disagreement"]["options"]]


def test_what_resolving_needs_is_kept_all_the_same() -> None:
    kept = review(DRAWN)["tiebreak"]
    assert kept["consensus"]["answer"] == '["negative"]'
    assert len(kept["votes"]) == 3
