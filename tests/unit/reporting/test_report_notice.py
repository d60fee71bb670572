"""What people are told of a report that its schedule made: little, and nothing that harms a chat."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import SecretStr

from ml_backend.report_history import Kept
from ml_backend.settings import Settings
from sdk_scripts.monitoring.alert_formats import FORMATS
from sdk_scripts.report.notice import notice, tell
from tests.unit.monitoring.receiver import receiving
from tests.unit.monitoring.test_alert_formats import NASTY

KEPT = Kept(
    "20261126T060000Z-0a1b2c", "2026-11-26T06:00:00+00:00", "batch", f"Reviews {NASTY}", "http://studio.example/"
)
SAID = {"headline": [f"Alpha of {NASTY} is 0.71.", "x" * 100_000, "12 hard cases.", "Not this one."]}


def payload(name: str) -> dict[str, Any]:
    return FORMATS[name].payload(notice(KEPT, SAID), "", 1_700_000_000.0)


@pytest.mark.parametrize("name", list(FORMATS))
def test_every_format_tells_of_a_report_shortly_and_without_harm(name: str) -> None:
    text = json.dumps(payload(name), ensure_ascii=False)
    assert "Tiebreak: a new report on Reviews" in text
    assert "12 hard cases." in text
    assert "Not this one." not in text
    assert "@here" not in text
    assert "https://evil.example" not in text
    assert len(text) < 5_000
    if name != "json":
        assert not any(tag in text for tag in ("<!", "<@", "<at"))


def test_a_receiver_that_is_down_costs_no_report(settings: Settings) -> None:
    with receiving() as receiver:
        to = settings.model_copy(update={"alert_url": SecretStr(receiver.url)})
        assert tell(to, KEPT, SAID)
        receiver.status = 500
        assert not tell(to, KEPT, SAID)
    assert not tell(settings, KEPT, SAID)
    assert [it["kind"] for it in receiver.came] == ["report", "report"]
