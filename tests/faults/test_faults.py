"""The short form: everything but Label Studio dies in the middle of a training, under load, and comes back with half of
its files and none of Redis' data.

`make faults` adds what takes minutes: each part killed alone, and found dead by the others; a full disk, slow and
flapping networks, clocks hours apart, a storm of webhooks, webhooks that never come (`kinds/`, a file each), on a Label
Studio that dies, too."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ml_backend.settings import Settings
from sdk_scripts.demo_data import Review
from tests.faults.estate import Estate, running
from tests.faults.kinds import FAULTS
from tests.faults.playing import play

TASKS = 100


@pytest.fixture
def estate(studio_settings: Settings, tmp_path: Path) -> Iterator[Estate]:
    with running(studio_settings, tmp_path) as found:
        yield found


def test_a_power_cut_in_the_middle_of_a_training_loses_nothing(estate: Estate, reviews: list[Review]) -> None:
    fault = FAULTS["power cut while it trains, Redis' data lost, files half-written"]
    found = play(estate, reviews[:TASKS], fault, seed=int(time.time()), before=(0.0, 1.0))
    assert found.survived, found
