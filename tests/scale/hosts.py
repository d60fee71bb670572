"""Hosts of their own on one machine: network namespaces with addresses, links that can be cut, and host names.

    with Network() as network:
        host = network.host("c")          # at network.address("c")
        host.start(["python", …], env)
        network.cut("c"); network.mend("c")

A switch in a namespace of its own joins them, so nothing of the machine's own network is touched. Needs root and `ip`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Self

import pytest

IP = shutil.which("ip") or "ip"


def why_not() -> str:
    """Empty where namespaces can be made here."""
    if os.geteuid() != 0 or not shutil.which(IP) or not shutil.which("unshare"):
        return "it needs root, `ip` and `unshare`"
    name = f"tb{os.getpid()}try"
    made = subprocess.run([IP, "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode:
        return f"network namespaces are not allowed here: {made.stderr.strip()}"
    veth = [IP, "-n", name, "link", "add", "name", "one", "type", "veth", "peer", "name", "two"]
    made = subprocess.run(veth, capture_output=True, text=True, check=False)
    _ip("netns", "del", name)
    return f"links between namespaces are not allowed here: {made.stderr.strip()}" if made.returncode else ""


class Network:
    def __init__(self) -> None:
        self._switch = f"tb{os.getpid()}switch"
        self._hosts: dict[str, Host] = {}

    def __enter__(self) -> Self:
        if why := why_not():
            pytest.skip(why)
        _ip("netns", "add", self._switch)
        _ip("-n", self._switch, "link", "add", "name", "bridge", "type", "bridge")
        _ip("-n", self._switch, "link", "set", "dev", "bridge", "up")
        return self

    def __exit__(self, *_: object) -> None:
        for host in self._hosts.values():
            host.stop()
            _ip("netns", "del", host.space)
        _ip("netns", "del", self._switch)

    def host(self, name: str) -> Host:
        if name not in self._hosts:
            space = f"tb{os.getpid()}{name}"
            self._hosts[name] = Host(name, space)
            _ip("netns", "add", space)
            _ip("-n", self._switch, "link", "add", "name", name, "type", "veth", "peer", "name", "eth0", "netns", space)
            _ip("-n", self._switch, "link", "set", "dev", name, "master", "bridge", "up")
            _ip("-n", space, "addr", "add", f"{self.address(name)}/24", "dev", "eth0")
            _ip("-n", space, "link", "set", "dev", "eth0", "up")
            _ip("-n", space, "link", "set", "dev", "lo", "up")
        return self._hosts[name]

    def address(self, name: str) -> str:
        return f"10.99.0.{10 + list(self._hosts).index(name)}"

    def cut(self, name: str) -> None:
        """Packets are lost, and nobody is told."""
        _ip("-n", self._switch, "link", "set", "dev", name, "down")

    def mend(self, name: str) -> None:
        _ip("-n", self._switch, "link", "set", "dev", name, "up")


class Host:
    def __init__(self, name: str, space: str) -> None:
        self.name = name
        self.space = space
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(
        self, command: Sequence[str], env: Mapping[str, str], cwd: Path, output: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        named = ["unshare", "-u", "sh", "-c", 'hostname "$0" && exec "$@"', self.name, *command]
        whole = [IP, "netns", "exec", self.space, *named]  # each executes the next: one process
        self.processes.append(subprocess.Popen(whole, env=dict(env), cwd=cwd, stdout=output, stderr=output))
        return self.processes[-1]

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait(30)


def _ip(*arguments: str) -> None:
    subprocess.run([IP, *arguments], check=True, capture_output=True)
