"""`tiebreak backtest --prelabeler llm` against a local endpoint that knows most answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from large_model_server import Brain, LargeModelServer, Status, plain
from pydantic import SecretStr
from unit.backtest.made import COLUMNS, SENTIMENT, read, write
from unit.cascade.riddles import knowing, riddles
from unit.test_cli import tiebreak

from ml_backend.encoder import Encoder
from ml_backend.labeling.errors import ConfigError, InputError, ModelUnavailable
from ml_backend.settings import Settings
from sdk_scripts.backtest import backtest
from sdk_scripts.backtest.large import Wanted, large_model, measure_large, sentences

ROWS = riddles(240, 0)


@pytest.fixture(scope="module")
def server() -> Iterator[LargeModelServer]:
    with LargeModelServer(knowing(ROWS, accuracy=0.9)) as server:
        yield server


def set_up(server: LargeModelServer, settings: Settings) -> Settings:
    return settings.model_copy(
        update={"llm_url": server.url, "llm_model": "oracle", "llm_key": SecretStr(server.key), "llm_timeout": 5.0}
    )


def measured(
    server: LargeModelServer, settings: Settings, encoder: Encoder, folder: Path, wanted: Wanted, **options: Any
) -> dict[str, Any]:
    labelled = read(write(folder / "data.csv", [(text, label) for _, text, label in ROWS]), SENTIMENT, encoder)
    with large_model(set_up(server, settings), wanted) as large:
        given = {"test_share": 0.5, "seed": 0, "report": lambda _: None} | options
        return measure_large(labelled, encoder, large, wanted, **given)


@pytest.fixture(scope="module")
def found(server: LargeModelServer, encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    from ml_backend.settings import load_settings

    home = tmp_path_factory.mktemp("home")
    return measured(server, load_settings(home=home), encoder, home, Wanted(100, input_price=2.0, output_price=8.0))


def test_the_figures_are_those_of_an_oracle_that_knows_nine_of_ten(found: dict[str, Any]) -> None:
    assert found["texts"] == found["wanted"] == 100
    for way in ("zero_shot", "with_examples"):
        row = found[way]
        assert row["accuracy_low"] <= 0.9 <= row["accuracy_high"]
        assert row["answered"] == 100
        assert row["ece_recalibrated"] < 0.1
        assert row["money_per_1000"] == pytest.approx(row["money"] * 10)
        assert row["money"] == pytest.approx((2 * row["input_tokens"] + 8 * row["output_tokens"]) / 1e6)
        assert row["seconds_a_label"] > 0
    assert found["with_examples"]["input_tokens"] > 1.5 * found["zero_shot"]["input_tokens"]
    assert 0.6 < found["local"]["accuracy"] < 0.9


def test_a_cascade_asks_of_some_and_is_better_than_either(found: dict[str, Any]) -> None:
    rows = found["cascade"]
    assert [row["below"] for row in rows] == sorted(row["below"] for row in rows)
    assert [row["asked"] for row in rows] == sorted(row["asked"] for row in rows)
    always = rows[-1]
    assert always["asked"] == 1
    assert always["money_saved_per_1000"] == 0
    assert always["money_per_1000"] == pytest.approx(found["with_examples"]["money_per_1000"])
    sparing = next(row for row in rows if row["below"] == 0.9)
    assert sparing["asked"] < 0.8
    assert sparing["accuracy"] > max(found["local"]["accuracy"], 0.85)
    assert sparing["money_per_1000"] + sparing["money_saved_per_1000"] == pytest.approx(always["money_per_1000"])
    assert sparing["coverage"]["0.95"] >= found["local"]["coverage"]["0.95"]


def test_the_sentences_say_what_the_figures_mean(found: dict[str, Any]) -> None:
    first, second, third = sentences(found)
    assert first.startswith("On 100 texts oracle@")
    assert "A cascade that asks it below" in second
    assert "need no person" in third


def test_no_test_text_is_shown_as_an_example(
    server: LargeModelServer, settings: Settings, encoder: Encoder, tmp_path: Path
) -> None:
    server.asked.clear()
    measured(server, settings, encoder, tmp_path, Wanted(40), seed=3)
    tested = {plain(it.text) for it in server.asked}
    shown = [plain(text) for it in server.asked for name, text in it.blocks if name == "example"]
    assert len(tested) == 40
    assert len(shown) == 5 * 40
    assert not tested & set(shown)


def test_a_budget_ends_it_cleanly_and_the_figures_say_on_what_they_rest(
    server: LargeModelServer, settings: Settings, encoder: Encoder, tmp_path: Path
) -> None:
    found = measured(server, settings, encoder, tmp_path, Wanted(100, tokens=70_000), seed=1)
    spent = [found[way]["input_tokens"] + found[way]["output_tokens"] for way in ("zero_shot", "with_examples")]
    assert 20 <= found["texts"] < 100
    assert sum(spent) <= 70_000
    assert found["note"] == "the budget of the day is spent"
    assert sentences(found)[-1] == f"{100 - found['texts']} texts were not asked: {found['note']}."


def test_asking_again_costs_nothing(
    server: LargeModelServer, settings: Settings, encoder: Encoder, tmp_path: Path
) -> None:
    first = measured(server, settings, encoder, tmp_path, Wanted(30))
    before = len(server.asked)
    again = measured(server, settings, encoder, tmp_path, Wanted(30))
    assert len(server.asked) == before
    assert again["with_examples"]["accuracy"] == first["with_examples"]["accuracy"]
    assert again["with_examples"]["from_cache"] == 30
    assert again["with_examples"]["money_per_1000"] is None


def abstaining(brain: Brain) -> Brain:
    return lambda asked: {"sentiment": None} if len(asked.text) % 3 == 0 else brain(asked)


def test_abstentions_are_counted_with_their_reason(settings: Settings, encoder: Encoder, tmp_path: Path) -> None:
    with LargeModelServer(abstaining(knowing(ROWS))) as server:
        found = measured(server, settings, encoder, tmp_path, Wanted(60))
    row = found["with_examples"]
    assert found["texts"] == 60
    assert sum(row["abstained"].values()) == 60 - row["answered"] > 5
    assert row["accuracy"] <= row["answered"] / 60


def test_an_endpoint_that_does_not_answer_is_an_error_with_its_reason(
    settings: Settings, encoder: Encoder, tmp_path: Path
) -> None:
    with LargeModelServer(lambda asked: "", always=Status(401)) as server, pytest.raises(ModelUnavailable) as error:
        measured(server, settings, encoder, tmp_path, Wanted(40))
    assert "answered 0 of 40 texts" in error.value.what
    assert "TIEBREAK_LLM_URL" in error.value.mend


def test_without_an_endpoint_or_prices_nothing_is_begun(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "config.xml").write_text(SENTIMENT)
    data = write(tmp_path / "data.csv", [(text, label) for _, text, label in ROWS])
    with pytest.raises(ConfigError, match="TIEBREAK_LLM_URL"):
        backtest(data, tmp_path, COLUMNS, settings, large=Wanted(), report=pytest.fail)
    with pytest.raises(InputError, match="--input-price"):
        backtest(data, tmp_path, COLUMNS, settings, large=Wanted(money=1.0), report=pytest.fail)


def test_the_command_says_it_in_json_in_tables_and_on_the_page(home: Path, server: LargeModelServer) -> None:
    server.asked.clear()
    write(home / "data.csv", [(text, label) for _, text, label in ROWS])
    (home / "config.xml").write_text(SENTIMENT)
    (home / "guidelines.md").write_text("Judge the parcel, never the courier.")
    (home / ".env").write_text(
        f"TIEBREAK_LLM_URL={server.url}\nTIEBREAK_LLM_MODEL=oracle\nTIEBREAK_LLM_KEY={server.key}\n"
    )
    given = ["data.csv", "--label-config", ".", "--text", "text", "--label", "label", "--shots", "8", "--repeats", "1"]
    large = ["--prelabeler", "llm", "--asks", "40", "--input-price", "1", "--output-price", "4", "--out", "out"]
    done = tiebreak("backtest", *given, *large, "--json", home=home)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["large_model"]["texts"] == 40
    assert any("oracle@" in sentence for sentence in found["verdict"])
    assert json.loads((home / "out" / "backtest.json").read_text("utf-8")) == found
    assert "A large model beside it" in (home / "out" / "backtest.html").read_text("utf-8")
    assert "never the courier" in server.asked[0].system
    shown = tiebreak("backtest", *given, *large, home=home)
    assert shown.returncode == 0, shown.stderr
    assert "with examples" in shown.stdout
    assert "A cascade that asks it below" in shown.stdout


def test_another_prelabeler_is_refused_with_what_there_is(home: Path) -> None:
    done = tiebreak("backtest", "data.csv", "--label-config", "config.xml", "--prelabeler", "gpt", home=home)
    assert done.returncode == 2
    assert "llm" in done.stderr
