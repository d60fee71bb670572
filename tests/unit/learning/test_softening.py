"""Labels near each other share examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from ml_backend.encoder import Encoder
from ml_backend.labeling.config import Control, parse
from ml_backend.labeling.kinds import Answer, kind_of
from ml_backend.prelabelers import Examples, Inputs, options
from ml_backend.prelabelers._softening import MORE_SIBLINGS, SHARE, softening
from ml_backend.prelabelers.few_shot import FewShot, FewShotHead
from tests.unit.learning.reviews import reviews

STARS = '<Rating name="strength" toName="text"/>'
TREE = """<Taxonomy name="topic" toName="text"><Choice value="A"><Choice value="1"/><Choice value="2"/>
  <Choice value="3"/></Choice><Choice value="B"><Choice value="1"/></Choice><Choice value="C"/></Taxonomy>"""


def control(xml: str) -> Control:
    return parse(f'<View><Text name="text" value="$text"/>{xml}</View>').controls[0]


def moves(asked: Control, counts: Sequence[int]) -> np.ndarray:
    """(k, k): what one example of each label becomes, where people gave them so often."""
    kind, offered = kind_of(asked), options(asked)
    assert kind is not None
    eye = np.eye(len(offered), dtype=np.float32)
    return softening(kind, offered, np.repeat(eye, counts, axis=0))(eye)


@pytest.mark.parametrize("counts", [(0, 0, 0, 0, 0), (20, 20, 20, 20, 20), (1, 0, 5, 60, 900)])
def test_adjacent_stars_share_examples_and_no_star_gains_by_it(counts: Sequence[int]) -> None:
    found = moves(control(STARS), counts)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    shares = np.array(counts) + 1
    np.testing.assert_allclose(shares @ found, shares, rtol=1e-5)
    assert (found[np.abs(np.subtract.outer(range(5), range(5))) > 1] == 0).all()
    assert 0 < np.diag(found, 1).min() <= np.diag(found, 1).max() <= SHARE + 1e-6


def test_leaves_of_one_branch_share_examples_and_nothing_else_does() -> None:
    found = moves(control(TREE), (1, 50, 1, 1, 1, 9, 9))
    names = [option.name for option in options(control(TREE))]
    each = SHARE / (2 + MORE_SIBLINGS)
    leaves = [names.index(f"A / {leaf}") for leaf in "123"]
    np.testing.assert_allclose(
        found[np.ix_(leaves, leaves)], np.where(np.eye(3, dtype=bool), 1 - 2 * each, each), atol=1e-6
    )
    others = [i for i in range(len(names)) if i not in leaves]
    np.testing.assert_array_equal(found[others], np.eye(len(names))[others])


def test_choices_are_unrelated() -> None:
    asked = control('<Choices name="c" toName="text"><Choice value="a"/><Choice value="b"/></Choices>')
    np.testing.assert_array_equal(moves(asked, (5, 5)), np.eye(2))


def test_a_text_of_a_well_known_branch_speaks_for_its_rare_leaves(encoder: Encoder) -> None:
    asked = control("""<Taxonomy name="topic" toName="text">
      <Choice value="K"><Choice value="k1"/><Choice value="k2"/></Choice>
      <Choice value="L"><Choice value="l1"/><Choice value="l2"/></Choice></Taxonomy>""")
    assert (
        speaks_for(encoder, asked, {"positive": (("K", "k1"),), "negative": (("L", "l1"),)}, "K / k2", "L / l2") > 0.5
    )


def test_a_text_of_a_well_known_star_speaks_for_the_next(encoder: Encoder) -> None:
    assert speaks_for(encoder, control(STARS), {"positive": 1, "negative": 5}, "2", "4") > 0.5


def speaks_for(encoder: Encoder, asked: Control, answers: Mapping[str, Answer], one: str, other: str) -> float:
    """How much more a positive text raises the logit of a label nobody gave over that of another than a negative one
    does, where people gave `answers`."""
    config = parse('<View><Text name="text" value="$text"/></View>')
    known = reviews(60)
    inputs = Inputs([text for text, _ in known], encoder)
    given = tuple(answers[label] for _, label in known)
    head = FewShot().learn(config, asked, Examples(tuple(range(len(known))), inputs, given, np.ones(len(known)))).head
    assert isinstance(head, FewShotHead)
    names = [option.name for option in head.options]
    logits = head.coefficients.logits(head.features.rows(inputs))
    difference = logits[:, names.index(one)] - logits[:, names.index(other)]
    positive = np.array([label == "positive" for _, label in known])
    return float(difference[positive].mean() - difference[~positive].mean())
