"""Comments that mean the same, grouped: by kind, by meaning, and by the pair of answers they are about.

Meaning is the cosine distance of the encoder's vectors. What is near differs from encoder to encoder, so distances are
divided by that between comments that have nothing to do with each other (`UNRELATED`). Groups are clusters by average
linkage (Sokal & Michener 1958) up to NEAR. Comments without words are grouped by kind and pair alone.

A comment that has a group keeps it, a new one joins the nearest group or founds one, and groups are never merged: so
what was decided about a group stays decided about what it was decided about.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ml_backend.labeling.errors import ModelUnavailable
from sdk_scripts.evidence import Evidence
from sdk_scripts.feedback.comments import Comment, Pair

if TYPE_CHECKING:
    from ml_backend.encoder import Encoder

NEAR = 0.74
"""Largest mean distance within a group, as a share of that of unrelated comments. On eighty comments about sixteen
concerns of moderators (tests/unit/feedback/said.py) the packaged encoder puts 70 % of the pairs that belong together
into one group, and 93 % of the pairs in a group belong together; from 0.82 on concerns begin to merge."""
OTHER_PAIR = 0.1
"""Added to the distance of comments about different pairs of answers."""
UNRELATED = (
    "The picture does not load.",
    "Is a toy gun a weapon?",
    "There is no label for this.",
    "I cannot read the language.",
    "The machine's answer was wrong.",
    "The same item came twice.",
    "Which clause is about prices?",
    "This was hard to look at.",
)
MOST = 5_000
"""Comments of a kind that are clustered by meaning at once, the newest; all pairs are compared."""

Floats = NDArray[np.float64]


@dataclass
class Group:
    id: str
    kind: str
    comments: list[Comment] = field(default_factory=list)
    """In order of time."""

    @property
    def pair(self) -> Pair | None:
        """The one most of its comments are about."""
        pairs = Counter(it.pair for it in self.comments if it.pair)
        return min(pairs, key=lambda pair: (-pairs[pair], pair)) if pairs else None

    @property
    def annotators(self) -> list[str]:
        return sorted({it.annotator for it in self.comments})

    @property
    def times(self) -> tuple[datetime | None, datetime | None]:
        """Of its first and its last comment."""
        known = [it.at for it in self.comments if it.at]
        return (min(known), max(known)) if known else (None, None)


@dataclass(frozen=True)
class Meaning:
    """Distances of comments, with whatever tells what texts mean."""

    vectors: Mapping[str, Floats]
    """Text -> unit vector; the empty text has none."""
    unrelated: float
    """The distance of texts that have nothing to do with each other."""
    by: str = ""
    """Why it goes by words alone; "" where an encoder tells."""

    @classmethod
    def of(cls, evidence: Evidence, comments: Sequence[Comment]) -> Meaning:
        texts = sorted({it.text for it in comments if it.text})
        if not texts:
            return cls({}, 1.0)
        try:
            return cls.told_by(evidence.encoder, texts)
        except ModelUnavailable as missing:
            return cls(dict(zip(texts, _by_words(texts), strict=True)), 1.0, str(missing))

    @classmethod
    def told_by(cls, encoder: Encoder, texts: Sequence[str]) -> Meaning:
        vectors = np.asarray(encoder.encode([*UNRELATED, *texts]), dtype=np.float64)
        others, mine = vectors[: len(UNRELATED)], vectors[len(UNRELATED) :]
        apart = 1 - (others @ others.T)[np.triu_indices(len(others), 1)]
        return cls(dict(zip(texts, mine, strict=True)), max(float(np.median(apart)), 1e-6))

    def distances(self, some: Sequence[Comment], others: Sequence[Comment]) -> Floats:
        """(n, m), all of comments with words."""
        a = np.stack([self.vectors[it.text] for it in some])
        b = np.stack([self.vectors[it.text] for it in others])
        places: dict[Pair | None, int] = {}
        pairs = [np.array([places.setdefault(it.pair, len(places)) for it in side]) for side in (some, others)]
        return np.maximum(0, 1 - a @ b.T) / self.unrelated + OTHER_PAIR * (pairs[0][:, None] != pairs[1][None, :])

    def nearest(self, comment: Comment, groups: Sequence[Group]) -> Group | None:
        """The group of its kind that it belongs to, of those given; None where it is near to none."""
        same = [it for it in groups if it.kind == comment.kind]
        if not comment.text:
            bare = (it for it in same if not any(one.text for one in it.comments) and it.pair == comment.pair)
            return next(bare, None)
        worded = [(it, [one for one in it.comments if one.text]) for it in same]
        far = [(float(self.distances([comment], texts).mean()), it) for it, texts in worded if texts]
        distance, group = min(far, key=lambda pair: pair[0], default=(np.inf, None))
        return group if distance <= NEAR else None

    def central(self, comments: Sequence[Comment]) -> Comment:
        """The medoid: the comment nearest to all others, the earliest of equals."""
        worded = [it for it in comments if it.text][-MOST:]
        if not worded:
            return comments[0]
        return worded[int(np.argmin(self.distances(worded, worded).sum(axis=1).round(9)))]


def grouped(comments: Sequence[Comment], meaning: Meaning, known: Mapping[int, str]) -> list[Group]:
    """The groups of the comments, the largest first. `known`: comment -> id of the group it has."""
    groups: dict[str, Group] = {}
    new: list[Comment] = []
    for comment in comments:
        if (id := known.get(comment.id)) is None:
            new.append(comment)
        else:
            groups.setdefault(id, Group(id, comment.kind)).comments.append(comment)
    founding: list[Comment] = []
    for comment in new:
        group = meaning.nearest(comment, list(groups.values()))
        (group.comments if group else founding).append(comment)
    made = [*groups.values(), *(_founded(cluster) for cluster in _clusters(founding, meaning))]
    for group in made:
        group.comments.sort(key=lambda it: (it.at.timestamp() if it.at else 0.0, it.id))
    return sorted(made, key=lambda it: (-len(it.comments), it.id))


def _founded(cluster: Sequence[Comment]) -> Group:
    first = min(it.id for it in cluster)
    return Group(f"g{first}", cluster[0].kind, list(cluster))


def _clusters(comments: Sequence[Comment], meaning: Meaning) -> list[list[Comment]]:
    from sklearn.cluster import AgglomerativeClustering

    found: dict[tuple[object, ...], list[Comment]] = {}
    worded: dict[str, list[Comment]] = {}
    for comment in comments:
        if comment.text:
            worded.setdefault(comment.kind, []).append(comment)
        else:
            found.setdefault((comment.kind, comment.pair), []).append(comment)
    for kind, said in worded.items():
        older, newest = said[:-MOST], said[-MOST:]
        for comment in older:
            found.setdefault((kind, comment.text), []).append(comment)
        if len(newest) == 1:
            found[kind, 0, "alone"] = newest
            continue
        model = AgglomerativeClustering(
            n_clusters=None, distance_threshold=NEAR, metric="precomputed", linkage="average"
        )
        for comment, label in zip(newest, model.fit_predict(meaning.distances(newest, newest)), strict=True):
            found.setdefault((kind, int(label), "cluster"), []).append(comment)
    return list(found.values())


def _by_words(texts: Sequence[str]) -> Floats:
    """(n, d) unit rows: the words of each text, rare ones counting more."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    try:
        return np.asarray(TfidfVectorizer(stop_words="english").fit_transform(texts).todense())
    except ValueError:  # nothing but stop words
        return np.eye(max(len(texts), 1))[: len(texts)]
