from __future__ import annotations

import pytest

from ml_backend.encoder import Encoder
from ml_backend.labeling.config import parse
from ml_backend.prelabelers import Inputs, Opinion, readings_of, start

TOPICS = """<View><Text name="text" value="$text"/><Choices name="topic" toName="text">
  <Choice value="Food" hint="Cooking, restaurants, groceries"/><Choice value="Sports"/><Choice value="Weather"/>
</Choices></View>"""


def ask(encoder: Encoder, xml: str, *texts: str) -> list[Opinion | None]:
    config = parse(xml)
    head = start(config, config.controls[0], encoder)
    assert head is not None
    return list(head.opinions(Inputs(texts, encoder)))


def test_the_label_nearest_in_meaning_is_the_answer(encoder: Encoder) -> None:
    found = ask(
        encoder, TOPICS, "The soup needs more salt.", "They won the final 3:1.", "Heavy rain and wind tomorrow."
    )
    assert [opinion and opinion.answer for opinion in found] == [("Food",), ("Sports",), ("Weather",)]


def test_probabilities_are_by_label_and_sum_to_one(encoder: Encoder) -> None:
    (opinion,) = ask(encoder, TOPICS, "The soup needs more salt.")
    assert opinion is not None
    assert set(opinion.probabilities) == {"Food", "Sports", "Weather"}
    assert sum(opinion.probabilities.values()) == pytest.approx(1)
    assert opinion.confidence == max(opinion.probabilities.values())


def test_without_data_it_is_never_very_sure_and_unsure_where_nothing_fits(encoder: Encoder) -> None:
    sure, unsure = ask(encoder, TOPICS, "food food food", "Die Quadratwurzel von zwei ist irrational.")
    assert sure is not None
    assert unsure is not None
    assert unsure.confidence < 0.6 < sure.confidence < 0.9


def test_an_empty_text_has_no_answer(encoder: Encoder) -> None:
    assert ask(encoder, TOPICS, "", "It snows.")[0] is None


def test_a_taxonomy_is_answered_with_a_whole_path(encoder: Encoder) -> None:
    xml = """<View><Text name="text" value="$text"/><Taxonomy name="topic" toName="text">
      <Choice value="Food"><Choice value="Fruit"/><Choice value="Fish"/></Choice>
      <Choice value="Vehicles"><Choice value="Cars"/><Choice value="Ships"/></Choice></Taxonomy></View>"""
    found = ask(encoder, xml, "A ripe banana and two apples.", "The old cargo vessel left the harbour.")
    assert [opinion and opinion.answer for opinion in found] == [(("Food", "Fruit"),), (("Vehicles", "Ships"),)]


def test_stars_follow_the_tone(encoder: Encoder) -> None:
    xml = '<View><Text name="text" value="$text"/><Rating name="rating" toName="text"/></View>'
    good, bad = ask(encoder, xml, "Excellent, I love it!", "Terrible, awful rubbish.")
    assert good is not None
    assert bad is not None
    assert isinstance(good.answer, int)
    assert isinstance(bad.answer, int)
    assert good.answer > 3 > bad.answer


def test_of_a_thousand_labels_the_likeliest_are_named(encoder: Encoder) -> None:
    labels = "".join(f'<Choice value="Shelf number {i}"/>' for i in range(60))
    xml = f'<View><Text name="text" value="$text"/><Choices name="shelf" toName="text">{labels}</Choices></View>'
    (opinion,) = ask(encoder, xml, "It lies on shelf number 7.")
    assert opinion is not None
    assert len(opinion.probabilities) == 20
    assert max(opinion.probabilities.values()) == opinion.confidence


@pytest.mark.parametrize(
    "xml",
    [
        '<Image name="text" value="$image"/><Choices name="c" toName="text"><Choice value="a"/>'
        '<Choice value="b"/></Choices>',
        '<Text name="text" value="$text"/><Choices name="c" toName="text"><Choice value="a"/></Choices>',
        '<Text name="text" value="$text"/><Choices name="c" toName="text" choice="multiple"><Choice value="a"/>'
        '<Choice value="b"/></Choices>',
        '<Text name="text" value="$text"/><Labels name="c" toName="text"><Label value="a"/><Label value="b"/></Labels>',
        '<Text name="text" value="$text"/><TextArea name="c" toName="text"/>',
        '<Text name="text" value="$text"/><Choices name="c" toName="text" value="$options"/>',
        '<Text name="text" value="$text"/><Number name="c" toName="text"/>',
    ],
)
def test_what_it_would_have_to_guess_is_left_alone(encoder: Encoder, xml: str) -> None:
    config = parse(f"<View>{xml}</View>")
    assert start(config, config.controls[0], encoder) is None


def test_markup_is_not_read_and_a_controls_own_text_comes_first() -> None:
    config = parse("""<View><Header value="$title"/><HyperText name="page" value="$html"/>
      <Text name="note" value="$note"/>
      <Choices name="c" toName="page"><Choice value="a"/><Choice value="b"/></Choices></View>""")
    data = {"title": "Title", "html": "<b>Bold</b> &amp; <script>var x</script>plain", "note": "<i>as it is</i>"}
    [reading] = readings_of(config, config["c"], [data])
    assert reading.text == "Bold & plain\nTitle\n<i>as it is</i>"
    assert reading.parts == (data["html"],)
