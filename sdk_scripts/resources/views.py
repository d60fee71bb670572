"""Data Manager views. One is found by its title; the key `tiebreak` in its data says that sync made it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sdk_scripts.manifest_schema import COLUMNS, TASK_KEY, View
from sdk_scripts.marks import VIEW_KEY, Mark, read_mark
from sdk_scripts.plan import Draft, created, diffs

BOOKKEEPING = (
    "inner_id", "completed_at", "cancelled_annotations", "annotators", "annotations_results", "annotations_ids",
    "predictions_model_versions", "predictions_results", "file_upload", "storage_filename", "created_at", "updated_at",
    "updated_by", "avg_lead_time", "draft_exists", f"data.{TASK_KEY}",
)  # fmt: skip
"""Hidden in a new view that does not say what to hide, so that the task itself is on the screen, as in the tab that
Label Studio makes; what people show or hide later stays."""


def plan_views(draft: Draft, current: Sequence[Mapping[str, Any]]) -> None:
    name = draft.manifest.name
    named: set[int] = set()
    for view in draft.manifest.project.views:
        found = _find(current, view.title, name)
        wanted = view_data(view)
        if found is None:
            payload = {**_hiding(BOOKKEEPING), **wanted, VIEW_KEY: str(Mark(name))}
            draft.change("create", "view", view.title, created(_shown(wanted)), payload=payload)
            continue
        named.add(int(found["id"]))
        if changed := diffs(_shown(found["data"], wanted), _shown(wanted)):
            mark = _mark(found) or Mark(name, adopted=True)
            draft.change(
                "update",
                "view",
                view.title,
                changed,
                target=int(found["id"]),
                payload={**found["data"], **wanted, VIEW_KEY: str(mark)},
            )
    for view_json in current:
        made = _mark(view_json)
        if made and made.name == name and not made.adopted and int(view_json["id"]) not in named:
            draft.no_longer_named("view", str(view_json["data"].get("title")), int(view_json["id"]))


def view_data(view: View) -> dict[str, Any]:
    """The view as Label Studio keeps it."""
    data: dict[str, Any] = {
        "title": view.title,
        "type": view.layout,
        "filters": {
            "conjunction": "and" if view.match == "all" else "or",
            "items": [
                {
                    "filter": f"filter:tasks:{one.column}",
                    "operator": one.operator,
                    "type": one.type or COLUMNS.get(one.column) or _type_of(one.value),
                    "value": one.value,
                }
                for one in view.filters
            ],
        },
        "ordering": [],
    }
    if view.order_by:
        data["ordering"] = ["-" * view.order_by.startswith("-") + "tasks:" + view.order_by.removeprefix("-")]
    if view.numbers:
        data["columnsDisplayType"] = {f"tasks:{column}": "Number" for column in view.numbers}
    if view.hidden_columns is not None:
        data |= _hiding(view.hidden_columns)
    return data


def _hiding(columns: Iterable[str]) -> dict[str, Any]:
    hidden = [f"tasks:{column}" for column in columns]
    return {"hiddenColumns": {"explore": hidden, "labeling": hidden}}


def _type_of(value: object) -> str:
    """The filter type of a data column, by the value it is compared with."""
    if isinstance(value, dict):
        value = next(iter(value.values()), "")
    if isinstance(value, bool):
        return "Boolean"
    return "Number" if isinstance(value, int | float) else "List" if isinstance(value, list) else "String"


def _shown(data: Mapping[str, Any], asked: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What is compared and printed: an empty filter or order has several spellings in Label Studio."""
    filters = data.get("filters") or {}
    items = filters.get("items") or ()
    shown: dict[str, Any] = {
        "filters": [_filter_shown(item) for item in items],
        "match": "any" if len(items) > 1 and filters.get("conjunction") == "or" else "all",
        "order_by": ", ".join(str(column).replace("tasks:", "", 1) for column in data.get("ordering") or ()),
        "layout": data.get("type", "list"),
    }
    if "columnsDisplayType" in (data if asked is None else asked):
        display = data.get("columnsDisplayType") or {}
        shown["numbers"] = sorted(
            str(column).replace("tasks:", "", 1) for column in display if display[column] == "Number"
        )
    if "hiddenColumns" in (data if asked is None else asked):
        hidden = (data.get("hiddenColumns") or {}).get("explore") or ()
        shown["hidden_columns"] = sorted(str(column).replace("tasks:", "", 1) for column in hidden)
    return shown


def _filter_shown(item: Mapping[str, Any]) -> str:
    column = str(item.get("filter")).removeprefix("filter:tasks:")
    value = json.dumps(item.get("value"), ensure_ascii=False, sort_keys=True)
    return f"{column} {item.get('operator')} {value} ({item.get('type')})"


def _find(current: Sequence[Mapping[str, Any]], title: str, name: str) -> Mapping[str, Any] | None:
    """The view of a title; among several, the one that sync made."""
    found = [view for view in current if (view.get("data") or {}).get("title") == title]
    return next((view for view in found if (mark := _mark(view)) and mark.name == name), found[0] if found else None)


def _mark(view: Mapping[str, Any]) -> Mark | None:
    return read_mark((view.get("data") or {}).get(VIEW_KEY))
