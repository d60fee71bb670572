"""A decision -> the answer that the source's control holds, by the label config as it is now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ml_backend.labeling.answers import regions_by_control, with_task_labels, write_answers
from ml_backend.labeling.config import PATH_SEPARATOR, Control, LabelConfig
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.kinds import Answer, Kind, kind_of
from sdk_scripts import wording

if TYPE_CHECKING:
    from sdk_scripts.decisions import Decision

MEND = "Change the decision in the review project."
_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What reading and writing answers raises for what people have made of a key."""


def decided_answer(decision: Decision, config: LabelConfig, data: Mapping[str, Any]) -> Answer:
    """What was decided about a task with these `data`.

    "None of these" means what was written with it: where answers are free that is the answer, else the one label that
    is called so, whatever the case. Raises InputError where a person has to say what is meant, or where the control
    cannot hold the answer (any more).
    """
    name = decision.review.control
    control = next((control for control in config.answerable if control.name == name), None)
    kind = kind_of(control) if control else None
    if control is None or kind is None:
        raise InputError(
            f"The label config asks nothing named {wording.short(name)!r} any more.",
            mend="Take the review task away, or give the control its name back.",
        )
    control = with_task_labels(control, data)
    if decision.key is None:
        answer = _in_words(kind.name, control, decision.text)
    else:
        try:
            answer = kind.from_key(decision.key)
            same = kind.key(answer) == decision.key
        except _UNREADABLE:
            same = False
        if not same:
            raise InputError(f"The review task's answer {wording.short(decision.key)!r} cannot be read.", mend=MEND)
    return _held(config, control, kind, answer)


def _in_words(kind: str, control: Control, text: str) -> Answer:
    if not text:
        raise InputError("None of the answers offered was chosen, and no other was written.", mend=MEND)
    if kind == "text":
        return (text,)
    if kind in ("number", "rating"):
        try:
            return float(text) if kind == "number" else int(text)
        except ValueError:
            raise InputError(f"{wording.short(text)!r} is no number.", mend=MEND) from None
    if kind not in ("choices", "taxonomy"):
        raise InputError(
            f"{wording.short(text)!r} cannot be written as an answer to {control.name!r}, so it needs a person.",
            mend="Annotate the source's task by hand, or choose one of the answers offered.",
        )
    called = " ".join(text.split()).casefold()
    found = [
        label
        for label in control.labels
        if called
        in {name.casefold() for name in (label.text, label.key, label.path[-1], PATH_SEPARATOR.join(label.path))}
    ]
    if len(found) != 1:
        how_many = "no label" if not found else f"{len(found)} labels"
        raise InputError(
            f"{wording.short(text)!r} names {how_many} of {control.name!r}, so it needs a person.",
            mend="Write a label's name, or add the label to the label config first.",
        )
    return (found[0].path,) if kind == "taxonomy" else (found[0].key,)


def same_answer(kind: Kind, a: Answer, b: Answer) -> bool:
    """Whether two answers say the same. The order of labels follows the config, which may have changed in between."""
    return a == b or (bool(kind.labels(a)) and kind.distance(a, b) == 0)


def _held(config: LabelConfig, control: Control, kind: Kind, answer: Answer) -> Answer:
    """The answer as the control holds it. Raises InputError where it cannot."""
    try:
        write_answers(config, {control.name: answer})
        regions = regions_by_control(config, kind.write(control, answer))
        read = kind.read(control, regions.get(control.name, []))
        held = read is not None and same_answer(kind, read, answer)
    except InputError as error:
        raise InputError(f"The answer decided is none that {control.name!r} takes: {error.what}", mend=MEND) from None
    except _UNREADABLE:
        held = False
    if not held:
        raise InputError(f"The answer decided cannot be written as one to {control.name!r}.", mend=MEND)
    return read
