"""Hard cases -> tasks of the review project: everything a reviewer needs to decide, and everything that is needed to
write the decision back."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import polars as pl

from ml_backend.cases import policy_version
from ml_backend.labeling.config import Control
from ml_backend.labeling.kinds import kind_of
from sdk_scripts import wording
from sdk_scripts.evidence import Evidence
from sdk_scripts.guideline_excerpt import excerpt
from sdk_scripts.precedents import Precedent, precedents
from sdk_scripts.review_cases import CaseFacts
from sdk_scripts.review_html import panel, parts_of
from sdk_scripts.review_options import as_choices, on_screen, options
from sdk_scripts.review_plan import DRAWN
from sdk_scripts.reviewers import Case, Seat

if TYPE_CHECKING:
    from ml_backend.prelabelers import Opinion
    from sdk_scripts.hard_cases import HardCase
    from sdk_scripts.sources import Dataset

MAX_SHARES = 5
"""Answers of the model that are shown, the likeliest first."""


def build_review_tasks(facts: CaseFacts, seats: Iterable[tuple[HardCase, Seat]]) -> list[dict[str, Any]]:
    """One task a seat, in their order, ready to be imported into a project with the config `hard_case_review`.

    `data` has the panels as HTML with all foreign text escaped, `options` for the decision, whose seat it is
    (`reviewer`, `seat`, `round`), what makes making it again idempotent (`source_project`, `source_task`, `control`,
    `round`, `seat`), and under `tiebreak` what resolving needs: the source, the control in doubt, the answer key behind
    each option, the votes with their annotation ids, consensus, model, reasons, by what the case was distributed, and
    the standard by which it was found. Of a blind standard, nothing in it names an annotator.
    """
    listed = list(seats)
    builder = _Builder(facts, list(dict.fromkeys(case for case, _ in listed)))
    made = {case: builder.data(case, seat.case) for case, seat in listed}
    return [{"data": reseated(made[case], seat)} for case, seat in listed]


def reseated(
    data: Mapping[str, Any], seat: Seat, *, round: int | None = None, seats: int | None = None
) -> dict[str, Any]:
    """A review task's data for another seat of the same case, or for another round of it. `seats`: how many decide it
    from now on (3 once two have not agreed)."""
    kept = {**(data.get("tiebreak") or {}), **({} if seats is None else {"seats": seats})}
    where = {"reviewer": seat.reviewer, "seat": seat.number, "round": round or data.get("round") or 1}
    return {**data, **where, "tiebreak": kept}


@dataclass(frozen=True)
class _Builder:
    facts: CaseFacts
    cases: Sequence[HardCase]

    @property
    def evidence(self) -> Evidence:
        return self.facts.evidence

    @property
    def dataset(self) -> Dataset:
        return self.evidence.dataset

    def data(self, case: HardCase, distributed: Case) -> dict[str, Any]:
        task = self.evidence.tasks[case.task]
        control = self.evidence.config[case.control]
        kind = kind_of(control)
        votes = self._votes.get(case.task, [])
        counts: dict[str, int] = {}
        for vote in votes:
            if vote["control"] == control.name:
                counts[vote["answer"]] = counts.get(vote["answer"], 0) + 1
        opinion, said_by = self.facts.opinion(control.name, case.task)
        model = kind.key(opinion.answer) if kind and opinion else None
        offered = options(control, task.data, counts, model)
        unseen = any(it.signal == DRAWN for it in case.reasons)  # who checks labels must not be led by them
        shown = [replace(it, hint=on_screen(control, it.key)) for it in offered] if unseen else offered
        precedents = self._precedents[control.name].get(case.task, [])
        disputed = dict.fromkeys([*counts, *([model] if model else [])])
        words = [word for key in disputed for word in (wording.show_key(control, key), on_screen(control, key))]
        reasons = [
            {
                "signal": it.signal,
                "score": round(it.score, 6),
                "detail": self._unnamed(it.detail),
                "control": it.control,
            }
            for it in case.reasons
        ]
        return {
            "title": f"{self.dataset.name}: task {case.task}, {control.name}",
            "source_project": self.dataset.project_id,
            "source_task": case.task,
            "score": round(case.score, 4),
            "harm": round(case.harm, 4),
            "control": control.name,
            "reviewer": "",
            "seat": 1,
            "round": 1,
            "severity": distributed.severity,
            "standard": self.facts.standard.name,
            "link": "" if self.facts.standard.blind else self.dataset.link(case.task) or "",
            "item": panel(
                "item",
                parts=parts_of(self.evidence.config, task.data),
                task=case.task,
                link="" if self.facts.standard.blind else self._path(case.task),  # names are one click away there
            ),
            "reasons": panel("reasons", reasons=reasons),
            "votes": panel("unseen") if unseen else self._votes_panel(control, votes),
            "model": panel("unseen") if unseen else panel("model", shares=_shares(control, opinion), who=said_by),
            "precedents": panel("precedents", rows=[self._precedent(control, row) for row in precedents]),
            "guideline": panel("guideline", excerpt=excerpt(self._instruction, words)),
            "options": as_choices(shown),
            "tiebreak": {
                "source": self._source | {"task": case.task},
                "control": control.name,
                "options": {option.label: option.key for option in offered},
                "votes": votes,
                "consensus": self._consensus.get((control.name, case.task)),
                "model": _model(opinion, model, said_by),
                "reasons": reasons,
                "precedents": [
                    {"task": p.task, "answer": p.answer, "similarity": round(p.similarity, 4)} for p in precedents
                ],
                "labels": sorted(distributed.labels),
                "language": distributed.language,
                "disturbing": distributed.disturbing,
                "seats": distributed.seats,
                "policy": policy_version(self.dataset.project or {}),
                "standard": self._standard,
            },
        }

    @cached_property
    def _votes(self) -> dict[int, list[dict[str, Any]]]:
        """Of the cases' tasks, in order of control and time."""
        order = {control.name: position for position, control in enumerate(self.evidence.config.answerable)}
        wanted = self.evidence.judgements.filter(pl.col("task").is_in([case.task for case in self.cases]))
        found: dict[int, list[dict[str, Any]]] = {}
        for row in wanted.sort("task", "annotation").iter_rows(named=True):
            found.setdefault(row["task"], []).append(
                {
                    "annotator": self._name(row["task"], row["annotator"], row["annotation"]),
                    "annotation": row["annotation"],
                    "control": row["control"],
                    "answer": row["answer"],
                    "at": _iso(row["updated_at"] or row["created_at"]),
                }
            )
        for votes in found.values():
            votes.sort(key=lambda vote: order[vote["control"]])
        return found

    def _votes_panel(self, control: Control, votes: Sequence[Mapping[str, Any]]) -> str:
        """A row a person, the control in doubt first."""
        columns = sorted(dict.fromkeys(vote["control"] for vote in votes), key=lambda name: name != control.name)
        rows: dict[str, dict[str, Any]] = {}
        for vote in votes:
            who = vote["annotator"]
            row = rows.setdefault(who, {"annotator": who, "answers": {}, "when": ""})
            row["answers"][vote["control"]] = wording.show_key(
                self.evidence.config[vote["control"]], vote["answer"], 300
            )
            row["when"] = max(row["when"], (vote["at"] or "")[:16].replace("T", " "))
        listed = sorted(rows.values(), key=lambda row: row["annotator"]) if self.facts.standard.blind else rows.values()
        return panel("votes", rows=list(listed), controls=columns)

    def _name(self, task: int, annotator: str, annotation: int) -> str:
        if not self.facts.standard.blind:
            return annotator or f"unnamed (annotation {annotation})"
        return self._aliases[task][annotator or f"unnamed {annotation}"]

    @cached_property
    def _aliases(self) -> dict[int, dict[str, str]]:
        """Annotator A, B, C of each case's task. The letters follow a hash of task and annotator, so they are the same
        each time, differ by task, and say nothing about who, how good or how early somebody was."""
        found = {}
        for case in self.cases:
            answered = [one for one in self.evidence.tasks[case.task].annotations if not one.cancelled]
            people = {one.annotator or f"unnamed {one.id}" for one in answered}
            people |= {one.updated_by for one in answered if one.machine and one.updated_by}
            shuffled = sorted(
                people, key=lambda who: hashlib.sha256(f"{self._salt}{case.task}\0{who}".encode()).digest()
            )
            found[case.task] = {who: f"Annotator {_letters(place)}" for place, who in enumerate(shuffled)}
        return found

    @cached_property
    def _salt(self) -> str:
        return f"{self._source['project']}\0{self._source['created_at']}\0"

    def _unnamed(self, detail: str) -> str:
        """A reason's sentence without names, where the standard is blind."""
        if not self.facts.standard.blind or self._names is None:
            return detail
        return self._names.sub("an annotator", detail)

    @cached_property
    def _names(self) -> re.Pattern[str] | None:
        """All annotators, the longest first: an e-mail may hold another."""
        people = sorted(filter(None, self.evidence.judgements["annotator"].unique().to_list()), key=len, reverse=True)
        named = [re.escape(who) for who in people if not who.isdigit()]
        return re.compile("|".join(named), re.IGNORECASE) if named else None

    @cached_property
    def _consensus(self) -> dict[tuple[str, int], dict[str, Any]]:
        items = self.evidence.consensus.items
        wanted = items.filter(pl.col("task").is_in([case.task for case in self.cases]))
        return {
            (row["control"], row["task"]): {"answer": row["answer"], "confidence": round(row["confidence"], 6)}
            for row in wanted.iter_rows(named=True)
        }

    @cached_property
    def _precedents(self) -> dict[str, dict[int, list[Precedent]]]:
        by_control: dict[str, list[int]] = {}
        for case in self.cases:
            by_control.setdefault(case.control, []).append(case.task)
        hard = {case.task for case in self.cases}
        return {name: precedents(self.evidence, name, tasks, hard) for name, tasks in by_control.items()}

    def _precedent(self, control: Control, found: Precedent) -> dict[str, Any]:
        if found.case is not None:
            agreed = wording.short(f"settled case {found.case}" + "".join(f"; {it}" for it in found.reasons), 600)
        elif found.judgements == 1:
            agreed = "one annotator"
        else:
            agreed = f"{found.judgements} annotators, {found.confidence:.0%} sure"
        return {
            "answer": wording.show_key(control, found.answer),
            "who": agreed,
            "text": wording.short(found.text, 300),
            "task": found.task,
            "link": _path(found.link) if found.case is not None else self._path(found.task),
        }

    def _path(self, task: int) -> str:
        return _path(self.dataset.link(task) or "")

    @cached_property
    def _instruction(self) -> str:
        return str((self.dataset.project or {}).get("expert_instruction") or "")

    @cached_property
    def _source(self) -> dict[str, Any]:
        project = self.dataset.project or {}
        return {"project": project.get("id"), "created_at": project.get("created_at"), "title": self.dataset.name}

    @cached_property
    def _standard(self) -> dict[str, Any]:
        return {
            "label_config": self.evidence.config.fingerprint,
            "guidelines": hashlib.sha256(self._instruction.encode()).hexdigest()[:16] if self._instruction else None,
            "consensus": {name: found.method for name, found in self.evidence.consensus.controls.items()},
            "signals": {name: round(weight, 6) for name, weight in self.facts.weights.items()},
            "name": self.facts.standard.name,
            "fingerprint": self.facts.standard.fingerprint,
        }


def _letters(place: int) -> str:
    """A to Z, then AA, AB, …"""
    return (_letters(place // 26 - 1) if place >= 26 else "") + chr(ord("A") + place % 26)


def _path(link: str) -> str:
    """An address without scheme and host: people may reach Label Studio under another name than we do."""
    return urlsplit(link)._replace(scheme="", netloc="").geturl()


def _shares(control: Control, opinion: Opinion | None) -> list[tuple[str, float]]:
    """The model's likeliest answers with their probabilities."""
    if opinion is None:
        return []
    answer = wording.show(control, opinion.answer)
    others = sorted(opinion.probabilities.items(), key=lambda item: (-item[1], item[0]))
    rest = [(wording.short(name), p) for name, p in others if wording.short(name) != answer]
    return [(answer, opinion.confidence), *rest[: MAX_SHARES - 1]]


def _model(opinion: Opinion | None, key: str | None, said_by: str) -> dict[str, Any] | None:
    if opinion is None:
        return None
    probabilities = {name: round(float(p), 6) for name, p in opinion.probabilities.items()}
    return {"answer": key, "confidence": round(opinion.confidence, 6), "probabilities": probabilities, "by": said_by}


def _iso(time: datetime | None) -> str | None:
    return time.isoformat(timespec="seconds") if time else None
