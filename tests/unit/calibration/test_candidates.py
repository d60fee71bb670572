"""What a round can ask about, and what is known to be right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from unit.analysis.exports import annotation, choice, dataset, predicted, task, voted
from unit.calibration.made import round_of

from ml_backend.cases import Case
from sdk_scripts.calibration.candidates import candidates
from sdk_scripts.calibration.gold import gold_cases, gold_of, item_of
from sdk_scripts.evidence import Evidence

NOW = datetime(2026, 11, 26, tzinfo=UTC)
NEGATIVE, NEUTRAL = '["negative"]', '["neutral"]'


def decided(id: int, label: str, policy: str = "", **more: Any) -> dict[str, Any]:
    mark = {"review": "9/8/7"} | ({"policy": policy} if policy else {})
    region = choice("sentiment", label) | {"meta": {"tiebreak": mark}}
    return task(id, f"decided {id * 7919} {id}", [annotation(id * 100, 1, region, ground_truth=True)], **more)


def case(id: int, **more: Any) -> Case:
    known: dict[str, Any] = {"uses": ("gold",), "data": {"text": f"case {id * 104729}"}, "answer": ("negative",)}
    return Case(**{"project": 3, "task": id, "control": "sentiment"} | known | more)


def test_gold_is_what_a_review_decided_and_what_the_library_keeps_as_gold_under_the_same_guidelines() -> None:
    evidence = Evidence(dataset([decided(1, "neutral"), decided(2, "neutral", "old"), decided(3, "neutral", "new")]))
    cases = [
        case(50),
        case(51, source_task=3),
        case(52, source_task=404),
        case(53, uses=("precedent",)),
        case(54, policy="old"),
        case(55, policy="new", stale=True),
        case(56, expires=NOW - timedelta(days=1)),
        case(57, control="gone"),
    ]
    assert gold_of(evidence, cases, "new", NOW) == {
        ("sentiment", 1): NEUTRAL,
        ("sentiment", 3): NEGATIVE,  # as people edited it in the library
        ("sentiment", -50): NEGATIVE,
        ("sentiment", -52): NEGATIVE,
        ("sentiment", -55): NEGATIVE,
    }
    assert ("sentiment", 2) in gold_of(evidence, [], "old", NOW)
    assert [item_of(it, evidence) for it in gold_cases(cases, "new", NOW)] == [-50, 3, -52, -55, -57]


def test_an_answer_that_people_contradict_since_is_no_gold() -> None:
    later = annotation(9000, 2, choice("sentiment", "positive"))
    later["updated_at"] = "2026-03-01T00:00:00.000000Z"
    first = decided(1, "neutral")
    evidence = Evidence(dataset([{**first, "annotations": [*first["annotations"], later]}]))
    assert gold_of(evidence, [], "", NOW) == {}


def test_each_task_is_in_the_stratum_it_belongs_to() -> None:
    tasks = [
        decided(1, "neutral"),
        voted(2, "disputed things of every sort", "negative", "positive"),
        *[
            task(10 + n, f"{n * 7907} is number {n} of these", predictions=[predicted(n, "neutral", score)])
            for n, score in enumerate((0.99, 0.98, 0.8, 0.7, 0.4, 0.41))
        ],
        task(30, "nobody has seen this one"),
    ]
    evidence = Evidence(dataset(tasks))
    library = [case(50)]
    gold = gold_of(evidence, library, "", NOW)
    found = {it.item: it for it in candidates(evidence, gold, library, ["1", "2"], []).candidates}
    strata = {item: it.stratum for item, it in found.items()}
    assert strata == {
        1: "gold",
        2: "hard",
        10: "sure",
        11: "sure",
        12: "rest",
        13: "rest",
        14: "unsure",
        15: "unsure",
        30: "rest",
        -50: "gold",
    }
    assert found[1].labels == {"sentiment": NEUTRAL}
    assert found[10].labels == {"sentiment": NEUTRAL}
    assert found[-50].labels == {"sentiment": NEGATIVE}
    assert found[30].labels == {}
    assert (found[2].judged_by, found[2].harm > 0) == (frozenset("12"), True)


def test_nearly_the_same_texts_are_one_and_whoever_judged_one_has_judged_them_all() -> None:
    text = "The zip of this bag broke on the very first day I took it out"
    tasks = [voted(1, text, "negative"), task(2, f"{text}!"), task(3, "Something else altogether, and short")]
    earlier = round_of(3, people=("2", "3"))
    evidence = Evidence(dataset(tasks))
    library = [case(50, data={"text": text.upper()})]
    found = {it.item: it for it in candidates(evidence, {}, library, ["1", "2"], [earlier]).candidates}
    assert found[1].group == found[2].group == found[-50].group != found[3].group
    assert {item: sorted(it.judged_by) for item, it in found.items()} == {1: ["1"], 2: ["1"], 3: ["2"], -50: ["1"]}


def test_without_a_model_nothing_is_sure_and_that_is_said() -> None:
    evidence = Evidence(dataset([task(1, "one"), task(2, "two")]))
    found = candidates(evidence, {}, [], ["1", "2"], [])
    assert {it.stratum for it in found.candidates} == {"rest"}
    assert any("No task is sure or unsure" in note for note in found.notes)
