"""What the figures mean, said plainly: is pre-labeling worth it on this data?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ml_backend.languages import note

WORTHWHILE = 0.02
"""Over the commonest answer, in accuracy: less is not worth a sentence of explanation to annotators."""
PAYS = 0.1
"""Share of tasks that must be acceptable unseen before that is worth setting up."""
STILL_RISING = 0.01
HARD = 0.5
"""F1 of a label that the machine mostly gets wrong."""
_HONEST_ECE = 0.03

Document = Mapping[str, Any]


def verdict(found: Document, texts: Sequence[str]) -> dict[str, Any]:
    """JSON to stand beside the figures: `worth` (true or false), `verdict` (sentences, the answer first) and
    `languages` (a sentence where the encoder does not know them, else empty)."""
    languages = note(texts, found["encoder"])
    sentences = [
        _answer(found),
        _against_tfidf(found),
        _from_names(found),
        _from_when(found),
        *_unseen(found),
        _honesty(found),
        _hard_labels(found),
        _choosing(found),
        _more_labels(found),
        languages,
        *_data(found),
    ]
    return {"worth": _worth(found), "verdict": [it for it in sentences if it], "languages": languages}


def _worth(found: Document) -> bool:
    over = found["full"]["over_majority"]
    return bool(over["low"] > 0 and over["gain"] >= WORTHWHILE)


def _answer(found: Document) -> str:
    full, usual, over = found["full"], found["majority"], found["full"]["over_majority"]
    measured = (
        f"with {full['labels']:,} labels the machine is right on {_percent(full['accuracy'])} of {found['test']:,} "
        f"texts it has not seen ({_percent(full['accuracy_low'])} to {_percent(full['accuracy_high'])}); always "
        f"answering {usual['answer']!r} would be right on {_percent(usual['accuracy'])}"
    )
    if _worth(found):
        return f"Yes, pre-labeling is worth it here: {measured}."
    if over["low"] > 0:
        return f"Hardly worth it: {measured}. That is a difference, but a small one."
    return (
        f"No, pre-labeling is not worth it here: {measured}, and that is no difference beyond chance. Either the "
        "labels do not follow from the text that annotators see, or there are too few."
    )


def _against_tfidf(found: Document) -> str:
    over, full = found["full"]["over_tfidf"], found["full"]
    small = next((row for row in found["shots"] if not row.get("all")), None)
    early = ""
    if small and small["per_class"] < full["per_class"]:
        early = (
            f" At {small['per_class']} labels a class it is {_percent(small['accuracy'])} against "
            f"{_percent(small['tfidf']['accuracy'])}."
        )
    if over["low"] > 0:
        said = f"It beats a bag of words (TF-IDF and logistic regression) by {_points(over['gain'])}"
    elif over["high"] < 0:
        said = f"A plain bag of words (TF-IDF and logistic regression) is better by {_points(-over['gain'])}"
    else:
        said = f"A bag of words (TF-IDF and logistic regression) does as well ({_points(over['gain'], signed=True)})"
    return f"{said}, 95 % interval {_points(over['low'], signed=True)} to {_points(over['high'], signed=True)}.{early}"


def _from_names(found: Document) -> str:
    guess, usual = found["zero_shot"], found["majority"]["accuracy"]
    if guess is None:
        return ""
    use = "useful from the first task on" if guess["accuracy"] > usual else "too little to show to anybody"
    return f"Without any labels, from their names alone, it is right on {_percent(guess['accuracy'])}: {use}."


def _from_when(found: Document) -> str:
    usual = found["majority"]["accuracy"]
    if not _worth(found):
        return ""
    n = found["test"]
    for row in found["stream"]:
        spread = 2 * max(row.get("accuracy_sd") or 0.0, (row["accuracy"] * (1 - row["accuracy"]) / n) ** 0.5)
        if row["accuracy"] - spread > usual:
            few = "" if row.get("all") else ", labelled in random order"
            beats = "then it beats the commonest answer beyond chance"
            return f"It pays from about {row['labels']:,} labels on{few}: {beats}."
    return ""


def _unseen(found: Document) -> list[str]:
    said = []
    for name, it in found["full"]["promises"].items():
        promised = _percent(float(name))
        if not it["accepted"]:
            said.append(f"At {promised} promised accuracy nothing could be accepted without a look.")
            continue
        kept = f"{_percent(it['accuracy'], 1)} of them were right"
        if it["kept"]:
            outcome = "the promise was kept"
        elif it["accuracy_high"] >= float(name):
            outcome = "short of the promise, but within chance"
        else:
            outcome = "the promise was broken: do not accept unseen at this level"
        said.append(
            f"At {promised} promised accuracy {_percent(it['coverage'])} of the texts could be accepted without a "
            f"look; {kept}, {outcome}."
        )
    return said


def _honesty(found: Document) -> str:
    ece, chance = found["full"]["ece"], found["full"]["ece_by_chance"]
    if ece <= max(_HONEST_ECE, chance):
        why = "" if ece <= _HONEST_ECE else f"; with so few texts chance alone gives up to {chance:.3f}"
        return f"Its confidence can be believed (expected calibration error {ece:.3f}{why})."
    return f"Its confidence is off: judge by the reliability table (expected calibration error {ece:.3f})."


def _hard_labels(found: Document) -> str:
    hard = [row for row in found["full"]["by_label"] if row["f1"] < HARD]
    if not hard:
        return ""
    named = [f"{row['label']!r} (F1 {row['f1']:.2f}{_taken(row['taken_for'])})" for row in hard[:5]]
    more = f" and {len(hard) - 5} more" if len(hard) > 5 else ""
    return f"Labels that stay hard: {', '.join(named)}{more}. Keep people on these."


def _taken(label: str | None) -> str:
    return f", mostly taken for {label!r}" if label else ""


def _choosing(found: Document) -> str:
    active = found["active"]
    if not active["random_labels_to_target"]:
        return ""
    chance, chosen = active["random_labels_to_target"], active["labels_to_target"]
    if chosen is None or chosen >= chance:
        return "Choosing the next tasks by doubt saves nothing here against choosing at random."
    return (
        f"Choosing the next tasks by doubt needs {chosen:,} labels where random order needs {chance:,} to come within "
        f"a point of what all {active['pool']:,} give: {_percent(1 - chosen / chance)} saved."
    )


def _more_labels(found: Document) -> str:
    earlier = [row for row in found["stream"] if not row.get("all") and row["labels"] <= 0.7 * found["full"]["labels"]]
    if not earlier or not _worth(found):
        return ""
    last, full = earlier[-1], found["full"]
    gained = {name: full[key] - last[key] for name, key in (("accuracy", "accuracy"), ("macro-F1", "macro_f1"))}
    helps = "More labels still help" if max(gained.values()) >= STILL_RISING else "More labels would hardly help"
    rose = " and ".join(f"{name} changed by {_points(rise, signed=True)}" for name, rise in gained.items())
    return f"{helps}: from {last['labels']:,} to {full['labels']:,} {rose}."


def _data(found: Document) -> list[str]:
    said = []
    if found["conflicts"]:
        said.append(
            f"Texts with different labels in different rows: {found['conflicts']:,}; the commonest counts. No model "
            "can be right more often than people agree."
        )
    for why, count in found["dropped"].items():
        said.append(f"Rows left out, {why}: {count:,}.")
    return said


def _percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"


def _points(difference: float, *, signed: bool = False) -> str:
    return f"{100 * difference:+.1f} points" if signed else f"{100 * difference:.1f} points"
