"""Every benchmark from one run, printed and kept: what `make bench` calls.

    .venv/bin/python tests/benchmarks/run.py [NAME ...] [--data FILE ...]

NAME is encoder, serving, few_shot, cascade, active_learning, consensus, agreement, hard_cases, inspection, report,
scale, load or large_project; all of them without one. The figures of learning are those of the demo's reviews, and of
each FILE (Parquet or CSV with the columns text and label). Sections of RESULTS.md that were written by hand stay.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import polars as pl

from ml_backend.settings import load_settings
from sdk_scripts.demo_data import fetch, read_archive

HERE = Path(__file__).parent
RESULTS = HERE / "RESULTS.md"
BENCHMARKS = {
    "encoder": "Encoder",
    "serving": "Serving",
    "few_shot": "Learning from few labels, and confidence",
    "cascade": "Local and large model together",
    "active_learning": "Active learning",
    "consensus": "Consensus",
    "agreement": "Agreement",
    "hard_cases": "Hard cases",
    "inspection": "Inspection rules",
    "report": "Quality report",
    "scale": "More workers",
    "load": "Many annotators at once",
    "large_project": "A project of 100,000 tasks",
}
WITH_DATA = ("few_shot", "cascade", "active_learning", "consensus")
WITHOUT_TOO = ("consensus",)
PACKAGES = (
    "numpy",
    "scikit-learn",
    "onnxruntime",
    "torch",
    "sentence-transformers",
    "label-studio-ml",
    "crowd-kit",
    "cleanlab",
)


def machine() -> str:
    """In words."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    packages = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return f"{name}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}; {packages}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"{', '.join(BENCHMARKS)}; all by default")
    parser.add_argument("--data", metavar="FILE", type=Path, nargs="+", default=[], help="labelled texts of your own")
    options = parser.parse_args()
    if unknown := set(options.names) - set(BENCHMARKS):
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as folder:
        files = [_reviews(Path(folder)), *options.data]
        parts = [
            f"# Results\n\nWhat `make bench` printed on {datetime.now(UTC):%Y-%m-%d}, on this machine: {machine()}.\n"
            "Trust the ratios: each benchmark runs ours and the peer side by side in one process tree.\n"
        ]
        for name in options.names or BENCHMARKS:
            parts.append(f"## {BENCHMARKS[name]}\n")
            alone = [None] if name in WITHOUT_TOO or name not in WITH_DATA else []
            for file in [*alone, *(files if name in WITH_DATA else ())]:
                printed = _run(name, file)
                parts.append(f"`bench_{name}.py{f' {file.name}' if file else ''}`\n\n```\n{printed.strip()}\n```\n")
    if not options.names:
        RESULTS.write_text("\n".join([*parts, *_by_hand()]), "utf-8")


def _run(name: str, file: Path | None) -> str:
    """What the benchmark prints, shown while it comes. Ends everything where it fails."""
    command = [sys.executable, str(HERE / f"bench_{name}.py"), *([str(file)] if file else [])]
    sys.stdout.write(f"\n{BENCHMARKS[name]}{f': {file.name}' if file else ''}\n\n")
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        for line in running.stdout or ():
            sys.stdout.write(line)
            sys.stdout.flush()
            lines.append(line)
    if running.returncode:
        sys.exit(f"bench_{name}.py ended with {running.returncode}")
    return "".join(lines)


def _by_hand() -> list[str]:
    """The sections that no benchmark here writes."""
    sections = RESULTS.read_text("utf-8").split("\n## ")[1:]
    return [f"## {it.strip()}\n" for it in sections if it.partition("\n")[0] not in BENCHMARKS.values()]


def _reviews(folder: Path) -> Path:
    """The demo's reviews, with the sentiment that most of the twenty raters saw."""
    archive = fetch(load_settings().folder("downloads"))
    rows = [{"text": it.text, "label": it.truth} for it in read_archive(archive) if it.truth]
    path = folder / "reviews.parquet"
    pl.DataFrame(rows).write_parquet(path)
    return path


if __name__ == "__main__":
    main()
