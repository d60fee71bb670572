"""Task data is untrusted: what it may make the backend fetch, and what not."""

from __future__ import annotations

import base64
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pydantic import SecretStr

from ml_backend.images import Unreadable
from ml_backend.images.guarded_http import may_be_asked
from ml_backend.images.sources import Sources
from ml_backend.labeling.errors import ConfigError
from ml_backend.settings import Settings, load_settings
from tests.unit.images.pictures import server, square, uri

PICTURE = square("red")
TOKEN = "0123456789abcdef0123456789abcdef01234567"


def fetch(settings: Settings, value: str, *, seconds: float = 20, **changed: object) -> bytes:
    sources = Sources(settings.model_copy(update=changed))
    return sources.fetch(value, time.monotonic() + seconds)


@contextmanager
def fetching(status: int = 200, headers: dict[str, str] | None = None, body: bytes = PICTURE) -> Iterator[dict]:
    """Settings that list a server as a private host; `asked` is what it was asked for."""
    with server(lambda _: (status, headers or {}, body)) as asked:
        yield {"asked": asked, "listed": {"image_hosts": f"127.0.0.1:{asked.port}", "image_hosts_private": True}}


def test_an_image_in_the_task_itself_is_read(settings: Settings) -> None:
    assert fetch(settings, uri(PICTURE)) == PICTURE
    assert fetch(settings, f"DATA:;base64,{base64.b64encode(PICTURE).decode()}") == PICTURE


def test_an_image_of_a_listed_host_is_fetched_without_credentials(settings: Settings) -> None:
    with fetching() as made:
        token = {"studio_token": SecretStr(TOKEN)}
        assert fetch(settings, f"{made['asked'].url}/a%20b.png?size=1&x=ä", **made["listed"], **token) == PICTURE
        assert made["asked"].paths == ["/a%20b.png?size=1&x=%C3%A4"]
        assert not {"authorization", "cookie"} & set(made["asked"].headers[0])


@pytest.mark.parametrize(
    "value",
    [
        "http://127.0.0.1:{port}/a.png",
        "http://localhost:{port}/a.png",
        "https://example.com/a.png",
        "http://user:password@127.0.0.1:{port}/a.png",
        "http://127.0.0.1:{port}@example.com/a.png",
        "//127.0.0.1:{port}/a.png",
        "file:///etc/passwd",
        "ftp://127.0.0.1/a.png",
        "/etc/passwd",
        "s3://bucket/a.png",
        "http://[::1",
        "http://127.0.0.1:99999999/",
        "data:image/svg+xml,<svg/>",
        "data:image/png;base64,%%%",
        "http://127.0.0.1:{port}/\ud800",
        "http://127.0.0.1:{port}/a\r\nHost: b",
        "\0",
    ],
)
def test_nothing_else_is_fetched(settings: Settings, value: str) -> None:
    with fetching() as made, pytest.raises(Unreadable):
        fetch(settings, value.format(port=made["asked"].port))
    assert made["asked"].paths == []


def test_a_listed_name_that_leads_to_this_machine_is_not_followed_unless_it_may(settings: Settings) -> None:
    with fetching() as made:
        address, name = f"http://localhost:{made['asked'].port}/a.png", f"localhost:{made['asked'].port}"
        with pytest.raises(Unreadable, match="no public address"):
            fetch(settings, address, image_hosts=name)
        assert made["asked"].paths == []
        assert fetch(settings, address, image_hosts=f"example.com, {name}", image_hosts_private=True) == PICTURE


def test_a_host_is_listed_with_its_port(settings: Settings) -> None:
    with fetching() as made, pytest.raises(Unreadable, match="TIEBREAK_IMAGE_HOSTS"):
        fetch(settings, f"{made['asked'].url}/a.png", image_hosts="127.0.0.1", image_hosts_private=True)


@pytest.mark.parametrize(
    ("address", "public", "private"),
    [
        ("93.184.216.34", True, True),
        ("2606:2800:220:1:248:1893:25c8:1946", True, True),
        ("127.0.0.1", False, True),
        ("10.1.2.3", False, True),
        ("100.64.0.1", False, True),
        ("::1", False, True),
        ("fd00::1", False, True),
        ("::ffff:10.1.2.3", False, True),
        ("64:ff9b::a01:203", False, True),
        ("169.254.169.254", False, False),
        ("fe80::1%eth0", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("64:ff9b::a9fe:a9fe", False, False),
        ("2002:a9fe:a9fe::1", False, False),
        ("0.0.0.1", False, True),
        ("::", False, False),
        ("224.0.0.1", False, False),
        ("fd00:ec2::254", False, False),
        ("fd20:ce::254", False, False),
        ("100.100.100.200", False, False),
        ("::ffff:100.100.100.200", False, False),
    ],
)
def test_which_addresses_may_be_asked(address: str, public: bool, private: bool) -> None:
    assert may_be_asked(address, private=False) is public
    assert may_be_asked(address, private=True) is private


def test_redirects_are_not_followed(settings: Settings) -> None:
    with fetching(302, {"Location": "http://169.254.169.254/latest/meta-data/"}) as made:
        with pytest.raises(Unreadable, match="302"):
            fetch(settings, f"{made['asked'].url}/a.png", **made["listed"])
        assert made["asked"].paths == ["/a.png"]


def test_more_than_ten_megabytes_are_not_read(settings: Settings) -> None:
    with fetching(body=b"\0" * 11_000_000) as made, pytest.raises(Unreadable, match="10 MB"):
        fetch(settings, f"{made['asked'].url}/a.png", **made["listed"])
    with pytest.raises(Unreadable, match="10 MB"):
        fetch(settings, uri(b"\0" * 11_000_000))


@contextmanager
def dripping(pieces: bytes) -> Iterator[int]:
    """The port of a server that answers with these bytes over and over, or with nothing, and never ends."""
    closing = threading.Event()

    def serve(listening: socket.socket) -> None:
        with listening.accept()[0] as client:
            while not closing.wait(0.02):
                try:
                    client.sendall(pieces)
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,), daemon=True)
        thread.start()
        try:
            yield int(listening.getsockname()[1])
        finally:
            closing.set()
            thread.join(10)


@pytest.mark.parametrize("pieces", [b"", b"H", b"HTTP/1.1 200 OK\r\nX-A: b\r\n"], ids=["silent", "byte", "headers"])
def test_a_server_that_never_ends_its_answer_is_left_in_time(settings: Settings, pieces: bytes) -> None:
    with dripping(pieces) as port:
        hosts = {"image_hosts": f"127.0.0.1:{port}", "image_hosts_private": True}
        with pytest.raises(Unreadable):
            fetch(settings, f"http://127.0.0.1:{port}/a.png", seconds=0.4, **hosts)


def test_a_closed_port_is_a_reason(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(Unreadable, match="does not answer"):
        fetch(settings, f"http://127.0.0.1:{port}/", image_hosts=f"127.0.0.1:{port}", image_hosts_private=True)


@pytest.mark.parametrize("value", ["/data/upload/7/ab%20c.png", "{url}/data/upload/7/ab%20c.png"])
def test_label_studios_own_files_are_fetched_with_its_token(settings: Settings, value: str) -> None:
    with server(lambda _: (200, {}, PICTURE)) as asked:
        studio = {"studio_url": asked.url, "studio_token": SecretStr(TOKEN)}
        assert fetch(settings, value.format(url=asked.url), **studio) == PICTURE
        assert fetch(settings, "/data/local-files/?d=a/b%20c.png", **studio) == PICTURE
        assert asked.paths == ["/data/upload/7/ab%20c.png", "/data/local-files/?d=a%2Fb+c.png"]
        assert {it["authorization"] for it in asked.headers} == {f"Token {TOKEN}"}


@pytest.mark.parametrize(
    "value",
    [
        "/data/upload/../../api/users/",
        "/data/upload/%2e%2e/%2E%2E/api/users/",
        "/data/upload\\..\\api",
        "/data/export/1",
        "/data/upload/./a.png",
    ],
)
def test_a_path_that_leads_elsewhere_in_label_studio_is_not_asked_for(settings: Settings, value: str) -> None:
    with server(lambda _: (200, {}, PICTURE)) as asked, pytest.raises(Unreadable):
        fetch(settings, value, studio_url=asked.url, studio_token=SecretStr(TOKEN))
    assert asked.paths == []


@pytest.mark.parametrize("status", [302, 403, 404, 500])
def test_a_file_that_label_studio_does_not_give_is_a_reason(settings: Settings, status: int) -> None:
    with server(lambda _: (status, {"Location": "http://169.254.169.254/"}, b"no")) as asked:
        with pytest.raises(Unreadable, match=str(status)):
            fetch(settings, "/data/upload/7/a.png", studio_url=asked.url, studio_token=SecretStr(TOKEN))
        assert len(asked.paths) == 1


def test_without_a_token_or_a_server_label_studios_files_are_left_alone(settings: Settings) -> None:
    with pytest.raises(Unreadable, match="token"):
        fetch(settings, "/data/upload/7/a.png")
    with pytest.raises(Unreadable):
        fetch(settings, "/data/upload/7/a.png", studio_url="http://127.0.0.1:1", studio_token=SecretStr(TOKEN))


def test_hosts_that_are_none_are_refused_by_name() -> None:
    assert load_settings(image_hosts="images.example.com, cdn.example.com:8443").image_hosts
    with pytest.raises(ConfigError, match="TIEBREAK_IMAGE_HOSTS"):
        load_settings(image_hosts="https://images.example.com/")
