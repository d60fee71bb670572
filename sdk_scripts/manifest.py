"""project.yaml: a Label Studio project as code.

    name: product_reviews            # identity: written into the description as `tiebreak: product_reviews`
    title: Product reviews
    label_config: config.xml         # files are relative to the manifest and stay in its folder
    guidelines: guidelines.md        # Markdown, shown as the project's instructions
    overlap: {maximum_annotations: 3, cohort_percentage: 100}
    sampling: uncertainty
    views: [{title: Least certain first, order_by: predictions_score}]
    backend: {title: Tiebreak}       # address and credentials come from TIEBREAK_BACKEND_URL, _USER and _PASSWORD
    tasks: [{file: reviews.csv, key: review_id, fields: {review_text: text}}]

A field that is left out is left as people set it in Label Studio. Adding a section is adding a model here and a
module that plans it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError

from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.errors import ConfigError
from sdk_scripts.guidelines import MAX_CHARACTERS, instructions_html
from sdk_scripts.manifest_errors import dotted, reasons
from sdk_scripts.manifest_schema import Project, TaskSource
from sdk_scripts.marked_yaml import MarkedYaml, YamlProblem, read_yaml
from sdk_scripts.quality import Quality, read_quality


@dataclass(frozen=True)
class Manifest:
    """A project.yaml with the files it names."""

    path: Path
    project: Project
    label_config: str
    instructions: str | None
    """HTML, or None where the manifest names no guidelines."""
    quality: Quality | None = None
    """What its rules.yaml says."""

    @property
    def name(self) -> str:
        return self.project.name

    @cached_property
    def config(self) -> LabelConfig:
        return parse(self.label_config)

    def source_path(self, source: TaskSource) -> Path:
        return (self.path.parent / source.file).resolve()


def find_manifests(path: Path) -> list[Path]:
    """The project.yaml at a path: the file itself, the one in a folder, or those in its sub-folders.

    Raises ConfigError where there is none.
    """
    if path.is_dir():
        found = [path / "project.yaml"] if (path / "project.yaml").is_file() else sorted(path.glob("*/project.yaml"))
    else:
        found = [path] if path.is_file() else []
    if not found:
        raise ConfigError(f"There is no project.yaml at {path}.", mend="Name a project.yaml, or a folder that has one.")
    return found


def load_manifest(path: Path) -> Manifest:
    """Read a manifest and its files. Raises ConfigError with every reason: file, line, field and mend."""
    marked = _read_marked(path)
    try:
        project = Project.model_validate(marked.data)
    except ValidationError as error:
        raise _cannot_be_used(path, reasons(error, marked, path, Project)) from None
    problems: list[str] = []
    config = _text(path, project.label_config, "label_config", marked, problems)
    guidelines = None
    if project.guidelines is not None:
        guidelines = _text(path, project.guidelines, "guidelines", marked, problems)
        if guidelines is not None and len(guidelines) > MAX_CHARACTERS:
            problems.append(f"{path.parent / project.guidelines}: is over {MAX_CHARACTERS:,} characters; shorten it")
    if project.quality is not None:
        _text(path, project.quality, "quality", marked, problems)
    if config is not None:
        problems += _config_problems(path.parent / project.label_config, config)
    if not problems:
        parsed = parse((config or "").strip())
        problems += _source_problems(path, project, parsed, marked)
        problems += _standard_problems(path, project, parsed, marked)
        problems += _policy_problems(path, project, marked)
    if problems:
        raise _cannot_be_used(path, problems)
    watched = None if project.quality is None else read_quality(path.parent / project.quality, parsed)
    return Manifest(
        path=path,
        project=project,
        label_config=(config or "").strip(),
        instructions=None if guidelines is None else instructions_html(guidelines),
        quality=watched,
    )


def _cannot_be_used(path: Path, problems: list[str]) -> ConfigError:
    return ConfigError(f"{path} cannot be used:", problems, mend="Mend these, then run it again.")


def _read_marked(path: Path) -> MarkedYaml:
    try:
        marked = read_yaml(path.read_text("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.", mend="Check the path.") from None
    except UnicodeDecodeError as error:
        line = 1 + error.object.count(b"\n", 0, error.start)
        raise ConfigError(f"{path}:{line}: is not UTF-8 text.", mend="Save it as UTF-8.") from None
    except YamlProblem as problem:
        raise _cannot_be_used(path, [f"{path}:{problem.line}: {problem.reason}"]) from None
    if not isinstance(marked.data, dict):
        raise ConfigError(f"{path}:1: is not a mapping of fields.", mend="Start with `name:` and `title:`.")
    return marked


def _text(path: Path, file: Path, field: str, marked: MarkedYaml, problems: list[str]) -> str | None:
    """A file of the manifest's folder; where it cannot be read, None and a problem more."""
    where, folder = f"{path}:{marked.line((field,))}: {field}", path.parent.resolve()
    target = (folder / file).resolve()
    if not target.is_relative_to(folder):
        problems.append(f"{where}: {file} leads out of the manifest's folder; keep the file inside it")
        return None
    try:
        return target.read_text("utf-8-sig")
    except FileNotFoundError:
        problems.append(f"{where}: there is no file {file} beside the manifest; add it or correct the name")
    except UnicodeDecodeError as error:
        line = 1 + error.object.count(b"\n", 0, error.start)
        problems.append(f"{path.parent / file}:{line}: is not UTF-8 text; save it as UTF-8")
    except (OSError, ValueError) as error:
        problems.append(f"{where}: {file} cannot be read ({getattr(error, 'strerror', None) or error})")
    return None


def _config_problems(file: Path, xml: str) -> Iterator[str]:
    """The config's problems, each with the line of the tag it names."""
    try:
        parse(xml.strip())
    except ConfigError as error:
        skipped = xml[: len(xml) - len(xml.lstrip())].count("\n")
        for reason in error.reasons or (f"{error.what} {error.mend}",):
            known = re.search(r"\bline (\d+)", reason)
            said = re.sub(r"^line \d+: ", "", reason)
            yield f"{file}:{int(known[1]) + skipped if known else 1}: {said}"


def _source_problems(path: Path, project: Project, config: LabelConfig, marked: MarkedYaml) -> Iterator[str]:
    """Task sources that cannot fit: out of the folder, of an unknown format, without what the screen shows."""
    from sdk_scripts.row_formats import format_of
    from sdk_scripts.task_sources import needed_fields

    needed = {field.split(".")[0].split("[")[0] for field in needed_fields(config)}
    for index, source in enumerate(project.tasks):
        where = f"{path}:{marked.line(('tasks', index, 'file'))}: tasks[{index}]"
        target, folder = (path.parent / source.file).resolve(), path.parent.resolve()
        if not source.outside_folder and not target.is_relative_to(folder):
            yield f"{where}: {source.file} leads out of the manifest's folder; is it meant? `outside_folder: true`"
        try:
            format_of(source.file, source.format)
        except ConfigError as error:
            yield f"{where}: {error}"
        if source.fields is not None and (missing := sorted(needed - set(source.fields.values()))):
            shown = ", ".join(f"${field}" for field in missing)
            yield f"{where}.fields: the label config shows {shown}; map a column to {', '.join(missing)}"
    names = [source.name for source in project.tasks]
    for index, source in enumerate(project.tasks):
        if source.key is not None and len(names) > 1 and names.count(source.name) > 1:
            line = marked.line(("tasks", index, "file"))
            yield (
                f"{path}:{line}: tasks[{index}]: several sources have the name {source.name!r}, so equal keys would be "
                "taken for one task; give each a `name`"
            )


def _standard_problems(path: Path, project: Project, config: LabelConfig, marked: MarkedYaml) -> Iterator[str]:
    from sdk_scripts import standards

    for place, why in standards.problems(project.hard_cases, config) if project.hard_cases else ():
        where = ("hard_cases", *place)
        yield f"{path}:{marked.line(where)}: {dotted(where)}: {why}"


def _policy_problems(path: Path, project: Project, marked: MarkedYaml) -> Iterator[str]:
    from ml_backend.settings import named_secret

    if project.policy and project.policy.seeded and not named_secret("TIEBREAK_POLICY_SECRET"):
        line = marked.line(("policy", "seeded"))
        yield (
            f"{path}:{line}: policy.seeded: needs the setting TIEBREAK_POLICY_SECRET, the same on all machines, "
            "so that nobody can tell which predictions are wrong on purpose"
        )
