"""Fuzz every target for some seconds each, and print what came of it: `make fuzz ARGS="--seconds 120"`.

The tests of this folder run with new inputs until their time is up (hypothesis, schemathesis), then the parsers under
atheris, where that is installed. Failing inputs are on stderr. Exit code 1 where there was a crash.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
GUIDED = (*("label-configs", "results", "export-files", "large-model-answers", "html", "rules-yaml", "csv", "jsonl"),)
Row = tuple[str, str, int, int, int]
"""Target, engine, inputs tried, seconds, crashes."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    parser.add_argument("-k", default="", help="only tests with this in their name, as pytest takes it; no atheris")
    asked = parser.parse_args()
    rows = _tests(asked.seconds, asked.k)
    if asked.k:
        print("atheris is left out.", file=sys.stderr)  # noqa: T201
    elif importlib.util.find_spec("atheris") is None:
        print("atheris is not installed (`make fuzz` does that). Its targets are left out.", file=sys.stderr)  # noqa: T201
    else:
        rows += [_guided(name, asked.seconds) for name in GUIDED]
    print("| target | engine | inputs tried | seconds | crashes |\n|---|---|---:|---:|---:|")  # noqa: T201
    for target, engine, inputs, seconds, crashes in rows:
        print(f"| {target} | {engine} | {inputs:,} | {seconds} | {crashes} |")  # noqa: T201
    return int(any(row[-1] for row in rows))


def _tests(seconds: int, only: str) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder) / "counts.jsonl"
        more = {"FUZZ_SECONDS": str(seconds), "FUZZ_COUNTS": str(counts), "OMP_NUM_THREADS": "1"}
        options = ["--deselect", "tests/fuzz/test_mended.py", "-q", f"--timeout={seconds + 1200}"]
        command = [sys.executable, "-m", "pytest", *options, *(["-k", only] if only else []), str(HERE)]
        subprocess.run(command, cwd=ROOT, env=os.environ | more, stdout=sys.stderr, check=False)
        lines = counts.read_text().splitlines() if counts.exists() else []
    return sorted(tuple(json.loads(line)) for line in lines)


def _guided(name: str, seconds: int) -> Row:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "seeds"
        folder.mkdir()
        limits = [f"-max_total_time={seconds}", "-timeout=60", "-rss_limit_mb=4096", "-max_len=20000"]
        command = [sys.executable, str(HERE / "coverage_guided.py"), name, str(folder), *limits]
        kept = f"-artifact_prefix={tempfile.gettempdir()}/fuzz-{name}-"
        began = time.monotonic()
        ended = subprocess.run(
            [*command, kept, "-print_final_stats=1"], cwd=ROOT, capture_output=True, text=True, errors="replace"
        )
    took = round(time.monotonic() - began)
    if ended.returncode:
        sys.stderr.write(ended.stderr[-6000:])
    tried = re.findall(r"number_of_executed_units: (\d+)", ended.stderr) or re.findall(r"#(\d+)", ended.stderr) or [0]
    return name.replace("-", " "), "atheris", int(tried[-1]), took, int(ended.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
