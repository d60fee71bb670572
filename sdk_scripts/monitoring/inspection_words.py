"""Inspection in words: findings as people read them in a terminal, and the rules explained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sdk_scripts.tables import plain

CAUSES = {
    "annotator": "the annotator",
    "item": "the items",
    "guideline": "the guidelines",
    "process": "how the work is organised",
}
LINKS = 3


def sentences(document: Mapping[str, Any]) -> Iterator[str]:
    """Lines of `monitoring.Watched.to_json`, the severest findings first."""
    findings = document["findings"]
    for severity in ("high", "medium", "low"):
        group = [it for it in findings if it["severity"] == severity]
        if group:
            yield f"{severity.upper()} ({len(group)})"
        for it in group:
            yield from _finding(it)
    if not findings:
        yield "Nothing is found that nobody knows of." if document["acknowledged"] else "Nothing is found."
    if known := document["acknowledged"]:
        yield f"ACKNOWLEDGED ({len(known)})"
        for it in known:
            why = f"Known since {it['acknowledged_at'][:10]}: {it['acknowledged_why']}"
            yield f"  {plain(_name(it))}: {plain(it['message'])} {plain(why)}"
    for title, name, time in (
        ("CLEARED", "cleared", "cleared_at"),
        ("NOT FOUND THIS TIME, but it has come and gone before", "away", "seen"),
        ("NOT LOOKED FOR THIS TIME", "unseen", "seen"),
    ):
        if rows := document[name]:
            yield f"{title} ({len(rows)})"
            yield from (f"  {plain(_name(it))}, {plain(it[time])[:10]}" for it in rows)
    looked = len(document["measured"])
    since = document["compared_with"]
    yield f"{looked} rules could look, {document['tests']:,} tests; " + (
        f"compared with the inspection of {plain(since)}." if since else "there is no earlier inspection."
    )
    if document["applied"]:
        made = sum(it["created"] for it in document["reviews"].values())
        yield f"Kept. {made} review tasks made; alert: {(document['alert'] or {}).get('outcome', 'off')}."
    elif document["stored"] and findings:
        yield "Nothing is written: --apply keeps this, tells people and opens review tasks."


def rule_list() -> list[dict[str, Any]]:
    """Every rule: name, dimension, severity, why, do, and its parameters with their defaults."""
    from sdk_scripts.rules import RULES

    return [
        {
            "rule": name,
            "dimension": rule.dimension,
            "severity": rule.severity,
            "why": rule.why,
            "do": rule.do,
            "how": " ".join((type(rule).__doc__ or "").split()),
            "parameters": {
                field: {"default": it.get_default(call_default_factory=True), "description": it.description or ""}
                for field, it in rule.parameters.model_fields.items()
            },
        }
        for name, rule in RULES.items()
    ]


def rules_in_words(rules: list[dict[str, Any]]) -> Iterator[str]:
    for dimension in dict.fromkeys(it["dimension"] for it in rules):
        yield dimension.upper()
        for it in rules:
            if it["dimension"] != dimension:
                continue
            yield f"  {it['rule']} ({it['severity']})"
            yield f"    why: {it['why']}"
            yield f"    do:  {it['do']}"
            if it["how"]:
                yield f"    how: {it['how']}"
            for name, about in it["parameters"].items():
                yield f"    {name}: {about['default']}   {about['description']}".rstrip()


def _finding(it: Mapping[str, Any]) -> Iterator[str]:
    since = f"since {it['since'][:10]}, {it['times']} times" if it["state"] == "continuing" else "new"
    yield f"  {plain(_name(it))} [{since}]"
    yield f"    {plain(it['message'])}"
    yield f"    cause: {CAUSES[it['cause']]}. {plain(it['cause_why'])}"
    yield f"    do: {plain(it['do'])}"
    if tasks := it["links"][:LINKS] or it["evidence"][:LINKS]:
        more = len(it["evidence"]) - len(tasks)
        yield f"    see: {' '.join(plain(task) for task in tasks)}{f' and {more} more' if more > 0 else ''}"
    yield f"    key: {plain(it['key'])}"


def _name(it: Mapping[str, Any]) -> str:
    about = ", ".join(filter(None, (it["subject"], it["control"])))
    return f"{it['rule']}{f': {about}' if about else ''}"
