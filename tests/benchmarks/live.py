"""What the benchmarks of a live Label Studio share: the whole stack on a home of its own, made-up texts, memory."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from ml_backend.logs import set_up_logs
from ml_backend.settings import load_settings
from ml_backend.studio import Studio
from sdk_scripts.embedded import Stack, embedded
from sdk_scripts.sync import sync
from tests.browser.accounts import sign_up
from tests.unit.learning.reviews import SENTIMENT, choice, reviews

FRESH = ".benchmark"
MEGABYTE = 2**20


@contextmanager
def stack() -> Iterator[Stack]:
    """Label Studio on SQLite, Valkey, the backend and a worker as `tiebreak up` runs them, on a fresh home."""
    set_up_logs("ERROR")  # stdout is for the figures
    with TemporaryDirectory(suffix=FRESH) as folder:
        settings = load_settings(home=Path(folder), studio_timeout=600.0)
        with embedded(settings, report=say) as running:
            yield running


def say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def signed_up(running: Stack, who: int) -> str:
    """The token of another account. One after the other: SQLite refuses some of those that come at once."""
    url, token = running.settings.studio_url, running.account.token
    return sign_up(url, token, f"annotator-{who}@example.com", "a-password-for-tests")


def texts(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """Short reviews, nearly all of them different, most of their words made up and as often as words are (Zipf), and
    the label of each."""
    source, spelling = random.Random(seed), random.Random(0)
    syllables = [a + b for a in "bcdfglmnprst" for b in ("a", "e", "i", "o", "u", "an", "er", "ing")]
    lexicon = ["".join(spelling.choices(syllables, k=spelling.randint(1, 4))) for _ in range(8_000)]
    weights = list(accumulate(1 / rank for rank in range(1, len(lexicon) + 1)))
    known = reviews(400)
    picked = [known[number % len(known)] for number in range(count)]
    return [(f"{text} {' '.join(source.choices(lexicon, cum_weights=weights, k=8))}.", label) for text, label in picked]


def items(rows: list[tuple[str, str]], labelled: int) -> list[dict[str, Any]]:
    """Tasks for Label Studio, the first of them with the annotation they should have."""
    bare = [{"data": {"text": text}} for text, _ in rows]
    return [
        {**task, "annotations": [{"result": [choice("sentiment", label)]}]} if place < labelled else task
        for place, (task, (_, label)) in enumerate(zip(bare, rows, strict=True))
    ]


def project(studio: Studio, title: str) -> int:
    """With Label Studio's default, tasks in order: as by uncertainty, who asks for one is taken past all that others
    have open."""
    return int(studio.create_project({"title": title, "label_config": SENTIMENT.xml})["id"])


def connected(running: Stack, folder: Path, title: str) -> int:
    """A project that Tiebreak looks after, as `tiebreak sync --apply` makes it."""
    folder.mkdir()
    (folder / "config.xml").write_text(SENTIMENT.xml, "utf-8")
    (folder / "project.yaml").write_text(
        f"name: load\ntitle: {title}\nlabel_config: config.xml\nsampling: uncertainty\nbackend: {{title: Tiebreak}}\n"
    )
    return sync([folder / "project.yaml"], running.settings, apply=True).projects["load"]


def until(holds: Callable[[], object], seconds: float, what: str) -> None:
    """Poll until it holds; ends the benchmark where it never does."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not come within {seconds:.0f} s")
        time.sleep(0.5)


def memory(running: Stack) -> Mapping[str, float]:
    """Part -> megabytes of it and what it forked, shared pages counted by shares."""
    found = {}
    for child in running.supervisor.children:
        process = psutil.Process(child.pid)
        family = [process, *process.children(recursive=True)]
        found[child.name] = sum(it.memory_full_info().pss for it in family) / MEGABYTE
    return found
