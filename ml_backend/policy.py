"""Who decides a task: the machine, a person, or an expert; and how that is kept honest. `policy:` of project.yaml.

Sync keeps it in the project's description as a line

    tiebreak policy: {"accept": {…}, "blind": 0.02, …}

so that every command, worker and backend finds it in Label Studio. Nothing of it is on by default. Where audits break
the promise, auto-accept stops by itself and leaves a second line, which people remove (or `tiebreak route --resume`):

    tiebreak auto-accept stopped: {"at": "2026-11-26T10:00:00Z", "version": "few-shot-…", "why": "…"}
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from ml_backend.labeling.errors import ConfigError

M = TypeVar("M", bound=BaseModel)

_POLICY = re.compile(r"^[ \t]*tiebreak policy:(?P<json>.*)$", re.MULTILINE)
_STOP = re.compile(r"^[ \t]*tiebreak auto-accept stopped:(?P<json>.*)$", re.MULTILINE)

Severity = Annotated[float, Field(ge=0, le=100)]
Share = Annotated[float, Field(ge=0, le=1)]


def _email(value: object) -> str:
    found = str(value).strip().lower()
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", found):
        raise ValueError("must be an e-mail address")
    return found


class _Section(BaseModel):
    """Unknown fields are refused, and what was read does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Tier(_Section):
    """A promise for tasks of some severity."""

    severity: Severity = Field(default=0, description="from that severity on, up to the next tier")
    error: float = Field(default=0.02, gt=0, le=0.5, description="share of accepted tasks that may be wrong")


class Accept(_Section):
    """Auto-accept: tasks the machine labels alone."""

    tiers: tuple[Tier, ...] = Field(default=(Tier(),), min_length=1, max_length=20)
    people_from: Severity | None = Field(default=None, description="severity from which nothing is accepted")
    certainty: float = Field(default=0.95, ge=0.5, lt=1, description="probability that all promises hold")
    audit: float = Field(default=0.1, gt=0, le=1, description="share of accepted tasks that people label blind")
    account: Annotated[str, BeforeValidator(_email)] | None = Field(
        default=None, description="e-mail of the account its annotations are by; the token's own where left out"
    )

    @field_validator("tiers")
    @classmethod
    def _ascending(cls, tiers: tuple[Tier, ...]) -> tuple[Tier, ...]:
        found = [tier.severity for tier in tiers]
        if len(set(found)) < len(found):
            raise ValueError(f"two tiers begin at severity {next(it for it in found if found.count(it) > 1):g}")
        return tuple(sorted(tiers, key=lambda tier: tier.severity))

    def tier(self, severity: float) -> Tier | None:
        """The tier of a task; None where nothing is accepted."""
        if self.people_from is not None and severity >= self.people_from:
            return None
        return next((tier for tier in reversed(self.tiers) if tier.severity <= severity), None)


class Expert(_Section):
    """Tasks that go to a reviewer at once, without waiting for an annotator."""

    severity_from: Severity | None = Field(default=None, description="severity of what the machine sees in it")
    models_differ: Share | None = Field(
        default=None, description="local and large model give different answers, each with that confidence or more"
    )
    instruction_like: bool = Field(default=False, description="the text talks to whoever labels it")


class LargeModel(_Section):
    """Where the large model (TIEBREAK_LLM_URL) is asked beside the local one, and how much it may cost."""

    below: Share = Field(default=0.8, description="where the local model is less confident than that")
    unknown_from: Share | None = Field(
        default=0.95, description="where the text is further from anything labelled than that share of the labelled"
    )
    severity_from: Severity | None = Field(default=None, description="where that much is at stake, however sure")
    samples: int = Field(default=3, ge=1, le=20, description="answers asked for, where no log-probabilities come")
    learn_from: int = Field(
        default=100, ge=0, le=10_000, description="labelled tasks it answers too, to learn how far to trust it"
    )
    examples: int = Field(default=5, ge=0, le=50, description="labelled tasks shown to it with each question")
    precedents: int = Field(default=3, ge=0, le=20, description="settled cases shown to it with each question")
    tokens_a_day: int | None = Field(default=None, ge=0, description="of the project (UTC); no limit where left out")
    money_a_day: float | None = Field(default=None, ge=0, description="in the currency of the prices")
    input_price: float = Field(default=0, ge=0, description="a million tokens")
    output_price: float = Field(default=0, ge=0, description="a million tokens")

    @model_validator(mode="after")
    def _priced(self) -> LargeModel:
        if self.money_a_day is not None and not (self.input_price or self.output_price):
            raise ValueError("money_a_day needs input_price and output_price")
        return self


class Policy(_Section):
    """Who decides. Everything is off where it is left out."""

    accept: Accept | None = None
    expert: Expert | None = None
    blind: float = Field(default=0, ge=0, le=0.5, description="share of tasks that people label without a prediction")
    seeded: float = Field(default=0, ge=0, le=0.2, description="share of tasks that are shown a wrong prediction")
    large_model: LargeModel | None = None
    automatic: bool = Field(default=False, description="routed by workers as predictions and labels come in")

    def line(self) -> str:
        """What differs from the defaults, as JSON on one line; equal policies have equal lines."""
        return json.dumps(self._said(), ensure_ascii=False, sort_keys=True)

    @property
    def fingerprint(self) -> str:
        """Eight hex digits that change with any field, defaults included."""
        return hashlib.sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()[:8]

    def _said(self) -> dict[str, Any]:
        said = self.model_dump(mode="json", exclude_defaults=True)
        for name in ("accept", "expert", "large_model"):  # `accept: {}` is not the same as none
            if getattr(self, name) is not None:
                said.setdefault(name, {})
        return said


class Stop(_Section):
    """Why auto-accept stands still."""

    at: datetime
    version: str = Field(max_length=200)
    """The model version whose promise broke."""
    audits: int = Field(ge=0)
    errors: int = Field(ge=0)
    why: str = Field(max_length=500)

    def line(self) -> str:
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False, sort_keys=True)


def policy_of(project: Mapping[str, Any]) -> Policy:
    """The policy of a project as Label Studio's API or a webhook returns it; everything off where it has none.

    Raises ConfigError where people have edited the line so that it cannot be read.
    """
    line = policy_line(project.get("description"))
    return Policy() if line is None else read_line(Policy, line, "tiebreak policy:", project)


def stop_of(project: Mapping[str, Any]) -> Stop | None:
    """Why auto-accept stands still; None where it does not. Raises ConfigError as `policy_of`."""
    line = stop_line(project.get("description"))
    return None if line is None else read_line(Stop, line, "tiebreak auto-accept stopped:", project)


def policy_line(text: object) -> str | None:
    """The JSON of the last line of policy in a text, whatever stands there; None where there is none."""
    return _last(_POLICY, text)


def stop_line(text: object) -> str | None:
    return _last(_STOP, text)


def without_stop(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", _STOP.sub("", text)).strip()


def with_stop(project: Mapping[str, Any], stop: Stop) -> str:
    """The project's description with the line that keeps auto-accept still."""
    text = without_stop(str(project.get("description") or ""))
    return f"{text}\n\ntiebreak auto-accept stopped: {stop.line()}".strip()


def without_lines(text: str) -> str:
    return _STOP.sub("", _POLICY.sub("", text))


def read_line(model: type[M], line: str, what: str, project: Mapping[str, Any]) -> M:
    """What a line of JSON in a project's description says; `what` is the line's beginning. Raises ConfigError where
    people have edited it so that it cannot be read."""
    try:
        return model.model_validate_json(line)
    except ValidationError as error:
        reasons = [f"{'.'.join(map(str, it['loc'])) or 'the line'}: {it['msg']}" for it in error.errors()[:10]]
        raise ConfigError(
            f"The line `{what}` in the description of project {project.get('id')} cannot be read:",
            reasons,
            mend="Run `tiebreak sync` with the project's manifest and --apply, or remove the line.",
        ) from None


def _last(line: re.Pattern[str], text: object) -> str | None:
    found = list(line.finditer(text.replace("\r\n", "\n"))) if isinstance(text, str) else []
    return found[-1]["json"].strip() if found else None
