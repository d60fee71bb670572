"""Which answers are taken for each other, and what the guidelines say of them."""

from __future__ import annotations

from typing import Any

from unit.calibration.made import GUIDELINES, said

from sdk_scripts.calibration.answers import Answers
from sdk_scripts.calibration.confusions import MAX_TEXT, Shower, confusions
from sdk_scripts.calibration.gold import Gold

ROWS = {
    1: {"ana": "negative", "ben": "neutral", "cho": "neutral"},
    2: {"ana": "neutral", "ben": "negative", "cho": "neutral"},
    3: {"ana": "negative", "ben": "neutral", "cho": "positive"},
    4: {"ana": "positive", "ben": "positive", "cho": "positive"},
    5: {"ana": "negative"},
}
GOLD: Gold = {("sentiment", 2): '["neutral"]'}


def shower(answers: Answers) -> Shower:
    def place(item: int) -> dict[str, Any]:
        return {"task": item, "url": f"https://studio/{item}"}

    return Shower(answers, GOLD, place)


def test_pairs_of_answers_are_counted_by_task_whoever_gave_which() -> None:
    answers = said(ROWS)
    found = [shower(answers).confusion(it) for it in confusions(answers, GOLD)]
    assert [(it["labels"], it["items"], it["share"]) for it in found] == [
        (["negative", "neutral"], 3, 0.75),
        (["negative", "positive"], 1, 0.25),
        (["neutral", "positive"], 1, 0.25),
    ]
    first = found[0]["examples"]
    assert [it["task"] for it in first] == [2, 1, 3]  # what gold knows comes first
    assert first[0] == {
        "task": 2,
        "url": "https://studio/2",
        "text": "text 2",
        "said": {"ana@example.com": "neutral", "ben@example.com": "negative", "cho@example.com": "neutral"},
        "gold": "neutral",
    }
    assert first[1]["gold"] is None


def test_the_nearest_section_of_the_rounds_guidelines_is_named_and_whether_it_was_changed() -> None:
    answers = said(ROWS)
    found = confusions(answers, GOLD)
    first, *_ = shower(answers).sections(found, GUIDELINES)
    assert (first["section"], first["reason"]) == (
        "Complaints",
        "negative and neutral were taken for each other in 3 of 4 tasks",
    )
    assert first["do"].startswith("Here say when it is negative and when neutral")
    changed, *_ = shower(answers).sections(found, GUIDELINES.replace("Late is", "What is late is"))
    assert changed["do"].startswith("It has been changed since")
    silent = said(ROWS, instruction="<p>Be fair.</p>")
    missing, *_ = shower(silent).sections(confusions(silent, GOLD), "")
    assert (missing["section"], missing["do"][:27]) == (None, "The guidelines name neither")


def test_texts_are_one_short_line() -> None:
    answers = said({1: ROWS[1]})
    task = answers.tasks[1]
    long = "line\none \x1b[31m" + "x" * 1000
    answers.tasks[1] = type(task)(1, {"text": long}, task.annotations)  # type: ignore[index]
    (example,) = shower(answers).confusion(confusions(answers, {})[0])["examples"]
    assert len(example["text"]) <= MAX_TEXT
    assert not any(it in example["text"] for it in "\n\x1b")


def test_free_text_is_not_confused() -> None:
    config = '<View><Text name="text" value="$text"/><TextArea name="why" toName="text"/></View>'
    answers = said({1: {"ana": {"why": ("a",)}, "ben": {"why": ("b",)}}}, config=config)
    assert len(answers.table) == 2
    assert confusions(answers, {}) == []
