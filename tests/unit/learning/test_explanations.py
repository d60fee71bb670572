"""Why a real, trained head answers as it does, in words and as regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml_backend.briefs import Precedent
from ml_backend.encoder import Encoder
from ml_backend.explanations import MOST_CHARACTERS, Explanation, Precedents, explain, explained, regions
from ml_backend.labeling.answers import answers
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.kinds import Answer
from ml_backend.prelabelers import Examples, Explains, Inputs, Opinion, Weighed, readings_of, start
from ml_backend.prelabelers._contributions import MOST_LEFT_OUT, of_ngrams, without_each_word
from ml_backend.prelabelers.few_shot import FewShot, FewShotHead
from ml_backend.studio.checks import prediction_problems
from tests.unit.learning.reviews import SENTIMENT, reviews

WHY = (
    '<TextArea name="why" toName="text" tiebreak="explanation" editable="false" maxSubmissions="0" required="true"/>'
    '<Labels name="drove" toName="text" tiebreak="explanation" visible="false">'
    '<Label value="speaks for it"/><Label value="speaks against it"/></Labels>'
)
CONFIG = parse(SENTIMENT.xml.replace("</View>", f"{WHY}</View>"))
AWFUL = "My kettle is terrible and I want my money back."
MIXED = "The camera looks beautiful, and broke after a day."
STRANGE = "ประชุมสภาเลื่อนไปวันพฤหัสบดี"
ANY_TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from("İßΣς ก็กน้ำ中文한국 \t\u00a0👜"), max_size=60)


@pytest.fixture(scope="module")
def head(encoder: Encoder) -> FewShotHead:
    texts, labels = zip(*reviews(80), strict=True)
    examples = Examples(tuple(range(80)), Inputs(texts, encoder), tuple((it,) for it in labels), np.ones(80))
    learned = FewShot().learn(SENTIMENT, SENTIMENT.controls[0], examples).head
    assert isinstance(learned, FewShotHead)
    return learned


def why(
    head: Any,
    encoder: Encoder,
    texts: Sequence[str],
    given: Sequence[Answer] | None = None,
    precedents: Precedents | None = None,
    config: LabelConfig = CONFIG,
) -> list[Explanation]:
    inputs = Inputs(texts, encoder)
    opinions = [it or Opinion((), 0.0) for it in head.opinions(inputs)]
    said = [it.answer for it in opinions] if given is None else given
    return explain(config, "sentiment", said, opinions, inputs, head, precedents)


def margins(head: FewShotHead, inputs: Inputs) -> np.ndarray:
    """Of "positive" over "negative", what the n-grams have in it."""
    rows = head.features.rows(inputs)
    weights = head.coefficients.weights[rows.dense.shape[1] :]
    column = {option.name: i for i, option in enumerate(head.options)}
    lean = weights[:, column["positive"]] - weights[:, column["negative"]]
    return np.asarray(rows.sparse @ lean)


@given(texts=st.lists(ANY_TEXT, min_size=1, max_size=4))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_characters_add_sums_to_what_the_ngrams_have_in_the_logits(
    head: FewShotHead, encoder: Encoder, texts: list[str]
) -> None:
    inputs = Inputs([*texts, MIXED], encoder)
    dense = len(head.features.centre)
    of_words, of_characters = np.split(head.coefficients.weights[dense:], [len(head.features.words.hashes)])
    lean = head._lean(np.zeros((len(inputs), 2)), [("positive",)] * len(inputs))
    words = (head.features.words, of_words)
    added = of_ngrams(inputs.texts, words, (head.features.characters, of_characters), lean)
    assert [len(it) for it in added] == [len(it) for it in inputs.texts]
    assert [it.sum() for it in added] == pytest.approx(margins(head, inputs).tolist(), abs=1e-4)


def test_words_speak_for_the_answer_they_were_labelled_with(head: FewShotHead, encoder: Encoder) -> None:
    assert isinstance(head, Explains)
    (positive,), (negative,) = (head.words_for(Inputs([MIXED], encoder), [(it,)]) for it in ("positive", "negative"))
    speaks = {MIXED[it.start : it.end]: it.weight for it in positive}
    assert speaks["beautiful"] > 0 > speaks["broke"]
    assert [(it.start, it.end, pytest.approx(-it.weight)) for it in positive] == [
        (it.start, it.end, it.weight) for it in negative
    ]
    assert sum(abs(it.weight) for it in positive) < 1
    assert head.words_for(Inputs([MIXED], encoder), [("unheard of",)]) == [[]]


def test_of_several_labels_each_has_its_words(encoder: Encoder) -> None:
    about = ("battery", "screen", "price", "strap", "manual", "colour", "speaker", "delivery")
    listed = "".join(f'<Choice value="{it}"/>' for it in about)
    config = parse(
        f'<View><Text name="t" value="$text"/><Choices name="c" toName="t" choice="multiple">{listed}</Choices></View>'
    )
    rows = [
        (f"{opening} the {a} fails and the {b} too", tuple(it for it in about if it in (a, b)))
        for opening in ("Sadly", "Again")
        for a in about
        for b in about
    ]
    inputs = Inputs([text for text, _ in rows], encoder)
    known = Examples(tuple(range(len(rows))), inputs, tuple(labels for _, labels in rows), np.ones(len(rows)))
    head = FewShot().learn(config, config.controls[0], known).head
    assert isinstance(head, Explains)
    text = "Oddly the battery and the price"
    for labels, sign in ((("battery", "price"), 1), (("price",), 1), (("screen", "strap"), -1)):
        (found,) = head.words_for(Inputs([text], encoder), [labels])
        weights = {text[it.start : it.end]: sign * it.weight for it in found}
        strongest = max(weights, key=lambda it: weights[it])
        assert strongest in ("battery", "price")[-len(labels) if sign > 0 else -2 :], (labels, weights)


def test_an_explanation_names_words_and_what_the_label_means(head: FewShotHead, encoder: Encoder) -> None:
    (found,) = why(head, encoder, [AWFUL])
    named = {AWFUL[it.start : it.end] for it in found.words if it.weight > 0}
    assert named & {"terrible", "money", "want", "back"}
    assert all(f"“{it}”" in found.lines[0] for it in named)
    assert "for Negative" in found.lines[0]
    assert found.lines[-1] == "Negative: The customer complains about it."


def test_a_wrong_answer_is_explained_as_if_it_were_right(head: FewShotHead, encoder: Encoder) -> None:
    right, wrong = why(head, encoder, [MIXED, MIXED], [("negative",), ("positive",)])
    assert len(right.lines) == len(wrong.lines)
    assert "Positive" in wrong.lines[0]
    assert "Negative" not in " ".join(wrong.lines)


def test_explained_one_sidedly_nothing_speaks_against_an_answer(head: FewShotHead, encoder: Encoder) -> None:
    inputs, given = Inputs([MIXED, MIXED], encoder), [("negative",), ("positive",)]
    found = explain(CONFIG, "sentiment", given, [0.9, 0.9], inputs, head, one_sided=True)
    said = [[(MIXED[word.start : word.end], word.weight > 0) for word in it.words] for it in found]
    assert said == [[("broke", True)], [("beautiful", True)]]
    assert [it.lines[0] for it in found] == ["“broke” speaks for Negative.", "“beautiful” speaks for Positive."]


def test_doubt_is_told(head: FewShotHead, encoder: Encoder) -> None:
    (strange,) = why(head, encoder, [STRANGE])
    assert "Unlike anything labelled so far" in strange.lines[0]
    (unsure,) = explain(CONFIG, "sentiment", [("negative",)], [0.41], Inputs([AWFUL], encoder), head)
    assert "Not sure of it (41%)." in unsure.lines[0]
    (sure,) = explain(CONFIG, "sentiment", [("negative",)], [0.93], Inputs([AWFUL], encoder), head)
    assert not any("sure" in line for line in sure.lines)


def test_without_labels_the_labels_words_are_the_reason(encoder: Encoder) -> None:
    head = start(SENTIMENT, SENTIMENT.controls[0], encoder)
    (found,) = why(head, encoder, [AWFUL])
    assert found.words == ()
    assert "nearest to “Negative: The customer complains about it”." in found.lines[0]
    config = parse('<View><Text name="text" value="$text"/><Rating name="review" toName="text" maxRating="5"/></View>')
    (rated,) = explain(config, "review", [5], [0.9], Inputs([AWFUL], encoder), head)
    assert rated.lines == ("Nothing is learned from labels yet. It is nearest to “5 stars of 5: excellent”.",)


class TestPrecedents:
    SETTLED = Precedent("The kettle is awful, I want my money back!", "sentiment", '["negative"]', "A refund.", "3.1")

    def found(self, head: FewShotHead, encoder: Encoder, text: str, *precedents: Precedent, answer: str) -> str:
        (made,) = why(head, encoder, [text], [(answer,)], Precedents(precedents, encoder))
        return "\n".join(made.lines)

    def test_a_near_one_is_cited_with_its_reason_and_clause(self, head: FewShotHead, encoder: Encoder) -> None:
        said = self.found(head, encoder, AWFUL, self.SETTLED, answer="negative")
        assert "“The kettle is awful, I want my money back!” was settled as Negative (3.1): A refund." in said
        assert "The customer complains" not in said  # the clause says what the hint would

    def test_without_a_clause_the_labels_hint_follows(self, head: FewShotHead, encoder: Encoder) -> None:
        said = self.found(head, encoder, AWFUL, replace(self.SETTLED, clause=""), answer="negative")
        assert said.endswith("Negative: The customer complains about it.")

    @pytest.mark.parametrize(
        "precedent",
        [
            replace(SETTLED, answer='["positive"]'),
            replace(SETTLED, control="other"),
            replace(SETTLED, text="The committee published its annual report."),
            replace(SETTLED, text="  "),
        ],
    )
    def test_another_answer_control_or_subject_is_none(
        self, head: FewShotHead, encoder: Encoder, precedent: Precedent
    ) -> None:
        assert "settled" not in self.found(head, encoder, AWFUL, precedent, answer="negative")

    def test_among_many_alike_only_one_that_is_nearer_than_they_are_to_each_other_counts(
        self, head: FewShotHead, encoder: Encoder
    ) -> None:
        many = [Precedent(text, "sentiment", f'["{label}"]') for text, label in reviews(40, seed=5)]
        alone, among = Precedents([self.SETTLED], encoder), Precedents([self.SETTLED, *many], encoder)
        assert among._near > alone._near
        assert "money back!” was settled" in self.found(head, encoder, AWFUL, self.SETTLED, *many, answer="negative")

    def test_the_nearest_comes_first_whatever_the_order(self, head: FewShotHead, encoder: Encoder) -> None:
        other = replace(self.SETTLED, text="My kettle is terrible and I want my money back now.", why="Nearer.")
        for order in ((self.SETTLED, other), (other, self.SETTLED)):
            assert "Nearer." in self.found(head, encoder, AWFUL, *order, answer="negative")


def test_annotators_words_cannot_break_out(head: FewShotHead, encoder: Encoder) -> None:
    nasty = replace(
        TestPrecedents.SETTLED, why="\u202e<img src=x onerror=alert(1)>\x00\n\n" + "very " * 200, clause="\ud800\n§"
    )
    (found,) = why(head, encoder, [AWFUL], [("negative",)], Precedents([nasty], encoder))
    assert "<img" in "".join(found.lines)  # shown as it is: a TextArea renders no markup
    for line in found.lines:
        assert line.isprintable()
        assert len(line) <= MOST_CHARACTERS
        line.encode()


class TestRegions:
    def test_each_task_gets_those_of_what_is_shown_of_it(self, head: FewShotHead, encoder: Encoder) -> None:
        data = [{"text": AWFUL}, {"text": MIXED}, {"text": ""}]
        read = {"sentiment": readings_of(CONFIG, CONFIG["sentiment"], data)}
        shown: list[dict[str, Answer]] = [{"sentiment": ("negative",)}, {}, {"sentiment": ("positive",)}]
        heads, thought = {"sentiment": head}, [{"sentiment": 0.9}] * 3
        made = explained(CONFIG, data, heads, read, shown, thought, encoder)
        assert [{it["from_name"] for it in some} for some in made] == [{"why", "drove"}, set(), set()]
        assert explained(SENTIMENT, data, heads, read, shown, thought, encoder) == [[], [], []]

    def test_they_fill_what_is_marked_for_them_and_answer_nothing(self, head: FewShotHead, encoder: Encoder) -> None:
        data = {"text": f"  {MIXED}"}
        (reading,) = readings_of(CONFIG, CONFIG["sentiment"], [data])
        (found,) = why(head, encoder, [reading.text])
        made = regions(CONFIG, data, [found])
        assert {it["from_name"] for it in made} == {"why", "drove"}
        assert all(it["readonly"] for it in made)
        texts = next(it["value"]["text"] for it in made if it["from_name"] == "why")
        assert texts == ["\n".join(found.lines)]
        for it in made:
            if it["from_name"] == "drove":
                assert data["text"][it["value"]["start"] : it["value"]["end"]] == it["value"]["text"]
        assert answers(CONFIG, made) == {}
        prediction = {"task": 1, "result": made, "score": 0.5, "model_version": "v"}
        assert prediction_problems(prediction, CONFIG) == []

    def test_a_config_without_such_controls_has_none(self) -> None:
        assert regions(SENTIMENT, {"text": "bad"}, [Explanation("sentiment", ("Why.",), (Weighed(0, 3, 1),))]) == []

    @pytest.mark.parametrize("labels", [(), ("for",), ("for", "against", "more")])
    def test_words_against_the_answer_need_a_second_label(self, labels: tuple[str, ...]) -> None:
        listed = "".join(f'<Label value="{it}"/>' for it in labels)
        marked = f'<Labels name="d" toName="text" tiebreak="explanation">{listed}</Labels></View>'
        config = parse(SENTIMENT.xml.replace("</View>", marked))
        words = (Weighed(0, 3, 0.5), Weighed(4, 8, -0.5))
        made = regions(config, {"text": "bad good"}, [Explanation("sentiment", (), words)])
        assert [(it["value"]["text"], it["value"]["labels"]) for it in made] == [
            (text, [label]) for text, label in zip(("bad", "good"), labels, strict=False)
        ]

    def test_only_words_of_the_marked_text_are_marked(self) -> None:
        config = parse(
            '<View><Header value="$title"/><Text name="a" value="$one"/><Text name="b" value="$two"/>'
            '<Choices name="first" toName="b"><Choice value="x"/></Choices>'
            '<Choices name="second" toName="a"><Choice value="x"/></Choices>'
            '<Labels name="drove" toName="a" tiebreak="explanation"><Label value="for"/></Labels></View>'
        )
        data = {"title": "A title", "one": "\n one word", "two": "two words"}
        (reading,) = readings_of(config, config["first"], [data])
        assert reading.text == "two words\nA title\none word"
        words = tuple(Weighed(at, at + 3, 0.5) for at in (0, 18))
        made = regions(config, data, [Explanation("second", (), ()), Explanation("first", (), words)])
        assert [it["value"] for it in made] == [{"start": 2, "end": 5, "text": "one", "labels": ["for"]}]
        assert regions(config, {**data, "one": "one\0word"}, [Explanation("first", (), words)]) == []
        assert regions(config, {**data, "one": ["one"]}, [Explanation("first", (), words)]) == []

    def test_controls_are_explained_in_the_order_of_the_screen(self) -> None:
        marked = '<Rating name="stars" toName="text"/><TextArea name="why" toName="text" tiebreak="explanation"/>'
        config = parse(SENTIMENT.xml.replace("</View>", f"{marked}</View>"))
        made = regions(config, {}, [Explanation("stars", ("Second.",)), Explanation("sentiment", ("First.", "More."))])
        assert made[0]["value"]["text"] == ["First.\nMore.", "Second."]


def test_spans_of_a_text_without_blanks_hold_more_than_one_character_of_it(encoder: Encoder) -> None:
    rows = [
        (f"{a}{b}", label)
        for a in ("这个手机", "相机", "耳机", "键盘", "台灯")
        for b, label in (
            ("非常好用", "positive"),
            ("我很喜欢", "positive"),
            ("太差了", "negative"),
            ("坏掉了", "negative"),
        )
    ]
    inputs = Inputs([text for text, _ in rows], encoder)
    known = Examples(tuple(range(20)), inputs, tuple((label,) for _, label in rows), np.ones(20))
    head = FewShot().learn(SENTIMENT, SENTIMENT.controls[0], known).head
    assert isinstance(head, Explains)
    text = "书包非常好用"
    (found,) = head.words_for(Inputs([text], encoder), [("positive",)])
    best = max(found, key=lambda it: it.weight)
    assert "好" in text[best.start : best.end]
    assert best.end - best.start > 1


def test_read_closely_a_word_counts_for_what_its_text_loses_without_it(head: FewShotHead, encoder: Encoder) -> None:
    text = "The toaster exploded."  # a word that nobody labelled, and the encoder knows
    inputs = Inputs([text, "", STRANGE], encoder)
    given = [("negative",)] * 3
    (quick, *_), (close, *rest) = (head.words_for(inputs, given, closely=it) for it in (False, True))
    weights = [{text[it.start : it.end]: it.weight for it in found} for found in (quick, close)]
    assert weights[1]["exploded"] > max(0.2, 2 * weights[0].get("exploded", 0))
    assert rest == head.words_for(inputs, given)[1:]
    (alone,) = head.words_for(inputs.take([0]), given[:1], closely=True)  # whatever else is asked
    assert [it.weight for it in alone] == pytest.approx([it.weight for it in close], abs=1e-4)


def test_a_long_text_costs_no_more_than_some_of_its_words(head: FewShotHead, encoder: Encoder) -> None:
    text = " ".join(text for text, _ in reviews(20))
    (found,) = head.words_for(Inputs([text], encoder), [("negative",)], closely=True)
    assert found
    for some, most in ((text[:200], MOST_LEFT_OUT), (text, 10_000 // len(text)), (text * 20, 0)):
        assert len(without_each_word(some, np.zeros(len(some)))) == most
