"""Every fault at a random moment, under load, on a real Label Studio, Valkey, backend and two workers: `make faults`.

FAULTS_ROUNDS says how often each is played, FAULTS_SEED when each comes (printed, and drawn where it is not set),
FAULTS_JSON names a file for the outcomes. Without FAULTS_ROUNDS only the short form runs, `test_faults.py`."""

from __future__ import annotations

import os
import random

import pytest

from sdk_scripts.demo_data import Review
from tests.faults.estate import Estate
from tests.faults.kinds import FAULTS
from tests.faults.playing import Impossible, Played, play

TASKS = 200
ROUNDS = int(os.environ.get("FAULTS_ROUNDS", "0"))
FIRST = int(os.environ.get("FAULTS_SEED") or random.randrange(1_000_000))


@pytest.mark.skipif(not ROUNDS, reason="takes over twenty minutes: `make faults`")
@pytest.mark.parametrize("round", range(ROUNDS or 1))
@pytest.mark.parametrize("name", list(FAULTS))
def test_after_every_fault_all_is_as_if_it_had_not_been(
    name: str, round: int, whole_estate: Estate, reviews: list[Review], played: list[Played]
) -> None:
    try:
        found = play(whole_estate, reviews[:TASKS], FAULTS[name], FIRST + round)
    except Impossible as why:
        pytest.skip(str(why))
    played.append(found)
    assert found.survived, found
