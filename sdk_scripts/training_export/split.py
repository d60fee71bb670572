"""Which tasks are for training, validation and test: near-duplicates stay together, every label is in each split, and
where a task is does not change when labels are added.

A group's split follows from a keyed hash of what its first task (by id) holds: not from its place, nor from how many
others there are. Two rules overrule the hash, looking only at what was labelled before (first judgements, in order of
time), so that later labels change nothing:

  - a label that a split lacks is given to it from the label's second group on, while the split as a whole is not far
    above its share;
  - a split that has clearly more than its share of a label gets no more of it (a "big stick": Soares & Wu, 1983).

Labels are those of annotators, not what they are mapped to, so another mapping has the same splits. What cannot be
promised: a new task that is like two groups makes them one, and the later joins the earlier; a few others may move with
them (of 3,085 real tasks 12 and 9, when 1,100 came).
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ml_backend.labeling.errors import InputError
from sdk_scripts.training_export.model import SPLITS

SHARES = (0.8, 0.1, 0.1)
_ORDER = (0, 2, 1)
"""A label's first group is for training, the next for test, then for validation."""
_MUCH = 1.5
"""Of its share a split may have, and two groups more, to be given a label it lacks."""


@dataclass(frozen=True, slots=True)
class Event:
    """A group got a label for the first time."""

    order: tuple[int, int]
    """Time in milliseconds (negative where nothing tells) and annotation: sorts by when."""
    group: int
    label: Hashable
    """With its control."""


def shares_of(text: str) -> tuple[float, ...]:
    """`0.8,0.1,0.1` -> shares of SPLITS. Raises InputError."""
    mend = "Give three shares that add up to 1, of training, validation and test: 0.8,0.1,0.1 say; 0 for none."
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--splits {text!r} are no numbers.", mend=mend) from None
    if len(found) != len(SPLITS) or not all(0 <= it <= 1 for it in found) or not math.isclose(sum(found), 1):
        raise InputError(f"--splits {text!r} are not three shares that add up to 1.", mend=mend)
    if not found[0]:
        raise InputError("Nothing would be for training.", mend=mend)
    return found


def splits_of(
    events: Iterable[Event], content: Mapping[int, str], shares: Sequence[float] = SHARES, seed: int = 0
) -> dict[int, int]:
    """Group -> its place in SPLITS, of every group that got a label. `content` says what the first task of each holds;
    the order of the events given does not matter."""
    place_of: dict[int, int] = {}
    of_label: dict[Hashable, list[int]] = {}
    total = [0] * len(shares)
    pending: dict[tuple[tuple[int, int], int], list[Hashable]] = {}
    for event in sorted(set(events), key=lambda it: (it.order, it.group, repr(it.label))):
        pending.setdefault((event.order, event.group), []).append(event.label)
    for (_, group), labels in pending.items():
        counts = [of_label.setdefault(label, [0] * len(shares)) for label in labels]
        if group not in place_of:
            rarest = min(counts, key=sum)
            place_of[group] = place = _place(_hashed(content[group], seed), rarest, total, shares)
            total[place] += 1
        for count in counts:
            count[place_of[group]] += 1
    return place_of


def _place(hashed: float, count: Sequence[int], total: Sequence[int], shares: Sequence[float]) -> int:
    """The split of a group, by the numbers of groups before it, of its rarest label and of all, in each split."""
    place, below = 0, shares[2]
    if hashed < below:
        place = 2
    elif hashed < below + shares[1]:
        place = 1
    n, everything = sum(count) + 1, sum(total) + 1
    if n == 1:
        return place
    for lacking in _ORDER:
        if shares[lacking] and not count[lacking] and total[lacking] < _MUCH * shares[lacking] * everything + 2:
            return lacking
    if count[place] > shares[place] * n + math.sqrt(shares[place] * n):
        return max(_ORDER, key=lambda it: shares[it] * n - count[it])
    return place


def _hashed(content: str, seed: int) -> float:
    digest = hashlib.blake2b(content.encode(errors="replace"), digest_size=8, key=f"split {seed}".encode()).digest()
    return int.from_bytes(digest) / 2**64


@dataclass(frozen=True)
class Balance:
    """How the splits came out."""

    rows: Mapping[str, int]
    """Split -> tasks."""
    asked: Mapping[str, float]
    got: Mapping[str, float]
    """Shares of the tasks, 0–1."""
    groups: int
    alike: int
    """Groups of two tasks or more."""
    largest: int
    """Tasks of the largest group."""
    too_large: int
    """Groups with more tasks than the smallest split asked for should have in all."""

    @property
    def off(self) -> float:
        """The greatest difference between a share that was asked for and what came out."""
        return max(abs(self.got[name] - self.asked[name]) for name in self.asked)


def balance(split_of: Mapping[int, str], group_of: Mapping[int, int], shares: Sequence[float]) -> Balance:
    """Of tasks: task -> split, task -> group."""
    rows = Counter(split_of.values())
    sizes = Counter(group_of[task] for task in split_of)
    smallest = min(share for share in shares if share) * len(split_of)
    return Balance(
        rows={name: rows[name] for name in SPLITS},
        asked=dict(zip(SPLITS, shares, strict=True)),
        got={name: round(rows[name] / max(len(split_of), 1), 4) for name in SPLITS},
        groups=len(sizes),
        alike=sum(size > 1 for size in sizes.values()),
        largest=max(sizes.values(), default=0),
        too_large=sum(size > max(1, smallest) for size in sizes.values()),
    )
