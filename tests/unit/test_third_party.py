"""The list of packages of others is that of the locks, and every licence in it is allowed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("third_party", Path(__file__).parents[2] / "docker" / "third_party.py")
assert spec
assert spec.loader
third_party = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = third_party  # dataclasses look there
spec.loader.exec_module(third_party)
Package = third_party.Package


def test_every_package_of_the_locks_is_listed_once_and_no_other() -> None:
    said = [(it.name, it.version, it.where) for it in third_party.listed()]
    assert said == [(*it, where) for it, where in sorted(third_party.locked().items())], "run `make audit`"


def test_every_licence_is_allowed_or_an_exception_with_its_reason() -> None:
    assert [it for it in third_party.listed() if not it.allowed] == []


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("MIT", True),
        ("Apache-2.0 AND MIT", True),
        ("GPL-3.0-only OR MIT", True),
        ("MIT AND GPL-3.0-only", False),
        ("GPL-3.0-only", False),
        ("not known", False),
    ],
)
def test_a_licence_is_allowed_where_every_part_of_one_choice_is(licence: str, allowed: bool) -> None:
    assert Package("a", "1", licence, "product").allowed is allowed


def test_an_exception_holds_in_label_studio_s_environment_only() -> None:
    assert Package("psycopg", "1", "LGPL-3.0-only", "Label Studio").allowed
    assert not Package("psycopg", "1", "LGPL-3.0-only", "product").allowed
