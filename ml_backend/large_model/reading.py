"""What a model said -> answers by control. What is not exactly as asked is no answer, never the nearest one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from json.decoder import JSONDecoder
from typing import Any

from ml_backend.labeling.answers import on_screen
from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.kinds import Answer, kind_of
from ml_backend.large_model.prompt import MOST_TEXT
from ml_backend.large_model.questions import Question
from ml_backend.large_model.schema import AnswerSchema

_BLANK = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True, slots=True)
class Value:
    value: Any
    start: int
    """In characters of what was said."""
    end: int


@dataclass(frozen=True)
class Read:
    answers: Mapping[str, Answer] = field(default_factory=dict)
    """Those on the screen, by control."""
    values: Mapping[str, Value] = field(default_factory=dict)
    """Behind the answers."""
    objections: Mapping[str, str] = field(default_factory=dict)
    """Key -> what is wrong there, "" for all of it: worth asking again."""
    unsure: Mapping[str, str] = field(default_factory=dict)
    """Control that is on the screen -> how it abstains, in words."""


def read(said: str, config: LabelConfig, schema: AnswerSchema, question: Question) -> Read:
    try:
        values = _values(said)
    except (ValueError, RecursionError) as error:
        return Read(objections={"": f"it is not one JSON object: {error}"[:200]})
    answers: dict[str, Answer] = {}
    objections = {name: "it is not asked for" for name in values if name not in schema.forms}
    unsure: dict[str, str] = {}
    for name, form in schema.forms.items():
        if name not in values:
            objections[name] = "it is missing"
        elif (value := values[name].value) is None:
            unsure[name] = "it is unsure"
        elif objection := schema.objection(name, value):
            objections[name] = objection
        elif (answer := form.read(schema.controls[name], value, own_text(question, name))) is not None:
            answers[name] = answer
        else:
            unsure[name] = "what it quotes is not in the text" if isinstance(value, list) else "it says nothing"
    shown = on_screen(config, answers)
    seen = {name: why for name, why in unsure.items() if _asked(name, config, schema, answers)}
    return Read(shown, {name: values[name] for name in shown}, objections, seen)


def own_text(question: Question, control: str) -> str:
    """The part of the control's own object that the model was shown."""
    reading = question.readings.get(control)
    return reading.parts[0][:MOST_TEXT] if reading and reading.parts else ""


def _asked(name: str, config: LabelConfig, schema: AnswerSchema, answers: Mapping[str, Answer]) -> bool:
    """Whether the other answers leave the control on the screen."""
    kind = kind_of(schema.controls[name])
    return kind is not None and name in on_screen(config, {**answers, name: kind.example(schema.controls[name])})


def _values(said: str) -> dict[str, Value]:
    """The object's members with their places. Words around it (thoughts, a code fence) are passed over; raises
    ValueError where there is no object, a second one, a key twice, or a number that JSON does not have."""
    decoder = JSONDecoder(parse_constant=_no_constant)
    place = said.find("{", said.rfind("</think>") + 1)
    if place < 0:
        raise ValueError("there is none")
    values: dict[str, Value] = {}
    place = _after(said, place + 1)
    while said[place : place + 1] != "}":
        if values:
            place = _after(said, _expect(said, place, ","))
        key, place = decoder.raw_decode(said, place)
        if not isinstance(key, str) or key in values:
            raise ValueError(
                f"the key {_shown(key)} stands there twice" if isinstance(key, str) else "a key is no text"
            )
        place = _after(said, _expect(said, _after(said, place), ":"))
        value, end = decoder.raw_decode(said, place)
        values[key] = Value(value, place, end)
        place = _after(said, end)
    if "{" in said[place + 1 :]:
        raise ValueError("more follows it")
    return values


def _after(said: str, place: int) -> int:
    blank = _BLANK.match(said, place)
    return blank.end() if blank else place


def _expect(said: str, place: int, mark: str) -> int:
    if said[place : place + 1] != mark:
        raise ValueError(f"{mark!r} is missing at character {place}" if place < len(said) else "it ends too early")
    return place + 1


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _shown(key: object) -> str:
    return json.dumps(str(key)[:60], ensure_ascii=False)
