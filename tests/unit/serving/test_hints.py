"""What webhooks count as changed labels, and what logs leave out."""

from __future__ import annotations

from typing import Any

import pytest

from ml_backend.hints import changed_labels
from ml_backend.logs import hide_secrets

COUNTED: list[tuple[str, dict[str, Any], int | None]] = [
    ("ANNOTATION_CREATED", {"annotation": {"id": 1}}, 1),
    ("ANNOTATION_CREATED", {"annotation": {"id": 1, "was_cancelled": True}}, 0),
    ("ANNOTATION_UPDATED", {"annotation": {"id": 1}}, 1),
    ("ANNOTATIONS_CREATED", {"annotation": [{"id": 1}, {"id": 2}]}, 2),
    ("ANNOTATIONS_DELETED", {"annotations": [{"id": 1}, {"id": 2}, {"id": 3}]}, 3),
    ("TASKS_CREATED", {"tasks": [{"total_annotations": 2}, {"total_annotations": 0}, {}]}, 2),
    ("TASKS_CREATED", {"tasks": "all"}, None),
    ("TASKS_DELETED", {"tasks": [{"id": 1}]}, None),
    ("PROJECT_UPDATED", {}, None),
    ("SOMETHING_NEW", {"annotation": {"id": 1}}, None),
]


@pytest.mark.parametrize(("action", "body", "labels"), COUNTED)
def test_an_action_tells_of_so_many_labels(action: str, body: dict[str, Any], labels: int | None) -> None:
    assert changed_labels(action, body.get("annotation"), body.get("annotations"), body.get("tasks")) == labels


def test_secrets_never_reach_a_log() -> None:
    event = hide_secrets(None, "info", {"access_token": "t", "Password": "p", "redis_url": "u", "project": "7.1"})
    assert event == {
        "access_token": "**********",
        "Password": "**********",
        "redis_url": "**********",
        "project": "7.1",
    }
