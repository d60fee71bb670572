"""The contract tests against other versions of Label Studio and its SDK: what `make matrix` calls.

    .venv/bin/python tests/contract/matrix.py [--only STUDIO/SDK] [--folder DIR] [TEST ...]

Each Label Studio gets an environment of its own below the folder (a gigabyte, kept for the next run), each SDK a folder
that stands before ours on the path. The pinned versions come first, so that a failure elsewhere says something. A table
in Markdown is printed at the end; a run's output is below the folder, too. About five minutes a row.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from sdk_scripts.doctor.checks.version import TESTED

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
STUDIOS = TESTED
"""The pinned one, and the last of each minor version before it."""
SDKS = ("2.1.2", "2.0.23")
PAIRS = [*((studio, SDKS[0]) for studio in STUDIOS), *((STUDIOS[0], sdk) for sdk in SDKS[1:])]
TESTS = (
    "test_studio_live.py",
    "test_studio_tasks_live.py",
    "test_studio_predictions_live.py",
    "test_snapshots_live.py",
    "test_backend_live.py",
    "test_sync_live.py",
    "test_sync_connections_live.py",
    "test_undo_live.py",
    "test_prelabel_live.py",
    "test_resolve_live.py",
    "test_routing_live.py",
)
"""Everything that `ml_backend.studio` calls, the protocol of ML backends and webhooks, and what people rely on most."""


def environment(folder: Path, studio: str, sdk: str) -> dict[str, str]:
    """What pytest is given for this pair; makes what is missing."""
    uv = [os.environ.get("UV", str(ROOT / ".venv-uv/bin/uv")), "pip", "install", "-q"]
    place, packages = folder / f"studio-{studio}", folder / f"sdk-{sdk}"
    if not (place / "bin/label-studio").exists():
        subprocess.run([uv[0], "venv", "-q", "--clear", "--python", sys.executable, str(place)], check=True)
        subprocess.run([*uv, f"label-studio=={studio}"], env={**os.environ, "VIRTUAL_ENV": str(place)}, check=True)
    if sdk != version("label-studio-sdk") and not packages.exists():
        subprocess.run([*uv, "--no-deps", "--target", str(packages), f"label-studio-sdk=={sdk}"], check=True)
    path = [str(packages)] if packages.exists() else []
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*path, str(ROOT)]),
        "CONTRACT_STUDIO": studio,
        "TIEBREAK_STUDIO_COMMAND": str(place / "bin/label-studio"),
        "OMP_NUM_THREADS": "1",
    }


def row(folder: Path, studio: str, sdk: str, tests: list[str]) -> tuple[str, str, str, str]:
    log = folder / f"{studio}-{sdk}.log"
    kept = ["-o", f"cache_dir={folder / 'cache'}"]  # migrated data folders, for one
    command = [sys.executable, "-m", "pytest", "-q", *kept, *(str(HERE / test) for test in tests)]
    with log.open("w") as file:
        subprocess.run(command, cwd=ROOT, env=environment(folder, studio, sdk), stdout=file, stderr=file, check=False)
    said = log.read_text(errors="replace")
    counts = {what: int(n) for n, what in re.findall(r"(\d+) (passed|failed|errors?)", said.splitlines()[-1])}
    bad = [
        line.split(" ")[1].rpartition("::")[2] for line in said.splitlines() if line.startswith(("FAILED", "ERROR "))
    ]
    failed = sum(counts.get(what, 0) for what in ("failed", "error", "errors"))
    return f"{studio} | {sdk}", str(counts.get("passed", 0)), str(failed), ", ".join(dict.fromkeys(bad)) or "–"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("tests", nargs="*", default=list(TESTS))
    parser.add_argument("--only", action="append", metavar="STUDIO/SDK")
    parser.add_argument("--folder", type=Path, default=ROOT / ".tiebreak/matrix")
    given = parser.parse_args()
    folder = given.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    pairs = [pair for pair in PAIRS if not given.only or "/".join(pair) in given.only]
    rows = []
    for pair in pairs:
        print(f"Label Studio {pair[0]}, SDK {pair[1]} ...", file=sys.stderr)  # noqa: T201
        rows.append(row(folder, *pair, given.tests))
    lines = ["| Label Studio | SDK | passed | failed | which |", "|---|---|---|---|---|"]
    print("\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]))  # noqa: T201
    return int(any(row[2] != "0" or row[1] == "0" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
