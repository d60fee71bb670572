"""Lots drawn and judged one after the other are accepted as often as the curves of their plans say."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pytest
from unit.analysis.exports import dataset
from unit.sampling.lots import SEVERE, evidence

from sdk_scripts.quality import Lot as Wanted
from sdk_scripts.sampling.curve import Curve
from sdk_scripts.sampling.draw import draw
from sdk_scripts.sampling.verdict import Judged
from sdk_scripts.standards import Standard

LOTS = 400
LABELS = {task: "negative" if task <= 120 else "positive" for task in range(1, 601)}
CONFIG = dataset([]).config


def accepted(wrong: Collection[int], decided: str, standard: Standard, part: int) -> tuple[float, float]:
    """The share of lots that their plan accepts, drawn under other names, and what its curve says; `wrong`: the tasks
    whose label reviewers will not confirm."""
    given = evidence(LABELS, standard)
    found = []
    for number in range(LOTS):
        lot = draw(given, Wanted(tolerated=0.02, risk=0.1), f"lot-{number}")
        keys = {task: decided if task in wrong else lot.labels[task] for task in lot.sample}
        found.append(Judged(lot, CONFIG, standard, keys, lot.labels.keys()).parts[part].verdict == "accepted")
    plan = (lot.plan, lot.zero)[part]
    return float(np.mean(found)), float(Curve(plan).accepted(len(wrong)))


def same(realised: float, expected: float) -> bool:
    return realised == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / LOTS))


@pytest.mark.parametrize("bad", [6, 12, 30])
def test_by_iso_2859_1_good_lots_pass_and_bad_lots_fail_as_the_curve_says(bad) -> None:
    realised, expected = accepted(range(1, bad + 1), '["neutral"]', Standard(), 0)
    assert 0.02 < expected < 0.98
    assert same(realised, expected)


def test_by_zero_acceptance_more_than_is_tolerated_passes_with_the_consumers_risk() -> None:
    realised, expected = accepted(range(1, 4), '["positive"]', SEVERE, 1)  # 3 of 120: more than 2 %
    assert expected <= 0.1
    assert same(realised, expected)
