"""Labelled data through the real pre-labelers and the real encoder, and what is said of it."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from unit.backtest.made import COLUMNS, SENTIMENT, SEVERAL, STARS, TOPICS, complaints, read, run, write
from unit.learning.reviews import reviews
from unit.test_cli import tiebreak

from ml_backend.encoder import Encoder
from ml_backend.labeling.errors import InputError
from ml_backend.settings import Settings
from sdk_scripts.backtest import backtest, write_backtest
from sdk_scripts.backtest.active import nothing_said


@pytest.fixture(scope="module")
def learnable(tmp_path_factory: pytest.TempPathFactory, encoder: Encoder) -> dict[str, Any]:
    """Of reviews whose label follows from the text, with one label in ten wrong."""
    rng = random.Random(0)
    other = {"positive": "negative", "negative": "positive"}
    rows = [(text, other[label] if rng.random() < 0.1 else label) for text, label in reviews(240)]
    return run(read(write(tmp_path_factory.mktemp("data") / "reviews.csv", rows), SENTIMENT, encoder), encoder, [8, 32])


def test_labels_that_follow_from_the_text_are_worth_it(learnable: dict[str, Any]) -> None:
    assert learnable["worth"] is True
    assert learnable["verdict"][0].startswith("Yes")
    assert learnable["full"]["accuracy"] > 0.8
    assert learnable["full"]["over_majority"]["low"] > 0.2
    assert learnable["n"] == learnable["train"] + learnable["test"] == 240
    assert learnable["train"] == pytest.approx(0.7 * 240, abs=2)
    assert [row["per_class"] for row in learnable["shots"][:2]] == [8, 32]
    assert [row["labels"] for row in learnable["stream"]] == [50, 100, learnable["train"]]
    assert learnable["shots"][-1] == learnable["stream"][-1] == learnable["full"]


def test_random_labels_are_not_and_the_verdict_says_so(tmp_path: Path, encoder: Encoder) -> None:
    rng = random.Random(1)
    noise = [(text, rng.choice(["positive", "negative"])) for text, _ in reviews(200)]
    found = run(read(write(tmp_path / "noise.csv", noise), SENTIMENT, encoder), encoder)
    assert found["worth"] is False
    assert found["verdict"][0].startswith("No")
    assert found["full"]["coverage"] == {"0.95": 0.0, "0.99": 0.0}
    assert not any("It pays" in sentence for sentence in found["verdict"])


def test_every_figure_is_a_share_and_the_document_is_json(learnable: dict[str, Any]) -> None:
    json.dumps(learnable, allow_nan=False)
    for row in [*learnable["shots"], *learnable["stream"]]:
        shares = [row["accuracy"], row["macro_f1"], row["ece"], *row["coverage"].values(), *row["tfidf"].values()]
        assert all(0 <= share <= 1 for share in shares)
    assert sum(one["count"] for one in learnable["full"]["reliability"]) == learnable["test"]
    assert sum(row["n"] for row in learnable["full"]["by_label"]) == learnable["test"]


def test_the_same_data_and_seed_give_the_same_figures(tmp_path: Path, encoder: Encoder) -> None:
    rows = reviews(70)
    one = run(read(write(tmp_path / "data.csv", rows), SENTIMENT, encoder), encoder)
    other = run(read(write(tmp_path / "data.csv", rows[::-1]), SENTIMENT, encoder), encoder)
    assert one == other


def test_labels_chosen_by_doubt_and_at_random_have_a_curve_each(learnable: dict[str, Any]) -> None:
    active = learnable["active"]
    assert active["curve"][-1]["labels"] == active["pool"] == learnable["train"]
    assert active["target"] == pytest.approx(active["curve"][-1]["random"] - 0.01)
    assert 0 < active["labels_to_target"] <= active["pool"]


def test_several_labels_a_text_are_replayed(tmp_path: Path, encoder: Encoder) -> None:
    rows = [(text, "; ".join(labels)) for text, labels in complaints(150)]
    found = run(read(write(tmp_path / "data.csv", rows), SEVERAL, encoder), encoder)
    assert found["full"]["accuracy"] > 0.9
    assert found["full"]["tfidf"]["accuracy"] > 0.9
    assert set(found["labels"]) == {"broken", "late", "rude"}
    assert sum(found["labels"].values()) > 150


@pytest.mark.parametrize(
    ("config", "label"),
    [
        (STARS, {"positive": "5", "negative": "1"}),
        (TOPICS, {"positive": "Goods / Taste", "negative": "Delivery"}),
    ],
)
def test_stars_and_taxonomies_are_replayed(
    config: str, label: dict[str, str], tmp_path: Path, encoder: Encoder
) -> None:
    rows = [(text, label[kind]) for text, kind in reviews(90)]
    found = run(read(write(tmp_path / "data.csv", rows), config, encoder), encoder)
    assert found["full"]["accuracy"] > 0.8
    assert set(found["labels"]) == set(label.values())


def test_a_language_the_encoder_does_not_know_is_said(tmp_path: Path, encoder: Encoder) -> None:
    good, bad = ("ดีมาก", "ชอบมาก", "อร่อย"), ("แย่มาก", "ไม่ชอบ", "เสียใจ")
    rows = [(f"ร้านอาหารที่ {i} ในกรุงเทพ {good[i % 3]}ครับ", "positive") for i in range(40)]
    rows += [(f"ร้านอาหารที่ {i} ในกรุงเทพ {bad[i % 3]}ครับ", "negative") for i in range(40)]
    found = run(read(write(tmp_path / "data.csv", rows), SENTIMENT, encoder), encoder)
    assert "Thai" in found["languages"]
    assert found["languages"] in found["verdict"]


def test_the_page_asks_nothing_of_the_network_and_escapes_what_it_shows(
    learnable: dict[str, Any], tmp_path: Path
) -> None:
    hostile = "<script>alert(1)</script>"
    labels = [{**row, "label": hostile, "taken_for": hostile} for row in learnable["full"]["by_label"]]
    document = {
        **learnable,
        "data": hostile,
        "verdict": [hostile],
        "dropped": {hostile: 3},
        "full": {**learnable["full"], "by_label": labels},
    }
    files = write_backtest(document, tmp_path)
    page = files.html.read_text("utf-8")
    assert hostile not in page
    assert page.count("&lt;script&gt;") >= 6
    assert page.count("<svg") == 3
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!#)(?!#?\w*["'])(?:https?:)?//""", page)
    assert json.loads(files.json.read_text("utf-8"))["n"] == 240


def test_the_command_prints_one_document_with_the_fields_of_the_contract_whatever_it_logs(home: Path) -> None:
    (home / "vectors").mkdir()
    (home / "vectors" / "vectors.sqlite").write_text("no database" * 1000)
    data = write(home / "data.csv", reviews(70))
    (home / "config.xml").write_text(SENTIMENT)
    columns = ["--label-config", "config.xml", "--text", "text", "--label", "label"]
    few = ["--shots", "8", "--repeats", "1", "--out", "out"]
    done = tiebreak("backtest", str(data), *columns, *few, "--json", home=home)
    assert done.returncode == 0, done.stderr
    assert "begun_anew" in done.stderr  # a warning in the middle
    found = json.loads(done.stdout)
    assert {"n", "labels", "train", "test", "shots", "zero_shot", "active", "verdict", "worth", "full"} <= set(found)
    assert {"per_class", "accuracy", "macro_f1", "ece", "coverage", "tfidf"} <= set(found["shots"][0])
    assert set(found["shots"][0]["coverage"]) == {"0.95", "0.99"}
    assert {"labels_to_target", "random_labels_to_target"} <= set(found["active"])
    assert json.loads((home / "out" / "backtest.json").read_text("utf-8")) == found
    assert (home / "out" / "backtest.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["missing.csv"], "There is no file missing.csv"),
        (["data.csv", "--shots", "few"], "--shots"),
        (["data.csv", "--label", "colour"], "no column 'colour'"),
    ],
)
def test_what_cannot_be_replayed_is_exit_code_2_with_a_reason(arguments: list[str], says: str, home: Path) -> None:
    write(home / "data.csv", reviews(20))
    (home / "config.xml").write_text(SENTIMENT)
    label = [] if "--label" in arguments else ["--label", "label"]
    given = ["--label-config", "config.xml", "--text", "text", *label]
    done = tiebreak("backtest", *arguments, *given, "--json", home=home)
    assert done.returncode == 2, done.stdout
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert says in json.loads(done.stdout)["error"]


@pytest.mark.parametrize(
    ("file", "options", "says"), [("data.txt", {}, "format"), ("a.csv", {"test_share": 2}, "share")]
)
def test_a_wrong_file_or_share_is_refused(
    file: str, options: dict[str, Any], says: str, tmp_path: Path, settings: Settings
) -> None:
    (tmp_path / file).write_text("text,label")
    (tmp_path / "config.xml").write_text(SENTIMENT)
    with pytest.raises(InputError, match=says):
        backtest(tmp_path / file, tmp_path / "config.xml", COLUMNS, settings, report=lambda _: None, **options)


def test_what_was_not_simulated_is_said_with_the_reason(learnable: dict[str, Any], tmp_path: Path) -> None:
    document = {**learnable, "active": nothing_said("160 different answers are too many.")}
    assert "160 different answers are too many." in write_backtest(document, tmp_path).html.read_text("utf-8")
