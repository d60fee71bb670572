"""Projects as code: manifests -> a plan against Label Studio -> the plan carried out and verified by planning again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml_backend.labeling.errors import ConfigError, StudioRefused
from ml_backend.labeling.results import project_key
from ml_backend.settings import Settings, named_secret
from sdk_scripts.backup import back_up
from sdk_scripts.manifest import Manifest, find_manifests, load_manifest
from sdk_scripts.marks import read_mark
from sdk_scripts.plan import ORDER, Change, Draft, Plan, Refusal
from sdk_scripts.resources.backend import plan_backend, plan_webhook, with_secret
from sdk_scripts.resources.project import find_project, plan_project, same_config
from sdk_scripts.resources.tasks import import_source, keys_in, plan_tasks
from sdk_scripts.resources.views import plan_views
from sdk_scripts.task_sources import Rejects

if TYPE_CHECKING:
    from ml_backend.studio import Studio

Report = Callable[[str], object]


@dataclass(frozen=True)
class SyncOutcome:
    changes: tuple[Change, ...]
    applied: bool
    """Whether the changes were carried out (true where there was nothing to do and doing was asked for)."""
    projects: Mapping[str, int]
    """Manifest name -> Label Studio's project id, of those that exist."""
    rejects: tuple[Rejects, ...] = ()
    notes: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "changes": [change.to_json() for change in self.changes],
            "applied": self.applied,
            "projects": dict(self.projects),
            "rejects": [rejects.to_json() for rejects in self.rejects],
            "notes": list(self.notes),
            "refusals": [refusal.reason for refusal in self.refusals],
        }


def sync(
    paths: Sequence[Path],
    settings: Settings,
    *,
    apply: bool = False,
    prune: bool = False,
    force: bool = False,
    report: Report = lambda _: None,
) -> SyncOutcome:
    """Plan the manifests at these paths, and with `apply` carry the plan out.

    Rejects files are written by a plan as well. Raises ConfigError for manifests that cannot be used and for an apply
    that is refused; StudioError where Label Studio does not do as asked. What was done until then stays, and another
    run does the rest.
    """
    manifests = _load(paths)
    return sync_manifests(manifests, settings, apply=apply, prune=prune, force=force, report=report)


def sync_manifests(
    manifests: Sequence[Manifest],
    settings: Settings,
    *,
    studio: Studio | None = None,
    apply: bool = False,
    prune: bool = False,
    force: bool = False,
    report: Report = lambda _: None,
) -> SyncOutcome:
    """The same for manifests that are loaded already, on the settings' Label Studio or on `studio`."""
    from ml_backend.studio import Studio

    run = _Run(studio or Studio.connect(settings), settings, prune, report)
    with ExitStack() as locks:
        if apply:
            for manifest in sorted(manifests, key=lambda manifest: manifest.name):
                locks.enter_context(_locked(settings, manifest.name))
        plan = run.plan(manifests)
        if apply:
            if stopping := [refusal.reason for refusal in plan.refusals if not (force and refusal.forcible)]:
                raise ConfigError("Nothing was changed, because labels would be lost:", stopping)
            run.back_up(plan.refusals)
            if plan.changes:
                run.apply(plan, manifests)
                run.note_guidelines(plan)
                run.verify(manifests)
    return SyncOutcome(
        changes=plan.changes,
        applied=apply,
        projects=dict(run.ids),
        rejects=tuple(run.rejects.values()) if apply else plan.rejects,
        notes=plan.notes,
        refusals=plan.refusals,
    )


class _Run:
    """One run: the connection, and what is known so far."""

    def __init__(self, studio: Studio, settings: Settings, prune: bool, report: Report) -> None:
        self.studio = studio
        self.settings = settings
        self.prune = prune
        self.report = report
        self.ids: dict[str, int] = {}
        self.keys: dict[str, str] = {}
        """`project_key` of those it made."""
        self.refused: dict[str, dict[str, str]] = {}
        """Manifest name -> key -> why Label Studio would not take the task."""
        self.rejects: dict[str, Rejects] = {}

    def plan(self, manifests: Sequence[Manifest]) -> Plan:
        projects = self.studio.projects()
        drafts = [self._draft(manifest, projects) for manifest in manifests]
        self.rejects = {str(rejects.file): rejects for draft in drafts for rejects in draft.rejects}
        return Plan(
            changes=tuple(change for draft in drafts for change in draft.changes),
            notes=tuple(note for draft in drafts for note in draft.notes),
            refusals=tuple(refusal for draft in drafts for refusal in draft.refusals),
            rejects=tuple(self.rejects.values()),
        )

    def _draft(self, manifest: Manifest, projects: Sequence[Mapping[str, Any]]) -> Draft:
        def secret(name: str) -> str:
            value = named_secret(name)
            if value is None:
                raise ConfigError(
                    f"{manifest.path} names {name}, which is not set.", mend="Set it in the environment or .env."
                )
            return value.get_secret_value()

        studio, draft = self.studio, Draft(manifest, self.settings, secret, self.prune)
        current = find_project(projects, manifest.name)
        namesakes = [p for p in projects if p.get("title") == manifest.project.title and not _governed(p)]
        if current is None or not same_config(str(current.get("label_config") or ""), manifest.label_config):
            _validate(studio, manifest)
        if current is None:
            plan_project(draft, None, namesakes, lambda: ())
            id, existing = None, set[str]()
        else:
            id = self.ids[manifest.name] = int(current["id"])
            draft.key = project_key(current)
            plan_project(draft, current, namesakes, lambda: studio.tasks(int(current["id"])))
            wanted = manifest.project.tasks and current.get("task_number") != 0
            existing = keys_in(studio.tasks(id, data_only=True)) if wanted else set()
        plan_tasks(draft, existing, self.refused.get(manifest.name, {}))
        plan_views(draft, studio.views(id) if id else ())
        plan_webhook(draft, studio.webhooks(id) if id else ())
        plan_backend(draft, studio.backends(id) if id else ())
        return draft

    def back_up(self, refusals: Sequence[Refusal]) -> None:
        """The projects that will lose labels, as they are. Raises StudioError, ConfigError."""
        for name, id in self.ids.items():
            if any(refusal.reason.startswith(f"{name}: ") for refusal in refusals):
                kept = back_up(self.studio, id, self.settings.folder("backups"))
                self.report(f"{name}: backed up to {kept}; `tiebreak restore` makes a project of it")

    def apply(self, plan: Plan, manifests: Sequence[Manifest]) -> None:
        """All changes, kind by kind."""
        by_name = {manifest.name: manifest for manifest in manifests}
        for done, change in enumerate(sorted(plan.changes, key=lambda change: ORDER.index(change.kind))):
            self.report(f"{change.project}: {change.action} {change.kind} {change.name}")
            try:
                self._apply(change, by_name[change.project])
            except StudioRefused as error:
                error.mend = (
                    f"{error.mend} {done} of {len(plan.changes)} changes are made; sync again for the rest.".strip()
                )
                raise

    def note_guidelines(self, plan: Plan) -> None:
        """Which version of them holds from now on, so that labels can be told apart by it."""
        from ml_backend.briefs import refresh_policy
        from ml_backend.model_registry import ModelRegistry

        for name in dict.fromkeys(change.project for change in plan.changes if change.kind == "project"):
            refresh_policy(ModelRegistry(self.settings.models), self.studio.project(self.ids[name]))

    def _apply(self, change: Change, manifest: Manifest) -> None:
        studio = self.studio
        if (change.kind, change.action) == ("project", "create"):
            made = studio.create_project(change.payload, alone=True)
            self.ids[change.project], self.keys[change.project] = int(made["id"]), project_key(made)
            return
        project = self.ids[change.project]
        if change.kind == "tasks":
            refused = import_source(studio, project, manifest, change.payload, self.report)
            self.refused.setdefault(change.project, {}).update(refused)
            return
        create = {"view": studio.create_view, "webhook": studio.add_webhook, "backend": studio.add_backend}
        update = {
            "project": studio.update_project,
            "view": studio.update_view,
            "webhook": studio.update_webhook,
            "backend": studio.update_backend,
        }
        delete = {"view": studio.delete_view, "webhook": studio.delete_webhook, "backend": studio.delete_backend}
        if change.action == "create":
            made_just_now = self.keys.get(change.project) if change.kind == "webhook" else None
            create[change.kind](
                project, with_secret(change.payload, made_just_now) if made_just_now else change.payload
            )
        elif change.target is None:
            raise AssertionError(f"{change} has no target")
        elif change.action == "update":
            update[change.kind](change.target, change.payload)
        else:
            delete[change.kind](change.target)

    def verify(self, manifests: Sequence[Manifest]) -> None:
        """Raises StudioRefused where a second plan is not empty."""
        self.report("reading back what was changed")
        if left := self.plan(manifests).changes:
            named = "; ".join(
                f"{change.project}: {change.kind} {change.name} ({', '.join(change.fields) or change.action})"
                for change in left
            )
            raise StudioRefused(
                f"Label Studio at {self.studio.url} did not keep everything that was sent: {named}.",
                mend="Is somebody else changing the project? Otherwise this edition does not have these fields.",
            )


def _load(paths: Sequence[Path]) -> list[Manifest]:
    """Every manifest, each once. Raises ConfigError with the reasons of all that cannot be used."""
    files = list(dict.fromkeys(file.resolve() for path in paths for file in find_manifests(path)))
    manifests: list[Manifest] = []
    reasons: list[str] = []
    for file in files:
        try:
            manifests.append(load_manifest(_near(file)))
        except ConfigError as error:
            if len(files) == 1:
                raise
            reasons += error.reasons or (error.what,)
    for manifest in manifests:
        others = [other for other in manifests if other.name == manifest.name and other is not manifest]
        if others:
            reasons.append(f"{manifest.path}: name: {manifest.name!r} is also the name of {others[0].path}")
    if reasons:
        raise ConfigError("Some manifests cannot be used:", reasons, mend="Mend these, then run it again.")
    return manifests


def _near(file: Path) -> Path:
    """The path as people type it: relative to where they are, if it is below."""
    return file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file


def _governed(project: Mapping[str, Any]) -> bool:
    return read_mark(project.get("description")) is not None


def _validate(studio: Studio, manifest: Manifest) -> None:
    file = manifest.path.parent / manifest.project.label_config
    try:
        studio.validate_config(manifest.label_config)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error.what.splitlines()[0]}", error.reasons, mend="Mend the config.") from None


@contextmanager
def _locked(settings: Settings, name: str) -> Iterator[None]:
    """Two applies at once would both import what neither has found yet."""
    from filelock import FileLock, Timeout

    lock = FileLock(settings.folder("locks") / f"sync-{name}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ConfigError(
            f"Another `tiebreak sync --apply` of {name!r} is running.", mend="Wait until it has finished."
        ) from None
    try:
        yield
    finally:
        lock.release()
