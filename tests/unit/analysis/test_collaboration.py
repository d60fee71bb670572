from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import fastexcel
import polars as pl
import pytest
from click.testing import Result
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from typer.testing import CliRunner

from ml_backend.encoder import Encoder
from ml_backend.labeling.arms import Arms
from ml_backend.labeling.judgements import judgements
from ml_backend.labeling.results import Annotation, Prediction, Task, project_key
from ml_backend.model_registry import ModelRegistry
from ml_backend.plans import Plans
from ml_backend.predictor import Predictor
from ml_backend.settings import Settings
from ml_backend.training import train
from sdk_scripts.blind_answers import BlindAnswers, blind_answers
from sdk_scripts.cli import app
from sdk_scripts.collaboration import LEAST, collaboration, compared, says_anything, share
from sdk_scripts.collaboration_words import sentences
from sdk_scripts.report import write_report
from sdk_scripts.report.collect import collect
from sdk_scripts.sources import Dataset, load_export
from tests.unit.analysis.working import ARMS, CONFIG, Person, exported, worked
from tests.unit.learning.reviews import SENTIMENT, labelled, reviews

CAREFUL = Person("careful@example.com", looks=1.0, skill=0.9)
RUBBER = Person("rubber@example.com", looks=0.0, skill=0.9, faster=0.3)
REGION = {"from_name": "verdict", "to_name": "text", "type": "choices"}
HALF = Person("half@example.com", looks=0.5, skill=0.9)


def of(tasks: list[Task], answers: Any = None) -> dict[str, Any]:
    found = collaboration(judgements(tasks, CONFIG), CONFIG, BlindAnswers(answers or {}))
    json.dumps(found, allow_nan=False)  # a document holds nothing that JSON has no word for
    return found


def holds(rate: dict[str, Any], value: float) -> bool:
    return bool(rate["low"] <= value <= rate["high"])


def by_name(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["annotator"]: row for row in rows}


def test_who_accepts_everything_is_told_from_who_looks() -> None:
    tasks, _, _ = worked([CAREFUL, RUBBER, HALF], 600)
    people = by_name(of(tasks)["rubber_stamping"]["annotators"])
    rubber, careful, half = (people[it.name] for it in (RUBBER, CAREFUL, HALF))
    assert rubber["share"] == 1
    assert rubber["low"] > 0.95
    chance = (
        0.2 / 2 * 0.9 + 0.9 * 0.05
    )  # the machine was wrong and the seed is right, or one errs just as it was seeded
    assert holds(careful, chance)
    assert careful["high"] < half["low"]
    assert holds(half, 0.5 + 0.5 * chance)
    assert rubber["n"] == careful["n"] > 80


@pytest.mark.parametrize("source", ["export", "api"])
def test_a_small_team_is_measured_the_same_from_an_export_and_from_the_api(source: str) -> None:
    tasks, _, answers = worked([CAREFUL, RUBBER], 200, source=source)
    other, _, _ = worked([CAREFUL, RUBBER], 200, source="export")
    assert of(tasks, answers) == of(other, answers)


def test_acceptance_is_of_plain_tasks_by_control_and_annotator() -> None:
    tasks, _, _ = worked([CAREFUL, RUBBER], 500)
    found = of(tasks)["acceptance"]
    people = by_name(found["annotators"])
    plain = sum(ARMS.of(task.id) == "plain" for task in tasks)
    assert people[RUBBER.name]["count"] == people[RUBBER.name]["n"] == plain
    assert holds(people[CAREFUL.name], 0.8 * 0.9 + 0.2 * 0.05)
    assert found["overall"]["n"] == 2 * plain
    assert found["overall"]["tasks"] == plain  # two people on one task are not two independent trials
    assert found["controls"]["verdict"] == found["overall"]


def decided(tasks: list[Task], truth: dict[int, str]) -> list[Task]:
    """With a review's decision in each task."""
    made = []
    for task in tasks:
        region = {**REGION, "value": {"choices": [truth[task.id]]}, "meta": {"tiebreak": {"review": "5/1/1"}}}
        review = Annotation(10**6 + task.id, "r@example.com", (region,), ground_truth=True)
        made.append(structs.replace(task, annotations=(*task.annotations, review)))
    return made


def test_seeds_that_are_right_after_all_are_nobodys_fault() -> None:
    """Where the machine was wrong, what is shown in its place may happen to be right."""
    perfect = replace(CAREFUL, skill=1.0)
    tasks, truth, _ = worked([perfect], 500, accuracy=0.5)
    unknown, known = of(tasks)["rubber_stamping"], of(decided(tasks, truth))["rubber_stamping"]
    assert unknown["overall"]["count"] == known["right_after_all"] > 10
    assert known["overall"]["count"] == 0
    assert unknown["overall"]["n"] == known["overall"]["n"] + known["right_after_all"]


def test_right_answers_that_were_spoilt_and_wrong_ones_that_were_kept_are_counted() -> None:
    firm = [replace(CAREFUL, name=f"{i}@example.com", skill=1.0) for i in range(3)]
    meddler = replace(CAREFUL, name="meddler@example.com", skill=0.0)
    tasks, _, _ = worked([*firm, meddler], 300, accuracy=0.7)
    found = of(tasks)["corrections"]["verdict"]
    assert found["decided"] == 0
    assert found["spoilt"]["n"] == 4 * found["spoilt"]["tasks"]
    assert found["spoilt"]["share"] == pytest.approx(0.25)  # of four people one spoils every right answer
    keeper = replace(RUBBER, name="keeper@example.com")
    kept = of(worked([*firm, keeper], 300, accuracy=0.7)[0])["corrections"]["verdict"]["kept"]
    assert kept["share"] == pytest.approx(0.25)


def test_anchoring_is_the_difference_between_tasks_shown_and_blind_ones() -> None:
    tasks, _, answers = worked([HALF, replace(HALF, name="other@example.com")], 2_000)
    found = of(tasks, answers)["anchoring"]
    verdict = found["controls"]["verdict"]
    alone = 0.8 * 0.9 + 0.2 * 0.05
    assert holds(verdict["blind"], alone)
    assert holds(verdict["shown"], 0.5 + 0.5 * alone)
    assert verdict["low"] <= 0.5 - 0.5 * alone <= verdict["high"]
    assert verdict["low"] > 0
    tasks, _, answers = worked([CAREFUL], 2_000)
    unmoved = of(tasks, answers)["anchoring"]["controls"]["verdict"]
    assert unmoved["low"] < 0 < unmoved["high"]


def test_where_the_machine_cannot_be_asked_again_the_shift_is_null_with_the_reason() -> None:
    tasks, _, _ = worked([HALF], 200)
    why = BlindAnswers(left_out={"version v1 is gone": 40}, why="A file has no models.")
    found = collaboration(judgements(tasks, CONFIG), CONFIG, why)["anchoring"]
    assert found["controls"]["verdict"]["shift"] is None
    assert (found["left_out"], found["note"]) == ({"version v1 is gone": 40}, "A file has no models.")


def test_accuracy_needs_what_is_settled_and_leaves_out_who_settled_it() -> None:
    tasks, truth, _ = worked([CAREFUL, RUBBER], 400, accuracy=0.7)
    assert of(tasks)["accuracy"] == {}
    found = of(decided(tasks, truth))["accuracy"]["verdict"]
    assert holds(found["blind"], 0.9)
    assert holds(found["plain"], (0.9 + 0.7) / 2)
    assert found["low"] <= (0.9 + 0.7) / 2 - 0.9 <= found["high"]
    starred = [
        structs.replace(
            task, annotations=(structs.replace(task.annotations[0], ground_truth=True), *task.annotations[1:])
        )
        for task in tasks
    ]
    alone = of(starred)["accuracy"]["verdict"]
    assert alone["plain"]["n"] == sum(ARMS.of(task.id) == "plain" for task in tasks)  # the other person's answers


# -- small samples, odd tables -----------------------------------------------------------------------------------------


@given(st.integers(0, 200), st.integers(0, 200), st.integers(1, 200))
def test_shares_are_within_their_intervals_or_null(n: int, count: int, tasks: int) -> None:
    rate = share(n, min(n, count), min(n, tasks))
    if n < LEAST:
        assert rate["share"] is rate["low"] is rate["high"] is None
    else:
        assert 0 <= rate["low"] <= rate["share"] + 1e-9  # type: ignore[operator]
        assert rate["share"] - 1e-9 <= rate["high"] <= 1  # type: ignore[operator]
    assert rate["n"] == n


bits = st.lists(st.tuples(st.booleans(), st.sampled_from([None, 0.3, 0.6, 0.9])), max_size=60)


def hits(rows: list[tuple[bool, float | None]]) -> pl.DataFrame:
    schema = {"hit": pl.Boolean, "score": pl.Float64, "task": pl.Int64}
    return pl.DataFrame([(hit, score, task) for task, (hit, score) in enumerate(rows)], schema=schema, orient="row")


@given(bits, bits)
def test_a_difference_is_within_its_interval_and_turns_its_sign_with_its_sides(one: Any, other: Any) -> None:
    a, _, found = compared(hits(one), hits(other))
    _, _, turned = compared(hits(other), hits(one))
    if found["difference"] is None:
        assert turned["difference"] is None
        return
    low, middle, high = found["low"], found["difference"], found["high"]
    assert -1 - 1e-9 <= low <= middle + 1e-9  # type: ignore[operator]
    assert middle <= high + 1e-9 <= 1 + 2e-9  # type: ignore[operator]
    assert low == pytest.approx(-turned["high"])  # type: ignore[operator]
    if len({score for _, score in (*one, *other)}) == 1:
        assert a["share"] == pytest.approx(a["count"] / a["n"])  # type: ignore[operator]


def test_tasks_that_were_accepted_and_so_never_shown_bias_neither_time_nor_anchoring() -> None:
    """The machine accepted what it was sure of; blind tasks are never accepted, so the easy ones are all blind."""
    hard, _, answers = worked([HALF], 1_500, accuracy=0.6, seed=1)
    easy, _, more = worked([replace(HALF, seconds=5)], 1_500, accuracy=0.99, seed=2)
    hard_table = judgements(hard, CONFIG).with_columns(score=pl.lit(0.6))
    easy_table = (
        judgements(easy, CONFIG)
        .filter(arm="blind")
        .with_columns(pl.col("task") + 10_000, pl.col("annotation") + 10**7, score=pl.lit(0.99))
    )
    asked = BlindAnswers({**answers, **{(task + 10_000, name): key for (task, name), key in more.items()}})
    alone = collaboration(hard_table, CONFIG, asked)
    both = collaboration(pl.concat([hard_table, easy_table]), CONFIG, asked)
    assert both["time"]["ratio"] == pytest.approx(alone["time"]["ratio"], rel=0.1)  # 5 s tasks shift the bound only
    shift = both["anchoring"]["controls"]["verdict"]
    assert shift["shift"] == pytest.approx(alone["anchoring"]["controls"]["verdict"]["shift"])
    assert shift["blind"]["count"] / shift["blind"]["n"] > shift["blind"]["share"] + 0.1  # as it would have been


def test_audits_are_no_random_tasks_and_in_no_figure() -> None:
    tasks, _, answers = worked([HALF], 300)
    table = judgements(tasks, CONFIG)
    audited = table.with_columns(score=pl.when(pl.col("arm") == "blind").then(0.0).otherwise("score"))
    found = collaboration(audited, CONFIG, BlindAnswers(answers))
    assert found["annotations"]["blind"] == 0
    assert found["annotations"]["audit"] == table.filter(arm="blind").height
    assert found["time"]["ratio"] is found["anchoring"]["controls"]["verdict"]["shift"] is None


@settings(max_examples=40)
@given(st.integers(0, 40), st.integers(1, 3), st.integers(0, 5))
def test_whatever_little_there_is_the_document_can_be_written(tasks: int, people: int, seed: int) -> None:
    team = [Person(f"p{i}" if i else "", 0.5) for i in range(people)]
    made, _, answers = worked(team, tasks, seed=seed)
    found = of(made, answers)
    assert sum(found["annotations"].values()) == tasks * people
    assert says_anything(found) == (tasks > 0)


def test_a_project_without_predictions_has_nothing_to_say_and_says_so() -> None:
    tasks, _, _ = worked([CAREFUL], 30)
    alone = Annotation(1, "a@example.com", ({**REGION, "value": {"choices": ["a"]}},))
    bare = [structs.replace(task, annotations=(structs.replace(alone, id=task.id),), predictions=()) for task in tasks]
    found = of(bare)
    assert found["annotations"] == {"plain": 0, "blind": 0, "audit": 0, "seeded": 0, "unknown": 0, "untold": 30}
    assert not says_anything(found)
    assert found["notes"][0].startswith("30 annotations do not say what was on the screen")


def test_sealed_answers_without_the_secret_are_in_no_figure() -> None:
    tasks, _, _ = worked([RUBBER], 200)
    locked = [Arms().opened(task) for task in tasks]
    found = of(locked)
    assert found["annotations"]["unknown"] == 200 - found["annotations"]["blind"]
    assert found["acceptance"]["overall"]["n"] == found["rubber_stamping"]["overall"]["n"] == 0


# -- in words, as a command, in the report -----------------------------------------------------------------------------


def test_sentences_name_who_does_not_look_and_claim_nothing_where_the_interval_holds_nothing() -> None:
    tasks, _, answers = worked([CAREFUL, RUBBER], 400)
    said = " ".join(sentences(of(tasks, answers)))
    assert f"{RUBBER.name} submitted" in said
    assert f"{CAREFUL.name} submitted" not in said
    assert "With a prediction people save" in said
    even = [replace(CAREFUL, name=f"{i}@example.com", faster=1.0) for i in range(2)]
    tasks, _, answers = worked(even, 60)
    said = " ".join(sentences(of(tasks, answers)))
    assert "Whether predictions save time is not known yet" in said
    assert "That may be chance." in said


def test_a_blind_share_alone_gives_time_and_says_what_the_rest_needs() -> None:
    tasks, _, _ = worked([CAREFUL], 200, arms=Arms(ARMS.secret, 0.2, 0.0))
    said = sentences(of(tasks))
    assert any("policy: {seeded: …}" in it for it in said)
    assert any("Only 1 of 1 people" in it for it in said)


@pytest.fixture
def export(tmp_path: Path) -> tuple[Path, Path]:
    path, config = tmp_path / "export.json", tmp_path / "config.xml"
    path.write_text(json.dumps(exported([CAREFUL, RUBBER], 150)))
    config.write_text(CONFIG.xml)
    return path, config


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(it) for it in arguments])


def test_the_command_on_an_export_says_who_did_not_look(
    export: tuple[Path, Path], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIEBREAK_HOME", str(home))
    done = run("collaboration", export[0], "--label-config", export[1], "--json")
    locked = json.loads(done.stdout)
    assert locked["rubber_stamping"]["overall"]["n"] == 0
    assert "TIEBREAK_POLICY_SECRET does not open" in done.stderr
    monkeypatch.setenv("TIEBREAK_POLICY_SECRET", ARMS.secret)
    found = json.loads(run("collaboration", export[0], "--label-config", export[1], "--json").stdout)
    people = by_name(found["rubber_stamping"]["annotators"])
    assert people[RUBBER.name]["low"] > people[CAREFUL.name]["high"]
    assert found["anchoring"]["controls"]["verdict"]["shift"] is None
    assert found["anchoring"]["note"].startswith("A file has no models")
    text = run("collaboration", export[0], "--label-config", export[1])
    assert text.exit_code == 0
    assert f"{RUBBER.name} submitted" in text.stdout


def test_the_report_has_a_section_with_the_same_figures_and_none_where_nothing_was_shown(
    export: tuple[Path, Path], settings: Settings, tmp_path: Path
) -> None:
    dataset = load_export(*export, ARMS)
    files = write_report(dataset, tmp_path / "report", settings=settings)
    working = json.loads(files.json.read_text())["working"]
    here = of(dataset.tasks) | {"anchoring": working["figures"]["anchoring"]}
    assert working["figures"] == json.loads(json.dumps(here))
    html = files.html.read_text()
    assert "Working with the machine" in html
    assert RUBBER.name in html
    sheet = fastexcel.read_excel(files.xlsx).load_sheet("Working with the machine").to_polars()
    assert sheet["annotator"].to_list() == [CAREFUL.name, RUBBER.name]
    assert sheet["stamped"].to_list()[1] == 1
    bare = replace(dataset, tasks=[structs.replace(task, annotations=(), predictions=()) for task in dataset.tasks])
    assert collect(bare, settings).to_json()["working"] is None


# -- what the machine would have said ----------------------------------------------------------------------------------


def test_blind_answers_are_those_of_the_version_named_and_not_of_texts_it_had_learned(
    encoder: Encoder, settings: Settings
) -> None:
    registry, fields = ModelRegistry(settings.models), {"id": 1, "created_at": "2026-11-22T10:00:00Z"}
    key = project_key(fields)
    version = train(key, SENTIMENT, labelled(60), encoder, registry).version
    new = [text for text, _ in reviews(120) if text not in {task.data["text"] for task in labelled(60)}]
    seen = [task.data["text"] for task in labelled(5)]

    def blind(id: int, text: str, named: str) -> Task:
        empty = Prediction(7, (), 0.5, named)
        return Task(id, {"text": text}, (Annotation(id, "a", (), shown=empty, arm="blind"),))

    tasks = [blind(i, text, version) for i, text in enumerate([*new, *seen], 1)]
    tasks += [blind(1_000 + i, new[0], "few-shot-00000000") for i in range(3)]
    zero_shot = Plans(ModelRegistry(f"{settings.models}-none"), encoder).version(key, SENTIMENT)
    tasks += [blind(2_000, "I love it.", zero_shot), blind(3_000, "", version)]
    dataset = Dataset("reviews", SENTIMENT, tasks, project=fields)
    found = blind_answers(dataset, settings)
    assert {task for task, _ in found.answers} == {*range(1, len(new) + 1), 2_000}
    assert found.left_out == {"the version had learned the text": 5, "version few-shot-00000000 is gone": 3}
    train(key, SENTIMENT, labelled(200), encoder, registry)  # another one is live since
    assert blind_answers(dataset, settings) == found
    served = Predictor(registry, encoder)
    registry.promote(key, version)
    asked = [{"id": task.id, "data": dict(task.data)} for task in tasks[:20]]
    for task, item in zip(asked, served.predict(key, SENTIMENT, asked).results, strict=True):
        assert found.answers[task["id"], "sentiment"] == json.dumps(item["result"][0]["value"]["choices"])


def test_a_project_without_blind_tasks_loads_no_model(settings: Settings) -> None:
    tasks, _, _ = worked([RUBBER], 20, arms=Arms())
    wrong = settings.model_copy(update={"encoder": "/nowhere"})
    assert blind_answers(Dataset("x", CONFIG, tasks, project={"id": 1}), wrong) == BlindAnswers()


def test_where_no_encoder_can_be_loaded_the_reason_is_said(settings: Settings) -> None:
    tasks, _, _ = worked([RUBBER], 20)
    fields = {"id": 1, "created_at": "2026-11-22T10:00:00Z"}
    wrong = settings.model_copy(update={"encoder": "/nowhere"})
    assert blind_answers(Dataset("x", CONFIG, tasks, project=fields), wrong).why
