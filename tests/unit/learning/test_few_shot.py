from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest

from ml_backend.encoder import Encoder
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.errors import NotEnoughLabels
from ml_backend.labeling.kinds import Answer
from ml_backend.prelabelers import Examples, Inputs, Learned, State
from ml_backend.prelabelers.few_shot import FewShot
from sdk_scripts.backtest.baseline import Baseline
from tests.unit.learning.reviews import SENTIMENT, reviews


def learn(
    encoder: Encoder, config: LabelConfig, examples: Sequence[tuple[str, Answer]], weights: Sequence[float] = ()
) -> Learned:
    texts, answers = [text for text, _ in examples], tuple(answer for _, answer in examples)
    sure = np.array(weights or [1.0] * len(texts))
    known = Examples(tuple(range(len(texts))), Inputs(texts, encoder), answers, sure)
    return FewShot().learn(config, config.controls[0], known)


def sentiment(count: int, seed: int = 0) -> list[tuple[str, Answer]]:
    return [(text, (label,)) for text, label in reviews(count, seed)]


def choices(*labels: str, attributes: str = "") -> LabelConfig:
    listed = "".join(f'<Choice value="{label}"/>' for label in labels)
    return parse(
        f'<View><Text name="text" value="$text"/><Choices name="c" toName="text"{attributes}>{listed}</Choices></View>'
    )


def answers(learned: Learned, encoder: Encoder, *texts: str) -> list[Answer | None]:
    return [opinion and opinion.answer for opinion in learned.head.opinions(Inputs(texts, encoder))]


def test_it_learns_what_the_labels_say(encoder: Encoder) -> None:
    learned = learn(encoder, SENTIMENT, sentiment(60))
    unseen = [(text, label) for text, label in reviews(160) if text not in dict(sentiment(60))]
    found = answers(learned, encoder, *(text for text, _ in unseen))
    assert np.mean([one == (label,) for one, (_, label) in zip(found, unseen, strict=True)]) > 0.9
    assert learned.metrics["accuracy"] > 0.9
    assert learned.metrics["labels"] == 60
    assert learned.metrics["classes"] == {"positive": 30, "negative": 30}


def test_out_of_fold_opinions_are_not_of_a_model_that_saw_the_label(encoder: Encoder) -> None:
    source = np.random.default_rng(0)
    noise: list[tuple[str, Answer]] = [
        (text, (("positive", "negative")[source.integers(2)],)) for text, _ in reviews(80)
    ]
    learned = learn(encoder, SENTIMENT, noise)
    right = [
        opinion is not None and opinion.answer == given
        for opinion, (_, given) in zip(learned.opinions, noise, strict=True)
    ]
    assert 0.25 < np.mean(right) < 0.75
    assert np.mean([opinion.confidence for opinion in learned.opinions if opinion]) < 0.8


def test_a_text_labelled_twice_does_not_vouch_for_itself(encoder: Encoder) -> None:
    source = np.random.default_rng(1)
    noise: list[tuple[str, Answer]] = [
        (text, (("positive", "negative")[source.integers(2)],)) for text, _ in reviews(40)
    ]
    learned = learn(encoder, SENTIMENT, [*noise, *((text.upper(), given) for text, given in noise)])
    assert learned.metrics["accuracy"] < 0.75


def test_the_order_of_examples_does_not_matter(encoder: Encoder) -> None:
    known = sentiment(40)
    forward, backward = learn(encoder, SENTIMENT, known), learn(encoder, SENTIMENT, known[::-1])
    for name, array in forward.head.state().arrays.items():
        np.testing.assert_array_equal(array, backward.head.state().arrays[name])
    assert list(forward.opinions) == list(backward.opinions)[::-1]


def test_a_stored_head_answers_as_the_learned_one(encoder: Encoder) -> None:
    learned = learn(encoder, SENTIMENT, sentiment(40))
    state = learned.head.state()
    stored = State(json.loads(json.dumps(state.fields)), state.arrays)
    head = FewShot().load(SENTIMENT.controls[0], stored)
    new = Inputs([text for text, _ in reviews(20, seed=9)] + [""], encoder)
    assert head.opinions(new) == learned.head.opinions(new)
    assert head.opinions(new)[-1] is None


def test_few_examples_never_make_it_certain(encoder: Encoder) -> None:
    learned = learn(encoder, SENTIMENT, sentiment(20))
    found = learned.head.opinions(Inputs(["I love it, excellent, wonderful, great"], encoder))
    assert found[0] is not None
    assert found[0].confidence < 1 - 0.4 / 22


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (sentiment(2), "2 different texts"),
        ([(text, ("positive",)) for text, _ in reviews(40)], "1 of its answers"),
        ([(text, ("positive",)) for text, _ in reviews(40)] + [("Bad.", ("negative",))], "1 of its answers"),
        ([("Always the same.", answer) for answer in (("positive",), ("negative",)) * 20], "1 different texts"),
        ([(text, ("gone from the config",)) for text, _ in reviews(40)], "0 different texts"),
    ],
)
def test_too_little_to_learn_from_is_said_with_numbers(
    encoder: Encoder, known: list[tuple[str, Answer]], said: str
) -> None:
    with pytest.raises(NotEnoughLabels, match=said):
        learn(encoder, SENTIMENT, known)


def test_labels_the_config_no_longer_has_are_left_out(encoder: Encoder) -> None:
    gone: list[tuple[str, Answer]] = [(f"The {thing} is unclear.", ("unsure",)) for thing in "abcdefgh"]
    learned = learn(encoder, SENTIMENT, [*gone, *sentiment(40)])
    assert learned.metrics["labels"] == 40
    assert list(learned.opinions[:8]) == [None] * 8
    assert all(learned.opinions[8:])


def test_a_label_without_examples_can_be_found_by_its_name(encoder: Encoder) -> None:
    config = choices("positive", "negative", "question about delivery")
    learned = learn(encoder, config, sentiment(30))
    texts = ["A question about delivery: when will it be delivered?", "I love it, a great purchase."]
    asked, praised = (opinion and opinion.probabilities for opinion in learned.head.opinions(Inputs(texts, encoder)))
    assert asked is not None
    assert praised is not None
    assert asked["question about delivery"] > 3 * praised["question about delivery"] > 0


def test_an_unsure_consensus_counts_less(encoder: Encoder) -> None:
    known = sentiment(40)
    wrong: list[tuple[str, Answer]] = 2 * [(text, ("positive",)) for text, answer in known if answer == ("negative",)]
    trusted = learn(encoder, SENTIMENT, [*known, *wrong])
    doubted = learn(encoder, SENTIMENT, [*known, *wrong], [1.0] * len(known) + [0.05] * len(wrong))
    new = [text for text, label in reviews(160, seed=4) if label == "negative"]
    assert answers(trusted, encoder, *new).count(("negative",)) < 0.2 * len(new)
    assert answers(doubted, encoder, *new).count(("negative",)) > 0.8 * len(new)


def test_several_labels_a_task_are_learned_each_on_its_own(encoder: Encoder) -> None:
    config = choices("broken", "late", "rude", attributes=' choice="multiple"')
    parts = {"broken": "it was broken into pieces", "late": "the parcel came weeks late", "rude": "the staff was rude"}
    source = np.random.default_rng(0)
    known: list[tuple[str, Answer]] = []
    for i in range(90):
        picked = tuple(label for label in parts if source.random() < 0.5) or ("late",)
        known.append((f"Order {i}: " + " and ".join(parts[label] for label in picked) + ".", picked))
    learned = learn(encoder, config, known)
    assert learned.metrics["accuracy"] > 0.9
    assert answers(learned, encoder, "Order 200: the staff was rude and it was broken into pieces.") == [
        ("broken", "rude")
    ]
    assert all(opinion and 0 <= opinion.confidence <= 1 for opinion in learned.opinions)
    state = learned.head.state()
    head = FewShot().load(config.controls[0], State(json.loads(json.dumps(state.fields)), state.arrays))
    new = Inputs([text for text, _ in known[:10]], encoder)
    assert head.opinions(new) == learned.head.opinions(new)


def test_a_taxonomy_is_learned_with_branches_that_people_picked(encoder: Encoder) -> None:
    config = parse("""<View><Text name="text" value="$text"/><Taxonomy name="topic" toName="text">
      <Choice value="Opinion"><Choice value="Praise"/><Choice value="Complaint"/></Choice></Taxonomy></View>""")
    path = {"positive": (("Opinion", "Praise"),), "negative": (("Opinion", "Complaint"),)}
    known: list[tuple[str, Answer]] = [(text, path[label]) for text, label in reviews(40)]
    known += [(f"I have an opinion on item {i}.", (("Opinion",),)) for i in range(10)]
    learned = learn(encoder, config, known)
    assert answers(learned, encoder, "I love it, an excellent purchase", "I have an opinion on item 77.") == [
        (("Opinion", "Praise"),),
        (("Opinion",),),
    ]


def test_stars_are_learned(encoder: Encoder) -> None:
    config = parse('<View><Text name="text" value="$text"/><Rating name="rating" toName="text"/></View>')
    learned = learn(encoder, config, [(text, 5 if label == "positive" else 1) for text, label in reviews(40)])
    assert answers(
        learned, encoder, "Honestly, the lamp is a waste of money.", "My lamp works perfectly and I love it."
    ) == [1, 5]


def test_a_language_the_encoder_does_not_know_is_learned_from_its_characters(encoder: Encoder) -> None:
    good, bad = ("ดีมาก", "ชอบมาก", "อร่อย"), ("แย่มาก", "ไม่ชอบ", "เสียใจ")
    known: list[tuple[str, Answer]] = [(f"ร้านที่{i}{good[i % 3]}ครับ", ("positive",)) for i in range(30)]
    known += [(f"ร้านที่{i}{bad[i % 3]}ครับ", ("negative",)) for i in range(30)]
    assert learn(encoder, SENTIMENT, known).metrics["accuracy"] > 0.9


def test_few_labels_in_an_unknown_language_are_worth_what_a_bag_of_words_makes_of_them(encoder: Encoder) -> None:
    source = np.random.default_rng(3)
    words = ["".join(map(chr, source.integers(0x0E01, 0x0E2F, source.integers(2, 6)))) for _ in range(60)]
    telling, filler = {"positive": words[:8], "negative": words[8:16]}, words[16:]
    known = [
        ("".join(source.permutation([*source.choice(filler, 5), source.choice(telling[label])])), label)
        for label in telling
        for _ in range(180)
    ]
    ours, usual = [], []
    for _ in range(5):
        drawn = np.concatenate([source.permutation(180)[:16], 180 + source.permutation(180)[:16]])
        texts, labels = zip(*(known[i] for i in drawn), strict=True)
        asked, truth = zip(*(it for i, it in enumerate(known) if i not in drawn), strict=True)
        given = [(label,) for label in labels]
        said = answers(learn(encoder, SENTIMENT, list(zip(texts, given, strict=True))), encoder, *asked)
        baseline = Baseline([*texts, *asked]).answers(texts, given, asked, several=False)
        ours.append(np.mean([answer == (label,) for answer, label in zip(said, truth, strict=True)]))
        usual.append(np.mean([answer == (label,) for answer, label in zip(baseline, truth, strict=True)]))
    assert np.mean(ours) >= np.mean(usual), (ours, usual)


def test_confidence_is_calibrated_on_labels_with_noise(encoder: Encoder) -> None:
    source = np.random.default_rng(5)

    def noisy(pairs: list[tuple[str, str]]) -> list[tuple[str, Answer]]:
        other = {"positive": "negative", "negative": "positive"}
        return [(text, (other[label] if source.random() < 0.2 else label,)) for text, label in pairs]

    pairs = reviews(400, seed=2)
    learned = learn(encoder, SENTIMENT, noisy(pairs[:200]))
    test = noisy(pairs[200:])
    found = learned.head.opinions(Inputs([text for text, _ in test], encoder))
    sure = np.array([opinion.confidence for opinion in found if opinion])
    right = np.array(
        [opinion is not None and opinion.answer == given for opinion, (_, given) in zip(found, test, strict=True)]
    )
    assert abs(sure.mean() - right.mean()) < 0.1


def test_texts_of_another_world_get_no_high_confidence(encoder: Encoder) -> None:
    learned = learn(encoder, SENTIMENT, sentiment(60))
    known = learned.head.opinions(Inputs([text for text, _ in reviews(20, seed=9)], encoder))
    strange = learned.head.opinions(
        Inputs(["qzx vvkrt wplm oiu", "ประชุมเลื่อนเป็นวันพฤหัสบดี", "Die Wurzel aus zwei ist irrational."], encoder)
    )
    assert all(opinion and opinion.confidence > 0.85 for opinion in known)
    assert all(opinion and opinion.confidence < 0.65 for opinion in strange)
    assert all(opinion and opinion.doubt and opinion.doubt.distance == 1 for opinion in strange)


def test_doubt_lies_between_sure_and_no_idea(encoder: Encoder) -> None:
    learned = learn(encoder, SENTIMENT, sentiment(60))
    for opinion in learned.opinions:
        assert opinion is not None
        assert opinion.doubt is not None
        measures = (
            opinion.doubt.least_confidence,
            opinion.doubt.margin,
            opinion.doubt.entropy,
            opinion.doubt.neighbour_disagreement,
            opinion.doubt.distance,
        )
        assert all(value is not None and 0 <= value <= 1 for value in measures)
