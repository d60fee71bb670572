from __future__ import annotations

import pytest

from ml_backend.large_model.requests import manners_of


@pytest.fixture(autouse=True)
def _nothing_known_of_ports_used_before() -> None:
    manners_of.cache_clear()
