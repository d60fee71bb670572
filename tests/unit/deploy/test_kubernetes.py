"""docker/kubernetes.yaml against Kubernetes' own schemas, and against what docker-compose.yml says of the same parts.
It is read, not run: tests have no cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from ml_backend.settings import Settings
from tests.unit.deploy.composing import DOCKER

SCHEMAS = "kubernetes_validate/kubernetes-json-schema/v1.34.0-local-strict"
DOCUMENTS: list[dict[str, Any]] = list(yaml.safe_load_all((DOCKER / "kubernetes.yaml").read_text()))
PODS = {
    document["metadata"]["name"]: document["spec"]["template"]["spec"]
    for document in DOCUMENTS
    if "template" in document.get("spec", {})
}


def names(kind: str) -> set[str]:
    return {document["metadata"]["name"] for document in DOCUMENTS if document["kind"] == kind}


def only(kind: str, name: str) -> dict[str, Any]:
    [found] = [it for it in DOCUMENTS if it["kind"] == kind and it["metadata"]["name"] == name]
    return found


def schema(name: str) -> Any:
    carrier = distribution("kubernetes-validate").locate_file(f"{SCHEMAS}/{name}")
    return json.loads(Path(str(carrier)).read_text())


@cache
def definitions() -> Registry[Any]:
    resource = Resource.from_contents(schema("_definitions.json"), default_specification=DRAFT202012)
    return Registry().with_resource("/api/_definitions.json", resource)


def errors(document: dict[str, Any]) -> Iterator[str]:
    *group, version = document["apiVersion"].replace(".k8s.io", "").split("/")
    kind = "-".join([document["kind"].lower(), *group, version])
    for error in jsonschema.Draft202012Validator(schema(f"{kind}.json"), registry=definitions()).iter_errors(document):
        yield f"{list(error.absolute_path)}: {error.message}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda it: f"{it['kind']} {it['metadata']['name']}")
def test_a_document_is_what_its_schema_allows(document: dict[str, Any]) -> None:
    assert list(errors(document)) == []
    assert document["metadata"]["namespace"] == "tiebreak"


def test_the_schemas_refuse_a_word_that_is_misspelt() -> None:
    assert list(errors({**only("Service", "redis"), "spce": {}}))


def test_everything_is_there() -> None:
    assert names("Deployment") == {"backend", "worker"}
    assert names("StatefulSet") == {"redis"}
    assert names("Service") == {"backend", "redis"}
    assert names("PersistentVolumeClaim") == {"tiebreak"}
    assert only("Deployment", "backend")["spec"]["replicas"] >= 2
    for name in PODS:
        kind = "StatefulSet" if name == "redis" else "Deployment"
        spec = only(kind, name)["spec"]
        assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"] == {"app": name}


@pytest.mark.parametrize("name", PODS)
def test_a_pod_can_do_no_more_than_it_must(name: str, services: dict[str, Any]) -> None:
    pod = PODS[name]
    [container] = pod["containers"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    user, group = (pod["securityContext"][field] for field in ("runAsUser", "runAsGroup"))
    assert f"{user}:{group}" == services[name]["user"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"] == services[name]["deploy"]["resources"]["limits"][
        "memory"
    ].replace("g", "Gi")
    assert {"/tmp", "/data"} <= {mount["mountPath"] for mount in container["volumeMounts"]}  # noqa: S108  # in the pod
    assert {mount["name"] for mount in container["volumeMounts"]} - {"data"} <= {it["name"] for it in pod["volumes"]}


@pytest.mark.parametrize("name", PODS)
def test_a_pod_runs_what_compose_runs_and_says_when_it_is_well(name: str, services: dict[str, Any]) -> None:
    [container] = PODS[name]["containers"]
    assert container["image"] == services[name]["image"]
    assert container.get("command") == services[name].get("command")
    assert {"startupProbe", "livenessProbe"} <= container.keys()
    assert ("readinessProbe" in container) == (name != "worker")  # nobody asks a worker
    if name != "backend":
        kind, *command = services[name]["healthcheck"]["test"]
        probed = container["livenessProbe"]["exec"]["command"]
        assert probed == (command if kind == "CMD" else ["sh", "-c", *command])


def test_the_settings_given_are_settings_and_secrets_are_files_that_compose_has_too(compose: dict[str, Any]) -> None:
    given = only("ConfigMap", "tiebreak")["data"]
    assert {name.removesuffix("_FILE") for name in given} <= {f"TIEBREAK_{it.upper()}" for it in Settings.model_fields}
    files = {name: value for name, value in given.items() if name.endswith("_FILE")}
    assert all(value.startswith("/run/secrets/tiebreak/") for value in files.values())
    composed = compose["x-tiebreak"]["environment"]
    assert {name for name in composed if name.endswith("_FILE")} == files.keys()
    assert all(Path(composed[name]).name == Path(files[name]).name for name in files)
    for name in ("backend", "worker"):
        assert PODS[name]["containers"][0]["envFrom"] == [{"configMapRef": {"name": "tiebreak"}}]
    assert not names("Secret")  # in a file it would come into git


def test_nobody_is_let_in_but_who_must_be() -> None:
    assert only("NetworkPolicy", "nobody")["spec"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
    [redis] = only("NetworkPolicy", "redis")["spec"]["ingress"]
    [source] = redis["from"]
    assert source["podSelector"]["matchExpressions"][0]["values"] == ["backend", "worker"]
    assert only("NetworkPolicy", "redis")["spec"]["policyTypes"] == ["Ingress", "Egress"]
    for policy in ("backend", "redis"):
        [rule] = only("NetworkPolicy", policy)["spec"]["ingress"]
        ports = {port["name"] for port in PODS[policy]["containers"][0]["ports"]}
        assert {port["port"] for port in rule["ports"]} == ports
