"""Answers that were paid for are kept, and damaged files are as good as none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ml_backend.large_model import Cost, LedgerInMemory
from ml_backend.large_model.answer_cache import AnswerCache, Kept, key_of
from ml_backend.large_model.token_confidence import Sureness
from ml_backend.model_files import ModelFiles
from tests.large_model_server import LargeModelServer, Says, oracle
from tests.unit.large_model.asking import RULES, TEXTS, VERDICT, Given, ask, questions, said_of, today

KEY = key_of(id="m@1", messages=[{"role": "user", "content": "a"}], schema={}, temperature=0.0, sample=0)
KEPT = Kept('{"v": "漢"}', {"v": Sureness(0.75, {"漢": 0.75, "x": 0.25})})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "answers"


def cache_in(folder: Path) -> AnswerCache:
    return AnswerCache(ModelFiles(str(folder)))


def test_what_is_kept_comes_back_in_another_process(folder: Path) -> None:
    assert cache_in(folder).get(KEY) is None
    cache_in(folder).put(KEY, KEPT)
    assert cache_in(folder).get(KEY) == KEPT


@pytest.mark.parametrize(
    "change",
    [
        {"id": "m@2"},
        {"messages": [{"role": "user", "content": "b"}]},
        {"schema": {"type": "object"}},
        {"temperature": 0.7},
        {"sample": 1},
    ],
)
def test_a_question_that_differs_in_anything_has_another_key(change: dict[str, object]) -> None:
    asked = {"id": "m@1", "messages": [{"role": "user", "content": "a"}], "schema": {}, "temperature": 0.0, "sample": 0}
    assert key_of(**asked) == KEY
    assert key_of(**(asked | change)) != KEY


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b'{"said": "x"',
        b"[]",
        b"[" * 100_000,
        b'{"said": 1, "sure": {}}',
        b'{"said": "x"}',
        b'{"said": "x", "sure": {"v": [1.5, {}]}}',
        b'{"said": "x", "sure": {"v": [NaN, {}]}}',
        b'{"said": "x", "sure": {"v": [0.5]}}',
        b'{"said": "x", "sure": {"v": [0.5, {"a": "much"}]}}',
    ],
)
def test_a_damaged_file_is_as_good_as_none(folder: Path, content: bytes) -> None:
    cache = cache_in(folder)
    cache.put(KEY, KEPT)
    [file] = folder.rglob("*.json")
    file.write_bytes(content)
    assert cache.get(KEY) is None


def test_storage_that_cannot_be_written_costs_nothing_but_money(tmp_path: Path) -> None:
    (tmp_path / "answers").write_text("a file where the folder should be")
    cache = cache_in(tmp_path / "answers")
    cache.put(KEY, KEPT)
    assert cache.get(KEY) is None


@pytest.mark.parametrize("logprobs", [True, False])
def test_what_was_asked_before_costs_nothing(home: Path, logprobs: bool) -> None:
    ledger = LedgerInMemory()
    with LargeModelServer(oracle({"a gun": {"verdict": "reject"}}, accuracy=0.8), logprobs=logprobs) as server:
        first, again = (
            ask(server, home, VERDICT, questions(VERDICT, TEXTS[0]), terms=Given(samples=3), cached=True, ledger=ledger)
            for _ in range(2)
        )
    assert len(server.asked) == (1 if logprobs else 3)
    assert first[0].opinions
    assert again[0].opinions == first[0].opinions
    assert again[0].cost == Cost(cached=True)
    assert not first[0].cost.cached
    assert (today(ledger).requests, today(ledger).labels) == (len(server.asked), 1)


def test_an_answer_that_is_not_valid_is_not_kept(home: Path) -> None:
    with LargeModelServer(RULES, always=Says('{"verdict": "maybe"}')) as server:
        for _ in range(2):
            ask(server, home, VERDICT, questions(VERDICT, TEXTS[0]), cached=True)
    assert len(server.asked) == 4
    assert not list((home / "answers").rglob("*.json"))


def test_a_kept_answer_is_checked_like_any_other(home: Path) -> None:
    with LargeModelServer(RULES) as server:
        ask(server, home, VERDICT, questions(VERDICT, TEXTS[0]), cached=True)
        [file] = (home / "answers").rglob("*.json")
        file.write_text(json.dumps({"said": '{"verdict": "approved"}', "sure": {"verdict": [1.0, {"approved": 1.0}]}}))
        replies = ask(server, home, VERDICT, questions(VERDICT, TEXTS[0]), cached=True)
    assert said_of(replies) == ["reject"]
    assert len(server.asked) == 2
