"""A large model on the test half: how well it agrees with people, what that costs, and what a cascade would make of it.

It answers up to `asks` texts twice: without examples, and with the nearest of the training half. How far to trust it is
learned from four fifths of those texts and tried on the last one, in turn; the local model has seen none of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ml_backend.encoder import Encoder
from ml_backend.joint_opinions import Known, cross_fitted
from ml_backend.labeling.confidence import expected_calibration_error
from ml_backend.labeling.config import Control, LabelConfig
from ml_backend.labeling.errors import InputError, ModelUnavailable
from ml_backend.labeling.kinds import one_line
from ml_backend.labeling.thresholds import accept_above
from ml_backend.large_model import AnswerCache, Cost, LargeModel, LedgerInMemory, Question, Reply, Shot
from ml_backend.model_files import ModelFiles
from ml_backend.prelabelers import Inputs, Opinion, Reading, text_hash
from ml_backend.shots import Labelled as Examples
from sdk_scripts.backtest.labelled import Labelled
from sdk_scripts.backtest.measures import Answered, interval, macro_f1
from sdk_scripts.backtest.promises import PROMISES
from sdk_scripts.backtest.replay import best_learned
from sdk_scripts.backtest.splits import halves

if TYPE_CHECKING:
    from ml_backend.policy import LargeModel as Terms
    from ml_backend.settings import Settings

ASKS = 200
LEAST = 20
"""Texts that figures need."""
BELOW = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Confidences of the local model below which a cascade would ask."""
_AT_ONCE = 20
_REASON = 160

JSON = dict[str, Any]


@dataclass(frozen=True)
class Wanted:
    """What may be asked, and spent, in all."""

    asks: int = ASKS
    tokens: int | None = None
    money: float | None = None
    input_price: float = 0.0
    """A million tokens."""
    output_price: float = 0.0
    guidelines: str = ""

    def terms(self) -> Terms:
        from ml_backend.policy import LargeModel as Terms

        if self.money is not None and not (self.input_price or self.output_price):
            raise InputError("--money needs prices.", mend="Add --input-price and --output-price, a million tokens.")
        return Terms(
            tokens_a_day=self.tokens,
            money_a_day=self.money,
            input_price=self.input_price,
            output_price=self.output_price,
        )


def large_model(settings: Settings, wanted: Wanted) -> LargeModel:
    """Raises ConfigError where the settings name no endpoint, InputError for a budget of money without prices."""
    cache = AnswerCache(ModelFiles(f"{settings.models}/answers"))
    return LargeModel(settings, wanted.terms(), ledger=LedgerInMemory(), cache=cache)


def measure_large(
    labelled: Labelled,
    encoder: Encoder,
    large: LargeModel,
    wanted: Wanted,
    *,
    test_share: float,
    seed: int,
    report: Callable[[str], None],
) -> JSON:
    """JSON, `large_model` of the backtest. Raises ModelUnavailable where it answers next to nothing."""
    train, test = halves(labelled.kind, labelled.answers, test_share)
    drawn = np.random.default_rng((seed, len(test))).permutation(test)[: wanted.asks]
    known, asked = labelled.take(train.tolist()), labelled.take(drawn.tolist())
    replies = _asked(known, asked, encoder, large, wanted, report)
    rows = [i for i, pair in enumerate(zip(*replies, strict=True)) if not any(map(_not_asked, pair))]
    left = Counter(_reason(it) for it in replies[1] if _not_asked(it))
    note = "; ".join(left)
    if len(rows) < LEAST:
        raise ModelUnavailable(
            f"The large model answered {len(rows)} of {len(asked)} texts{f': {note}' if note else ''}.",
            mend=f"Check TIEBREAK_LLM_URL and the budget; figures need {LEAST} texts at least.",
        )
    heard = asked.take(rows)
    alone = best_learned(known, encoder).head.opinions(Inputs(heard.texts, encoder))
    by_way = [[it[i] for i in rows] for it in replies]
    joint = _joint(heard, alone, by_way[1])
    return {
        "model": large.id,
        "wanted": len(asked),
        "texts": len(rows),
        "note": note,
        "zero_shot": _row(heard, by_way[0]),
        "with_examples": _row(heard, by_way[1]),
        "local": _figures(heard, alone),
        "cascade": [_cascade(heard, alone, joint, by_way[1], below) for below in BELOW],
    }


def _asked(
    known: Labelled, asked: Labelled, encoder: Encoder, large: LargeModel, wanted: Wanted, report: Callable[[str], None]
) -> tuple[list[Reply], list[Reply]]:
    """Without examples and with them, in turns: so a budget that is spent leaves as many of both."""
    config, control = _alone(asked.config, asked.control)
    own = next(iter(config.text_fields(control)), "text")
    shots = Examples.of(
        [Shot(text, {control.name: answer}) for text, answer in zip(known.texts, known.answers, strict=True)], encoder
    )
    nearest = shots.nearest(asked.texts, wanted.terms().examples)
    replies: tuple[list[Reply], list[Reply]] = ([], [])
    for start in range(0, len(asked), _AT_ONCE):
        questions = [
            Question(i, {own: asked.texts[i]}, {control.name: Reading(asked.texts[i], (asked.texts[i],))}, nearest[i])
            for i in range(start, min(start + _AT_ONCE, len(asked)))
        ]
        bare = [replace(it, shots=()) for it in questions]
        for way, some in zip(replies, (bare, questions), strict=True):
            way += large.ask(config, [control], wanted.guidelines, some)
        report(f"Asking the large model: {len(replies[0]):,} of {len(asked):,} texts …")
        if 2 * sum(map(_not_asked, replies[1][start:])) > len(questions):
            break  # the budget is spent, or nobody answers
    missing = [Reply(i, reason=replies[1][-1].reason) for i in range(len(replies[0]), len(asked))]
    return replies[0] + missing, replies[1] + missing


def _alone(config: LabelConfig, control: Control) -> tuple[LabelConfig, Control]:
    """The control by itself: nothing else is answered that it could depend on."""
    bare = replace(control, visible_when=())
    return replace(config, controls=(bare,)), bare


def _not_asked(reply: Reply) -> bool:
    """As the budget was spent or the endpoint failed: that says nothing of the model."""
    return not reply.opinions and not reply.cost.requests and not reply.cost.cached


def _reason(reply: Reply) -> str:
    return one_line(reply.reason, _REASON) or "it abstained"


def _joint(heard: Labelled, alone: Sequence[Opinion | None], replies: Sequence[Reply]) -> list[Opinion | None]:
    """Cross-fitted; the local opinion where the large model has none."""
    name = heard.control.name
    rows = [i for i, reply in enumerate(replies) if name in reply.opinions]
    known = [Known(text_hash(heard.texts[i]), heard.answers[i], alone[i], replies[i].opinions[name]) for i in rows]
    found = list(alone)
    for i, opinion in zip(rows, cross_fitted(heard.control, known), strict=True):
        found[i] = opinion
    return found


def _row(heard: Labelled, replies: Sequence[Reply]) -> JSON:
    """The large model alone."""
    name = heard.control.name
    raw = [reply.opinions.get(name) for reply in replies]
    rows = [i for i, opinion in enumerate(raw) if opinion is not None]
    known = [Known(text_hash(heard.texts[i]), heard.answers[i], None, it) for i in rows if (it := raw[i]) is not None]
    honest = cross_fitted(heard.control, known)
    right = [it.answer == heard.answers[i] for i, it in zip(rows, honest, strict=True)]
    live = [reply.cost for reply in replies if not reply.cost.cached]
    cost = sum(live, Cost())
    each = max(1, sum(name in reply.opinions for reply in replies if not reply.cost.cached))
    return {
        **_figures(heard, raw),
        "ece_recalibrated": _ece([it.confidence for it in honest], right),
        "abstained": dict(Counter(_reason(reply) for reply in replies if name not in reply.opinions).most_common()),
        "from_cache": len(replies) - len(live),
        "input_tokens": cost.input_tokens,
        "output_tokens": cost.output_tokens,
        "money": cost.money,
        "tokens_a_label": cost.tokens / each if live else None,
        "money_per_1000": 1000 * cost.money / each if live else None,
        "seconds_a_label": cost.seconds / each if live else None,
    }


def _figures(heard: Labelled, opinions: Sequence[Opinion | None]) -> JSON:
    """Texts without an opinion count as wrong, but for the calibration error."""
    found = Answered.of(opinions, heard.answers)
    low, high = interval(int(found.right.sum()), len(heard))
    said = np.array([opinion is not None for opinion in opinions])
    return {
        "accuracy": found.accuracy,
        "accuracy_low": low,
        "accuracy_high": high,
        "macro_f1": macro_f1(heard.kind, heard.answers, found.answers),
        "answered": int(said.sum()),
        "ece": _ece(found.confidence[said], found.right[said]),
        "ece_by_chance": found.ece_by_chance(),
        "coverage": {f"{promise:g}": _coverage(found, promise) for promise in PROMISES},
    }


def _cascade(
    heard: Labelled,
    alone: Sequence[Opinion | None],
    joint: Sequence[Opinion | None],
    replies: Sequence[Reply],
    below: float,
) -> JSON:
    asks = [opinion is None or opinion.confidence < below or below >= 1 for opinion in alone]
    share = sum(asks) / len(asks)
    live = [reply.cost for reply in replies if not reply.cost.cached]
    cost, each = sum(live, Cost()), max(1, len(live))
    return {
        "below": below,
        "asked": share,
        **_figures(heard, [joint[i] if ask else alone[i] for i, ask in enumerate(asks)]),
        "tokens_per_1000": 1000 * share * cost.tokens / each if live else None,
        "money_per_1000": 1000 * share * cost.money / each if live else None,
        "money_saved_per_1000": 1000 * (1 - share) * cost.money / each if live else None,
    }


def _coverage(found: Answered, promise: float) -> float:
    """The share that may be accepted without people, so that with 95 % certainty no more than promised is wrong."""
    threshold = accept_above(found.confidence, found.right, error=1 - promise)
    return threshold.coverage if threshold else 0.0


def _ece(confidence: Sequence[float] | np.ndarray, right: Sequence[bool] | np.ndarray) -> float | None:
    return expected_calibration_error(np.clip(confidence, 0, 1), np.asarray(right, bool)) if len(right) else None


def sentences(found: Mapping[str, Any]) -> list[str]:
    """What the figures mean, for people."""
    large, local, rows = found["with_examples"], found["local"], found["cascade"]
    everything = rows[-1]
    said = [
        f"On {found['texts']} texts {found['model']} is right {large['accuracy']:.0%} of the time with examples "
        f"({large['accuracy_low']:.0%} to {large['accuracy_high']:.0%}), {found['zero_shot']['accuracy']:.0%} without; "
        f"the local model {local['accuracy']:.0%}."
    ]
    within = [row for row in rows if row["accuracy"] >= everything["accuracy"] - 0.01]
    best = within[0]
    if best["accuracy"] > local["accuracy"] + 0.01:
        money = best["money_per_1000"]
        cost = f", for {money:.2f} a 1,000 texts" if money else ""
        said.append(
            f"A cascade that asks it below {best['below']:g} is right {best['accuracy']:.0%} of the time and asks of "
            f"{best['asked']:.0%} of the texts{cost}: {1 - best['asked']:.0%} less than asking always."
        )
    else:
        said.append("Together they are hardly better than the local model alone: the large model does not pay here.")
    promised = f"{PROMISES[0]:g}"
    widest = max(rows, key=lambda row: (row["coverage"][promised], -row["asked"]))
    if (share := widest["coverage"][promised]) > local["coverage"][promised]:
        said.append(
            f"At {PROMISES[0]:.0%} promised accuracy, {share:.0%} of the texts need no person where it is asked below "
            f"{widest['below']:g}; with the local model alone {local['coverage'][promised]:.0%}."
        )
    if found["note"]:
        said.append(f"{found['wanted'] - found['texts']} texts were not asked: {found['note']}.")
    return said
