"""The README tells the truth about the command line and the settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from ml_backend.settings import Settings
from sdk_scripts.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = get_command(app).commands  # type: ignore[attr-defined]  # typer's group has them


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_and_stands_in_the_readme(name: str) -> None:
    assert COMMANDS[name].help
    assert f"`tiebreak {name}" in README


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_option_of_a_command_has_help(name: str) -> None:
    assert not [option.name for option in COMMANDS[name].params if not getattr(option, "help", None)]


def test_the_readme_names_no_command_that_is_not_there() -> None:
    named = set(re.findall(r"`tiebreak ([a-z-]+)", README))
    assert named <= set(COMMANDS)


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_is_described_and_stands_in_the_readme(name: str) -> None:
    assert Settings.model_fields[name].description
    assert f"TIEBREAK_{name.upper()}" in README


def test_files_the_readme_links_to_are_there() -> None:
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", README):
        assert (ROOT / target).exists(), target
