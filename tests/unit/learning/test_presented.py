from __future__ import annotations

import json
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from ml_backend.briefs import SHARED_SECONDS, note_audits, refresh_policy
from ml_backend.encoder import Encoder
from ml_backend.labeling.answers import answers
from ml_backend.labeling.arms import Arms
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.results import project_key, seal_of
from ml_backend.model_registry import ModelRegistry
from ml_backend.predictor import Predictor
from ml_backend.prelabelers import Opinion, options
from ml_backend.presented import SEEDED_FROM, Given, prediction, shown
from ml_backend.training import train
from tests.unit.labeling.shown_to import HALF, SECRET, seeded_tasks
from tests.unit.learning.reviews import SENTIMENT, labelled, reviews
from tests.unit.learning.stores import SlowStore

PROJECT = {"id": 1, "created_at": "2026-11-22T10:00:00Z"}
KEY = project_key(PROJECT)
TASKS = [{"id": i, "data": {"text": text}} for i, (text, _) in enumerate(reviews(120, seed=5), 1)]
SEEDED = seeded_tasks(HALF, 400)


def one_of(*labels: str, attributes: str = "") -> LabelConfig:
    inside = "".join(f'<Choice value="{it}"/>' for it in labels)
    return parse(
        f'<View><Text name="text" value="$text"/><Choices name="c" toName="text" {attributes}>{inside}</Choices></View>'
    )


def set_policy(registry: ModelRegistry, line: str) -> None:
    refresh_policy(registry, {**PROJECT, "description": f"tiebreak policy: {line}"})


# -- what is made of opinions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "answer", "second", "confidence", "wrong"),
    [
        (one_of("a", "b", "c"), ("a",), "b", 0.9, ("b",)),
        (one_of("a", "b", "c"), ("a",), "b", SEEDED_FROM - 0.01, ("a",)),  # it may be "b" after all
        (one_of("a", "b", "c"), ("a",), "", 0.9, ("a",)),
        (one_of("a", "b", "c"), ("a",), "a", 0.9, ("a",)),
        (one_of("a", "b", "c"), ("a",), "gone", 0.9, ("a",)),  # the config has changed since
        (one_of("a", "b", "c", attributes='choice="multiple"'), ("a",), "b", 0.9, ("a",)),
    ],
)
def test_only_a_sure_single_label_is_seeded_and_only_with_another_of_the_config(
    config: LabelConfig, answer: Any, second: str, confidence: float, wrong: Any
) -> None:
    for task in SEEDED[:5]:
        it = shown(config, {"c": Given(answer, confidence, second)}, task, HALF)
        assert it is not None
        assert it.answers == {"c": wrong}
        assert it.seeded == ("c" if wrong != answer else "")


def test_taxonomies_with_one_use_and_stars_are_seeded_and_other_taxonomies_not() -> None:
    tree = '<Choice value="a"><Choice value="b"/></Choice><Choice value="c"/>'
    config = parse(
        f'<View><Text name="t" value="$t"/><Taxonomy name="once" toName="t" maxUsages="1">{tree}</Taxonomy>'
        f'<Taxonomy name="often" toName="t">{tree}</Taxonomy><Rating name="stars" toName="t"/></View>'
    )
    task = SEEDED[0]
    for name, answer, second, wrong in (
        ("once", (("c",),), "a / b", (("a", "b"),)),
        ("once", (("c",),), "a", (("c",),)),  # no leaf: what is below it may be right
        ("often", (("c",),), "a / b", (("c",),)),
        ("stars", 5, "1", 1),
    ):
        names = [it.name for it in options(config[name])]
        assert second in names
        it = shown(config, {name: Given(answer, 0.9, second)}, task, HALF)
        assert it is not None
        assert it.answers == {name: wrong}


@drawn(st.integers(2, 12), st.floats(SEEDED_FROM, 1.0))
def test_the_score_of_a_seeded_answer_is_one_that_an_honest_answer_could_have(labels: int, confidence: float) -> None:
    """With two labels no likeliest one has less than a half: a score of 0.45 would give the seed away."""
    config = one_of(*map(str, range(labels)))
    scores = []
    for task in SEEDED:
        it = shown(config, {"c": Given(("0",), confidence, "1")}, task, HALF)
        assert it is not None
        made = prediction(config, it, "v1", task, HALF)
        assert made["score"] == made["result"][0]["score"]
        scores.append(made["score"])
    assert 1 / labels <= min(scores)
    assert max(scores) <= confidence + 1e-6
    assert len(set(scores)) > len(scores) / 2 or confidence - 1 / labels < 1e-3


def test_a_control_that_the_seeded_answer_hides_or_brings_is_hidden_or_brought() -> None:
    config = parse(
        '<View><Text name="t" value="$t"/><Choices name="a" toName="t"><Choice value="x"/><Choice value="y"/></Choices>'
        '<Choices name="if-x" toName="t" visibleWhen="choice-selected" whenTagName="a" whenChoiceValue="x">'
        '<Choice value="1"/><Choice value="2"/></Choices>'
        '<Choices name="if-y" toName="t" visibleWhen="choice-selected" whenTagName="a" whenChoiceValue="y">'
        '<Choice value="3"/><Choice value="4"/></Choices></View>'
    )
    thought = {"a": Given(("x",), 0.95, "y"), "if-x": Given(("1",), 0.7, "2"), "if-y": Given(("3",), 0.6, "4")}
    plain, seeded = shown(config, thought, SEEDED[0]), shown(config, thought, SEEDED[0], HALF)
    assert plain is not None
    assert seeded is not None
    assert set(plain.answers) == {"a", "if-x"}
    assert set(seeded.answers) == {"a", "if-y"}


def test_of_an_opinion_the_answer_the_confidence_and_the_next_label_are_kept() -> None:
    assert Given.of(Opinion(("a",), 1.2, {"a": 0.7, "b": 0.1, "c": 0.2})) == Given(("a",), 1.0, "c")
    assert Given.of(Opinion(("a",), 0.6, {"a": 0.6})).second == ""


# -- what the predictor serves -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    root = str(tmp_path_factory.mktemp("models"))
    return root, train(KEY, SENTIMENT, labelled(200), encoder, ModelRegistry(root)).version


@pytest.fixture
def registry(trained: tuple[str, str]) -> ModelRegistry:
    found = ModelRegistry(trained[0])
    set_policy(found, "{}")
    note_audits(found, KEY, ())
    return found


@pytest.fixture
def predictor(registry: ModelRegistry, encoder: Encoder) -> Predictor:
    return Predictor(registry, encoder, policy_secret=SECRET)


def served(predictor: Predictor, tasks: Sequence[dict[str, Any]] = TASKS) -> list[dict[str, Any]]:
    """What annotators get, by whichever way."""
    answered = predictor.predict(KEY, SENTIMENT, tasks)
    written = [json.loads(item) for item in predictor.write(KEY, SENTIMENT, tasks).items]
    assert written == answered.results
    quick = predictor.written(KEY, SENTIMENT.xml, tasks)
    assert quick is None or [json.loads(item) for item in quick.items] == written
    for task, item in zip(tasks, written, strict=True):
        alone = predictor.written(KEY, SENTIMENT.xml, [task])
        assert alone is None or json.loads(alone.items[0]) == item
    return written


def labels(items: Sequence[dict[str, Any]]) -> list[Any]:
    return [answers(SENTIMENT, item["result"]).get("sentiment") for item in items]


def test_every_way_to_ask_serves_the_same_with_arms_off_and_on(predictor: Predictor, registry: ModelRegistry) -> None:
    plain = served(predictor)
    for line, blind, seeded in (('{"blind": 0.2}', 0.2, 0.0), ('{"blind": 0.2, "seeded": 0.2}', 0.2, 0.2)):
        set_policy(registry, line)
        arms = Arms(SECRET, blind, seeded)
        found, wrong = served(predictor), 0
        for task, item, before in zip(TASKS, found, plain, strict=True):
            match arms.of(task["id"]):
                case "blind":
                    assert item == {**before, "result": []}
                case "plain":
                    assert labels([item]) == labels([before])
                    assert item["score"] == before["score"]
                case "seeded":
                    wrong += labels([item]) != labels([before])
                    assert labels([item]) == labels([before]) or item["score"] < before["score"]
            assert {bool(seal_of(region)) for region in item["result"]} <= {seeded > 0}
        assert wrong == sum(
            arms.of(t["id"]) == "seeded" and b["score"] >= SEEDED_FROM for t, b in zip(TASKS, plain, strict=True)
        )
        assert bool(wrong) == (seeded > 0)
    set_policy(registry, "{}")
    assert served(predictor) == plain


def test_what_was_remembered_before_a_policy_is_not_served_to_who_is_blind_by_it(
    predictor: Predictor, registry: ModelRegistry
) -> None:
    served(predictor)
    assert predictor.written(KEY, SENTIMENT.xml, TASKS) is not None
    set_policy(registry, '{"blind": 0.5}')
    arms = Arms(SECRET, 0.5)
    blind = [task for task in TASKS if arms.of(task["id"]) == "blind"]
    assert all(predictor.written(KEY, SENTIMENT.xml, [task]) is None for task in TASKS)
    served(predictor)
    for task in TASKS:
        assert (predictor.written(KEY, SENTIMENT.xml, [task]) is None) == (task in blind)
    twin = {"id": next(t["id"] for t in TASKS if arms.of(t["id"]) == "blind"), "data": TASKS[0]["data"]}
    assert arms.of(TASKS[0]["id"]) == "plain" or served(predictor, [TASKS[0]])[0]["result"] == []
    assert served(predictor, [twin])[0]["result"] == []  # although that text was answered before


def test_on_shared_storage_a_blind_task_is_blind_from_the_next_look_at_the_brief_on(
    encoder: Encoder, trained: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    SlowStore.contents.clear()
    now = [time.monotonic()]
    monkeypatch.setattr("ml_backend.briefs.time", SimpleNamespace(monotonic=lambda: now[0]))
    shared = ModelRegistry("slow://presented")
    shared.save(KEY, ModelRegistry(trained[0]).load(KEY, trained[1]))
    shared.promote(KEY, trained[1])
    set_policy(shared, "{}")
    predictor = Predictor(shared, encoder, policy_secret=SECRET)
    assert all(item["result"] for item in served(predictor))
    set_policy(shared, '{"blind": 0.5}')
    now[0] += SHARED_SECONDS + 0.1
    assert predictor.written(KEY, SENTIMENT.xml, TASKS) is None
    arms = Arms(SECRET, 0.5)
    assert [not item["result"] for item in served(predictor)] == [arms.of(t["id"]) == "blind" for t in TASKS]


def test_audited_tasks_are_blind_and_come_first(predictor: Predictor, registry: ModelRegistry) -> None:
    note_audits(registry, KEY, [TASKS[3]["id"]])
    found = served(predictor)
    assert (found[3]["result"], found[3]["score"]) == ([], 0)
    assert all(item["result"] for place, item in enumerate(found) if place != 3)


def test_tasks_without_an_id_are_in_no_experiment(predictor: Predictor, registry: ModelRegistry) -> None:
    set_policy(registry, '{"blind": 0.5, "seeded": 0.2}')
    unnamed = [{"data": task["data"]} for task in TASKS]
    assert all(item["result"] for item in served(predictor, unnamed))


def test_without_its_secret_a_predictor_seeds_nothing(registry: ModelRegistry, encoder: Encoder) -> None:
    plain = served(Predictor(registry, encoder, policy_secret=SECRET))
    set_policy(registry, '{"seeded": 0.2}')
    assert served(Predictor(registry, encoder)) == plain


def test_arms_change_nothing_of_what_the_machine_thinks(predictor: Predictor, registry: ModelRegistry) -> None:
    before = predictor.views(KEY, SENTIMENT, TASKS)
    doubts = predictor.doubts(KEY, SENTIMENT, TASKS)
    set_policy(registry, '{"blind": 0.5, "seeded": 0.2}')
    assert predictor.views(KEY, SENTIMENT, TASKS) == before
    assert predictor.doubts(KEY, SENTIMENT, TASKS).confidence.tolist() == doubts.confidence.tolist()
