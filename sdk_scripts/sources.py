"""SOURCE = project id | project.yaml | Label Studio JSON export -> one Dataset, whatever it came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml_backend.labeling.arms import NO_SECRET, Arms
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.errors import ConfigError, InputError, StudioNotFound
from ml_backend.labeling.results import Task
from sdk_scripts.export_file import read_export
from sdk_scripts.manifest import load_manifest
from sdk_scripts.many_objects import without_collector
from sdk_scripts.resources.project import find_project as bearing

if TYPE_CHECKING:
    from ml_backend.settings import Settings
    from ml_backend.studio import Studio

WHAT_A_SOURCE_IS = (
    "SOURCE is the id of a Label Studio project, a project.yaml, or a Label Studio JSON export with --label-config."
)


@dataclass(frozen=True)
class Dataset:
    """The tasks of one project with everything people and machines answered, and the config that asked."""

    name: str
    config: LabelConfig
    tasks: list[Task]
    studio: Studio | None = None
    """The Label Studio it lives in; None for a file."""
    project: dict[str, Any] | None = None
    """The project as Label Studio's API returns it; None for a file."""
    url: str | None = None
    """Address of the project's Data Manager; None for a file."""
    warnings: tuple[str, ...] = ()
    """What was odd about the source, a sentence each."""

    @property
    def project_id(self) -> int | None:
        return self.project["id"] if self.project else None

    def link(self, task: int) -> str | None:
        """Address of a task in Label Studio; None for a file."""
        return f"{self.url}?task={task}" if self.url else None


def load_source(source: str, *, label_config: Path | None, settings: Settings) -> Dataset:
    """Everything an analysis reads.

    `label_config` is the config of an export file, which does not carry its own: an XML file, or a folder with a
    `config.xml`. Raises InputError for a source that cannot be read, ConfigError for its config, StudioError for a
    Label Studio that does not give the project.
    """
    if not (_is_id(source) or _manifest(source)):
        return load_export(Path(source), label_config, Arms(settings.policy_secret.get_secret_value()))
    if label_config is not None:
        raise InputError(
            f"--label-config {label_config} was given, but {source} has a label config of its own.",
            mend="Leave --label-config out; it belongs to export files.",
        )
    return read_project(*find_project(source, settings), settings)


def find_project(source: str, settings: Settings) -> tuple[Studio, dict[str, Any]]:
    """The project of a SOURCE that lives in Label Studio, with the connection to it.

    Raises InputError for a file, ConfigError for a project.yaml that cannot be used, StudioError where Label Studio
    does not have the project.
    """
    from ml_backend.studio import Studio

    if _is_id(source):
        studio = Studio.connect(settings)
        return studio, studio.project(int(source))
    path = _manifest(source)
    if path is None:
        why = "is a file, not a project" if Path(source).exists() else "is neither a project's id nor a project.yaml"
        raise InputError(f"{source} {why}.", mend="Give a project's id or its project.yaml.")
    manifest = load_manifest(path)
    studio = Studio.connect(settings)
    found = bearing(studio.projects(), manifest.name)
    if found is None:
        raise StudioNotFound(
            f"Label Studio at {studio.url} has no project that was made from {path} (named {manifest.name!r}).",
            mend=f"Run `tiebreak sync {path} --apply` first.",
        )
    return studio, studio.project(found["id"])


def _is_id(source: str) -> bool:
    return source.isascii() and source.isdigit()


def _manifest(source: str) -> Path | None:
    """The project.yaml that a source names, itself or by its folder; None for another kind of source."""
    path = Path(source)
    if path.is_dir():
        return path / "project.yaml"
    return path if path.suffix.lower() in {".yaml", ".yml"} else None


def load_export(path: Path, label_config: Path | None, arms: Arms = NO_SECRET) -> Dataset:
    """A file source; `arms` opens its seals. Raises InputError or ConfigError."""
    if not path.exists():
        raise InputError(f"There is no file {path}.", mend=WHAT_A_SOURCE_IS)
    if label_config is None:
        raise InputError(
            f"{path} does not carry the label config its answers were given to.",
            mend="Add --label-config FILE with the project's labeling XML (Settings > Labeling Interface > Code).",
        )
    config = read_label_config(label_config)
    with without_collector():
        export = read_export(path, arms)
    name = path.name.removesuffix(".gz").removesuffix(".json")
    return Dataset(name, config, export.tasks, warnings=(*export.warnings, *oddities(config, export.tasks)))


def read_project(studio: Studio, project: Mapping[str, Any], settings: Settings | None = None) -> Dataset:
    """The dataset of a project, as its API fields name it. Raises StudioError, or ConfigError for its label config.

    With `settings` only what changed is pulled (`snapshots`).
    """
    from sdk_scripts.snapshots import current_tasks

    tasks = current_tasks(studio, project, settings) if settings else studio.tasks(project["id"])
    return dataset_of(studio, project, tasks)


def dataset_of(studio: Studio, project: Mapping[str, Any], json_tasks: Iterable[Mapping[str, Any]]) -> Dataset:
    """The dataset of some tasks of a project. Raises as `read_project`."""
    config = parse(project["label_config"])
    with without_collector():
        tasks = studio.read(json_tasks)
    return Dataset(
        name=str(project.get("title") or project["id"]),
        config=config,
        tasks=tasks,
        studio=studio,
        project=dict(project),
        url=studio.data_manager(project["id"]),
        warnings=oddities(config, tasks),
    )


def read_label_config(path: Path) -> LabelConfig:
    """A label config from a file, or from the `config.xml` of a folder. Raises ConfigError, naming the file."""
    path = path / "config.xml" if path.is_dir() else path
    try:
        return parse(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(f"There is no label config {path}.", mend="Check the path.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text.", mend="Save it as UTF-8.") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.", mend="Check the path.") from None
    except ConfigError as error:
        raise ConfigError(f"{path}: {error.what}", mend=error.mend) from None


def oddities(config: LabelConfig, tasks: list[Task]) -> tuple[str, ...]:
    """What is left out of every figure, and why."""
    return (*mismatches(config, tasks), *_unopened(tasks))


def _unopened(tasks: list[Task]) -> Iterator[str]:
    times = sum(it.arm in ("", "unknown") and it.sealed for task in tasks for it in task.annotations)
    if times:
        yield (
            f"{times} annotations were made from predictions under a seal that TIEBREAK_POLICY_SECRET does not open: "
            "they may be wrong on purpose and are left out. Set the secret of the backend that predicted."
        )


def mismatches(config: LabelConfig, tasks: list[Task]) -> tuple[str, ...]:
    """A sentence for each control that has answers and is not in the config: its answers are counted nowhere."""
    known = {control.name for control in config.controls} | {source.name for source in config.sources}
    strangers: Counter[str] = Counter()
    for task in tasks:
        for annotation in task.annotations:
            for region in annotation.regions:
                if type(name := region.get("from_name")) is not str or name not in known:
                    break
            else:
                continue
            named = {str(region["from_name"]) for region in annotation.regions if region.get("from_name")}
            strangers.update(named - known)
    controls = ", ".join(control.name for control in config.controls) or "none"
    return tuple(
        f"{times} annotations answer a control {name!r} that the label config does not have "
        f"(its controls: {controls}); those answers are left out."
        for name, times in sorted(strangers.items())
    )
