"""Queues and reviews as a real Label Studio tells them."""

from __future__ import annotations

import pytest
from unit.analysis.exports import choice
from unit.analysis.reviews import written

from sdk_scripts.bottlenecks import bottlenecks_of
from sdk_scripts.evidence import Evidence
from sdk_scripts.sources import load_source


def test_what_waits_and_what_reviews_take_is_read_from_the_project_and_its_review_project(make_desk) -> None:
    desk = make_desk()
    new = [{"data": {"text": "The strap is short."}}, {"data": {"text": "It hums."}}]
    desk.studio.import_tasks(desk.project, new)
    asked, *others = desk.studio.tasks(desk.mine())
    result = [choice("decision", "neutral", to_name="item"), choice("cause", "guideline_gap", to_name="item")]
    result += [written("rationale", "It broke."), written("policy_clause", "2.1")]
    said = {"result": result, "completed_by": desk.people["rev"], "lead_time": 42.0}
    desk.studio.create_annotation(asked["id"], said)
    assert len(desk.resolve().resolved) == 1

    dataset = load_source(str(desk.project), label_config=None, settings=desk.settings)
    found = bottlenecks_of(Evidence(dataset), desk.settings)
    first, _, review = found.queues
    assert first.waiting == 2
    assert 0 <= first.age_hours_oldest < 1
    assert (review.stage, review.waiting, review.over) == ("review", len(others), 1)
    step = next(it for it in found.steps if it.step == "review")
    assert (step.n, step.untimed, step.hours) == (1, 0, pytest.approx(42 / 3600))
    assert found.notes == []  # times, overlap and reviews are all there
    assert found.capacity.backlog >= 2
