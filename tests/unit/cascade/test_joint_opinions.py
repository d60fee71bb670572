"""One opinion of two, whatever the kind of control."""

from __future__ import annotations

import json
import random

import pytest

from ml_backend.joint_opinions import Joiner, Known, cross_fitted
from ml_backend.labeling.config import parse
from ml_backend.labeling.evidence_pool import AnswerPool, LabelPool
from ml_backend.labeling.kinds.spans import Span
from ml_backend.prelabelers import Doubt, Opinion

CONFIG = parse(
    '<View><Text name="a" value="$a"/><Text name="b" value="$b"/>'
    '<Choices name="verdict" toName="a"><Choice value="allow"/><Choice value="reject"/><Choice value="ask"/></Choices>'
    '<Choices name="tags" toName="a" choice="multiple"><Choice value="x"/><Choice value="y"/></Choices>'
    '<Taxonomy name="topic" toName="a" maxUsages="1"><Choice value="Goods"><Choice value="Toys"/></Choice>'
    '<Choice value="Food"/></Taxonomy>'
    '<Rating name="stars" toName="a" maxRating="3"/><Number name="price" toName="a"/>'
    '<Labels name="marks" toName="a"><Label value="Claim"/></Labels>'
    '<Pairwise name="better" toName="a,b"/></View>'
)
VERDICT = CONFIG["verdict"]
ABOUT = Doubt(0.4, 0.5, 0.6, neighbour_disagreement=0.2, distance=0.97)


def says(label: str, confidence: float, doubt: Doubt | None = None) -> Opinion:
    rest = [it for it in ("allow", "reject", "ask") if it != label]
    shares = {label: confidence, **dict.fromkeys(rest, (1 - confidence) / 2)}
    return Opinion((label,), confidence, shares, doubt)


@pytest.mark.parametrize(
    ("control", "pool"),
    [
        ("verdict", LabelPool),
        ("topic", LabelPool),
        ("stars", LabelPool),
        ("better", LabelPool),
        ("tags", AnswerPool),
        ("price", AnswerPool),
        ("marks", AnswerPool),
    ],
)
def test_one_label_of_a_list_is_pooled_by_label_and_all_else_by_answer(control: str, pool: type) -> None:
    joiner = Joiner.fit(CONFIG[control], ())
    assert type(joiner.pool) is pool
    document = json.loads(json.dumps(joiner.to_json()))
    assert Joiner.from_json(CONFIG[control], document) == joiner


def test_trust_in_another_kind_of_answer_is_refused() -> None:
    document = Joiner.fit(CONFIG["tags"], ()).to_json()
    with pytest.raises(ValueError, match="verdict"):
        Joiner.from_json(VERDICT, document)


@pytest.mark.parametrize(
    ("control", "one", "other"),
    [
        ("verdict", ("allow",), ("ask",)),
        ("topic", (("Goods", "Toys"),), (("Food",),)),
        ("stars", 3, 1),
        ("better", "left", "right"),
        ("tags", ("x", "y"), ("x",)),
        ("price", 3.5, 4.0),
        ("marks", (Span(0, 4, ("Claim",)),), (Span(2, 4, ("Claim",)),)),
    ],
)
def test_equal_answers_make_surer_and_others_less_sure(control: str, one: object, other: object) -> None:
    joiner = Joiner.fit(CONFIG[control], ())
    local = Opinion(one, 0.7, {})
    same = joiner.joint(local, Opinion(one, 0.95, {}))
    differ = joiner.joint(local, Opinion(other, 0.6, {}))
    assert same.answer == differ.answer == one
    assert differ.confidence < 0.7 < same.confidence < 1


def test_a_surer_large_model_has_its_way() -> None:
    known = [Known(i, ("reject",), says("allow", 0.5), says("reject", 0.9)) for i in range(60)]
    joiner = Joiner.fit(VERDICT, known)
    assert joiner.joint(says("allow", 0.5), says("reject", 0.9)).answer == ("reject",)


def test_what_is_known_of_the_surroundings_stays() -> None:
    made = Joiner.fit(VERDICT, ()).joint(says("allow", 0.6, ABOUT), says("allow", 0.9))
    assert made.doubt is not None
    assert (made.doubt.neighbour_disagreement, made.doubt.distance) == (0.2, 0.97)
    assert made.doubt.margin < 0.5
    assert sum(made.probabilities.values()) == pytest.approx(1)
    assert made.probabilities["allow"] == pytest.approx(made.confidence)


def test_a_label_alone_is_as_good_as_a_distribution() -> None:
    joiner = Joiner.fit(VERDICT, ())
    bare = joiner.joint(says("allow", 0.6), Opinion(("ask",), 0.8))
    assert bare == joiner.joint(says("allow", 0.6), says("ask", 0.8))


def test_labels_that_an_opinion_does_not_show_share_what_is_left() -> None:
    many = "".join(f'<Choice value="label {i}"/>' for i in range(40))
    (control,) = parse(
        f'<View><Text name="t" value="$t"/><Choices name="c" toName="t">{many}</Choices></View>'
    ).controls
    local = Opinion(("label 0",), 0.3, {f"label {i}": 0.3 if not i else 0.03 for i in range(20)})
    made = Joiner(control, LabelPool(1.0, 1.0)).joint(local, Opinion(("label 30",), 0.99, {"label 30": 0.99}))
    assert len(made.probabilities) == 20
    assert "label 30" in made.probabilities
    assert sum(made.probabilities.values()) <= 1


def test_without_a_local_opinion_the_large_one_stands_alone() -> None:
    joiner = Joiner.fit(VERDICT, ())
    assert joiner.joint(None, says("ask", 0.99)) == joiner.alone(says("ask", 0.99))
    assert joiner.alone(says("ask", 0.99)).confidence < 0.95


def test_cross_fitted_opinions_have_not_seen_their_own_label() -> None:
    """Labels drawn at random: who had seen them would be surer of the right one than of the wrong one."""
    draw = random.Random(0)
    labels = [draw.choice(("allow", "reject")) for _ in range(400)]
    known = [
        Known(i, (label,), says("allow", 0.5), says(draw.choice(("allow", "reject")), 0.9))
        for i, label in enumerate(labels)
    ]
    found = cross_fitted(VERDICT, known)
    right = [it.confidence for it, label in zip(found, labels, strict=True) if it.answer == (label,)]
    wrong = [it.confidence for it, label in zip(found, labels, strict=True) if it.answer != (label,)]
    assert abs(sum(right) / len(right) - sum(wrong) / len(wrong)) < 0.03


def test_equal_texts_are_judged_by_the_same_others() -> None:
    known = [Known(i // 2, ("allow",), says("allow", 0.6), says("allow", 0.9)) for i in range(20)]
    found = cross_fitted(VERDICT, known)
    assert all(found[i] == found[i + 1] for i in range(0, 20, 2))
    assert cross_fitted(VERDICT, []) == []
