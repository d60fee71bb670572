"""What a labeling config says, and what is said about a broken one."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ml_backend.labeling.config import MAX_XML_BYTES, MAX_XML_DEPTH, Condition, Label, LabelConfig, parse
from ml_backend.labeling.errors import ConfigError, UnknownName
from tests.unit.labeling.strategies import configs

OURS = sorted((Path(__file__).parents[3] / "label_configs").glob("*/config.xml"))


def view(inside: str) -> LabelConfig:
    return parse(f'<View><Text name="text" value="$text"/>{inside}</View>')


def reasons(xml: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(xml)
    return str(caught.value)


class TestLabels:
    def test_a_result_holds_the_alias_where_there_is_one_else_the_value(self) -> None:
        config = view(
            '<Choices name="c" toName="text"><Choice value="Spam" alias="s"/><Choice value="Fine"/></Choices>'
        )
        assert config["c"].keys == ("s", "Fine")
        assert [label.text for label in config["c"].labels] == ["Spam", "Fine"]

    def test_hints_and_hotkeys_are_kept(self) -> None:
        config = view('<Choices name="c" toName="text"><Choice value="a" hint="An a." hotkey="1"/></Choices>')
        assert config["c"].labels == (Label(("a",), "a", "An a.", "1"),)

    @pytest.mark.parametrize("alias", ['alias=""', ""])
    def test_an_empty_alias_is_none(self, alias: str) -> None:
        assert view(f'<Labels name="c" toName="text"><Label value="a" {alias}/></Labels>')["c"].keys == ("a",)

    def test_a_label_may_have_an_alias_alone_and_one_with_neither_is_left_out(self) -> None:
        assert view('<Labels name="c" toName="text"><Label alias="a"/><Label/></Labels>')["c"].keys == ("a",)

    def test_nested_labels_have_paths_in_the_config_s_order(self) -> None:
        config = view(
            '<Taxonomy name="c" toName="text"><Choice value="Food" alias="f"><Choice value="Fruit"/></Choice>'
            '<Choice value="Toys"/></Taxonomy>'
        )
        assert [label.path for label in config["c"].labels] == [("f",), ("f", "Fruit"), ("Toys",)]

    def test_labels_whose_paths_end_alike_have_keys_that_tell_them_apart(self) -> None:
        config = view(
            '<Taxonomy name="c" toName="text"><Choice value="A"><Choice value="Other"/></Choice>'
            '<Choice value="B"><Choice value="Other"/></Choice></Taxonomy>'
        )
        assert config["c"].keys == ("A", "A / Other", "B", "B / Other")

    def test_layout_between_a_control_and_its_labels_changes_nothing(self) -> None:
        inside = '<View><Header value="Bad"/><View><Choice value="a"/></View></View><Choice value="b"/>'
        assert view(f'<Choices name="c" toName="text">{inside}</Choices>')["c"].keys == ("a", "b")

    @pytest.mark.parametrize(
        "control",
        [
            '<Choices name="c" toName="text" value="$options"/>',
            '<Labels name="c" toName="text" value="$a.b[0]"><Label value="a"/></Labels>',
            '<Taxonomy name="c" toName="text" apiUrl="https://example.com"><Choice value="a"/></Taxonomy>',
            '<Taxonomy name="c" toName="text" legacy="true"><Choice value="a"/></Taxonomy>',
            '<Choices name="c" toName="text" allowOther="true"><Choice value="a"/></Choices>',
            '<Choices name="c" toName="text"><Choice value="$first"/></Choices>',
        ],
    )
    def test_where_labels_come_from_elsewhere_the_control_is_open(self, control: str) -> None:
        assert view(control)["c"].open
        assert not view('<Choices name="c" toName="text"><Choice value="a"/></Choices>')["c"].open


class TestControls:
    def test_attributes_and_tags_are_read_whatever_their_case(self) -> None:
        config = view('<choices NAME="c" toname="text" Choice="multiple" REQUIRED="True"><choice Value="a"/></choices>')
        assert (config["c"].keys, config["c"].multiple, config["c"].required) == (("a",), True, True)

    def test_a_control_may_point_to_several_sources(self) -> None:
        config = parse(
            '<View><Pairwise name="c" toName="a, b"/><Text name="a" value="$x"/><Image name="b" value="$y"/></View>'
        )
        assert config["c"].to_names == ("a", "b")
        assert config["c"].to_tags == ("text", "image")
        assert config["c"].to_name == "a"

    @pytest.mark.parametrize("attribute", ['perRegion="true"', 'perItem="true"', 'labeling="true"'])
    def test_a_question_about_each_region_has_no_answer_of_its_own(self, attribute: str) -> None:
        config = view(f'<Choices name="c" toName="text" {attribute}><Choice value="a"/></Choices>')
        assert config.answerable == ()
        assert "c" in config

    def test_a_feedback_panel_is_not_asked_about_the_task(self) -> None:
        assert view('<TextArea name="c" toName="text" tiebreak="feedback"/>').answerable == ()

    def test_where_the_machine_explains_itself_nobody_is_asked(self) -> None:
        asked = '<Choices name="c" toName="text"><Choice value="a"/></Choices><Rectangle name="r" toName="text"/>'
        explained = view(
            f'{asked}<TextArea name="why" toName="text" tiebreak="Explanation" required="true"/>'
            '<Labels name="drove" toName="text" tiebreak="explanation"><Label value="for it"/></Labels>'
        )
        assert [it.name for it in explained.controls if it.explanation] == ["why", "drove"]
        assert not explained["c"].explanation
        assert [it.name for it in explained.answerable] == ["c", "r"]
        assert explained.labels_beside == {}
        assert explained.fingerprint == view(asked).fingerprint  # models trained before are as good as ever

    def test_a_filter_is_no_control(self) -> None:
        config = view('<Labels name="c" toName="text"><Label value="a"/></Labels><Filter name="f" toName="c"/>')
        assert [control.name for control in config.controls] == ["c"]

    def test_comments_and_processing_instructions_are_passed_over(self) -> None:
        config = view('<!-- <Rating name="r"/> --><?php echo 1 ?><Rating name="c" toName="text"/>')
        assert [control.name for control in config.controls] == ["c"]

    def test_conditions_of_the_views_around_a_control_are_its_own(self) -> None:
        config = view(
            '<Choices name="v" toName="text"><Choice value="a"/><Choice value="b"/></Choices>'
            '<View visibleWhen="choice-selected" whenTagName="v" whenChoiceValue="a, b">'
            '<Rating name="c" toName="text" visibleWhen="region-selected"/></View>'
        )
        assert config["c"].visible_when == (Condition("v", ("a", "b")), Condition(""))
        assert config["c"].conditional
        assert not config["v"].conditional

    def test_an_unknown_control_is_named_with_the_known_ones(self) -> None:
        with pytest.raises(UnknownName, match="no control named 'x'; known: c"):
            view('<Rating name="c" toName="text"/>')["x"]

    @pytest.mark.parametrize(("text", "expected"), [("7", 7), ("2.5", 2.5), ("", 5), ("many", 5), ("1e3", 1000)])
    def test_a_number_in_an_attribute_falls_back_to_its_default(self, text: str, expected: float) -> None:
        assert view(f'<Rating name="c" toName="text" maxRating="{text}"/>')["c"].number("maxRating", 5) == expected


class TestSources:
    def test_sources_say_which_task_data_they_show(self) -> None:
        config = parse(
            '<View><Header value="$title"/><Text name="a" value="$text"/><Image name="b" valueList="$images"/>'
            '<Text name="c" value="always the same"/><Markdown value="$why"/><Rating name="r" toName="c"/></View>'
        )
        assert {(source.name, source.tag, source.field) for source in config.sources} == {
            ("", "Header", "title"),
            ("a", "Text", "text"),
            ("b", "Image", "images"),
            ("c", "Text", None),
            ("", "Markdown", "why"),
        }

    def test_a_model_reads_the_control_s_own_text_first_and_never_the_machine_s_explanations(self) -> None:
        config = parse(
            '<View><Header value="$title"/><Markdown value="$why"/><Text name="a" value="$text"/><Image name="i" '
            'value="$image"/><HyperText name="b" value="$html"/><Rating name="r" toName="b"/></View>'
        )
        assert config.text_fields(config["r"]) == ("html", "title", "text")

    def test_the_control_s_own_image_comes_first(self) -> None:
        config = parse(
            '<View><Image value="$logo"/><Text name="t" value="$text"/><Image name="i" valueList="$photos"/>'
            '<Image name="j" value="https://example.com/a.png"/><Rating name="r" toName="i"/></View>'
        )
        assert config.image_fields(config["r"]) == ("photos", "logo")


class TestFingerprint:
    base = '<Choices name="c" toName="text"><Choice value="a"/><Choice value="b"/></Choices>'

    @pytest.mark.parametrize(
        "changed",
        [
            '<Choices name="c" toName="text"><Choice value="a"/></Choices>',
            '<Choices name="c" toName="text"><Choice value="b"/><Choice value="a"/></Choices>',
            '<Choices name="d" toName="text"><Choice value="a"/><Choice value="b"/></Choices>',
            '<Choices name="c" toName="text" choice="multiple"><Choice value="a"/><Choice value="b"/></Choices>',
        ],
    )
    def test_it_changes_with_controls_and_labels(self, changed: str) -> None:
        assert view(changed).fingerprint != view(self.base).fingerprint

    def test_it_does_not_change_with_layout_colours_and_hints(self) -> None:
        inside = '<Choice value="a" hint="h" background="#fff"/><Choice value="b"/>'
        same = view(f'<View style="x"><Choices name="c" toName="text" showInline="true">{inside}</Choices></View>')
        assert same.fingerprint == view(self.base).fingerprint


class TestBrokenConfigs:
    def test_every_reason_is_listed_with_its_line(self) -> None:
        said = reasons(
            '<View>\n  <Text name="text" value="$text"/>\n  <Choices toName="text"/>\n'
            '  <Rating name="r" toName="txt"/>\n  <Number name="n" toName=" "/>\n'
            '  <Text name="text" value="$b"/>\n</View>'
        )
        assert "line 3: <Choices toName='text'> has no name" in said
        assert "line 4: <Rating name='r'> points to 'txt', but the data tags are: text" in said
        assert "line 5: <Number name='n'> has an empty toName" in said
        assert "line 6: the name 'text' is taken by a tag in line 2" in said

    def test_xml_that_is_not_well_formed_is_named_by_line_and_column(self) -> None:
        said = reasons("<View>\n<Text>\n</View>")
        assert "line 3, column 3: mismatched tag" in said
        assert "Close every tag" in said

    @pytest.mark.parametrize(
        "xml",
        [
            '<!DOCTYPE a [<!ENTITY b "c">]><View>&b;</View>',
            '<!DOCTYPE a SYSTEM "file:///etc/passwd"><View/>',
            '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><View>&b;</View>',
            "<!DOCTYPE View><View/>",
        ],
    )
    def test_dtds_and_entities_are_refused(self, xml: str) -> None:
        assert "has a DTD or an entity" in reasons(xml)

    def test_a_config_over_a_megabyte_is_refused(self) -> None:
        assert "over a megabyte" in reasons(f"<View>{' ' * MAX_XML_BYTES}</View>")

    @pytest.mark.parametrize("tag", ["View", "Choice"])
    def test_bottomless_nesting_is_refused(self, tag: str) -> None:
        deep = f"<{tag} value='a'>" * 20_000 + f"</{tag}>" * 20_000
        said = reasons(f'<View><Text name="t" value="$t"/><Taxonomy name="c" toName="t">{deep}</Taxonomy></View>')
        assert f"over {MAX_XML_DEPTH} tags deep" in said

    @settings(max_examples=300)
    @given(st.text(max_size=200))
    @example("")
    @example("\ud800")
    @example("\x00")
    @example('<?xml version="1.0" encoding="utf-16"?><View/>')
    @example('<?xml version="1.0" encoding="nonsense"?><View/>')
    @example('<View xmlns:x="y"><x:Choices name="c" toName="c"/></View>')
    def test_no_text_raises_anything_else(self, text: str) -> None:
        with suppress(ConfigError):
            parse(text)

    @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(data=st.data())
    def test_no_damaged_config_raises_anything_else(self, data: st.DataObject) -> None:
        xml = data.draw(configs(most=2)).xml
        for _ in range(data.draw(st.integers(1, 3))):
            start = data.draw(st.integers(0, len(xml)))
            end = min(len(xml), start + data.draw(st.integers(0, 12)))
            piece = data.draw(
                st.sampled_from(["", "<", ">", '"', "&", "=", "<Choice/>", "</View>", 'name=""', "$", " "])
            )
            xml = xml[:start] + piece + xml[end:]
        with suppress(ConfigError):
            parse(xml)


@pytest.mark.parametrize("path", OURS, ids=lambda it: it.parent.name)
def test_our_own_configs_parse_with_answerable_controls(path: Path) -> None:
    assert parse(path.read_text("utf-8")).answerable


@settings(max_examples=50, deadline=None)
@given(configs())
def test_a_config_is_parsed_once(config: LabelConfig) -> None:
    assert parse(config.xml) is parse(config.xml)
