"""The README and the documents beside the code tell the truth: commands, settings, targets, links, pictures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from ml_backend.settings import Settings
from sdk_scripts.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
ROOT_COMMAND: Any = get_command(app)
COMMANDS = ROOT_COMMAND.commands
DOCUMENTS = [
    "README.md",
    *(f"{folder}/README.md" for folder in ("ml_backend", "sdk_scripts", "label_configs", "docker")),
]
MOST_BYTES = 120_000


def words_of(document: str) -> str:
    return (ROOT / document).read_text("utf-8")


def links_of(document: str) -> list[tuple[Path, str]]:
    """File and anchor of every link that leads nowhere outside the repository."""
    found = re.findall(r"\]\((?!https?://)([^)#\s]*)#?([^)\s]*)\)", words_of(document))
    return [((ROOT / document).parent / target if target else ROOT / document, anchor) for target, anchor in found]


def anchors_of(path: Path) -> set[str]:
    """As GitHub makes them of headings."""
    prose = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def calls_of(document: str) -> list[str]:
    """What comes after `tiebreak` in code spans and shell blocks."""
    words = words_of(document)
    spans = re.findall(
        r"`(?:docker compose run --rm worker )?tiebreak ([^`]+)`", re.sub(r"```.*?```", "", words, flags=re.DOTALL)
    )
    shell = "\n".join(re.findall(r"```sh\n(.*?)```", words, re.DOTALL))
    return [*spans, *re.findall(r"^(?:docker compose run --rm worker )?tiebreak ([^#\n]+)", shell, re.MULTILINE)]


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


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_and_headings_that_a_document_links_to_are_there(document: str) -> None:
    for path, anchor in links_of(document):
        assert path.exists(), path
        assert not anchor or anchor in anchors_of(path), f"{path}#{anchor}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_and_options_that_a_document_names_are_there(document: str) -> None:
    for call in calls_of(document):
        command, groups = ROOT_COMMAND, [ROOT_COMMAND]
        for word in re.findall(r"[\w-]+", call.partition(" -")[0]):
            if not hasattr(command, "commands") or (command is not ROOT_COMMAND and word not in command.commands):
                break
            command = command.commands[word]
            groups.append(command)
        known = {option for it in groups for param in it.params for option in (*param.opts, *param.secondary_opts)}
        assert set(re.findall(r"--[a-z][a-z-]*", call)) <= known, call


@pytest.mark.parametrize("document", DOCUMENTS)
def test_make_targets_and_settings_that_a_document_names_are_there(document: str) -> None:
    words = words_of(document)
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", words, re.MULTILINE)) <= set(targets)
    settings = {f"TIEBREAK_{name.upper()}" for name in Settings.model_fields}
    assert {name.removesuffix("_FILE") for name in re.findall(r"TIEBREAK_[A-Z_]*[A-Z]", words)} <= settings


def test_pictures_are_small() -> None:
    pictures = {path for document in DOCUMENTS for path, _ in links_of(document) if path.suffix in (".webp", ".svg")}
    assert pictures
    assert {path for path in pictures if path.stat().st_size > MOST_BYTES} == set()
    assert {path.resolve() for path in pictures} >= set((ROOT / "label_configs/images").iterdir())


def test_what_the_doctor_is_said_to_say_is_what_it_says() -> None:
    sources = [*(ROOT / "sdk_scripts/doctor").rglob("*.py"), *(ROOT / "ml_backend").rglob("*.py")]
    code = "\n".join(source.read_text("utf-8") for source in sources)
    quoted = re.findall(r'\*"([^"*]+)"\*', words_of("docker/README.md"))
    assert len(quoted) >= 10
    for words in (part.strip() for quote in quoted for part in " ".join(quote.split()).split("…")):
        assert words.strip(".") in code, words
