"""docker-compose.yml as Compose reads it: anchors merged, variables filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
DOCKER = ROOT / "docker"
COMPOSE = ROOT / "docker-compose.yml"

VARIABLE = re.compile(r"\$\$|\$\{(\w+)(?:(:-|:\?)((?:[^${}]|\$\{[^{}]*\})*))?\}")


def example() -> dict[str, str]:
    """The lines of docker/env.example."""
    lines = (DOCKER / "env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def composed(environment: Mapping[str, str]) -> dict[str, Any]:
    """Raises ValueError where a variable that must be given is not."""
    return dict(_filled_in(yaml.safe_load(COMPOSE.read_text()), environment))


def _filled_in(node: Any, environment: Mapping[str, str]) -> Any:
    def value(found: re.Match[str]) -> str:
        name, kind, rest = found.groups()
        if found[0] == "$$":
            return "$"
        if given := environment.get(name):
            return given
        if kind == ":?":
            raise ValueError(f"{name}: {rest}")
        return str(_filled_in(rest, environment)) if kind else ""

    if isinstance(node, dict):
        return {key: _filled_in(item, environment) for key, item in node.items()}
    if isinstance(node, list):
        return [_filled_in(item, environment) for item in node]
    return VARIABLE.sub(value, node) if isinstance(node, str) else node
