from __future__ import annotations

from typing import Any

import pytest

from tests.unit.deploy.composing import composed, example


@pytest.fixture(scope="session")
def compose() -> dict[str, Any]:
    """What a newcomer gets: docker/env.example with its one empty demand filled in."""
    return composed({**example(), "LABEL_STUDIO_USERNAME": "admin@example.com"})


@pytest.fixture(scope="session")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    return dict(compose["services"])
