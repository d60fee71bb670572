"""One short message that a report was made, to where alerts go (TIEBREAK_ALERT_URL). It may be lost: the report is
kept."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from sdk_scripts.monitoring.alert_delivery import NotDelivered, send
from sdk_scripts.monitoring.alert_formats import FORMATS, Message
from sdk_scripts.monitoring.alerts import MOST_NAME, MOST_TEXT, Due, harmless

if TYPE_CHECKING:
    from ml_backend.report_history import Kept
    from ml_backend.settings import Settings

log = structlog.stdlib.get_logger()

MOST_SAID = 3
"""Sentences of the report's headline."""


@dataclass(frozen=True, slots=True)
class ReportNotice(Message):
    said: tuple[str, ...] = ()
    """What the report says first, a sentence each."""

    @property
    def headline(self) -> str:
        return f"Tiebreak: a new report on {self.title}"

    @property
    def rest(self) -> tuple[str, ...]:
        return self.said


def notice(kept: Kept, report: Mapping[str, Any]) -> ReportNotice:
    """Of a kept report and what it says (`Report.to_json`)."""
    return ReportNotice(
        id=kept.id,
        kind="report",
        title=harmless(kept.title, MOST_NAME),
        url=kept.url or "",
        at=kept.made_at,
        found=(),
        more=0,
        cleared=(),
        cleared_more=0,
        still_open=0,
        said=tuple(harmless(str(it), MOST_TEXT) for it in report["headline"][:MOST_SAID]),
    )


def tell(settings: Settings, kept: Kept, report: Mapping[str, Any]) -> bool:
    """Whether it arrived; False also where nobody is to be told."""
    if settings.alert_url is None:
        return False
    try:
        send(settings, FORMATS[settings.alert_format], Due(notice(kept, report)), time.time())
    except NotDelivered as error:
        log.warning("people were not told of a report", report=kept.id, why=error.what)
        return False
    return True
