"""Descriptions of projects, where Tiebreak keeps what every worker must know and people may edit it."""

from __future__ import annotations

import base64
import json
import zlib
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ml_backend.policy import policy_of, stop_of, with_stop
from ml_backend.report_schedule import last_due
from ml_backend.roles import role_of
from sdk_scripts.calibration.rounds import STRATA, rounds_of
from sdk_scripts.marks import marked, read_mark, unmarked
from sdk_scripts.quality import quality_of
from sdk_scripts.satellites import read_about
from sdk_scripts.standards import shown, standard_of
from tests.fuzz.mutations import spoilt_json, spoilt_text
from tests.fuzz.settling import fuzzing, settled

SOURCE = {"id": 7, "created_at": "2026-11-22T21:11:05.953710Z", "label_config": "<View/>"}
KEY = "7.1795381865"
ITEMS = base64.b64encode(zlib.compress(json.dumps({STRATA[0]: [1, 2]}).encode())).decode()
SAID: dict[str, Any] = {
    "tiebreak hard cases": {"name": "n", "reviewers": [{"email": "a@b.c", "labels": ["x"]}], "severity": {"x": 5}},
    "tiebreak policy": {"blind": {"share": 0.1}, "accept": {"tiers": [{"severity": 0, "error": 0.02}]}},
    "tiebreak quality": {"every_hours": 2, "reports": {"cron": "0 9 * * 1", "time_zone": "Asia/Tokyo"}},
    "tiebreak auto-accept stopped": {
        **{"at": "2026-01-01T00:00:00Z", "version": "v", "audits": 3, "errors": 1, "why": "w"}
    },
    "tiebreak satellite": {
        **{"kind": "calibration", "source": KEY, "name": "n", "who": "a@b.c", "policy": "p"},
        "more": {"people": ["a@b.c"], "items": ITEMS},
    },
}
MARK = "tiebreak: reviews (adopted, batch 5, exploration 0.1)"


def line(name: str) -> st.SearchStrategy[str]:
    return spoilt_json([SAID[name]]).map(lambda it: f"{name}: {json.dumps(it)}")


lines = st.sampled_from(sorted(SAID)).flatmap(line)
whole = st.lists(lines, max_size=5).map(lambda it: "\n".join(["What people wrote.", *it, MARK]))
SEEDS = ["\n".join([*(f"{name}: {json.dumps(it)}" for name, it in SAID.items()), MARK])]


class Projects:
    """The one method of `Studio` that finding rounds asks."""

    def __init__(self, project: dict[str, Any]) -> None:
        self._project = project

    def projects(self) -> list[dict[str, Any]]:
        return [self._project]


@fuzzing(150)
@given(whole | spoilt_text(SEEDS))
def test_descriptions_of_projects(text: str) -> None:
    project = {**SOURCE, "description": text}
    role = role_of(project)
    last_due(role.reports, datetime(2026, 1, 1, tzinfo=UTC))
    settled(lambda: policy_of(project))
    if stop := settled(lambda: stop_of(project)):
        with_stop(project, stop)
    settled(lambda: standard_of(project))
    settled(lambda: quality_of(project))
    shown(json.dumps(text))
    read_about(project)
    settled(lambda: rounds_of(Projects(project), SOURCE))
    if mark := read_mark(text):
        assert read_mark(marked(unmarked(text), mark)) == mark
