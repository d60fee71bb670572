"""What the predictor has to know of a project beside its model: the policy, and the precedents it explains with.

Label Studio sends neither with a request, so jobs and commands that have read the project leave a *brief* of it in the
model registry, `<project>/brief.json`, which every backend sharing the registry reads. It can be lost: the next job
writes it anew.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog

from ml_backend.cases import Case, policy_version, read_cases, usable
from ml_backend.guideline_history import GuidelineHistory
from ml_backend.images import Look
from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.errors import UNREADABLE, InputError, ModelUnavailable, TiebreakError
from ml_backend.labeling.kinds import kind_of
from ml_backend.labeling.results import project_key
from ml_backend.model_registry import ModelRegistry
from ml_backend.policy import Policy, policy_of
from ml_backend.prelabelers import readings_of

if TYPE_CHECKING:
    from ml_backend.studio import Studio

log = structlog.stdlib.get_logger()

MOST_PRECEDENTS = 500
"""Those of the newest library tasks: a request compares a text with each."""
MOST_CHARACTERS = 2_000
"""Of a precedent's text."""
PROJECTS = 10_000
SHARED_SECONDS = 2.0
"""How long a brief on a storage that is not a local disk is trusted."""


@dataclass(frozen=True, slots=True)
class Precedent:
    """A settled case that the machine may name as a reason."""

    text: str
    control: str
    answer: str
    """Key of the control's kind."""
    why: str = ""
    clause: str = ""
    place: str = ""
    """As in its address in Label Studio."""


@dataclass(frozen=True)
class Brief:
    policy: Policy = field(default_factory=Policy)
    precedents: tuple[Precedent, ...] = ()
    audits: frozenset[int] = frozenset()
    """Tasks that the machine accepted and people are still to label blind."""
    resumed: str = ""
    """When people last had auto-accept go on after it stopped, ISO 8601: audits of what was written before are over."""
    number: int = field(default=0, compare=False)
    """Its own, in this process: what was made with it is told apart by it."""


NOTHING = Brief()
_NUMBERS = itertools.count(1)


class Briefs:
    """Thread-safe; reading one that is known costs a look at a file's time stamp."""

    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[Hashable, float, Brief]] = OrderedDict()

    def at_hand(self, project: str) -> Brief | None:
        """What `of` returns, where that is known without asking over a network; else None."""
        if not self._registry.mark_seconds:
            return self.of(project)
        with self._lock:
            known = self._known.get(project)
        return known[2] if known and time.monotonic() - known[1] < SHARED_SECONDS else None

    def of(self, project: str) -> Brief:
        """The project's brief as of now; one that says nothing where there is none, the last known where it cannot be
        read."""
        with self._lock:
            known = self._known.get(project)
        now = time.monotonic()
        if known and self._registry.mark_seconds and now - known[1] < SHARED_SECONDS:
            return known[2]
        try:
            mark = self._registry.brief_mark(project)
            same = known is not None and known[0] == mark
            brief = known[2] if known and same else _parse(self._registry.read_brief(project))
        except InputError:
            return NOTHING
        except (ModelUnavailable, *UNREADABLE) as error:
            log.error("a project's brief cannot be read", project=project, why=str(error))
            return known[2] if known else NOTHING
        with self._lock:
            self._known[project] = (mark, now, brief)
            self._known.move_to_end(project)
            if len(self._known) > PROJECTS:
                self._known.popitem(last=False)
        return brief


def refresh(
    registry: ModelRegistry,
    studio: Studio,
    project: Mapping[str, Any],
    config: LabelConfig,
    *,
    cases: Iterable[Case] | None = None,
    look: Look | None = None,
) -> Brief:
    """Write the brief of a project as Label Studio has it now, if it differs from what is there. `cases` saves reading
    its library again. A policy that cannot be read is logged and leaves the one before: what was blind stays blind.

    Raises StudioError, ModelUnavailable.
    """
    refresh_policy(registry, project)
    before = stored(registry, project_key(project))
    now = datetime.now(UTC)
    known = usable(read_cases(studio, project, config, now) if cases is None else cases, "precedent", now)
    newest = sorted(known, key=lambda case: case.task)[-MOST_PRECEDENTS:]
    brief = replace(before, precedents=tuple(_precedents(newest, config, look)))
    if brief != before:
        registry.write_brief(project_key(project), _text(brief))
    return brief


def refresh_policy(registry: ModelRegistry, project: Mapping[str, Any]) -> None:
    """The same for the policy alone, and which guidelines hold now, at the cost of reading two files; errors are
    logged."""
    try:
        key = project_key(project)
        GuidelineHistory(registry.url).note(key, policy_version(project))
        policy = policy_of(project)
        before = stored(registry, key)
        if before.policy != policy:
            registry.write_brief(key, _text(replace(before, policy=policy)))
    except TiebreakError as error:
        log.error("a project's policy cannot be noted", project=project.get("id"), why=str(error))


def note_audits(registry: ModelRegistry, project_key: str, audits: Iterable[int]) -> None:
    """Tasks whose predictions stay empty until people have labelled them. Raises ModelUnavailable."""
    before = stored(registry, project_key)
    if before.audits != (wanted := frozenset(audits)):
        registry.write_brief(project_key, _text(replace(before, audits=wanted)))


def note_resumed(registry: ModelRegistry, project_key: str, at: datetime) -> None:
    """Auto-accept goes on. Raises ModelUnavailable."""
    registry.write_brief(project_key, _text(replace(stored(registry, project_key), resumed=at.isoformat())))


def stored(registry: ModelRegistry, project_key: str) -> Brief:
    """As it is now, read anew; a damaged one counts as none. Raises ModelUnavailable."""
    try:
        return _parse(registry.read_brief(project_key))
    except UNREADABLE as error:
        log.error("a project's brief cannot be read", project=project_key, why=str(error))
        return NOTHING


def _precedents(cases: Iterable[Case], config: LabelConfig, look: Look | None) -> Iterable[Precedent]:
    for case in cases:
        kind = kind_of(config[case.control])
        (reading,) = readings_of(config, config[case.control], [case.data], look)
        if kind and reading.text:
            text, key = reading.text[:MOST_CHARACTERS], kind.key(case.answer)
            yield Precedent(text, case.control, key, case.rationale, case.clause, case.place)


def _text(brief: Brief) -> bytes:
    document = {
        "policy": json.loads(brief.policy.line()),
        "precedents": [asdict(it) for it in brief.precedents],
        "audits": sorted(brief.audits),
        "resumed": brief.resumed,
    }
    return json.dumps(document, sort_keys=True).encode()


def _parse(content: bytes | None) -> Brief:
    if not content:
        return NOTHING
    read = json.loads(content)
    return Brief(
        Policy.model_validate(read["policy"]),
        tuple(Precedent(**it) for it in read["precedents"]),
        frozenset(map(int, read["audits"])),
        str(read.get("resumed", "")),
        next(_NUMBERS),
    )
