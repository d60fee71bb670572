"""Spans of text, from phrases remembered and a tagger learned from what people marked.

Two readers propose spans: a memory of marked phrases and forms (e-mail addresses, prices; `_phrase_memory`), and a
tagger that recognises what is new by what stands around it (`_tagger`). Out of fold it is tried which of them, or both
together, finds most of what people marked with least else; a tagger that makes it worse is left out.

Confidence is the probability that the spans are exactly those of the consensus, each place and label. People who mark
nothing leave no judgement, so every text learned from has a span: how rare spans are elsewhere cannot be known. Hence a
text where nothing is found has no opinion rather than "no spans", and confidence is that of texts with spans.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml_backend.labeling.config import Control, LabelConfig
from ml_backend.labeling.errors import NotEnoughLabels
from ml_backend.labeling.kinds import KINDS, Answer, kind_of
from ml_backend.labeling.kinds.spans import Span
from ml_backend.prelabelers import Examples, Inputs, Learned, Opinion, Reading, State, register
from ml_backend.prelabelers._evaluation import evaluate
from ml_backend.prelabelers._folds import folds, group_key
from ml_backend.prelabelers._found_spans import Found, Given, SetConfidence, by_label, f1
from ml_backend.prelabelers._inputs import MAX_CHARACTERS, countable, portions
from ml_backend.prelabelers._phrase_memory import PhraseMemory
from ml_backend.prelabelers._phrases import PhraseBook
from ml_backend.prelabelers._span_reader import Read, SpanReader
from ml_backend.prelabelers._span_training import learn
from ml_backend.prelabelers._tagger import Tagger
from ml_backend.prelabelers.regression import Coefficients

LEAST_TEXTS = 10


@register("spans")
class Spans:
    """For `<Labels>` on one `<Text>`, with labels that the config lists. Offsets of HyperText and Paragraphs count in
    what a browser makes of them, which is not known here, so those are left alone."""

    name: str

    def learns(self, config: LabelConfig, control: Control) -> bool:
        kind = kind_of(control)
        return kind is not None and kind.name == "spans" and control.to_tags == ("text",) and not control.open

    def learn(self, config: LabelConfig, control: Control, examples: Examples) -> Learned:
        labels = control.keys
        known = _usable(examples, labels)
        texts = [_text(examples.inputs.readings[i]) for i in known]
        given = [_given(examples.answers[i], labels) for i in known]
        _require_enough(control, texts, given)
        fold = folds(texts, [min(label for _, _, label in marked) for marked in given])
        learning = learn(texts, given, examples.weights[known], fold, len(labels))
        head = SpansHead(labels, learning.reader, learning.confidence)
        opinions = head.opinions_of(texts, learning.seen)
        seen = dict(zip(known, opinions, strict=True))
        metrics = _metrics(control, [examples.answers[i] for i in known], opinions, learning.seen, given)
        return Learned("spans", head, [seen.get(i) for i in range(len(examples))], metrics)

    def load(self, control: Control, state: State) -> SpansHead:
        fields, arrays = state.fields, state.arrays
        layers = tuple(map(tuple, fields["layers"]))
        tagger = Tagger(
            arrays["tagger_hashes"],
            layers,
            tuple(Coefficients(arrays[f"tagger_weights_{i}"], arrays[f"tagger_bias_{i}"]) for i in range(len(layers))),
        )
        reader = SpanReader(
            PhraseBook(tuple(fields["phrases"]), tuple((a, b) for a, b in fields["hyphened"])),
            PhraseMemory(arrays["seen"], arrays["marked"], fields["variant_precision"]),
            tagger if layers else None,
            fields["floor"],
            fields["apart"],
        )
        return SpansHead(tuple(fields["labels"]), reader, SetConfidence(tuple(fields["confidence"]), fields["doubt"]))


@dataclass(frozen=True)
class SpansHead:
    labels: tuple[str, ...]
    reader: SpanReader
    confidence: SetConfidence

    def opinions(self, inputs: Inputs) -> Sequence[Opinion | None]:
        texts = [_text(reading) for reading in inputs.readings]
        return [opinion for some in portions(texts) for opinion in self.opinions_of(some, self.reader.read(some))]

    def opinions_of(self, texts: Sequence[str], reads: Sequence[Read]) -> list[Opinion | None]:
        sure = self.confidence(np.array([it.measures for it in reads])).tolist()
        return [
            Opinion(self._answer(text, it.found), confidence) if it.found else None
            for text, it, confidence in zip(texts, reads, sure, strict=True)
        ]

    def _answer(self, text: str, found: Sequence[Found]) -> tuple[Span, ...]:
        places: dict[tuple[int, int], list[int]] = {}
        for it in found:
            places.setdefault((it.start, it.end), []).append(it.label)
        return tuple(
            Span(start, end, tuple(self.labels[i] for i in sorted(labels)), text[start:end])
            for (start, end), labels in sorted(places.items())
        )

    def state(self) -> State:
        book, memory, tagger = self.reader.book, self.reader.memory, self.reader.tagger
        fields = {
            "labels": list(self.labels),
            "phrases": list(book.phrases),
            "hyphened": [list(pair) for pair in book.hyphened],
            "variant_precision": memory.variant_precision,
            "floor": self.reader.floor,
            "apart": self.reader.apart,
            "layers": [list(layer) for layer in tagger.layers] if tagger else [],
            "confidence": list(self.confidence.weights),
            "doubt": self.confidence.doubt,
        }
        arrays = {"seen": memory.seen, "marked": memory.marked}
        arrays["tagger_hashes"] = tagger.hashes if tagger else np.empty(0, np.uint32)
        for i, found in enumerate(tagger.coefficients if tagger else ()):
            arrays |= {f"tagger_weights_{i}": found.weights, f"tagger_bias_{i}": found.bias}
        return State(fields, arrays)


def _text(reading: Reading) -> str:
    """The text as offsets count in it; empty where they cannot be."""
    text = reading.parts[0][:MAX_CHARACTERS] if reading.parts else ""
    return text if countable(text) else ""


def _given(answer: Answer, labels: Sequence[str]) -> Given:
    spans: tuple[Span, ...] = answer if isinstance(answer, tuple) else ()
    return frozenset((int(span.start), int(span.end), labels.index(label)) for span in spans for label in span.labels)


def _usable(examples: Examples, labels: Sequence[str]) -> list[int]:
    """Examples whose spans lie in their text and have labels that the config still has, in an order that only the
    examples themselves decide."""
    known = set(labels)
    kind = KINDS["spans"]
    usable = []
    for i, (reading, answer) in enumerate(zip(examples.inputs.readings, examples.answers, strict=True)):
        text = _text(reading)
        spans = [it for it in answer if isinstance(it, Span)] if isinstance(answer, tuple) else []
        if text and spans and all(it.labels and known.issuperset(it.labels) and it.end <= len(text) for it in spans):
            usable.append((group_key(text), kind.key(answer), examples.tasks[i], i))
    return [i for *_, i in sorted(usable)]


def _require_enough(control: Control, texts: Sequence[str], given: Sequence[Given]) -> None:
    different = len({group_key(text) for text in texts})
    if different < LEAST_TEXTS:
        raise NotEnoughLabels(
            f"{control.name!r} has {different} different texts with spans that lie in them; learning takes "
            f"{LEAST_TEXTS}.",
            mend="Label some more tasks.",
        )


def _metrics(
    control: Control,
    answers: Sequence[Answer],
    opinions: Sequence[Opinion | None],
    reads: Sequence[Read],
    given: Sequence[Given],
) -> dict[str, Any]:
    """`_evaluation.evaluate` with a text where nothing was found as a wrong answer of confidence 0, and how good the
    spans are one by one."""
    kind = KINDS["spans"]
    found = [it.found for it in reads]
    return {
        **evaluate(kind, answers, [it or Opinion((), 0.0) for it in opinions]),
        "abstained": sum(it is None for it in opinions),
        "span_f1": round(f1(found, given), 6),
        "character_f1": round(
            float(
                np.mean(
                    [1 - kind.distance(a, it.answer) if it else 0.0 for a, it in zip(answers, opinions, strict=True)]
                )
            ),
            6,
        ),
        "spans": by_label(found, given, control.keys),
    }
