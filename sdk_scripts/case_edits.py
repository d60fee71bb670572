"""Changing cases where they are kept: what a case is for, and that it holds under the guidelines of today."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ml_backend.cases import DATA_KEY, USE, Case, Use, all_cases, case_data, policy_version
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.errors import InputError
from sdk_scripts.case_panel import panel_regions

if TYPE_CHECKING:
    from ml_backend.studio import Studio


@dataclass(frozen=True, slots=True)
class Edited:
    changed: tuple[int, ...]
    """Cases, by their task in the library."""
    unchanged: tuple[int, ...]
    """Those that were so already."""

    def to_json(self) -> dict[str, Any]:
        return {"changed": list(self.changed), "unchanged": list(self.unchanged)}


def promote(
    studio: Studio, source: Mapping[str, Any], ids: Sequence[int], uses: Collection[Use], *, remove: bool = False
) -> Edited:
    """Have cases used so, or, with `remove`, not any more; their other uses stay. Raises InputError for an id that is
    no case of the source's, or a library that people made without the control."""
    cases = _chosen(studio, source, ids)
    libraries = {id: _library(studio, id) for id in {case.project for case in cases.values()}}
    changed = []
    for id, case in cases.items():
        wanted = set(case.uses) - set(uses) if remove else {*case.uses, *uses}
        if wanted == set(case.uses):
            continue
        stored = next(it for it in studio.task(id)["annotations"] if it["id"] == case.annotation)
        others = [region for region in stored["result"] if region.get("from_name") != USE]
        chosen = panel_regions(libraries[case.project], uses=wanted)
        studio.update_annotation(case.annotation, {"result": [*others, *chosen]})
        changed.append(id)
    return _edited(cases, changed)


def renew(studio: Studio, source: Mapping[str, Any], ids: Sequence[int] | None = None) -> Edited:
    """Have stale cases hold under the guidelines of today, all of them or these. Raises InputError for an id that is
    no case of the source's."""
    cases = _chosen(studio, source, ids)
    changed = []
    for id, case in cases.items():
        if case.stale:
            about = {**case_data(case.data), "policy": policy_version(source)}
            studio.update_task_data(id, {**case.data, DATA_KEY: about})
            changed.append(id)
    return _edited(cases, changed)


def _chosen(studio: Studio, source: Mapping[str, Any], ids: Sequence[int] | None) -> dict[int, Case]:
    known = {case.task: case for case in all_cases(studio, source, parse(str(source["label_config"])))}
    if unknown := sorted(set(ids or ()) - known.keys()):
        raise InputError(
            f"Project {source['id']} has no case {', '.join(map(str, unknown))}.",
            mend="`tiebreak cases list` shows the ids: those of the tasks in the library.",
        )
    return known if ids is None else {id: known[id] for id in dict.fromkeys(ids)}


def _library(studio: Studio, id: int) -> LabelConfig:
    config = parse(str(studio.project(id)["label_config"]))
    if USE not in config:
        raise InputError(
            f"The case library {id} was made without the control {USE}, which says what a case is for.",
            mend=f'Add <Choices name="{USE}" choice="multiple"> with precedent, gold and regression to its config.',
        )
    return config


def _edited(cases: Collection[int], changed: Sequence[int]) -> Edited:
    return Edited(tuple(changed), tuple(id for id in cases if id not in changed))
