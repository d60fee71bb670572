"""What a course shows above the controls: where one is, and what was right of what one has answered.

Texts, reasons and answers come from the web and from annotators, so all of it is escaped (Jinja2's autoescape) and cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from defusedxml.ElementTree import fromstring
from jinja2 import DictLoader, Environment, StrictUndefined

from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.task_data import text_of
from sdk_scripts.guideline_excerpt import Excerpt, excerpt
from sdk_scripts.onboarding.certificates import is_right
from sdk_scripts.onboarding.course import PANEL
from sdk_scripts.onboarding.questions import Question, shown
from sdk_scripts.wording import short, show_key

MAX_TEXT = 600
"""Characters of an item in a recap; the task itself has all of it."""
MAX_REASON = 600

_STYLE = """
.tb-course { border: 1px solid var(--color-neutral-border, #ddd); border-radius: 8px; padding: .75rem 1rem;
  margin-bottom: 1rem; max-height: 50vh; overflow-y: auto; line-height: 1.5 }
.tb-course p { margin: 0 0 .35rem }
.tb-item { border-top: 1px solid var(--color-neutral-border, #ddd); padding: .5rem 0 }
.tb-soft { opacity: .7 }
.tb-right { color: #2f855a; font-weight: 600 }
.tb-wrong { color: #c53030; font-weight: 600 }
"""
_TEMPLATES = {
    "answers": """
{%- for row in rows -%}
<p>{% if several %}<b>{{ row.control }}</b>: {% endif %}
{%- if row.right %}<span class="tb-right">✓ Right: {{ row.answer }}</span>
{%- else %}<span class="tb-wrong">✗ {{ row.given or "No answer" }}</span> – right is <b>{{ row.answer }}</b>
{%- endif %}</p>
{%- if row.why %}<p>{{ row.why }}</p>{% endif -%}
{%- if row.clause or row.excerpt %}<p class="tb-soft">Guidelines, {{ row.clause or row.excerpt.heading }}
{%- if row.excerpt %}: {{ row.excerpt.text }}{% endif %}</p>{% endif -%}
{%- endfor -%}
""",
    "recap": """
<p><b>{{ title }}</b></p>
{%- for it in items -%}
<div class="tb-item"><p>{{ it.text }}</p>{{ it.answers }}
{%- if it.link %}<p><a href="{{ it.link }}" target="_blank" rel="noopener">Open task {{ it.task }}</a></p>{% endif -%}
</div>
{%- endfor -%}
""",
    "place": "<p><b>{{ title }}</b></p><p class='tb-soft'>{{ what }}</p>{% if recap %}<hr>{{ recap }}{% endif %}",
    "answered": "<p><b>{{ title }}</b></p>{{ answers }}",
}


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of one question, for the recap."""

    task: int
    question: Question
    given: Mapping[str, str]
    link: str = ""


@cache
def _templates() -> Environment:
    return Environment(loader=DictLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)


def _render(name: str, **values: Any) -> Any:
    from markupsafe import Markup

    return Markup(" ".join(_templates().get_template(name).render(**values).split()))  # noqa: S704  # escaped above


def course_config(source: str) -> str:
    """The source's label config with the panel above it. Raises ConfigError for one that cannot be read, asks nothing,
    or has something of the panel's name."""
    parse(source)
    root: Element = fromstring(source, forbid_dtd=True)
    whole = Element("View")
    SubElement(whole, "Style").text = _STYLE
    panel = SubElement(whole, "View", {"className": "tb-course"})
    told = {"name": PANEL, "value": f"${PANEL}", "valueType": "text", "inline": "true", "clickableLinks": "true"}
    SubElement(panel, "HyperText", told)
    whole.append(root)
    xml = tostring(whole, encoding="unicode")
    parse(xml)
    return xml


def answered_panel(config: LabelConfig, instruction: str, title: str, it: Answered) -> str:
    """Of a finished task: what was answered, whether it was right, what is, and why."""
    return str(_render("answered", title=title, answers=_answers(config, instruction, it)))


def recap_panel(config: LabelConfig, instruction: str, title: str, some: Iterable[Answered]) -> str:
    """Of a finished set, to stand in front of the next one."""
    items = [
        {
            "text": short(text_of(seen := shown(config, it.question.data), list(seen)), MAX_TEXT),
            "answers": _answers(config, instruction, it),
            "task": it.task,
            "link": it.link,
        }
        for it in some
    ]
    return str(_render("recap", title=title, items=items))


def place_panel(title: str, what: str, recap: str = "") -> str:
    """Of a task that is to be answered. `recap` is HTML of `recap_panel`."""
    from markupsafe import Markup

    return str(_render("place", title=title, what=what, recap=Markup(recap)))  # noqa: S704  # HTML of ours


def _answers(config: LabelConfig, instruction: str, it: Answered) -> Any:
    rows = []
    for name, key in it.question.answers.items():
        reason = it.question.reasons.get(name)
        given = it.given.get(name)
        answer = show_key(config[name], key)
        clause = reason.clause if reason else ""
        rows.append(
            {
                "control": name,
                "answer": answer,
                "given": show_key(config[name], given) if given is not None else "",
                "right": is_right(config, name, given, key),
                "why": short(reason.rationale, MAX_REASON) if reason else "",
                "clause": short(clause, MAX_REASON),
                "excerpt": _section(instruction, clause, answer),
            }
        )
    return _render("answers", rows=rows, several=len(rows) > 1)


def _section(instruction: str, clause: str, answer: str) -> Excerpt | None:
    """The part of the guidelines that the clause names, else that speaks of the answer."""
    return (excerpt(instruction, [clause]) if clause else None) or excerpt(instruction, answer.split(", "))
