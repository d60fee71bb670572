"""An export file as a source: what is read, what is refused, and what is said about it."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from pathlib import Path

import pytest
from unit.analysis.exports import SENTIMENT, annotation, choice, task, voted

from ml_backend.labeling.errors import ConfigError, InputError
from ml_backend.labeling.judgements import judgements, latest
from ml_backend.settings import Settings
from sdk_scripts.sources import find_project, load_export, load_source


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.xml"
    path.write_text(SENTIMENT)
    return path


@pytest.fixture
def export(tmp_path: Path):
    def write(content: object, name: str = "reviews.json") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return write


def test_a_plain_export_is_read_with_annotator_ids(config, export, settings: Settings) -> None:
    path = export([voted(7, "fine", "positive", "neutral")])
    dataset = load_source(str(path), label_config=config, settings=settings)
    assert (dataset.name, dataset.studio, dataset.project, dataset.url) == ("reviews", None, None, None)
    assert [task.id for task in dataset.tasks] == [7]
    assert judgements(dataset.tasks, dataset.config)["annotator"].to_list() == ["1", "2"]
    assert dataset.warnings == ()


def test_a_snapshot_is_read_with_e_mails_and_predictions(config, export) -> None:
    who = {"id": 4, "email": "ann@example.com"}
    prediction = {"id": 9, "result": [choice("sentiment", "neutral")], "score": 0.5, "model_version": "v1"}
    path = export([task(1, "x", [annotation(1, who, choice("sentiment", "positive"))], predictions=[prediction])])
    read = load_export(path, config).tasks[0]
    assert read.annotations[0].annotator == "ann@example.com"
    assert read.predictions[0].score == 0.5


def test_gzip_a_byte_order_mark_and_white_space_do_not_matter(config, export) -> None:
    content = b"\xef\xbb\xbf \n" + json.dumps([voted(1, "x", "positive")]).encode()
    assert load_export(export(content), config).tasks == load_export(export(gzip.compress(content)), config).tasks


def test_the_config_may_be_named_by_its_folder(config, export) -> None:
    assert load_export(export([voted(1, "x", "positive")]), config.parent).config.xml == SENTIMENT


def test_tasks_without_ids_are_numbered_in_the_files_order_around_those_that_have_one(config, export) -> None:
    items = [voted(1, "first"), voted(2, "second"), voted(3, "third")]
    del items[0]["id"], items[2]["id"]
    items[1]["id"] = 1
    dataset = load_export(export(items), config)
    assert [(task.id, task.data["text"]) for task in dataset.tasks] == [(2, "first"), (1, "second"), (3, "third")]
    assert "2 tasks" in dataset.warnings[0]
    assert "numbered" in dataset.warnings[0]


def test_annotations_without_a_person_count_as_different_people_and_this_is_said(config, export) -> None:
    path = export([task(1, "x", [annotation(n, None, choice("sentiment", "positive")) for n in (1, 2)])])
    dataset = load_export(path, config)
    assert len(latest(judgements(dataset.tasks, dataset.config))) == 2
    assert "do not say who" in dataset.warnings[0]


def test_answers_to_controls_that_the_config_lacks_are_named(config, export) -> None:
    path = export([task(n, "x", [annotation(n, 1, choice("verdict", "allow"))]) for n in (1, 2, 3)])
    (warning,) = load_export(path, config).warnings
    assert "3 annotations" in warning
    assert "'verdict'" in warning
    assert "sentiment" in warning


def test_items_that_are_no_tasks_are_counted_and_left_out(config, export) -> None:
    dataset = load_export(export([voted(1, "x", "positive"), {"text": "y"}, 3, None]), config)
    assert len(dataset.tasks) == 1
    assert "3 items" in dataset.warnings[0]
    assert "2, 3, 4" in dataset.warnings[0]


def test_predictions_that_are_only_ids_are_said_to_be_missing(config, export) -> None:
    (warning,) = load_export(export([voted(1, "x", "positive", predictions=[53])]), config).warnings
    assert "snapshot" in warning


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"   \n", "empty"),
        (b"[]", "no tasks"),
        (b'{"tasks": []}', "single JSON object"),
        (b'{"id": 1}\n{"id": 2}', "one object a line"),
        (b"id,text\n1,fine", "line 1, column 1"),
        (b'[\n {"id": 1,\n  "data": {"text": "x"}},\n oops\n]', "line 4, column 2"),
        (b'[{"id": 1, "data": {"text": "x"}}', "line 1"),
        (b'[{"id": 1, "data": {"text": "\xff"}}]', "not UTF-8"),
        ('[{"id": 1}]'.encode("utf-16"), "not UTF-8"),
        (b'[{"text": "x"}, 4]', "none of its 2 items has a `data` object"),
        (b'[{"id": 1, "text": "x", "sentiment": "positive", "annotator": 1, "annotation_id": 3}]', "JSON_MIN"),
        (b"PK\x03\x04 whatever", "ZIP"),
        (gzip.compress(b"[]", mtime=0)[:-9], "cannot be unpacked"),
    ],
)
def test_what_is_no_export_is_refused_with_its_place_and_a_mend(content: bytes, says: str, config, export) -> None:
    with pytest.raises(InputError) as refused:
        load_export(export(content), config)
    assert says in refused.value.what
    assert "reviews.json" in refused.value.what
    assert refused.value.mend


def test_a_json_min_export_is_told_which_format_to_choose(config, export) -> None:
    with pytest.raises(InputError, match=r'format "JSON"'):
        load_export(export([{"id": 1, "text": "x", "annotator": 1, "annotation_id": 3}]), config)


def test_two_tasks_of_one_id_are_refused(config, export) -> None:
    with pytest.raises(InputError, match=r"more than once in .*reviews\.json: 5"):
        load_export(export([voted(5, "x"), voted(5, "y")]), config)


def test_a_file_that_is_not_there_says_what_a_source_is(config, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no file .*nowhere\.json.* project\.yaml"):
        load_export(tmp_path / "nowhere.json", config)


def test_an_export_without_a_label_config_says_where_to_find_it(export) -> None:
    with pytest.raises(InputError, match="--label-config"):
        load_export(export([voted(1, "x")]), None)


def test_a_label_config_that_cannot_be_used_is_named(export, tmp_path: Path) -> None:
    path = export([voted(1, "x")])
    with pytest.raises(ConfigError, match=r"missing\.xml"):
        load_export(path, tmp_path / "missing.xml")
    (tmp_path / "broken.xml").write_text("<View>")
    with pytest.raises(ConfigError, match=r"broken\.xml.*line 1"):
        load_export(path, tmp_path / "broken.xml")


def test_a_project_takes_no_other_label_config(config, settings: Settings) -> None:
    with pytest.raises(InputError, match="of its own"):
        load_source("12", label_config=config, settings=settings)


def test_a_file_is_no_project(export, settings: Settings) -> None:
    with pytest.raises(InputError, match="is a file, not a project"):
        find_project(str(export([voted(1, "x")])), settings)


def test_reading_takes_memory_for_the_tasks_not_for_the_text_of_the_file(config, export) -> None:
    wide = "y" * 20_000
    items = [voted(n, "x", "positive", unread_by_anyone=wide) for n in range(1, 1001)]
    path = export(items)
    del items
    tracemalloc.start()
    try:
        assert len(load_export(path, config).tasks) == 1000
        assert tracemalloc.get_traced_memory()[1] < path.stat().st_size / 2
    finally:
        tracemalloc.stop()
