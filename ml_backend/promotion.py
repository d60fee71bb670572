"""Whether a newly trained version may replace the one that answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ml_backend.cases import Case
from ml_backend.encoder import Encoder, look_of
from ml_backend.examples import text_hashes
from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.errors import InputError, ModelUnavailable
from ml_backend.labeling.kinds import kind_of
from ml_backend.model_registry import Model, ModelRegistry
from ml_backend.prelabelers import (
    PRELABELERS,
    Examples,
    Head,
    Inputs,
    Learned,
    Learner,
    Opinion,
    readings_of,
    signature,
)

LEVEL = 0.05
"""How often chance alone may have a candidate refused that is just `MARGIN` worse; half of it for each of two tests."""
MARGIN = 0.01
"""Of accuracy. A candidate answers out of fold, with four fifths of its labels: by the learning curves that costs 0.3
points (tweets, three labels) to 0.9 points (77 intents) of accuracy, which is no fault of the candidate."""
SURE = 0.5
"""Confidence from which a wrong answer to a case counts."""
CASES_NAMED = 5


def judge(
    project: str,
    config: LabelConfig,
    examples: Mapping[str, Examples],
    learned: Mapping[str, Learned],
    encoder: Encoder,
    registry: ModelRegistry,
    cases: Sequence[Case] = (),
) -> tuple[bool, str]:
    """Whether the candidate is not worse than the live version, and why.

    Both are asked about labelled texts that neither has seen: about those new to the live version, on which the
    candidate answers out of fold, and about all, on which the live version's out-of-fold opinions stand as they were
    kept with it. A text counts for the one that is right more often on its controls. The candidate is refused where
    those that count for the live version are significantly too many (`p_not_worse`) in either group: new texts show
    what labels gone wrong did to it, all of them show a small loss. So

    - a candidate as good as the live version is refused in fewer than LEVEL of all trainings, however few or many
      labels there are (a gap fixed in points of accuracy would refuse it time and again while labels are few);
    - a worse one passes where labels cannot tell. Where the two differ on a tenth of the texts, one that loses 3 points
      passes in 75 of 100 trainings with 500 texts and in 21 of 100 with 2,000; one that loses 6 points in
      5 and in none.

    What accuracy cannot show, rare and dear mistakes, is what the case library is for: a candidate that answers a case
    wrong, with confidence SURE or more, that the live version answers right, is refused whatever its accuracy.
    """
    live = registry.live(project)
    if live is None:
        return True, "It is the first trained version."
    try:
        incumbent = registry.load(project, live)
    except (ModelUnavailable, InputError) as problem:
        return True, f"The live version cannot be used: {problem}"
    if incumbent.info.config_fingerprint != config.fingerprint:
        return True, "The label config changed since the live version was trained."
    if incumbent.info.encoder != encoder.id:
        return True, "The encoder changed since the live version was trained."
    heads = {name: head for name in learned if (head := _head(config, name, incumbent))}
    if failed := list(_failed_cases(config, cases, heads, learned, encoder)):
        named = "; ".join(
            f"task {case.task} of project {case.project} ({case.place})"
            + (f", severity {case.severity}" if case.severity else "")
            for case in failed[:CASES_NAMED]
        )
        more = f" and {len(failed) - CASES_NAMED} more" if len(failed) > CASES_NAMED else ""
        return False, f"It answers cases wrong that the live version answers right: {named}{more}."
    new: dict[int, int] = {}
    for name, head in heads.items():
        _add(new, _on_unseen(name, head, examples[name], learned[name], incumbent))
    gains = dict(new)
    for name in heads:
        _add(gains, _out_of_fold(config, name, examples[name], learned[name], incumbent))
    lowest, said = 1.0, []
    for known, which in ((new, "new to the live version"), (gains, "in all that neither had seen")):
        better, worse = (sum(gain * sign > 0 for gain in known.values()) for sign in (1, -1))
        p = p_not_worse(better, worse, len(known))
        lowest = min(lowest, p)
        said.append(f"alone right on {better}, alone wrong on {worse} of {len(known)} texts {which} (p = {p:.2g})")
    verdict = "not worse" if lowest >= LEVEL / 2 else "worse"
    tried = sum(case.control in heads for case in cases)
    passed = f" It passes the {tried} cases of the library." if tried > 1 else " It passes the library's case." * tried
    why = f"It is {verdict} than the live version: {'; '.join(said)}; refused below {LEVEL / 2}.{passed}"
    return lowest >= LEVEL / 2, why


def p_not_worse(better: int, worse: int, texts: int) -> float:
    """The chance of `worse` or more losses among the discordant texts, for a candidate that is MARGIN worse.

    McNemar's exact test (1947), one-sided: of the texts that only one of the two answers right, each is the live
    version's with probability 1/2 if they are equally good, and 1/2 + MARGIN · texts / (2 · discordant) if the
    candidate is MARGIN worse (Lu & Bean 1995). 1 where there is nothing to tell them apart.
    """
    from scipy.stats import binom

    discordant = better + worse
    if not discordant:
        return 1.0
    share = min(1.0, 0.5 + MARGIN * texts / (2 * discordant))
    return float(binom.sf(worse - 1, discordant, share))


def _head(config: LabelConfig, name: str, incumbent: Model) -> Head | None:
    """The live version's head for a control, if it fits the control as it is now."""
    stored = incumbent.heads.get(name)
    if stored is None or stored.signature != signature(config, config[name]):
        return None
    learner = PRELABELERS[stored.prelabeler]
    return learner.load(config[name], stored.state) if isinstance(learner, Learner) else None


def _failed_cases(
    config: LabelConfig,
    cases: Sequence[Case],
    heads: Mapping[str, Head],
    learned: Mapping[str, Learned],
    encoder: Encoder,
) -> Iterator[Case]:
    for name, head in heads.items():
        asked = [case for case in cases if case.control == name]
        if not asked:
            continue
        inputs = Inputs(readings_of(config, config[name], [case.data for case in asked], look_of(encoder)), encoder)
        ours, theirs = learned[name].head.opinions(inputs), head.opinions(inputs)
        for case, our, their in zip(asked, ours, theirs, strict=True):
            wrong = our is not None and our.answer != case.answer and our.confidence >= SURE
            if wrong and their is not None and their.answer == case.answer:
                yield case


Gain = tuple[int, int]
"""A text's hash, and 1, 0 or -1: the candidate is right where the live version is wrong, the same, the reverse."""


def _on_unseen(name: str, head: Head, examples: Examples, learned: Learned, incumbent: Model) -> Iterator[Gain]:
    hashes = text_hashes(examples)
    rows = [i for i in np.flatnonzero(~np.isin(hashes, incumbent.learned_from[name])).tolist() if learned.opinions[i]]
    theirs = head.opinions(examples.inputs.take(rows)) if rows else ()
    for i, their in zip(rows, theirs, strict=True):
        answer = examples.answers[i]
        yield int(hashes[i]), _right(learned.opinions[i], answer) - (their is not None and their.answer == answer)


def _out_of_fold(
    config: LabelConfig, name: str, examples: Examples, learned: Learned, incumbent: Model
) -> Iterator[Gain]:
    """On texts that the live version has learned from, by what it said of each before it had."""
    kind, known = kind_of(config[name]), incumbent.outcomes[name]
    said = {text: code for text, code in zip(known.texts.tolist(), known.answered.tolist(), strict=True) if code >= 0}
    for i, text in enumerate(text_hashes(examples).tolist()):
        if kind and text in said and learned.opinions[i]:
            theirs = known.answers[said[text]] == kind.key(examples.answers[i])
            yield text, _right(learned.opinions[i], examples.answers[i]) - theirs


def _right(opinion: Opinion | None, answer: object) -> bool:
    return opinion is not None and opinion.answer == answer


def _add(gains: dict[int, int], more: Iterator[Gain]) -> None:
    for text, gain in more:
        gains[text] = gains.get(text, 0) + gain
