"""The project itself: title, description, label config, instructions, overlap, sampling and what annotators may do.

It is found again by the line `tiebreak: <name>` at the end of its description, whatever its title has become.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import canonicalize

from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.errors import ConfigError
from ml_backend.policy import policy_line, stop_line
from sdk_scripts import standards
from sdk_scripts.dropped_labels import dropped, usages
from sdk_scripts.guidelines import same_html
from sdk_scripts.manifest import Manifest
from sdk_scripts.marks import Labeling, Mark, marked, read_mark, read_quality_line, read_standard, unmarked
from sdk_scripts.plan import Diff, Draft, Refusal, created, diffs

SAMPLING = {
    "sequential": "Sequential sampling",
    "uniform": "Uniform sampling",
    "uncertainty": "Uncertainty sampling",
}
AS_IT_IS = (
    "title",
    "color",
    "show_instruction",
    "show_skip_button",
    "enable_empty_annotation",
    "show_annotation_history",
    "show_collab_predictions",
    "evaluate_predictions_automatically",
    "reveal_preannotations_interactively",
    "annotator_evaluation_enabled",
    "skip_queue",
)
"""Fields of a project that a manifest names as Label Studio does."""


def find_project(projects: Iterable[Mapping[str, Any]], name: str) -> dict[str, Any] | None:
    """The project that bears a manifest's mark, or None. Raises ConfigError where several do (somebody copied one)."""
    found = [dict(p) for p in projects if (mark := read_mark(p.get("description"))) and mark.name == name]
    if len(found) > 1:
        raise ConfigError(
            f"{len(found)} projects have the line `tiebreak: {name}` in their description:",
            [f"project {project['id']}, {project.get('title')!r}" for project in found],
            mend="Remove the line from the description of all but the one that the manifest governs.",
        )
    return found[0] if found else None


def plan_project(
    draft: Draft,
    current: Mapping[str, Any] | None,
    namesakes: Sequence[Mapping[str, Any]],
    read_tasks: Callable[[], Iterable[Mapping[str, Any]]],
) -> None:
    """`namesakes` are other projects of the same title; `read_tasks` reads the current project's, where it must."""
    manifest = draft.manifest
    wanted = wanted_fields(manifest, current)
    if current is None:
        for other in namesakes:
            draft.note(
                f"project {other['id']} is titled {other['title']!r} too, but is not this manifest's; to have it "
                f"governed instead of a new one, end its description with the line `tiebreak: {manifest.name}`"
            )
        draft.change("create", "project", manifest.name, _shown(created(wanted)), payload=wanted)
        return
    found = {name: diff for name, diff in diffs(current, wanted).items() if not _same(name, diff)}
    if not found:
        return
    if "label_config" in found:
        _check_labels(draft, current, read_tasks)
    draft.change(
        "update",
        "project",
        manifest.name,
        _shown(found),
        target=int(current["id"]),
        payload={name: wanted[name] for name in found},
    )


def wanted_fields(manifest: Manifest, current: Mapping[str, Any] | None) -> dict[str, Any]:
    """Label Studio's fields as the manifest wants them; those it does not mention are left out."""
    project = manifest.project
    fields: dict[str, Any] = {name: value for name in AS_IT_IS if (value := getattr(project, name)) is not None}
    written = unmarked((current or {}).get("description")) if project.description is None else project.description
    says = project.labeling
    labeling = Labeling(says.batch, round(says.exploration, 4), says.most_annotations) if says else None
    standard = project.hard_cases.line() if project.hard_cases else None
    policy = project.policy.line() if project.policy else None
    stop = stop_line((current or {}).get("description")) if project.policy and project.policy.accept else None
    quality = manifest.quality.line() if manifest.quality else None
    fields["description"] = marked(written, Mark(manifest.name, labeling=labeling), standard, policy, stop, quality)
    fields["label_config"] = manifest.label_config
    if manifest.instructions is not None:
        fields["expert_instruction"] = manifest.instructions
    if project.sampling is not None:
        fields["sampling"] = SAMPLING[project.sampling]
    if project.overlap is not None:
        fields["maximum_annotations"] = project.overlap.maximum_annotations
        if project.overlap.cohort_percentage is not None:
            fields["overlap_cohort_percentage"] = project.overlap.cohort_percentage
        if project.overlap.show_first is not None:
            fields["show_overlap_first"] = project.overlap.show_first
    return fields


def same_config(left: str, right: str) -> bool:
    """Whether two label configs are the same XML: comments and the space between tags aside."""
    try:
        parse(left), parse(right)  # refuses DTDs and entities before the canonical form is built
        return canonicalize(left, strip_text=True) == canonicalize(right, strip_text=True)
    except (ConfigError, ValueError, SyntaxError):
        return left.strip() == right.strip()


def _same(name: str, diff: Diff) -> bool:
    before, after = diff.before or "", diff.after or ""
    match name:
        case "label_config":
            return same_config(str(before), str(after))
        case "expert_instruction":
            return same_html(str(before), str(after))
        case "description" | "title":
            return str(before).replace("\r\n", "\n").strip() == str(after).strip()
        case "color":
            return str(before).upper() == str(after).upper()
    return False


def _shown(fields: Mapping[str, Diff]) -> dict[str, Diff]:
    """Under the names the manifest uses."""
    names = {
        "expert_instruction": "guidelines",
        "maximum_annotations": "overlap.maximum_annotations",
        "overlap_cohort_percentage": "overlap.cohort_percentage",
        "show_overlap_first": "overlap.show_first",
    }
    shown = {names.get(name, name): diff for name, diff in fields.items()}
    if about := shown.get("description"):
        before, after = read_mark(about.before), read_mark(about.after)
        says = Diff(_said(before), _said(after))
        hard = Diff(standards.shown(read_standard(about.before)), standards.shown(read_standard(about.after)))
        who = Diff(standards.shown(policy_line(about.before)), standards.shown(policy_line(about.after)))
        stop = Diff(standards.shown(stop_line(about.before)), standards.shown(stop_line(about.after)))
        watched = [standards.shown(read_quality_line(text)) for text in (about.before, about.after)]
        lines = {
            "labeling": says,
            "hard_cases": hard,
            "quality": Diff(*watched),
            "policy": who,
            "auto-accept stopped": stop,
        }
        kept = {name: diff for name, diff in lines.items() if diff.before != diff.after}
        shown["description"] = Diff(unmarked(about.before) or None, unmarked(about.after) or None)
        if kept and shown["description"].before == shown["description"].after:
            del shown["description"]
        shown |= kept
    return shown


def _said(mark: Mark | None) -> str | None:
    return str(mark.labeling) if mark and mark.labeling else None


def _check_labels(
    draft: Draft, current: Mapping[str, Any], read_tasks: Callable[[], Iterable[Mapping[str, Any]]]
) -> None:
    """Refuses to drop what annotations use, with the numbers."""
    before = _readable(str(current.get("label_config") or ""))
    gone = dropped(before, draft.manifest.config) if before else ()
    if not gone or not (current.get("total_annotations_number", 1) or current.get("skipped_annotations_number", 1)):
        return
    for use in usages(read_tasks(), gone):
        if use.dropped.label is None:
            draft.refusals.append(
                Refusal(
                    f"{draft.manifest.name}: control {use}; Label Studio keeps a control that annotations use, so "
                    "--force does not help: keep it in the config, or delete those annotations first",
                    forcible=False,
                )
            )
        else:
            draft.refusals.append(Refusal(f"{draft.manifest.name}: {use}; --force to drop it anyway"))


def _readable(xml: str) -> LabelConfig | None:
    try:
        return parse(xml)
    except ConfigError:
        return None
