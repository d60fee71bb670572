"""The feedback project of a source: a task a group of comments, where a lead says what was done about it.

It is a satellite. Which comments a group has is kept in its task's data, which everybody signed in can edit: what does
not hold together there is passed over. What was decided is the newest answer to the task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, StrictUndefined

from ml_backend.labeling.kinds import string
from ml_backend.labeling.results import Annotation, project_key, read_annotation
from sdk_scripts import wording
from sdk_scripts.satellites import ITEM, About, Satellite, fill, items_of, make_satellite, satellites_of

if TYPE_CHECKING:
    from ml_backend.studio import Studio

STATES = {
    "open": "Open",
    "answered": "Answered",
    "guideline_changed": "Guideline changed",
    "label_added": "Label added",
    "will_not_change": "Will not change",
}
"""Alias -> what the lead reads."""
MOST_EXAMPLES = 8
MAX_DONE = 2_000
"""Characters of what was done that are kept."""

_CHOICES = "\n".join(f'      <Choice value="{words}" alias="{alias}"/>' for alias, words in STATES.items())
CONFIG = f"""<View>
  <Style>
    .tb-card {{ border: 1px solid var(--color-neutral-border, #ddd); border-radius: 8px; padding: .75rem 1rem; margin-bottom: .75rem }}
    .tb-soft {{ opacity: .65 }}
    .tb-list {{ margin: .5rem 0; padding-left: 1.1rem; list-style: disc }}
  </Style>
  <Header value="$title" size="4"/>
  <View className="tb-card">
    <HyperText name="group" value="$panel" valueType="text" inline="true" clickableLinks="true"/>
  </View>
  <View className="tb-card">
    <Choices name="state" toName="group" choice="single-radio" required="true" requiredMessage="Say what became of it.">
{_CHOICES}
    </Choices>
    <TextArea name="done" toName="group" rows="3" maxSubmissions="1" editable="true" showSubmitButton="false" placeholder="What was done, in a sentence that those who spoke up may read"/>
  </View>
</View>"""  # noqa: E501
INSTRUCTION = (
    "<p>Each task is a group of comments that annotators left in the feedback panel. Say what became of it and what "
    "was done. A closed group that gets new comments is listed again by <code>tiebreak feedback</code>: open its task, "
    "and update the answer.</p>"
)

_PANEL = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string("""
<p><b>{{ size }}</b> {{ "comment" if size == 1 else "comments" }} of {{ people }} {{ "annotator" if people == 1 else
"annotators" }}, {{ kind }}{% if pair %}; {{ pair[0] }}: they say {{ pair[1] }}, the others {{ pair[2] }}{% endif %}
{% if times %}; {{ times }}{% endif %}</p>
<ul class="tb-list">{% for one in examples %}
<li>{{ one.text or "(nothing written)" }} <span class="tb-soft">
<a href="{{ one.link }}" target="_blank" rel="noopener">task {{ one.task }}</a></span></li>
{% endfor %}</ul>
{% if section %}<p class="tb-soft">The guidelines, {{ section.heading or "above the first heading" }}:</p>
<p>{{ section.text }}</p>{% endif %}
""")


@dataclass(frozen=True, slots=True)
class State:
    """What a lead said of a group."""

    state: str = "open"
    """Of STATES."""
    done: str = ""
    by: str = ""
    at: datetime | None = None

    @property
    def closed(self) -> bool:
        return self.state != "open"


@dataclass(frozen=True)
class Kept:
    """What the feedback project knows."""

    satellite: Satellite | None = None
    tasks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Group -> its task."""
    states: Mapping[str, State] = field(default_factory=dict)
    groups: Mapping[int, str] = field(default_factory=dict)
    """Comment -> the group it has."""


def read_kept(studio: Studio, source: Mapping[str, Any]) -> Kept:
    """Raises StudioError."""
    found = satellites_of(studio, source, "feedback")
    if not found:
        return Kept()
    people = studio.annotators()
    tasks = items_of(studio.tasks(found[0].id))
    states = {id: _state(task, people) for id, task in tasks.items()}
    groups: dict[int, str] = {}
    for id, task in sorted(tasks.items(), key=lambda item: item[1]["id"]):
        kept = task["data"].get("comments")
        for comment in kept if isinstance(kept, list) else ():
            if isinstance(comment, int) and not isinstance(comment, bool):
                groups.setdefault(comment, id)
    return Kept(found[0], tasks, states, groups)


def keep(studio: Studio, source: Mapping[str, Any], kept: Kept, wanted: Sequence[Mapping[str, Any]]) -> Satellite:
    """Bring the feedback project to these tasks' data (`task_data`): made where there is none, a task for each new
    group, the data of others brought up to date. Answers stay. Raises StudioError, InputError."""
    about = About(project_key(source), "feedback", "feedback")
    title = f"{wording.short(str(source.get('title') or source['id']), 38)} – feedback"
    satellite = make_satellite(studio, source, about, title=title, label_config=CONFIG, instruction=INSTRUCTION)
    there = kept.tasks if kept.satellite and kept.satellite.id == satellite.id else {}
    fill(studio, satellite, [{"data": data} for data in wanted if data[ITEM] not in there])
    for data in wanted:
        task = there.get(data[ITEM])
        if task is not None and task["data"] != data:
            studio.update_task_data(task["id"], data)
    return satellite


def task_data(
    id: str,
    title: str,
    *,
    kind: str,
    pair: Sequence[str] | None,
    comments: Sequence[int],
    people: int,
    times: str,
    examples: Sequence[Mapping[str, Any]],
    section: Mapping[str, str] | None,
) -> dict[str, Any]:
    """`title` and all of `examples` ({text, task, link}) are foreign text; in the panel, which is HTML, it is
    escaped."""
    panel = _PANEL.render(
        size=len(comments),
        people=people,
        kind=kind,
        pair=pair,
        times=times,
        examples=examples[:MOST_EXAMPLES],
        section=section,
    )
    return {
        ITEM: id,
        "title": title,
        "kind": kind,
        "size": len(comments),
        "comments": sorted(comments),
        "panel": panel.strip(),
    }


def _state(task: Mapping[str, Any], people: Mapping[int, str]) -> State:
    listed = task.get("annotations")
    given = [
        read_annotation(it, people)
        for it in (listed if isinstance(listed, list) else ())
        if isinstance(it, Mapping) and isinstance(it.get("result"), list) and not it.get("was_cancelled")
    ]
    if not given:
        return State()
    newest = max(given, key=lambda it: (_age(it), it.id))
    chosen = _values(newest, "state", "choices")
    done = wording.short(" ".join(_values(newest, "done", "text")), MAX_DONE)
    state = chosen[0] if len(chosen) == 1 and chosen[0] in STATES else "open"
    return State(state, done, newest.annotator, newest.updated_at or newest.created_at)


def _age(annotation: Annotation) -> float:
    at = annotation.updated_at or annotation.created_at
    return at.timestamp() if at else 0.0


def _values(annotation: Annotation, control: str, name: str) -> list[str]:
    found = [it["value"].get(name) for it in annotation.regions if it.get("from_name") == control]
    words = [one for value in found for one in (value if isinstance(value, list) else [value])]
    return [word for one in words if (word := string(one))]
