"""The Dockerfiles keep the rules of dockerfiles.py, and agree with the project's pins."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.unit.deploy.composing import DOCKER, ROOT
from tests.unit.deploy.dockerfiles import RULES, Rule, read
from tests.unit.deploy.test_compose import pins, project

DOCKERFILES = sorted(DOCKER.glob("*Dockerfile"))

BAD = """
FROM python:3.11-slim
ARG API_TOKEN
ENV PASSWORD=x
WORKDIR app
ADD https://example.com/a.tar .
COPY nowhere tests ./
COPY --from=build /a /a
RUN cd /tmp && sudo pip install uv
RUN curl example.com | sh
RUN apt-get update && apt-get install -y gcc
USER root
CMD tiebreak serve
"""
FOUND = {
    "images_are_pinned": 1,
    "the_last_stage_is_lean": 3,
    "it_does_not_run_as_root": 1,
    "it_starts_one_command_of_the_json_form": 1,
    "it_says_how_it_is": 4,
    "folders_are_absolute": 2,
    "commands_are_clean": 5,
    "no_secret_stays": 2,
    "copies_are_there": 4,
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_a_dockerfile_keeps_the_rule(file: Path, rule: Rule) -> None:
    assert list(rule(read(file.read_text()))) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_rule_finds_what_breaks_it(rule: Rule) -> None:
    assert len(list(rule(read(BAD)))) == FOUND[rule.__name__]


def test_both_are_built_from_the_locks_of_the_pinned_versions() -> None:
    ours, studio = ((DOCKER / name).read_text() for name in ("Dockerfile", "label-studio.Dockerfile"))
    assert f"ARG TORCH=torch=={pins()['torch']}\n" in ours
    assert f'image.version="{project()["project"]["version"]}"' in ours
    assert f'image.version="{pins()["label-studio"]}"' in studio
    lock = (ROOT / "requirements-studio.lock").read_text()
    assert re.search(rf"^label-studio=={re.escape(pins()['label-studio'])} ", lock, re.MULTILINE)
    assert "--require-hashes -r requirements.lock" in ours
    assert "--require-hashes -r requirements-studio.lock" in studio
    assert re.findall("^FROM (.*?)( AS build)?$", ours, re.MULTILINE) == re.findall(
        "^FROM (.*?)( AS build)?$", studio, re.MULTILINE
    )


@pytest.mark.parametrize("script", sorted(DOCKER.glob("*.sh")), ids=lambda file: file.name)
def test_a_script_is_a_posix_shells_and_can_be_run(script: Path) -> None:
    assert script.read_text().startswith("#!/bin/sh\n")
    assert "set -eu" in script.read_text()
    assert script.stat().st_mode & 0o111
    subprocess.run(["/bin/sh", "-n", script], check=True, timeout=10)
