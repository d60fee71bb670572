"""Why the machine answers as it does, for the annotator: the words that moved it, a settled case like this one, what
the policy says, and when it is not sure.

It is shown by controls that the label config marks `tiebreak="explanation"`, as regions of the prediction:

    <TextArea name="why" toName="text" tiebreak="explanation" editable="false" maxSubmissions="0"/>
    <Labels name="drove" toName="text" tiebreak="explanation" visible="false">
      <Label value="speaks for it" hotkey="ctrl+alt+shift+1"/>
      <Label value="speaks against it" hotkey="ctrl+alt+shift+2"/>
    </Labels>

Label Studio renders a TextArea's texts as they are, without markup, keeps regions that are `readonly` from being
changed, and shows neither an input (`maxSubmissions="0"`) nor label buttons (`visible="false"`): only what the machine
says. It gives every label a hotkey, hidden ones too, so these have some that nobody presses.

An explanation speaks for the answer that is shown, whatever the head would have said. Where a project shows some wrong
answers on purpose, all are explained one-sidedly: much speaks against a wrong one, which would give it away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ml_backend.briefs import Precedent
from ml_backend.encoder import Encoder
from ml_backend.labeling.answers import write_answers
from ml_backend.labeling.config import PATH_SEPARATOR, Control, LabelConfig
from ml_backend.labeling.kinds import Answer, kind_of, one_line, string
from ml_backend.labeling.kinds.spans import Span
from ml_backend.labeling.task_data import lookup
from ml_backend.prelabelers import Explains, Head, Inputs, Opinion, Reading, Weighed, options, place_of
from ml_backend.prelabelers.zero_shot import UNRELATED, ZeroShotHead

LEAST, LEAST_OF_STRONGEST = 0.03, 1 / 3
"""Of all that moved the head, and of what the strongest word did: one that did less is not named."""
MOST_FOR, MOST_AGAINST = 3, 2
"""Words named."""
UNSURE = 0.6
"""A confidence below it is told."""
STRANGE = 0.99
"""`Doubt.distance` from which on a text is called unlike anything labelled."""
MOST_CHARACTERS = 300
"""Of a line."""
NEAR, NEAR_AMONG_OTHERS = 4.0, 8.0
"""How many spreads above the usual cosine a precedent must be: that of the precedents among themselves, and that of
sentences that have nothing to do with each other. Of reviews it is 0.53 to 0.57 with the packaged encoder."""
ENOUGH = 8
"""Precedents from which on their own cosines say what is usual."""


class Precedents:
    """The settled cases of a project, found by meaning. Their texts are encoded at the first question."""

    def __init__(self, precedents: Sequence[Precedent], encoder: Encoder) -> None:
        self._known = [it for it in precedents if it.text.strip()]
        self._encoder = encoder

    def nearest(self, control: Control, answers: Sequence[Answer], inputs: Inputs) -> list[Precedent | None]:
        """For each text the nearest precedent with the same answer to the control; None where none is really near.
        Raises ModelUnavailable."""
        kind = kind_of(control)
        mine = [i for i, it in enumerate(self._known) if it.control == control.name]
        if not mine or not len(inputs) or kind is None:
            return [None] * len(answers)
        cosines = inputs.text_vectors @ self._vectors[mine].T
        keys = [kind.key(answer) for answer in answers]
        found: list[Precedent | None] = [None] * len(answers)
        for key in set(keys):
            same = [at for at, i in enumerate(mine) if self._known[i].answer == key]
            rows = [row for row, other in enumerate(keys) if other == key] if same else []
            for row, best in zip(rows, cosines[np.ix_(rows, same)].argmax(axis=1) if rows else (), strict=True):
                if cosines[row, same[best]] >= self._near:
                    found[row] = self._known[mine[same[best]]]
        return found

    @cached_property
    def _vectors(self) -> np.ndarray:
        return self._encoder.encode([it.text for it in self._known])

    @cached_property
    def _near(self) -> float:
        """The cosine from which on a text is near."""
        among_others = _above(self._encoder.encode(UNRELATED), NEAR_AMONG_OTHERS)
        different = np.unique(self._vectors, axis=0)
        return among_others if len(different) < ENOUGH else max(among_others, _above(different, NEAR))


@dataclass(frozen=True, slots=True)
class Explanation:
    """Of the answer to one control of one task."""

    control: str
    lines: tuple[str, ...] = ()
    """At most three, without line breaks."""
    words: tuple[Weighed, ...] = ()
    """The words named in them, in order of place."""


def explain(
    config: LabelConfig,
    name: str,
    answers: Sequence[Answer],
    opinions: Sequence[Opinion | float],
    inputs: Inputs,
    head: Head,
    precedents: Precedents | None = None,
    *,
    closely: bool = False,
    one_sided: bool = False,
) -> list[Explanation]:
    """Why the control `name` is answered so, one explanation an answer. An answer may be another than the head's own;
    `opinions` are what the head thinks of the tasks all the same, or confidences. `closely` is for few tasks: see
    `Explains`; `one_sided` names nothing that speaks against an answer. Raises ModelUnavailable."""
    control = config[name]
    words = head.words_for(inputs, answers, closely=closely) if isinstance(head, Explains) else [[] for _ in answers]
    cited = precedents.nearest(control, answers, inputs) if precedents else [None] * len(answers)
    found = []
    for text, answer, opinion, some, precedent in zip(inputs.texts, answers, opinions, words, cited, strict=True):
        named, called, meaning = _named(some, one_sided), _called(control, answer), _meaning(control, answer)
        moved = ""
        if isinstance(head, Explains):
            moved = _moved(text, named, called)
        elif isinstance(head, ZeroShotHead):
            near = (meaning or _words(control, answer) or called).rstrip(".")
            moved, meaning = f"Nothing is learned from labels yet. It is nearest to “{near}”.", ""
        first = f"{moved} {_doubt(opinion)}"
        lines = [first, _cited(precedent, called), "" if precedent and precedent.clause else meaning]
        found.append(Explanation(name, tuple(line for it in lines if (line := _plain(it, MOST_CHARACTERS))), named))
    return found


def explained(
    config: LabelConfig,
    data: Sequence[Mapping[str, Any]],
    heads: Mapping[str, Head],
    readings: Mapping[str, Sequence[Reading]],
    shown: Sequence[Mapping[str, Answer]],
    opinions: Sequence[Mapping[str, Opinion | float]],
    encoder: Encoder,
    precedents: Precedents | None = None,
    *,
    closely: bool = False,
    one_sided: bool = False,
) -> list[list[dict[str, Any]]]:
    """The regions that explain what is shown of n tasks, none where the config has no place for them: of tasks with
    these `data`, and `readings` by control, the answers `shown` by control and what was thought of them (see
    `explain`). Raises ModelUnavailable."""
    found: list[list[Explanation]] = [[] for _ in data]
    for name, head in heads.items() if any(control.explanation for control in config.controls) else ():
        rows = [i for i, answers in enumerate(shown) if name in answers and readings[name][i]]
        inputs = Inputs([readings[name][i] for i in rows], encoder)
        given, thought = [shown[i][name] for i in rows], [opinions[i][name] for i in rows]
        made = explain(config, name, given, thought, inputs, head, precedents, closely=closely, one_sided=one_sided)
        for i, explanation in zip(rows, made, strict=True):
            found[i].append(explanation)
    return [regions(config, item, some) for item, some in zip(data, found, strict=True)]


def regions(config: LabelConfig, data: Mapping[str, Any], explanations: Sequence[Explanation]) -> list[dict[str, Any]]:
    """A task's explanations as regions of its prediction, for whatever controls the config has for them; none without.

    Every `<TextArea>` gets the lines, one text a control. Every `<Labels>` on a `<Text>` marks the words of the first
    control that has some there: with its first label those for the answer, with its second those against it.
    """
    shown = {it.name: it for it in config.controls if it.explanation}
    if not shown:
        return []
    order = {control.name: place for place, control in enumerate(config.controls)}
    explained = sorted(explanations, key=lambda it: order[it.control])
    texts = tuple("\n".join(it.lines) for it in explained if it.lines)
    given: dict[str, Answer] = {}
    for name, control in shown.items():
        kind = kind_of(control)
        if kind and kind.name == "text" and texts:
            given[name] = texts
        elif kind and kind.name == "spans" and control.labels:
            marked = next((it for one in explained if (it := _marks(config, control, data, one))), ())
            given |= {name: marked} if marked else {}
    return [{**region, "readonly": True} for region in write_answers(config, given)]


def _marks(
    config: LabelConfig, control: Control, data: Mapping[str, Any], explanation: Explanation
) -> tuple[Span, ...]:
    source = config.source(control.to_name)
    place = source and source.field and place_of(config, config[explanation.control], data, source.field)
    if not source or not source.field or not place:
        return ()
    begin, end, before = place
    text = lookup(data, source.field)
    found = []
    for word in explanation.words:
        label = control.labels[0] if word.weight > 0 else control.labels[1] if len(control.labels) > 1 else None
        if label and begin <= word.start and word.end <= end:
            start, stop = word.start - begin + before, word.end - begin + before
            found.append(Span(start, stop, (label.key,), text[start:stop]))
    return tuple(found)


def _named(words: Sequence[Weighed], one_sided: bool) -> tuple[Weighed, ...]:
    """Those that moved the head most, in order of place. One-sidedly, it is the one that most moved it so, however
    little: of wrong answers 92 % have one, of right ones all (measured on reviews)."""
    if one_sided:
        return tuple(sorted((it for it in words if it.weight > 0), key=lambda it: -it.weight)[:1])
    least = max(LEAST, LEAST_OF_STRONGEST * max((abs(it.weight) for it in words), default=0))
    speaking = sorted((it for it in words if abs(it.weight) >= least), key=lambda it: -abs(it.weight))
    those_for = [it for it in speaking if it.weight > 0][:MOST_FOR]
    those_against = [it for it in speaking if it.weight < 0][:MOST_AGAINST]
    return tuple(sorted(those_for + those_against, key=lambda it: it.start))


def _moved(text: str, words: Sequence[Weighed], called: str) -> str:
    speaking, against = (
        list(dict.fromkeys(f"“{_plain(text[it.start : it.end], 40)}”" for it in words if (it.weight > 0) == wanted))
        for wanted in (True, False)
    )
    if speaking:
        said = f"{_speak(speaking)} for {called}"
        return f"{said}, {_listed(against)} against it." if against else f"{said}."
    whole = f"As a whole it reads like {called}"
    return f"{whole}, though {_speak(against)} against it." if against else f"{whole}; no single word stands out."


def _speak(words: Sequence[str]) -> str:
    return f"{_listed(words)} {'speaks' if len(words) == 1 else 'speak'}"


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _cited(precedent: Precedent | None, called: str) -> str:
    if precedent is None:
        return ""
    why, clause = _plain(precedent.why, 120), _plain(precedent.clause, 60)
    said = f"“{_plain(precedent.text, 80)}” was settled as {called}"
    return f"{said}{f' ({clause})' if clause else ''}{f': {why}' if why else '.'}"


def _doubt(opinion: Opinion | float) -> str:
    confidence = opinion.confidence if isinstance(opinion, Opinion) else opinion
    doubt = opinion.doubt if isinstance(opinion, Opinion) else None
    if doubt is not None and doubt.distance is not None and doubt.distance >= STRANGE:
        return f"Unlike anything labelled so far ({confidence:.0%} sure)."
    return f"Not sure of it ({confidence:.0%})." if confidence < UNSURE else ""


def _called(control: Control, answer: Answer) -> str:
    """The answer as the screen calls it."""
    kind = kind_of(control)
    if kind is None:
        return ""
    if kind.name == "rating":
        return f"{kind.show(answer)} star{'s' * (answer != 1)}"
    texts = {PATH_SEPARATOR.join(label.path): label.text for label in control.labels}
    texts |= {label.key: label.text for label in control.labels}
    return _plain(", ".join(texts.get(it, it) for it in kind.labels(answer)) or kind.show(answer), 80)


def _meaning(control: Control, answer: Answer) -> str:
    """What the config says a single label means; "" where it does not."""
    kind = kind_of(control)
    names = kind.labels(answer) if kind else ()
    for label in control.labels if len(names) == 1 else ():
        if label.hint.strip() and names[0] in (label.key, PATH_SEPARATOR.join(label.path)):
            return f"{_plain(label.text, 80)}: {_plain(label.hint, 140)}"
    return ""


def _words(control: Control, answer: Answer) -> str:
    """What a reader understands by an answer of one label, as zero-shot heads read it."""
    return next((_plain(option.words, 140) for option in options(control) if option.answer == answer), "")


def _plain(words: str, limit: int) -> str:
    """Anybody's words on one line, shortened, control characters and halves of characters left out."""
    return one_line(string(words) or "", limit)


def _above(vectors: np.ndarray, spreads: float) -> float:
    """The cosine so many spreads above the median of the cosines between these (n, d)."""
    cosines = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
    usual = float(np.median(cosines))
    return usual + spreads * 1.4826 * float(np.median(np.abs(cosines - usual)))  # as a standard deviation, if normal
