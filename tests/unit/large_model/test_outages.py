"""An endpoint that is down, overloaded or set up wrongly: every task gets its reason, and nobody waits long."""

from __future__ import annotations

from pathlib import Path

import pytest

from ml_backend.labeling.errors import ConfigError
from ml_backend.large_model import LargeModel, LedgerInMemory
from ml_backend.large_model.asking import MOST_OUTAGES
from ml_backend.large_model.endpoint import ATTEMPTS
from ml_backend.settings import load_settings
from tests.large_model_server import (
    Closed,
    LargeModelServer,
    Slow,
    Status,
    Trouble,
)
from tests.unit.large_model.asking import (
    RULES,
    TEXTS,
    VERDICT,
    Given,
    ask,
    questions,
    said_of,
    settings_of,
)


@pytest.mark.parametrize("trouble", [Status(503), Status(429, retry_after=0), Closed()])
def test_after_a_few_outages_the_rest_is_not_asked(home: Path, trouble: Trouble) -> None:
    many = [{"text": f"text {number}"} for number in range(30)]
    with LargeModelServer(RULES, always=trouble) as server:
        replies = ask(server, home, VERDICT, questions(VERDICT, *many), llm_concurrency=1)
    assert len(server.asked) == MOST_OUTAGES * ATTEMPTS
    assert all(reply.opinions == {} and "large model" in reply.reason for reply in replies)
    assert [reply.reason.startswith("not asked") for reply in replies] == [False] * MOST_OUTAGES + [True] * 27


def test_outages_with_answers_between_them_stop_nothing(home: Path) -> None:
    one_fails = [*[Status(500)] * ATTEMPTS, None]
    texts = [{"text": f"text {number}"} for number in range(8)]
    with LargeModelServer(RULES, troubles=one_fails * 4) as server:
        replies = ask(server, home, VERDICT, questions(VERDICT, *texts), llm_concurrency=1)
    assert said_of(replies) == [None, "allow"] * 4


@pytest.mark.parametrize(("status", "setting"), [(401, "_KEY"), (403, "_KEY"), (404, "_MODEL")])
def test_what_is_set_wrong_is_said_and_asked_once(home: Path, status: int, setting: str) -> None:
    with LargeModelServer(RULES, always=Status(status)) as server:
        replies = ask(server, home, VERDICT, questions(VERDICT, *TEXTS), llm_concurrency=1)
    assert len(server.asked) == 1
    assert all(f"TIEBREAK_LLM{setting}" in reply.reason for reply in replies)


def test_an_endpoint_that_is_down_is_left_alone_by_the_next_run_too(home: Path) -> None:
    with (
        LargeModelServer(RULES, always=Status(401)) as server,
        LargeModel(settings_of(server, home), Given(), ledger=LedgerInMemory()) as model,
    ):
        for _ in range(3):
            [reply] = model.ask(VERDICT, VERDICT.answerable, "", questions(VERDICT, TEXTS[0]))
            assert "TIEBREAK_LLM_KEY" in reply.reason
            assert reply.cost.tokens == 0
            assert not reply.cost.cached
    assert len(server.asked) == 1


def test_one_text_that_is_refused_stops_no_other(home: Path) -> None:
    texts = [{"text": f"text {number}"} for number in range(6)]
    troubles = [Status(400, message="too long"), Status(400, message="too long"), None] * 4
    with LargeModelServer(RULES, troubles=troubles) as server:
        replies = ask(server, home, VERDICT, questions(VERDICT, *texts), llm_concurrency=1)
    assert said_of(replies)[:4] == [None, "allow", None, "allow"]
    assert "too long" in replies[0].reason


def test_the_key_is_in_no_reason_no_log_and_no_file(
    home: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    secret = "sk-not-for-anybody"
    caplog.set_level("DEBUG")
    with LargeModelServer(RULES) as server:
        ask(server, home, VERDICT, questions(VERDICT, TEXTS[0]), cached=True)
        replies = ask(server, home, VERDICT, questions(VERDICT, *TEXTS[1:]), cached=True, key=secret)
    kept = "".join(file.read_text() for file in home.rglob("*.json"))
    printed = capsys.readouterr()
    for words in (*(reply.reason for reply in replies), printed.out, printed.err, caplog.text, kept):
        assert secret not in words
        assert server.key not in words
    assert "TIEBREAK_LLM_KEY" in replies[0].reason


@pytest.mark.parametrize("missing", ["llm_url", "llm_model"])
def test_without_an_endpoint_or_a_model_there_is_no_large_model(home: Path, missing: str) -> None:
    given = {"llm_url": "http://127.0.0.1:1/v1", "llm_model": "m", missing: None}
    with pytest.raises(ConfigError, match="TIEBREAK_LLM_URL"):
        LargeModel(load_settings(home=home, **given), Given(), ledger=LedgerInMemory())


def test_samples_that_came_before_an_outage_count(home: Path) -> None:
    troubles = [None, None, *[Status(500)] * ATTEMPTS]
    with LargeModelServer(RULES, logprobs=False, troubles=troubles) as server:
        [reply] = ask(server, home, VERDICT, questions(VERDICT, TEXTS[0]), terms=Given(samples=5))
    assert reply.opinions["verdict"].confidence == pytest.approx(3 / 4)  # two of two
    assert reply.cost.requests == 2


def test_what_is_interrupted_asks_nothing_more(home: Path) -> None:
    def stop(*_: int) -> None:
        raise KeyboardInterrupt

    many = [{"text": f"text {number}"} for number in range(50)]
    with (
        LargeModelServer(RULES, always=Slow(0.01)) as server,
        LargeModel(settings_of(server, home), Given(), ledger=LedgerInMemory()) as model,
    ):
        with pytest.raises(KeyboardInterrupt):
            model.ask(VERDICT, VERDICT.answerable, "", questions(VERDICT, *many), progress=stop)
        assert len(server.asked) < 20
