"""A logistic regression over an embedding and n-grams, and the nearest labelled neighbours, learned from the consensus.

The embedding knows what words mean, the n-grams know the project's own words and languages the encoder does not know;
together they are at or above either alone at every number of labels tried. A label's words are one more example of it
while it has few: nearly free, and a label nobody used yet can be found. The regularisation is chosen by
cross-validation; the temperature that makes the probabilities honest (Guo et al. 2017) is fitted on the same
out-of-fold logits, once the neighbours were given the say there that they earn. A text unlike all labelled ones gets an
opinion that is partly a guess. Classes are not reweighted: measured, that gains no macro-F1 here and costs calibration.
Stars and the leaves of a taxonomy are not taken for unrelated (`_softening`).

Nothing starts from the live version's weights: of a training on 10,000 labels only the fit to all rows could, 9 to 13 %
of the time (3 and 54 classes); the folds' fits must not have seen their folds, and equal labels must give equal heads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ml_backend.labeling.config import Control, LabelConfig
from ml_backend.labeling.errors import NotEnoughLabels
from ml_backend.labeling.kinds import Answer, Kind, kind_of
from ml_backend.prelabelers import Examples, Inputs, Learned, Opinion, Option, State, register
from ml_backend.prelabelers._blending import Blend
from ml_backend.prelabelers._calibration import Calibration, OneLabel, SeveralLabels, Trust
from ml_backend.prelabelers._contributions import Lean, Weighed, of_ngrams, weighed, without_each_word
from ml_backend.prelabelers._evaluation import evaluate
from ml_backend.prelabelers._features import Features
from ml_backend.prelabelers._fitting import Labelled, fit_by_cross_validation
from ml_backend.prelabelers._folds import folds, group_key
from ml_backend.prelabelers._inputs import portions
from ml_backend.prelabelers._neighbours import Near, Neighbours
from ml_backend.prelabelers._ngrams import Vocabulary
from ml_backend.prelabelers._opinions import Surroundings
from ml_backend.prelabelers._options import exclusive, options
from ml_backend.prelabelers._softening import softening
from ml_backend.prelabelers.regression import Coefficients

LEAST_TEXTS = 10
NAME_COUNTS_BELOW = 50
"""A label with that many examples of its own does without its words as one more; so does any label whose texts are in
another language than its words."""
MOST_PARAMETERS = 300_000
"""Of n-grams times labels, from 13 labels on: 1.2 MB a head. Of 58 labels three times as many changed no answer for the
better, and took twice the time (measured on 10,000 package descriptions)."""
MOST_NGRAMS = 12_000
"""Of words, and of characters as many: those that fewer texts share hardly change an answer, and double the time."""
COMMON = 0.25
"""Of the labelled texts: a word in more of them tells nobody anything."""
RARELY_SEVERAL = 0.05
"""A taxonomy where people pick more than one path less often than this is learned as one path a task."""


@register("few_shot")
class FewShot:
    """For choices, taxonomies and ratings, wherever there is text or an image to read."""

    name: str

    def learns(self, config: LabelConfig, control: Control) -> bool:
        return len(options(control)) > 1 and bool(config.text_fields(control) or config.image_fields(control))

    def learn(self, config: LabelConfig, control: Control, examples: Examples) -> Learned:
        kind, offered = _kind(control), options(control)
        several = _takes_several(control, kind, examples)
        known = _usable(kind, offered, examples, several)
        _require_enough(control, [examples.inputs.keys[i] for i in known], [examples.answers[i] for i in known])
        return _learn(kind, offered, examples, known, several)

    def load(self, control: Control, state: State) -> FewShotHead:
        kind = _kind(control)
        fields, arrays = state.fields, state.arrays
        labels = [
            Option(kind.from_key(key), name, "") for key, name in zip(fields["answers"], fields["names"], strict=True)
        ]
        return FewShotHead(
            kind,
            tuple(labels),
            Features(
                Vocabulary(arrays["word_hashes"], arrays["word_idf"]),
                Vocabulary(arrays["character_hashes"], arrays["character_idf"]),
                arrays["centre"],
                float(fields["scale"]),
            ),
            Coefficients(arrays["weights"], arrays["bias"]),
            Neighbours.read(arrays),
            Blend(**fields["blend"]),
            _CALIBRATIONS[fields["takes"]](**fields["calibration"]),
            Trust(**fields["trust"]),
        )


_CALIBRATIONS: dict[str, type[OneLabel] | type[SeveralLabels]] = {"one": OneLabel, "several": SeveralLabels}


@dataclass(frozen=True)
class FewShotHead:
    kind: Kind
    options: tuple[Option, ...]
    features: Features
    coefficients: Coefficients
    neighbours: Neighbours
    blend: Blend
    calibration: Calibration
    trust: Trust

    def opinions(self, inputs: Inputs) -> Sequence[Opinion | None]:
        if not len(inputs):
            return []
        near = self.neighbours.near(inputs.vectors)
        return self.judge(self.coefficients.logits(self.features.rows(inputs)), near, inputs)

    def judge(self, logits: np.ndarray, near: Near, inputs: Inputs) -> list[Opinion | None]:
        """From the regression's logits (n, k) and what the neighbours say."""
        blended = self.blend.apply(logits, near.shares, independent=not isinstance(self.calibration, OneLabel))
        distance, unknown = self.neighbours.distance(near.strangeness), self.neighbours.unknown(near.strangeness)
        around = Surroundings(near.shares, distance, unknown)
        found = self.calibration.opinions(self.options, blended, inputs, around)
        sure = self.trust.apply(np.array([opinion.confidence if opinion else 0.5 for opinion in found])).tolist()
        return [
            replace(opinion, confidence=confidence) if opinion else None
            for opinion, confidence in zip(found, sure, strict=True)
        ]

    def words_for(self, inputs: Inputs, answers: Sequence[Answer], *, closely: bool = False) -> list[list[Weighed]]:
        """See `Explains`. Where one label is right, measured is the answer's logit less that of the likeliest other
        one. What the n-grams of the regression add is exact; what its embedding adds belongs to no word, unless
        `closely` reads each text again without each of its words, 1 to 2 ms a word; what the neighbours add is left
        out, and so are words that stand everywhere ("the")."""
        found: list[list[Weighed]] = []
        for texts in portions(inputs.texts):
            some = range(len(found), len(found) + len(texts))
            found += self._words_for(inputs.take(some), [answers[i] for i in some], closely)
        return found

    def _words_for(self, inputs: Inputs, answers: Sequence[Answer], closely: bool) -> list[list[Weighed]]:
        rows = self.features.rows(inputs)
        lean = self._lean(self.coefficients.logits(rows), answers)
        dense, seen = rows.dense.shape[1], len(self.features.words.hashes)
        of_words, of_characters = np.split(self.coefficients.weights[dense:], [seen])
        added = of_ngrams(
            inputs.texts, (self.features.words, of_words), (self.features.characters, of_characters), lean
        )
        of_meaning = lean.leaning(rows.dense @ self.coefficients.weights[:dense])
        if closely:
            of_meaning -= self._add_meanings(inputs, lean, of_meaning, added)
        found = [weighed(*one) for one in zip(inputs.texts, added, np.abs(of_meaning).tolist(), strict=True)]
        said = [text[it.start : it.end] for text, some in zip(inputs.texts, found, strict=True) for it in some]
        telling = iter((self.features.words.share_of_texts(said) < COMMON).tolist())
        return [[it for it in some if next(telling)] for some in found]

    def _add_meanings(
        self, inputs: Inputs, lean: Lean, of_meaning: np.ndarray, added: Sequence[np.ndarray]
    ) -> np.ndarray:
        """Adds to each word what the embedding loses without it, and says how much that is for each text. Texts read
        together with images are left as they are."""
        alone = [row for row, it in enumerate(inputs.readings) if not it.pictures]
        parts = [(row, *part) for row in alone for part in without_each_word(inputs.texts[row], added[row])]
        owner = np.array([row for row, *_ in parts], np.int64)
        vectors = inputs.beside([rest for *_, rest in parts]).vectors
        dense = (vectors - self.features.centre) * np.float32(self.features.scale)
        left = lean.take(owner).leaning(dense @ self.coefficients.weights[: dense.shape[1]])
        lost = of_meaning[owner] - left
        for (row, start, end, _), share in zip(parts, lost.tolist(), strict=True):
            added[row][start:end] += share / (end - start)
        return np.bincount(owner, lost, minlength=len(inputs))

    def _lean(self, logits: np.ndarray, answers: Sequence[Answer]) -> Lean:
        column = {option.name: i for i, option in enumerate(self.options)}
        picked = [[column[name] for name in self.kind.labels(it) if name in column] for it in answers]
        if isinstance(self.calibration, OneLabel):
            chosen = np.array([it[0] if it else 0 for it in picked])
            rest = logits.copy()
            rest[np.arange(len(rest)), chosen] = -np.inf
            known = np.array([float(bool(it)) for it in picked])
            return Lean(np.stack([chosen, rest.argmax(axis=1)], axis=1), np.stack([known, -known], axis=1))
        most = max(1, *map(len, picked)) if picked else 1
        labels = np.array([it + [0] * (most - len(it)) for it in picked])
        return Lean(labels, np.array([[1.0] * len(it) + [0.0] * (most - len(it)) for it in picked]))

    def state(self) -> State:
        fields = {
            "answers": [self.kind.key(option.answer) for option in self.options],
            "names": [option.name for option in self.options],
            "takes": "one" if isinstance(self.calibration, OneLabel) else "several",
            "scale": self.features.scale,
            "blend": dict(self.blend.fields),
            "calibration": dict(self.calibration.fields),
            "trust": dict(self.trust.fields),
        }
        arrays = {
            "weights": self.coefficients.weights,
            "bias": self.coefficients.bias,
            "word_hashes": self.features.words.hashes,
            "word_idf": self.features.words.idf,
            "character_hashes": self.features.characters.hashes,
            "character_idf": self.features.characters.idf,
            "centre": self.features.centre,
            **self.neighbours.arrays(),
        }
        return State(fields, arrays)


def _kind(control: Control) -> Kind:
    kind = kind_of(control)
    if kind is None:
        raise ValueError(f"no kind of control reads <{control.tag}>")
    return kind


def _takes_several(control: Control, kind: Kind, examples: Examples) -> bool:
    if exclusive(control):
        return False
    many = sum(len(kind.labels(answer)) > 1 for answer in examples.answers)
    return kind.name != "taxonomy" or many > RARELY_SEVERAL * len(examples)


def _usable(kind: Kind, offered: Sequence[Option], examples: Examples, several: bool) -> list[int]:
    """Examples whose labels the config still has, in an order that only the examples themselves decide."""
    names = {option.name for option in offered}
    usable = [
        (group_key(key), kind.key(answer), i)
        for i, (key, answer) in enumerate(zip(examples.inputs.keys, examples.answers, strict=True))
        if key and names.issuperset(kind.labels(answer)) and (several or len(kind.labels(answer)) == 1)
    ]
    return [i for _, _, i in sorted(usable, key=lambda item: (*item[:2], examples.tasks[item[2]]))]


def _require_enough(control: Control, texts: Sequence[str], answers: Sequence[object]) -> None:
    different = len({group_key(text) for text in texts})
    twice = sum(count > 1 for count in Counter(answers).values())
    if different < LEAST_TEXTS or twice < 2:
        raise NotEnoughLabels(
            f"{control.name!r} has {different} different texts labelled, and {twice} of its answers at least twice; "
            f"learning takes {LEAST_TEXTS} texts and 2 such answers.",
            mend="Label some more tasks.",
        )


def _learn(kind: Kind, offered: Sequence[Option], examples: Examples, known: list[int], several: bool) -> Learned:
    inputs, answers = examples.inputs.take(known), [examples.answers[i] for i in known]
    count = Counter(name for answer in answers for name in kind.labels(answer))
    classes = tuple(option for option in offered if option.leaf or count[option.name])
    column = {option.name: i for i, option in enumerate(classes)}
    targets = np.zeros((len(known), len(classes)), np.float32)
    for row, answer in enumerate(answers):
        targets[row, [column[name] for name in kind.labels(answer)]] = 1

    features = Features.fit(inputs, most=min(MOST_NGRAMS, max(1_000, MOST_PARAMETERS // (2 * len(classes)))))
    enough = 0 if inputs.foreign else NAME_COUNTS_BELOW
    named = [i for i, option in enumerate(classes) if count[option.name] < enough]
    own = np.eye(len(classes), dtype=np.float32)[named]
    soften = softening(kind, classes, targets)
    data = Labelled(
        rows=features.rows(inputs),
        targets=targets if several else soften(targets),
        weights=examples.weights[known],
        fold=folds(inputs.keys, [int(row.argmax()) for row in targets]),
        always=features.rows(inputs.beside([classes[i].words for i in named])),
        always_targets=own if several else soften(own),
        independent=several,
    )
    calibration: type[OneLabel] | type[SeveralLabels] = SeveralLabels if several else OneLabel

    def loss(logits: np.ndarray, rows: np.ndarray) -> float:
        return calibration.fit(logits, targets[rows]).loss(logits, targets[rows])

    plainer = replace(data, rows=features.cut(data.rows), always=features.cut(data.always))
    fitted = fit_by_cross_validation(data, loss, plainer=plainer)
    features = features.without_characters() if fitted.plainer else features
    neighbours, near = Neighbours.fit(inputs.vectors, targets, data.weights, data.fold)
    alone = calibration.fit(fitted.logits, targets).temperature
    blend = Blend.fit(fitted.logits, near.shares, alone, loss, independent=several)
    blended = blend.apply(fitted.logits, near.shares, independent=several)
    calibrated = calibration.fit(blended, targets)
    head = FewShotHead(kind, classes, features, fitted.coefficients, neighbours, blend, calibrated, Trust())
    unseen = [
        (opinion, answer) for opinion, answer in zip(head.judge(fitted.logits, near, inputs), answers, strict=True)
    ]
    told = np.array([opinion.confidence for opinion, _ in unseen if opinion])
    head = replace(head, trust=Trust.fit(told, np.array([opinion.answer == it for opinion, it in unseen if opinion])))
    seen = dict(zip(known, head.judge(fitted.logits, near, inputs), strict=True))
    metrics = {
        **evaluate(kind, answers, [opinion for opinion in seen.values() if opinion]),
        "log_loss": round(calibrated.loss(blended, targets), 6),
        "c": fitted.c,
        "temperature": round(calibrated.temperature, 6),
        "neighbours": round(blend.neighbours, 6),
    }
    return Learned("few_shot", head, [seen.get(i) for i in range(len(examples))], metrics)
