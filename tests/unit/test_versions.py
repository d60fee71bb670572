"""The versions that Tiebreak is tested with are said once, and are those that are pinned."""

from __future__ import annotations

import tomllib
from importlib.metadata import version
from pathlib import Path

from tests.contract.matrix import PAIRS, SDKS, STUDIOS, TESTS

ROOT = Path(__file__).parents[2]


def test_the_matrix_begins_with_what_is_pinned_and_goes_back_by_minor_versions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert project["dependency-groups"]["studio"] == [f"label-studio=={STUDIOS[0]}"]
    assert version("label-studio-sdk") == SDKS[0]
    minors = [int(studio.split(".")[1]) for studio in STUDIOS]
    assert minors == list(range(minors[0], minors[0] - len(minors), -1))
    assert PAIRS[0] == (STUDIOS[0], SDKS[0])


def test_the_sdk_that_may_be_installed_is_one_of_the_matrix() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    [pinned] = [it for it in project["project"]["dependencies"] if it.startswith("label-studio-sdk")]
    major, minor, _ = SDKS[0].split(".")
    assert pinned == f"label-studio-sdk>={SDKS[-1]},<{major}.{int(minor) + 1}"


def test_the_matrix_names_tests_that_are_there() -> None:
    assert not [test for test in TESTS if not (ROOT / "tests" / "contract" / test).exists()]
