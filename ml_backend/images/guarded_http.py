"""One GET of an address that comes from task data: to listed hosts, never on to others, and over in time.

Against server-side request forgery the name is resolved once, every address it has is checked, and the connection goes
to a checked address: a name server that answers differently the next time is not asked again. Redirects are not
followed, the environment's proxy is not used, no credentials are sent.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any
from urllib.parse import quote, urlsplit

import httpcore

from ml_backend.images import Unreadable

MOST_BYTES = 10_000_000
_PORTS = {"http": 80, "https": 443}
_NAT64 = IPv6Network("64:ff9b::/96")
_CREDENTIALS = frozenset(map(ip_address, ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200")))
"""Where clouds keep the credentials of their machines outside the link-local range: Amazon's and Google's by IPv6, and
Alibaba's."""


def get(url: str, hosts: Iterable[str], *, private: bool, deadline: float) -> bytes:
    """The body of a 200 answer.

    `hosts` are "name" for the usual ports, or "name:port". `private` lets their addresses be loopback or private ones;
    those where clouds keep the credentials of their machines, all link-local ones among them, are refused all the same.
    `deadline` is in seconds of `time.monotonic`. Raises Unreadable.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise Unreadable("its address is none") from None
    if parts.scheme not in _PORTS or not host or "@" in parts.netloc:
        raise Unreadable("its address is none that is fetched")
    named = host if port in (None, _PORTS[parts.scheme]) else f"{host}:{port}"
    if not {named, f"{host}:{port or _PORTS[parts.scheme]}"} & set(hosts):
        raise Unreadable(f"{named} is not in TIEBREAK_IMAGE_HOSTS")
    path = quote(f"{parts.path or '/'}?{parts.query}".removesuffix("?"), safe="/?%:@!$&'()*+,;=-._~")
    try:
        address = httpcore.URL(scheme=parts.scheme, host=host, port=port, target=path)
        with (
            httpcore.ConnectionPool(network_backend=_Guarded(private, deadline)) as pool,
            pool.stream("GET", address, headers={"Accept": "image/*", "Accept-Encoding": "identity"}) as response,
        ):
            if response.status != 200:
                raise Unreadable(f"{named} answers {response.status}; redirects are not followed")
            return limited(response.iter_stream())
    except (httpcore.TimeoutException, TimeoutError):
        raise Unreadable(f"{named} is too slow") from None
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError, UnicodeError) as error:
        raise Unreadable(f"{named} does not answer: {error}") from None


def limited(chunks: Iterable[bytes]) -> bytes:
    """All of them. Raises Unreadable as soon as they are over MOST_BYTES."""
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > MOST_BYTES:
            raise Unreadable(f"it is over {MOST_BYTES // 1_000_000} MB")
    return bytes(body)


def may_be_asked(address: str, *, private: bool) -> bool:
    """Whether an IP address is public, or `private` and not one of those that never serve images."""
    ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):  # an IPv4 address may be inside
        ip = IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else ip.ipv4_mapped or ip.sixtofour or ip
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip in _CREDENTIALS:
        return False
    return private or ip.is_global


class _Guarded(httpcore.NetworkBackend):
    def __init__(self, private: bool, deadline: float) -> None:
        self._private = private
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        found = dict.fromkeys(str(it[4][0]) for it in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        if refused := [it for it in found if not may_be_asked(it, private=self._private)]:
            raise Unreadable(f"{host} is at {refused[0]}, which is no public address")
        problem: Exception = OSError("it has no address")
        for address in found:
            try:
                stream = httpcore.SyncBackend().connect_tcp(address, port, _left(self._deadline))
                return _Timed(stream, self._deadline)
            except httpcore.ConnectError as error:
                problem = error
        raise problem


class _Timed(httpcore.NetworkStream):
    """httpcore's time limits are for each read: a server that sends a byte a second never meets them."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, _left(self._deadline)), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout
    return left
