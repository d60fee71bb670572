"""Run in a mount and a network namespace of its own: starts a command as docker-compose.yml's containers start theirs.

Loopback is all the network there is, all file systems are read-only but for the named folders, and the command runs as
user 10001 without capabilities but one: to read what is this machine's root's, such as its Python. Reads its orders as
JSON from stdin and prints what it saw as JSON.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

USER = 10001
CONFINED = (
    *("setpriv", "--no-new-privs", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"),
    *(f"--{which}=-all,+dac_read_search" for which in ("inh-caps", "ambient-caps", "bounding-set")),
)
PREDICT = {
    "tasks": [{"id": 1, "data": {"text": "A text that nobody has ever encoded before, of the film of the year."}}],
    "project": "1.1700000000",
    "label_config": """<View><Text name="text" value="$text"/><Choices name="topic" toName="text">
        <Choice value="cinema"/><Choice value="agriculture"/></Choices></View>""",
}


def raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        up = struct.pack("16sH14x", b"lo", 0x1 | 0x40)  # IFF_UP, IFF_RUNNING
        fcntl.ioctl(any_socket, 0x8914, up)  # SIOCSIFFLAGS


def mount(*arguments: str | Path) -> bool:
    return subprocess.run(["/bin/mount", *map(str, arguments)], capture_output=True).returncode == 0


def make_read_only(writable: list[Path]) -> None:
    for folder in writable:
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, USER, USER)
        assert mount("--bind", folder, folder)
    for line in Path("/proc/self/mounts").read_text().splitlines():
        place, kind = line.split()[1:3]
        if kind not in ("proc", "sysfs", "devtmpfs", "devpts", "mqueue") and Path(place) not in writable:
            mount("-o", "remount,bind,ro", place)


def writes(folder: str) -> bool:
    try:
        (Path(folder) / "written").touch()
    except OSError:
        return False
    return True


def status(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/status").read_text().splitlines()


def asked(url: str, body: Any = None) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode() if body else None)  # noqa: S310  # our own
    request.add_header("content-type", "application/json")
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  # our own
        content = answer.read()
        return json.loads(content) if content[:1] in b"{[" else content.decode()


def up(url: str) -> Any:
    try:
        health = asked(url)
    except OSError:
        return None
    return health if not isinstance(health, dict) or health.get("ready", True) else None


def main() -> None:
    order = json.load(sys.stdin)
    raise_loopback()
    writable = [Path(folder) for folder in order["writable"]]
    Path(order["home"]).mkdir(parents=True, exist_ok=True)
    make_read_only(writable)
    with socket.socket() as outside:
        network = errno.errorcode.get(outside.connect_ex(("192.0.2.1", 80)), "")
    seen: dict[str, Any] = {
        "network": network,
        "written": [place for place in ("", "opt", "home") if writes(f"{order['folder']}/{place}")],
    }
    program = shutil.which(order["command"][0], path=order["environment"]["PATH"])
    assert program
    command = [*CONFINED, program, *order["command"][1:]]
    began = time.monotonic()
    process = subprocess.Popen(command, env=order["environment"], cwd=order["home"], stdout=sys.stderr)
    try:
        while not (health := up(order["answers"])):
            assert process.poll() is None, "it ended"
            assert time.monotonic() < began + order["seconds"], "it did not answer in time"
            time.sleep(0.1)
        seen["users"] = [int(line.split()[1]) for line in status(process.pid) if line.startswith("Uid")]
        seen["health"], seen["seconds"] = health, round(time.monotonic() - began, 1)
        if "ready" in health:
            seen["predicted"] = asked(order["answers"].replace("/health", "/predict"), PREDICT)
    finally:
        process.terminate()
        seen["ended"] = process.wait(60)
    print(json.dumps(seen))  # noqa: T201  # the result


if __name__ == "__main__":
    main()
