from __future__ import annotations

from typing import Any

import pytest

from ml_backend.labeling.config import parse
from sdk_scripts.dropped_labels import dropped, usages


def config(controls: str) -> Any:
    return parse(f'<View><Text name="t" value="$text"/>{controls}</View>')


CHOICES = '<Choices name="verdict" toName="t"><Choice value="ham"/><Choice value="spam"/></Choices>'
ONE = '<Choices name="verdict" toName="t"><Choice value="ham"/></Choices>'
STARS = '<Rating name="stars" toName="t" maxRating="{}"/>'
TREE = (
    '<Taxonomy name="clause" toName="t"><Choice value="A"><Choice value="1"/>{}</Choice>'
    '<Choice value="B"><Choice value="2"/></Choice></Taxonomy>'
)
OPEN = '<Choices name="verdict" toName="t" value="$options"/>'
SPANS = '<Labels name="spans" toName="t">{}</Labels>'


@pytest.mark.parametrize(
    ("before", "after", "gone"),
    [
        (CHOICES, CHOICES, []),
        (ONE, CHOICES, []),
        (CHOICES, ONE, ["'spam' of 'verdict'"]),
        (CHOICES, STARS.format(5), ["'verdict'"]),
        (CHOICES, CHOICES.replace("Choices", "Labels").replace("<Choice ", "<Label "), ["'verdict'"]),
        (CHOICES, CHOICES.replace('value="spam"', 'value="Junk" alias="spam"'), []),
        (CHOICES, OPEN, []),
        (OPEN, ONE, []),
        (STARS.format(5), STARS.format(3), ["'4' of 'stars'", "'5' of 'stars'"]),
        (TREE.format('<Choice value="2"/>'), TREE.format(""), ["'A > 2' of 'clause'"]),
    ],
)
def test_what_the_new_config_cannot_hold_is_dropped(before: str, after: str, gone: list[str]) -> None:
    assert [str(one) for one in dropped(config(before), config(after))] == gone


def annotation(**controls: dict[str, Any]) -> dict[str, Any]:
    return {"result": [{"from_name": name, "value": value} for name, value in controls.items()]}


def test_uses_are_counted_in_annotations_and_tasks() -> None:
    before, after = (
        config(CHOICES + STARS.format(5) + SPANS.format('<Label value="a"/>')),
        config(ONE + STARS.format(3)),
    )
    spam, ham = annotation(verdict={"choices": ["spam"]}), annotation(verdict={"choices": ["ham"]})
    tasks = [
        {"annotations": [spam, spam, ham]},
        {"annotations": [spam]},
        {"annotations": [annotation(stars={"rating": 5})]},
        {"annotations": [annotation(spans={"start": 0, "end": 1, "text": "spam", "labels": ["a"]})]},
        {"annotations": []},
        {"annotations": [{"result": [None, {"from_name": "verdict"}, {"value": 3}]}]},
    ]
    assert [str(use) for use in usages(tasks, dropped(before, after))] == [
        "'spam' of 'verdict' is used in 3 annotations of 2 tasks",
        "'5' of 'stars' is used in 1 annotation of 1 task",
        "'spans' is used in 1 annotation of 1 task",
    ]


def test_a_path_is_used_as_a_path() -> None:
    gone = dropped(config(TREE.format('<Choice value="2"/>')), config(TREE.format("")))
    kept, lost = (annotation(clause={"taxonomy": [[parent, "2"]]}) for parent in ("B", "A"))
    assert not usages([{"annotations": [kept]}], gone)
    assert [use.annotations for use in usages([{"annotations": [kept, lost]}], gone)] == [1]


def test_what_the_machine_said_to_explain_itself_is_no_loss() -> None:
    before = config(
        '<TextArea name="why" toName="t" tiebreak="explanation"/>'
        '<Labels name="drove" toName="t" tiebreak="explanation"><Label value="for"/><Label value="against"/></Labels>'
    )
    fewer = config('<Labels name="drove" toName="t" tiebreak="explanation"><Label value="for"/></Labels>')
    assert dropped(before, fewer) == ()
    assert [str(it) for it in dropped(before, config(""))] == ["'drove'"]  # which Label Studio would keep
