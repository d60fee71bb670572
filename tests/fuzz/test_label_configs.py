"""Label configs: trees of Label Studio's tags that make no sense, and our own with places spoilt."""

from __future__ import annotations

from functools import partial
from xml.sax.saxutils import quoteattr

from hypothesis import example, given
from hypothesis import strategies as st

from ml_backend.labeling.answers import answers, write_answers
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.kinds import kind_of
from ml_backend.large_model.forms import form_of, listed
from ml_backend.prelabelers import learners, options, signature
from sdk_scripts.calibration.blind import blind_config
from sdk_scripts.onboarding.panel import course_config
from sdk_scripts.review_options import options as review_options
from sdk_scripts.task_sources import needed_fields
from tests.fuzz.mutations import CONFIGS, spoilt_text
from tests.fuzz.settling import fuzzing, settled

TAGS = (
    *("View", "Style", "Header", "Text", "HyperText", "Image", "Audio", "Paragraphs", "Video", "Table", "Markdown"),
    *("Choices", "Choice", "Taxonomy", "Labels", "Label", "HyperTextLabels", "ParagraphLabels", "RectangleLabels"),
    *("Rectangle", "Rating", "Number", "Pairwise", "TextArea", "DateTime", "Ranker", "List", "Bucket", "Filter"),
    *("Relations", "Relation", "KeyPointLabels", "BrushLabels", "TimeSeriesLabels", "Chat", "x:y", "choices", "ünd"),
)
WORDS = (
    "",
    "a",
    "b",
    "a,b",
    "$text",
    "$a.b[0]",
    "$",
    "true",
    "false",
    "0",
    "-1",
    "NaN",
    "1e400",
    "multiple",
    "a / b",
    " ",
)
ATTRIBUTES = (
    *("name", "toName", "toname", "value", "valueList", "alias", "hint", "hotkey", "choice", "perRegion", "perItem"),
    *("required", "allowNested", "leafsOnly", "maxUsages", "maxRating", "min", "max", "step", "apiUrl", "legacy"),
    *("visibleWhen", "whenTagName", "whenChoiceValue", "whenLabelValue", "tiebreak", "labeling", "defaultValue"),
)
SAID = (*WORDS, "choice-selected", "region-selected", "feedback", "explanation", "<&>", "9" * 400, "\u202e", "x" * 300)

names = st.sampled_from(("a", "b", "c", "text", ""))
attributes = st.dictionaries(st.sampled_from(ATTRIBUTES), st.sampled_from(SAID) | names, max_size=5)


def element(inside: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def made(tag: str, said: dict[str, str], children: list[str]) -> str:
        return f"<{tag}{''.join(f' {k}={quoteattr(v)}' for k, v in said.items())}>{''.join(children)}</{tag}>"

    named = st.fixed_dictionaries({"name": names, "toName": names}).flatmap(
        lambda known: attributes.map(lambda said: {**said, **known})
    )
    return st.builds(made, st.sampled_from(TAGS), attributes | named, st.lists(inside, max_size=5))


SOURCES = '<Text name="text" value="$text"/><Image name="a" value="$a"/><Text name="b" value="$b"/>'
trees = st.recursive(element(st.just("")), element, max_leaves=20)
within = st.lists(trees, max_size=5).map(lambda it: f"<View>{SOURCES}{''.join(it)}</View>")


def survives(xml: str) -> None:
    config = settled(lambda: parse(xml))
    if config is not None:
        _use(config)


def _use(config: LabelConfig) -> None:
    """What every command makes of a config."""
    assert config.fingerprint
    settled(lambda: needed_fields(config))
    settled(lambda: blind_config(config.xml))
    settled(lambda: course_config(config.xml))
    for control in config.controls:
        assert config.text_fields(control) is not None
        assert config.image_fields(control) is not None
        options(control)
        signature(config, control)
        learners(config, control)
        review_options(control, {}, {}, None)
        listed(control)
        form_of(control)
    for control in config.answerable:
        if (kind := kind_of(control)) is not None and (
            written := settled(partial(write_answers, config, {control.name: kind.example(control)}))
        ):
            answers(config, written)


@fuzzing(80)
@given(within | trees)
def test_label_configs_of_any_tags(xml: str) -> None:
    survives(xml)


@fuzzing(80)
@given(spoilt_text(CONFIGS))
@example("<View><Text name='t' value='$t'/><Choices name='c' toName='t'/></View>")
def test_label_configs_spoilt(xml: str) -> None:
    survives(xml)
