"""The Docker files against what they must agree with; they are read, not run, as tests have no container engine."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from ml_backend.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILES = sorted((ROOT / "docker").glob("*Dockerfile"))


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return dict(yaml.safe_load(COMPOSE.read_text())["services"])


def pins() -> dict[str, str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = [*project["project"]["dependencies"], *project["dependency-groups"]["studio"]]
    return dict(item.split("==") for item in listed if "==" in item)


def test_compose_runs_what_the_loop_needs(services: dict[str, Any]) -> None:
    assert set(services) == {"label-studio", "backend", "worker", "postgres", "redis"}


def test_label_studio_is_built_from_the_lock_of_the_pinned_version() -> None:
    lock = (ROOT / "requirements-studio.lock").read_text()
    assert re.search(rf"^label-studio=={re.escape(pins()['label-studio'])} ", lock, re.MULTILINE)
    assert "-r requirements-studio.lock" in (ROOT / "docker" / "label-studio.Dockerfile").read_text()


def test_torch_is_the_pinned_one() -> None:
    assert f"ARG TORCH=torch=={pins()['torch']}\n" in (ROOT / "docker" / "Dockerfile").read_text()


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_an_image_runs_as_a_user_and_copies_only_what_is_there_and_not_ignored(file: Path) -> None:
    lines = file.read_text().replace("\\\n", " ").splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users
    assert users[-1] not in ("root", "0")
    copies = [line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--from" not in line]
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for name in (name for names in copies for name in names):
        assert (ROOT / name).exists(), name
        assert any(Path(name).match(pattern) for pattern in allowed), f"{name} is ignored"


def test_every_service_starts_after_what_it_needs_and_says_when_it_is_well(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert "healthcheck" in service or name == "worker", name
        for other, how in service.get("depends_on", {}).items():
            assert "healthcheck" in services[other] or how["condition"] == "service_started", (name, other)


def test_label_studio_may_call_the_backend_on_a_private_address(services: dict[str, Any]) -> None:
    environment = services["label-studio"]["environment"]
    assert environment["USE_DEFAULT_BANNED_SUBNETS"] == "false"
    assert "169.254.0.0/16" in environment["USER_ADDITIONAL_BANNED_SUBNETS"]


def test_only_what_people_look_at_is_published_and_only_on_loopback(services: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {
        "label-studio": ["${LABEL_STUDIO_BIND:-127.0.0.1}:${LABEL_STUDIO_PORT:-8080}:8080"],
        "backend": ["${BACKEND_BIND:-127.0.0.1}:${BACKEND_PORT:-9090}:9090"],
    }


@pytest.mark.parametrize("name", ["backend", "worker"])
def test_the_settings_given_are_settings(services: dict[str, Any], name: str) -> None:
    known = {f"TIEBREAK_{field.upper()}" for field in Settings.model_fields}
    assert set(services[name]["environment"]) <= known


def test_no_secret_has_a_default_and_the_example_lists_every_variable() -> None:
    text = COMPOSE.read_text()
    used = dict(re.findall(r"(?<!\$)\$\{(\w+)(:-[^}]*|:\?)?", text))
    example = dict(line.split("=", 1) for line in (ROOT / "docker/env.example").read_text().splitlines() if "=" in line)
    assert used.keys() == example.keys()
    for name, default in used.items():
        if re.search("PASSWORD|SECRET|TOKEN|KEY", name):
            assert default in (":?", ":-"), name  # demanded, or empty
            assert example[name] == "", name


def test_the_folder_that_workers_share_is_the_images_home(services: dict[str, Any]) -> None:
    assert "TIEBREAK_HOME=/data" in (ROOT / "docker" / "Dockerfile").read_text()
    for name in ("backend", "worker"):
        assert "tiebreak:/data" in services[name]["volumes"]
