"""Rows of files as tasks: nothing is lost, nothing is doubled, nothing is interpreted."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.labeling.config import parse
from ml_backend.labeling.errors import InputError
from sdk_scripts.manifest_schema import TaskSource
from sdk_scripts.row_formats import Reject
from sdk_scripts.task_sources import NewTask, RejectsFile, read_tasks, rejects_path

CONFIG = parse('<View><Text name="t" value="$text"/><Rating name="r" toName="t"/></View>')


def read(path: Path, **options: Any) -> tuple[list[NewTask], list[Reject]]:
    source = TaskSource.model_validate({"file": path.name, **options})
    rows = list(read_tasks(path, source, CONFIG))
    return [row for row in rows if isinstance(row, NewTask)], [row for row in rows if isinstance(row, Reject)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rows.csv"


def test_columns_become_data_meta_and_key(path: Path) -> None:
    path.write_text("id,body,price,seller\n7,hello,12.50,me\n8,,0,you\n")
    tasks, rejects = read(path, key="id", fields={"body": "text", "price": "price"}, meta=["seller"], numbers=["price"])
    assert [task.to_json() for task in tasks] == [
        {"data": {"text": "hello", "price": 12.5, "tiebreak_key": "7"}, "meta": {"seller": "me"}},
        {"data": {"text": "", "price": 0, "tiebreak_key": "8"}, "meta": {"seller": "you"}},
    ]
    assert not rejects


def test_without_a_mapping_every_column_is_data(path: Path) -> None:
    path.write_text("\ufefftext,note,\nhello,x,y\n", "utf-8")
    (task,), _ = read(path)
    assert task.data == {"text": "hello", "note": "x", "column_3": "y"}


@pytest.mark.parametrize(
    ("rows", "imported", "rejected"),
    [
        (b"a,1\nb,2\n", ["a", "b"], []),
        (b"a,1\r\nb,2", ["a", "b"], []),
        (b"\n\na,1\n\n", ["a"], []),
        (b"a,1\nb\nc,3,4\nd,4\n", ["a", "d"], [(3, "has 1 fields, fewer"), (4, "has 3 fields, more")]),
        (b"a,1\ncaf\xe9,2\nc,3\n", ["a", "c"], [(3, "is not UTF-8 (byte 0xe9)")]),
        (b'"a\nb",1\n"c\nd\xff",2\ne,3\n', ["a\nb", "e"], [(5, "is not UTF-8 (byte 0xff)")]),
        (b'"a"b,1\nc,2\n', ["c"], [(2, "is not CSV")]),
        (b'a,1\n"b,2\nc,3\nd,4\n', ["a", "c", "d"], [(3, "is not CSV (a quote is opened and never closed)")]),
        (b'a,1\n"b,2\nc,3\n"d",4\n', ["a", "c", "d"], [(3, "is not CSV")]),
        (b"a\x00,1\nb,2\n", ["b"], [(2, "has a NUL character in 'text'")]),
        (b"a,1\nb,2\nc,1\na,3\n", ["a", "b", "a"], [(4, "has the key of line 2")]),
        (b"a,\nb,  \nc,3\n", ["c"], [(2, "has no key in 'id'"), (3, "has no key in 'id'")]),
        (b"x" * 1_000_001 + b",1\nb,2\n", ["b"], [(2, "has a field of 1,000,001 characters")]),
        (b"=cmd|' /C calc'!A0,1\n${HOME},2\n{{7*7}},3\n", ["=cmd|' /C calc'!A0", "${HOME}", "{{7*7}}"], []),
    ],
)
def test_a_bad_csv_row_is_rejected_with_its_line_and_the_rest_is_read(
    path: Path, rows: bytes, imported: list[str], rejected: list[tuple[int, str]]
) -> None:
    path.write_bytes(b"text,id\n" + rows)
    tasks, rejects = read(path, key="id", fields=["text"])
    assert [task.data["text"] for task in tasks] == imported
    assert [reject.line for reject in rejects] == [line for line, _ in rejected]
    for reject, (_, reason) in zip(rejects, rejected, strict=True):
        assert reject.reason.startswith(reason)
        assert reject.raw


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=30),
        max_size=8,
        unique=True,
    )
)
def test_what_was_written_as_csv_is_read_as_it_was(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([["text", "id"], *([text, number] for number, text in enumerate(texts))])
    path.write_bytes(stream.getvalue().encode())
    tasks, rejects = read(path, key="id")
    assert [task.data["text"] for task in tasks] == texts
    assert not rejects


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"text,text\na,b\n", "two columns are named 'text'"),
        (b"body,id\na,1\n", "has no column 'text'; its columns: body, id"),
        ("text,id\na,1\n".encode("utf-16"), "is UTF-16"),
        (b"te\xffxt,id\n", "the header is not UTF-8"),
    ],
)
def test_a_csv_file_that_cannot_be_read_at_all_says_why(path: Path, content: bytes, reason: str) -> None:
    path.write_bytes(content)
    with pytest.raises(InputError, match=reason):
        read(path, key="id", fields=["text"])


def test_a_missing_file_says_so(path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be read: No such file.*Check `file:`"):
        read(path)


def test_other_delimiters_are_read(path: Path) -> None:
    path.write_text("text;id\na,b;1\n")
    assert read(path, delimiter=";")[0][0].data == {"text": "a,b", "id": "1"}
    tabs = path.with_suffix(".tsv")
    tabs.write_text("text\tid\na,b\t1\n")
    assert read(tabs)[0][0].data == {"text": "a,b", "id": "1"}


JSON_ROWS: list[tuple[bytes, str | None]] = [
    (b'{"text": "a", "id": 1, "n": 1.5, "tags": ["x", {"y": null}], "ok": true}', None),
    (b'{"text": "", "id": "2"}', None),
    (b'{"text": "b", "id": 1.0}', "has the key of line 1"),
    (b'{"text": "c"', "is not JSON"),
    (b'["text"]', "is not a JSON object"),
    (b'{"text": "d", "id": 3, "n": NaN}', "is not JSON (NaN is not a JSON number)"),
    (b'{"text": "d", "id": 4, "n": 1e999}', "has a number in 'n' that is not finite"),
    (b'{"text": "\\ud800", "id": 5}', "has half a surrogate pair in 'text'"),
    (b'{"text": "\xff", "id": 6}', "is not UTF-8 (byte 0xff)"),
    (b'{"id": 7}', "has no 'text', which the label config shows"),
    (b'{"text": null, "id": 8}', "has no 'text', which the label config shows"),
    (b'{"text": {"a": 1}, "id": 9}', "has 'text' as object, but <Text> shows text or number or list"),
    (b'{"text": "e", "id": true}', "has no key in 'id'"),
    (b'{"text": "e", "id": {"a": 1}}', "has no key in 'id'"),
    (b'{"text": "f", "id": 10, "n": 99999999999999999999}', "has a whole number in 'n' beyond 64 bits"),
    (b'{"text": "g", "id": 11, "n": ' + b"[" * 200 + b"]" * 200 + b"}", "has 'n' nested over 100 levels deep"),
    (b'{"text": "h", "id": 12, "n": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "is not JSON (nested too deep)"),
    (b'{"text": "i", "id": 13}', None),
]


def test_json_lines_keep_their_types_and_bad_ones_are_rejected(path: Path) -> None:
    path = path.with_suffix(".jsonl")
    path.write_bytes(b"\n".join(row for row, _ in JSON_ROWS))
    tasks, rejects = read(path, key="id")
    assert tasks[0].data == {"text": "a", "id": 1, "n": 1.5, "tags": ["x", {"y": None}], "ok": True}
    assert [task.key for task in tasks] == ["1", "2", "13"]
    assert tasks[1].data["text"] == ""
    wanted = [(line, reason) for line, (_, reason) in enumerate(JSON_ROWS, 1) if reason]
    assert [reject.line for reject in rejects] == [line for line, _ in wanted]
    for reject, (_, reason) in zip(rejects, wanted, strict=True):
        assert reject.reason.startswith(reason)


def test_a_json_array_is_read_and_its_items_are_counted(path: Path) -> None:
    path = path.with_suffix(".json")
    path.write_text(json.dumps([{"text": "a"}, 7, {"text": "b"}]))
    tasks, rejects = read(path)
    assert [task.data["text"] for task in tasks] == ["a", "b"]
    assert [(reject.line, reject.reason) for reject in rejects] == [(2, "is not a JSON object")]
    for broken in ('{"text": 1}', "[1", "\x80"):
        path.write_text(broken, "latin-1")
        with pytest.raises(InputError):
            read(path)


def test_parquet_keeps_numbers_lists_and_structs_and_writes_dates_as_text(path: Path) -> None:
    path = path.with_suffix(".parquet")
    pl.DataFrame(
        {
            "text": ["a", "b", None],
            "id": [1.0, 2.0, 3.0],
            "stars": [5, 4, 3],
            "price": [Decimal("1.50"), Decimal("2"), None],
            "day": [date(2026, 1, 2), None, None],
            "tags": [["x"], [], None],
            "seller": [{"name": "s", "score": float("nan")}, None, None],
        },
        schema_overrides={"price": pl.Decimal(10, 2)},
    ).write_parquet(path)
    tasks, rejects = read(path, key="id")
    assert tasks[0].data == {
        "text": "a", "id": 1.0, "stars": 5, "price": 1.5, "day": "2026-01-02", "tags": ["x"],
        "seller": {"name": "s", "score": None},
    }  # fmt: skip
    assert [task.key for task in tasks] == ["1", "2"]
    assert [(reject.line, reject.reason) for reject in rejects] == [(3, "has no 'text', which the label config shows")]


def test_parquet_rows_with_bytes_are_rejected_and_no_parquet_is_told(path: Path) -> None:
    path = path.with_suffix(".parquet")
    pl.DataFrame({"text": ["a", "b"], "raw": [b"\x00", None]}).write_parquet(path)
    tasks, rejects = read(path)
    assert [task.data["text"] for task in tasks] == ["b"]
    assert rejects[0].reason == "holds raw bytes, which are no JSON"
    path.write_bytes(b"PAR1 no more")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        read(path)


def test_a_row_without_a_key_column_is_its_own_key(path: Path) -> None:
    path.write_text("text,id\na,1\nb,1\na,1\n")
    tasks, rejects = read(path, fields=["text"])
    assert [task.data["text"] for task in tasks] == ["a", "b"]
    assert rejects[0].reason == "has everything of line 2"
    again, _ = read(path, fields=["text"])
    assert [task.key for task in again] == [task.key for task in tasks]


def test_a_named_source_prefixes_its_keys(path: Path) -> None:
    path.write_text("text,id\na,1\n")
    assert read(path, key="id", name="store")[0][0].key == "store:1"


def test_the_numbers_that_were_asked_for_are_numbers_and_others_stay_text(path: Path) -> None:
    path.write_text("text,n,zip\na,7,007\nb,-1.5e3,0\nc,,0\nd,seven,0\ne,nan,0\n")
    tasks, rejects = read(path, numbers=["n"])
    assert [task.data["n"] for task in tasks] == [7, -1500.0, ""]
    assert tasks[0].data["zip"] == "007"
    assert [reject.reason for reject in rejects] == ["has no number in 'n'"] * 2


def test_rejects_go_to_a_file_with_line_reason_and_row_and_an_empty_one_goes_away(tmp_path: Path) -> None:
    file = rejects_path(tmp_path, "reviews", Path("/data/rows.csv"))
    with RejectsFile("rows.csv", file) as rejected:
        rejected.add(Reject(3, "has 1 fields, fewer than the header's 2", "=a\n"))
        rejected.add(Reject(4, "has 4 fields, fewer than the header's 2", "\ud800"))
    assert [json.loads(line)["line"] for line in file.read_text().splitlines()] == [3, 4]
    assert dict(rejected.rejects.reasons) == {"has … fields, fewer than the header's 2": 2}
    with RejectsFile("rows.csv", file):
        pass
    assert not list(file.parent.iterdir())


def test_sources_of_one_name_in_two_folders_have_two_rejects_files(tmp_path: Path) -> None:
    assert rejects_path(tmp_path, "r", Path("/a/rows.csv")) != rejects_path(tmp_path, "r", Path("/b/rows.csv"))
