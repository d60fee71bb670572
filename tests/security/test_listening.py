"""`tiebreak serve` does not answer a network that it asks for no password."""

from __future__ import annotations

import socket

import pytest
from pydantic import SecretStr

from ml_backend.labeling.errors import ConfigError
from ml_backend.settings import Settings
from sdk_scripts.processes import listen, refuse_open


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1.2.3"])
def test_on_this_machine_alone_no_password_is_asked_for(settings: Settings, host: str) -> None:
    with listen(host, 0) as listener:
        refuse_open(listener, settings)


def test_on_a_network_it_does_not_start_without_one_unless_that_is_said(settings: Settings) -> None:
    with socket.create_server(("", 0)) as listener:
        with pytest.raises(ConfigError, match="TIEBREAK_BACKEND_PASSWORD"):
            refuse_open(listener, settings)
        refuse_open(listener, settings.model_copy(update={"backend_password": SecretStr("a password")}))
        refuse_open(listener, settings.model_copy(update={"backend_open": True}))
