"""The panels of a review task as HTML.

Everything shown comes from annotators, models or the web, so all of it is escaped (Jinja2's autoescape), and only
addresses that can do nothing but load a picture or open a page are let through. The class names are styled by the
<Style> of `label_configs/hard_case_review/config.xml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined

from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.task_data import lookup, text_of
from sdk_scripts.plain_text import plain_text

MAX_TEXT = 5_000
"""Characters of one field; the rest is behind the link to the task."""
MAX_PICTURE = 200_000
"""Characters of a picture that stands in the data itself (data:image/…)."""

_WEB = re.compile(r"^https?://[^\s\"'<>]+$", re.IGNORECASE)
_LOCAL = re.compile(r"^/(?![/\\])[^\s\"'<>\\]*$")
_INLINE = re.compile(r"^data:image/(?:png|jpe?g|gif|webp);base64,[A-Za-z0-9+/=]+$", re.IGNORECASE)

_TEMPLATES = {
    "item": """
{%- for part in parts -%}
<div class="tb-part">
<span class="tb-name">{{ part.name }}</span>
{% if part.pictures -%}
{% for address in part.pictures %}<img class="tb-picture" src="{{ address }}" alt="{{ part.name }}">{% endfor %}
{%- elif part.rows -%}
<table class="tb-table">{% for name, value in part.rows %}<tr><th>{{ name }}</th><td>{{ value }}</td></tr>{% endfor %}
</table>
{%- else -%}
{% for line in part.text.split("\n") %}<p>{{ line }}</p>{% endfor %}
{%- endif %}
</div>
{%- endfor -%}
{%- if link %}<p class="tb-link">
<a href="{{ link }}" target="_blank" rel="noopener">Open task {{ task }}</a></p>{% endif -%}
""",
    "reasons": """
<ul class="tb-list">{% for reason in reasons -%}
<li><span class="tb-detail">{{ reason.detail }}</span> <span class="tb-soft">{{ reason.signal.replace("_", " ") }},
{{ "%.2f" | format(reason.score) }}</span></li>
{%- endfor %}</ul>
""",
    "votes": """
{%- if rows -%}
<table class="tb-table">
<tr><th>Annotator</th>{% for control in controls %}<th>{{ control }}</th>{% endfor %}<th>When</th></tr>
{%- for row in rows -%}
<tr><td>{{ row.annotator }}</td>{% for control in controls %}<td>{{ row.answers.get(control, "–") }}</td>{% endfor %}
<td>{% for part in (row.when or "–").split() %}<span class="tb-when">{{ part }}</span> {% endfor %}</td></tr>
{%- endfor -%}
</table>
{%- else -%}
<p class="tb-soft">Nobody has answered yet.</p>
{%- endif -%}
""",
    "unseen": """
<p class="tb-soft">Not shown: this task was drawn to check its label. Decide it as if nobody had.</p>
""",
    "model": """
{%- if shares -%}
<table class="tb-table">{% for name, probability in shares -%}
<tr><td>{{ name }}</td><td class="tb-number">{{ "%.2f" | format(probability) }}</td></tr>
{%- endfor %}</table><p class="tb-soft">{{ who }}</p>
{%- else -%}
<p class="tb-soft">The model has no opinion.</p>
{%- endif -%}
""",
    "precedents": """
{%- if rows -%}
<ul class="tb-list">{% for row in rows -%}
<li><b>{{ row.answer }}</b> <span class="tb-soft">{{ row.who }}</span><br>{{ row.text }}
{% if row.link %}<a href="{{ row.link }}" target="_blank" rel="noopener">task {{ row.task }}</a>
{%- else %}<span class="tb-soft">task {{ row.task }}</span>{% endif %}</li>
{%- endfor %}</ul>
{%- else -%}
<p class="tb-soft">No task like this one has an agreed answer.</p>
{%- endif -%}
""",
    "guideline": """
{%- if excerpt -%}
{% if excerpt.heading %}<b>{{ excerpt.heading }}</b>{% endif %}
{%- for line in excerpt.text.split("\n") %}<p>{{ line }}</p>{% endfor %}
{%- else -%}
<p class="tb-soft">The project's instructions do not name these answers.</p>
{%- endif -%}
""",
}


@cache
def _templates() -> Environment:
    return Environment(loader=DictLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)


def panel(name: str, **values: Any) -> str:
    """One panel's HTML. `name` is a key of the templates above; every value in `values` is escaped."""
    return " ".join(_templates().get_template(name).render(**values).split())


@dataclass(frozen=True, slots=True)
class Part:
    """One field of task data as it is shown: pictures, else rows of a table, else text."""

    name: str
    text: str = ""
    rows: tuple[tuple[str, str], ...] = ()
    pictures: tuple[str, ...] = ()


def parts_of(config: LabelConfig, data: Mapping[str, Any]) -> list[Part]:
    """What an annotator sees of a task, in the config's order; all its fields where the config shows none."""
    tags = {source.field: source.tag for source in reversed(config.sources) if source.field}
    fields = dict.fromkeys(source.field for source in config.sources if source.field) or dict.fromkeys(data)
    return list(_parts(data, [(field, tags.get(field, "Text")) for field in fields]))


def _parts(data: Mapping[str, Any], shown: list[tuple[str, str]]) -> Iterator[Part]:
    for field, tag in shown:
        value = lookup(data, field)
        if value is None or value == "":
            continue
        if tag == "Image":
            addresses = value if isinstance(value, list) else [value]
            if pictures := tuple(address for address in addresses if is_picture(address)):
                yield Part(field, pictures=pictures)
                continue
        if isinstance(value, Mapping):
            yield Part(field, rows=tuple((_cut(str(key)), _cut(text_of(value, [key]))) for key in value))
        elif tag == "HyperText" and isinstance(value, str):
            yield Part(field, _cut(plain_text(value)))
        else:
            yield Part(field, _cut(text_of(data, [field])))


def is_picture(address: object) -> bool:
    """Whether an address may stand in <img src>: the web, this Label Studio, or a small picture in the data itself."""
    if not isinstance(address, str):
        return False
    return is_page(address) or bool(len(address) <= MAX_PICTURE and _INLINE.match(address))


def is_page(address: str) -> bool:
    """Whether an address may stand in <a href>."""
    return bool(_WEB.match(address) or _LOCAL.match(address))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
