from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ml_backend.briefs import NOTHING, SHARED_SECONDS, Brief, Briefs, note_audits, refresh, refresh_policy
from ml_backend.cases import Case
from ml_backend.labeling.results import project_key
from ml_backend.model_registry import ModelRegistry
from ml_backend.policy import Policy
from tests.unit.learning.reviews import SENTIMENT
from tests.unit.learning.stores import SlowStore


def project(line: str = '{"blind": 0.2}') -> dict[str, Any]:
    return {"id": 1, "created_at": "2026-11-22T10:00:00Z", "description": f"tiebreak policy: {line}"}


KEY = project_key(project())


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    return ModelRegistry(str(tmp_path / "models"))


def test_a_changed_policy_is_there_at_once_for_those_that_have_read_it_before(registry: ModelRegistry) -> None:
    briefs = Briefs(registry)
    assert briefs.of(KEY) == NOTHING
    for blind in (0.2, 0.3, 0.0):
        refresh_policy(registry, project(f'{{"blind": {blind}}}'))
        assert briefs.of(KEY).policy.blind == blind
        at_hand = briefs.at_hand(KEY)
        assert at_hand is not None
        assert at_hand.policy.blind == blind


def test_a_policy_that_cannot_be_read_leaves_the_one_before(registry: ModelRegistry) -> None:
    refresh_policy(registry, project())
    refresh_policy(registry, project("{oops"))
    assert Briefs(registry).of(KEY).policy == Policy(blind=0.2)


def test_policy_precedents_and_audits_are_noted_apart(registry: ModelRegistry) -> None:
    refresh_policy(registry, project())
    note_audits(registry, KEY, [3, 1])
    case = Case(
        project=9,
        task=4,
        data={"text": "a fake bag"},
        control="sentiment",
        answer=("negative",),
        uses=("precedent",),
        rationale="It is no bag.",
        clause="2.1",
    )
    refresh(registry, None, project('{"blind": 0.1}'), SENTIMENT, cases=[case])  # type: ignore[arg-type]  # cases given
    found = Briefs(registry).of(KEY)
    assert (found.policy.blind, found.audits) == (0.1, frozenset({1, 3}))
    [precedent] = found.precedents
    assert (precedent.text, precedent.answer, precedent.why) == ("a fake bag", '["negative"]', "It is no bag.")
    refresh_policy(registry, project('{"blind": 0.4}'))
    assert Briefs(registry).of(KEY) == Brief(Policy(blind=0.4), found.precedents, found.audits)


@pytest.mark.parametrize("content", [b"", b"torn", b"[]", b'{"policy": {"blnd": 1}, "precedents": [], "audits": []}'])
def test_a_damaged_brief_is_the_last_one_known_and_is_written_anew(registry: ModelRegistry, content: bytes) -> None:
    briefs = Briefs(registry)
    refresh_policy(registry, project())
    assert briefs.of(KEY).policy.blind == 0.2
    registry.write_brief(KEY, content)
    assert briefs.of(KEY).policy.blind in ((0.2,) if content else (0,))
    assert Briefs(registry).of(KEY) == NOTHING
    refresh_policy(registry, project())
    assert briefs.of(KEY).policy.blind == 0.2


def test_a_project_key_that_is_none_has_no_brief(registry: ModelRegistry) -> None:
    assert Briefs(registry).of("../etc") == NOTHING


def test_on_shared_storage_a_brief_is_at_hand_again_once_it_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    SlowStore.contents.clear()
    now = [time.monotonic()]
    monkeypatch.setattr("ml_backend.briefs.time", SimpleNamespace(monotonic=lambda: now[0]))
    registry = ModelRegistry("slow://models")
    refresh_policy(registry, project())
    briefs = Briefs(registry)
    assert briefs.at_hand(KEY) is None
    for blind in (0.2, 0.2, 0.4):
        refresh_policy(registry, project(f'{{"blind": {blind}}}'))
        now[0] += SHARED_SECONDS + 0.1
        assert briefs.at_hand(KEY) is None
        assert briefs.of(KEY).policy.blind == blind
        at_hand = briefs.at_hand(KEY)
        assert at_hand is not None
        assert at_hand.policy.blind == blind
