"""A round as Label Studio holds it: its plan, its people and their projects."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from ml_backend.labeling.results import string
from sdk_scripts.satellites import Satellite, satellites_of

if TYPE_CHECKING:
    from ml_backend.studio import Studio

Stratum = Literal["gold", "hard", "unsure", "sure", "rest"]
STRATA: tuple[Stratum, ...] = get_args(Stratum)
_MOST_PLAN = 4_000_000  # bytes


@dataclass(frozen=True)
class Plan:
    """What a round asks of whom."""

    name: str
    people: tuple[str, ...]
    """Lower-cased e-mails, in order."""
    items: Mapping[int, Stratum]
    """By item: the source task's id, or −id of the library's task for a case whose source task is not there."""
    policy: str
    """The guideline version (`cases.policy_version`)."""
    instruction: str
    """The guidelines (HTML)."""
    label_config: str
    """The source's, without explanations."""

    def more(self) -> dict[str, Any]:
        """For `About.more`. Items are packed, so that nobody reads there by chance which task is gold."""
        by_stratum = {name: [it for it, stratum in self.items.items() if stratum == name] for name in STRATA}
        packed = base64.b64encode(zlib.compress(json.dumps(by_stratum, separators=(",", ":")).encode(), 9)).decode()
        return {"people": list(self.people), "items": packed}


@dataclass(frozen=True)
class Round:
    plan: Plan
    satellites: Mapping[str, Satellite] = field(default_factory=dict)
    """By lower-cased e-mail; people may lack theirs where the start was cut short."""

    @property
    def first(self) -> int:
        """The id of its first project: rounds are told in this order."""
        return min((it.id for it in self.satellites.values()), default=0)


def rounds_of(studio: Studio, source: Mapping[str, Any]) -> list[Round]:
    """The source's rounds, oldest first; projects whose plan people have made unreadable are left out. Raises
    StudioError."""
    by_name: dict[str, dict[str, Satellite]] = {}
    plans: dict[str, Plan] = {}
    for it in satellites_of(studio, source, "calibration"):
        plan = _plan_of(it)
        if plan is None:
            continue
        first = plans.setdefault(it.about.name, plan)
        if it.about.who.lower() in first.people:
            by_name.setdefault(it.about.name, {}).setdefault(it.about.who.lower(), it)
    return sorted((Round(plans[name], them) for name, them in by_name.items()), key=lambda it: it.first)


def item_key(source: str, name: str, item: int) -> str:
    """The `tiebreak_item` of a round's task: it tells nobody which task of the source it is, or that it is a case."""
    return hashlib.sha256(f"{source}|{name}|{item}".encode()).hexdigest()[:16]


def chance(*about: object) -> str:
    """Something like a random number (hex digits), the same for the same words."""
    return hashlib.sha256("|".join(map(str, about)).encode(errors="replace")).hexdigest()


def _plan_of(satellite: Satellite) -> Plan | None:
    about, more = satellite.about, satellite.about.more
    people = more.get("people") if isinstance(more, Mapping) else None
    items = _unpacked(more.get("items")) if isinstance(more, Mapping) else None
    if not isinstance(people, list) or not all(isinstance(it, str) for it in people) or not items:
        return None
    return Plan(
        name=about.name,
        people=tuple(it.lower() for it in people),
        items=items,
        policy=about.policy,
        instruction=string(satellite.project.get("expert_instruction")) or "",
        label_config=str(satellite.project["label_config"]),
    )


def _unpacked(packed: object) -> dict[int, Stratum] | None:
    """People can edit a description: what is no plan is none, and nothing unpacks to more than _MOST_PLAN bytes."""
    try:
        found = json.loads(zlib.decompressobj().decompress(base64.b64decode(str(packed), validate=True), _MOST_PLAN))
        rows: Sequence[tuple[Stratum, Any]] = [(name, it) for name in STRATA for it in found.get(name, ())]
    except (ValueError, zlib.error, AttributeError, TypeError, RecursionError):
        return None
    return {it: name for name, it in rows if isinstance(it, int) and not isinstance(it, bool)}
