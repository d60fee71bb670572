from __future__ import annotations

import json
from collections import Counter
from typing import Any

import polars as pl
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st
from msgspec.structs import replace

from ml_backend.labeling.agreement import agreement
from ml_backend.labeling.answers import answers, write_answers
from ml_backend.labeling.arms import Arms
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.consensus import consensus
from ml_backend.labeling.judgements import judgements, latest, of_annotators
from ml_backend.labeling.kinds import kind_of
from ml_backend.labeling.results import Task, read_task, seal_of
from ml_backend.prelabelers import exclusive, options
from tests.unit.labeling.shown_to import (
    HALF,
    OTHER_SECRET,
    SECRET,
    Source,
    given,
    predicted,
    seeded_tasks,
    submitted,
)
from tests.unit.labeling.strategies import configs

VERDICT = parse(
    '<View><Text name="text" value="$text"/>'
    '<Choices name="verdict" toName="text"><Choice value="allow"/><Choice value="reject"/></Choices>'
    '<Choices name="why" toName="text" visibleWhen="choice-selected" whenTagName="verdict" whenChoiceValue="reject">'
    '<Choice value="drugs"/><Choice value="arms"/></Choices>'
    '<Choices name="tone" toName="text"><Choice value="calm"/><Choice value="angry"/></Choices></View>'
)
ALLOW = {
    "verdict": given(("allow",), "reject", 0.95),
    "why": given(("drugs",), "arms", 0.6),
    "tone": given(("calm",), "angry", 0.6),
}
SEEDED = seeded_tasks(HALF, 100)[0]
PLAIN = next(task for task in range(1, 100) if HALF.of(task) == "plain")
BLIND = next(task for task in range(1, 100) if HALF.of(task) == "blind")


def read(task: int, stored: dict[str, Any], *annotations: dict[str, Any], arms: Arms = HALF) -> Task:
    return arms.opened(
        read_task({"id": task, "data": {"text": "t"}, "annotations": list(annotations), "predictions": [stored]})
    )


def test_opening_a_task_changes_nothing_but_its_annotations_and_predictions() -> None:
    stored = predicted(VERDICT, ALLOW, PLAIN)
    json = {"id": PLAIN, "data": {"text": "t"}, "meta": {"key": "k"}, "predictions": [stored], "annotations": []}
    task = read_task({**json, "created_at": "2026-11-26T18:59:29.050610Z", "overlap": 3})
    opened = HALF.opened(task)
    assert opened != task
    assert replace(opened, annotations=task.annotations, predictions=task.predictions) == task


def judged(*tasks: Task, config: LabelConfig = VERDICT) -> dict[str, str]:
    """Control -> answer, of what counts as judgements."""
    table = of_annotators(judgements(tasks, config))
    return dict(table.select("control", "answer").iter_rows())


def pick(control: str, label: str) -> dict[str, list[dict[str, Any]]]:
    return {control: write_answers(VERDICT, {control: (label,)})}


# -- who is in which arm -----------------------------------------------------------------------------------------------


def test_shares_are_those_asked_for() -> None:
    arms = Arms(SECRET, 0.05, 0.02)
    counts = Counter(arms.of(task) for task in range(100_000))
    assert counts["blind"] == pytest.approx(5_000, abs=5 * 69)  # five standard deviations
    assert counts["seeded"] == pytest.approx(2_000, abs=5 * 44)
    audited = sum(arms.audited(task, 0.1) for task in range(100_000) if arms.of(task) == "plain")
    assert audited == pytest.approx(9_300, abs=5 * 92)  # independent of the arm


@drawn(st.integers(0, 2**40), st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0, 0.2), st.floats(0, 0.2))
def test_growing_a_share_keeps_who_was_in_it(task: int, a: float, b: float, c: float, d: float) -> None:
    small, large = Arms(SECRET, min(a, b), min(c, d)), Arms(SECRET, max(a, b), max(c, d))
    if small.of(task) != "plain":
        assert large.of(task) == small.of(task)


def test_without_a_secret_nothing_is_seeded() -> None:
    assert {Arms("", 0.3, 0.2).of(task) for task in range(1_000)} == {"plain", "blind"}
    assert not Arms("", 0, 0.2).any


def test_an_audited_task_is_blind_whatever_the_shares() -> None:
    arms = Arms(SECRET, 0, 0.2, frozenset({SEEDED, PLAIN}))
    assert (arms.of(SEEDED), arms.of(PLAIN)) == ("blind", "blind")


# -- seals -------------------------------------------------------------------------------------------------------------


def test_no_two_seals_are_alike_so_none_tells_anything_by_being_alike() -> None:
    """In a seeded task one region is seeded and the others are not: they would differ from each other only there."""
    seals = [
        HALF.seal(task, arm, control, version)
        for task in range(200)
        for control in ("verdict", "tone")
        for version in ("v1", "v2")
        for arm in ("plain", "seeded")
    ]
    assert len(set(seals)) == len(seals)
    assert len({seal[:8] for seal in seals}) == len(seals) / 2  # the mark does not depend on the arm


def test_predictions_differ_by_arm_in_nothing_but_label_score_and_seal() -> None:
    def form(task: int) -> list[Any]:
        stored = predicted(VERDICT, ALLOW | {"verdict": given(("reject",), "allow", 0.95)}, task)
        return [(r["from_name"], r["type"], sorted(r), r["meta"].keys(), len(seal_of(r))) for r in stored["result"]]

    plain = predicted(VERDICT, ALLOW, PLAIN)
    seeded = predicted(VERDICT, {**ALLOW, "verdict": given(("reject",), "allow", 0.95)}, SEEDED)
    assert [sorted(it) for it in plain["result"]] == [sorted(it) for it in seeded["result"]]
    assert form(PLAIN)[0] == form(SEEDED)[0]


@pytest.mark.parametrize("wrong", [Arms(), Arms(OTHER_SECRET, 0.2, 0.5)])
def test_nothing_of_a_sealed_annotation_counts_without_the_secret(wrong: Arms) -> None:
    for task in (PLAIN, SEEDED):
        stored = predicted(VERDICT, ALLOW, task)
        opened = read(task, stored, submitted(1, 1, stored, change=pick("verdict", "allow")), arms=wrong)
        assert opened.annotations[0].arm == "unknown"
        assert judged(opened) == {}
        assert judged(replace(opened, annotations=(replace(opened.annotations[0], arm=""),))) == {}
        assert opened.predictions[0].own == ()


def test_a_damaged_seal_is_an_unknown_one() -> None:
    stored = predicted(VERDICT, ALLOW, PLAIN)
    for seal in ("", "0" * 24, "é\ud800", "plain"):
        result = submitted(1, 1, stored)
        for region in result["result"]:
            region["meta"]["tiebreak"]["seal"] = seal
        result["prediction"] = {}
        opened = read(PLAIN, {"id": 1, "result": []}, result).annotations[0]
        assert opened.arm == ("unknown" if seal else "")


def test_a_seal_holds_for_its_task_and_control_only() -> None:
    seal = HALF.seal(SEEDED, "plain", "verdict", "v1")
    for task, control in ((PLAIN, "verdict"), (SEEDED, "tone")):
        region = {**write_answers(VERDICT, {control: options(VERDICT[control])[0].answer})[0]}
        region["meta"] = {"tiebreak": {"seal": seal}}
        opened = read(task, {"id": 9, "result": []}, {"id": 1, "result": [region]})
        assert opened.annotations[0].arm == "unknown"


# -- what is recorded --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["export", "api"])
@pytest.mark.parametrize("task", [PLAIN, BLIND, SEEDED])
def test_the_arm_is_read_back_from_exports_and_from_the_api(task: int, source: Source) -> None:
    stored = predicted(VERDICT, ALLOW, task)
    made = submitted(1, 1, stored, source=source, change=pick("verdict", "allow"))
    opened = read(task, stored, made).annotations[0]
    assert opened.arm == HALF.of(task)
    assert opened.shown is not None
    assert bool(opened.shown.regions) == (HALF.of(task) != "blind")
    assert opened.seeded == ({"verdict"} if HALF.of(task) == "seeded" else set())


def test_a_prediction_emptied_while_it_was_on_the_screen_is_not_blind() -> None:
    stored = predicted(VERDICT, ALLOW, PLAIN, Arms())
    made = submitted(1, 1, stored, source="api")
    assert read(PLAIN, {**stored, "result": []}, made).annotations[0].arm == ""


def test_who_submitted_from_an_older_prediction_saw_that_one() -> None:
    old, new = predicted(VERDICT, ALLOW, PLAIN, id=1), predicted(VERDICT, ALLOW, PLAIN, version="v2", id=2)
    made = {**submitted(1, 1, old), "prediction": new}
    both = {"id": PLAIN, "data": {"text": "t"}, "annotations": [made], "predictions": [old, new]}
    assert read_task(both).annotations[0].shown == read_task(both).predictions[0]
    assert read_task({**both, "predictions": []}).annotations[0].shown is None


# -- a seeded answer never survives ------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["export", "api"])
def test_a_seeded_answer_submitted_as_it_was_is_no_judgement_and_what_depends_on_it_neither(source: Source) -> None:
    stored = predicted(VERDICT, ALLOW, SEEDED)
    shown = answers(VERDICT, stored["result"])
    assert shown == {"verdict": ("reject",), "why": ("drugs",), "tone": ("calm",)}  # `why` appears with "reject"
    assert judged(read(SEEDED, stored, submitted(1, 1, stored, source=source))) == {"tone": '["calm"]'}
    other_reason = submitted(1, 1, stored, source=source, change=pick("why", "arms"))
    assert judged(read(SEEDED, stored, other_reason)) == {"tone": '["calm"]'}


@pytest.mark.parametrize("source", ["export", "api"])
def test_a_seeded_answer_that_was_corrected_is_a_judgement(source: Source) -> None:
    stored = predicted(VERDICT, ALLOW, SEEDED)
    made = submitted(1, 1, stored, source=source, change={**pick("verdict", "allow"), "why": []})
    assert judged(read(SEEDED, stored, made)) == {"verdict": '["allow"]', "tone": '["calm"]'}


def test_a_seeded_answer_is_void_even_where_a_newer_version_says_otherwise_meanwhile() -> None:
    old = predicted(VERDICT, ALLOW, SEEDED, id=1)
    new = predicted(VERDICT, ALLOW, SEEDED, Arms(SECRET, 0.2, 0.0), version="v2", id=2)
    made = {**submitted(1, 1, old), "prediction": new, "parent_prediction": None}
    assert judged(read(SEEDED, new, made)) == {"tone": '["calm"]'}


def test_where_what_was_shown_is_not_known_a_seeded_control_does_not_count() -> None:
    stored = predicted(VERDICT, ALLOW, SEEDED)
    made = submitted(1, 1, stored, source="api", change={**pick("verdict", "allow"), "why": []})
    assert judged(read(SEEDED, {**stored, "id": 77}, made)) == {"tone": '["calm"]'}


def test_a_void_row_hides_no_earlier_judgement_of_the_same_person() -> None:
    stored = predicted(VERDICT, ALLOW, SEEDED)
    early = {"id": 1, "completed_by": 1, "result": write_answers(VERDICT, {"verdict": ("allow",)})}
    late = submitted(2, 1, stored, updated_at="2026-01-02T00:00:00Z")
    table = of_annotators(latest(judgements([read(SEEDED, stored, early, late)], VERDICT)))
    assert table.filter(control="verdict")["answer"].to_list() == ['["allow"]']


@drawn(st.data())
def test_a_seeded_wrong_answer_never_survives(data: st.DataObject) -> None:
    """Whatever the config, the answers and how Label Studio tells it: accepted, it is in no judgement, no consensus and
    no agreement; nor is it what the model thinks."""
    config = data.draw(configs(("Choices", "Taxonomy", "Rating"), most=3))
    tasks, seeds = [], set()
    for task in range(1, data.draw(st.integers(2, 8))):
        thought = {}
        for control in config.answerable:
            offered = [it for it in options(control) if it.leaf]
            if len(offered) > 1 and data.draw(st.booleans()):
                first, second = data.draw(st.permutations(offered))[:2]
                thought[control.name] = given(first.answer, second.name, data.draw(st.sampled_from([0.5, 0.85, 0.99])))
        if not thought:
            continue
        stored = predicted(config, thought, task)
        made = [
            submitted(100 * task + who, who, stored, source=data.draw(st.sampled_from(["export", "api"])))
            for who in range(1, data.draw(st.integers(2, 4)))
        ]
        for name, answer in answers(config, stored["result"]).items():
            kind = kind_of(config[name])
            assert kind is not None
            if name in thought and kind.key(answer) != kind.key(thought[name].answer):
                seeds.add((task, name, kind.key(answer)))
                assert HALF.of(task) == "seeded"
                assert exclusive(config[name])
                assert thought[name].confidence > 0.8
        tasks.append(read(task, stored, *made))
    table = judgements(tasks, config)
    for rows in (of_annotators(table), of_annotators(latest(table)), consensus(table, config, method="majority").items):
        assert not seeds & set(rows.select("task", "control", "answer").iter_rows())
    counted = sum(it.judgements for it in agreement(table, config).controls.values())
    assert counted == latest(of_annotators(table)).height
    for task in tasks:
        for name, answer in answers(config, task.predictions[0].own).items():
            kind = kind_of(config[name])
            assert kind is None or (task.id, name, kind.key(answer)) not in seeds


# -- what the machine wrote --------------------------------------------------------------------------------------------


def machine_annotation(**more: Any) -> dict[str, Any]:
    regions = write_answers(VERDICT, {"verdict": ("allow",), "tone": ("calm",)})
    for region in regions:
        key = json.dumps(region["value"]["choices"])
        region["meta"] = {"tiebreak": {"machine": "few-shot-1", "answer": key, "confidence": 0.99}}
    times = {"created_at": "2026-01-01T00:00:00.000Z", "updated_at": "2026-01-01T00:00:00.004Z"}
    return {"id": 1, "completed_by": 5, "updated_by": 6, "result": regions, **times, **more}


def test_what_the_machine_wrote_is_no_judgement() -> None:
    task = read(PLAIN, {"id": 1, "result": []}, machine_annotation())
    table = judgements([task], VERDICT)
    assert table["machine"].to_list() == [True, True]
    assert of_annotators(table).is_empty()
    assert consensus(table, VERDICT).items.is_empty()
    assert agreement(table, VERDICT).annotators == {}
    assert task.annotations[0].automatic


def test_what_a_person_corrected_or_added_in_it_is_that_persons_judgement() -> None:
    made = machine_annotation(updated_by=7, updated_at="2026-01-02T00:00:00Z")
    made["result"][0]["value"] = {"choices": ["reject"]}
    made["result"] += write_answers(VERDICT, {"why": ("arms",)})
    task = read(PLAIN, {"id": 1, "result": []}, made)
    table = of_annotators(judgements([task], VERDICT))
    assert set(table.select("control", "answer", "annotator").iter_rows()) == {
        ("verdict", '["reject"]', "7"),
        ("why", '["arms"]', "7"),
    }
    assert not task.annotations[0].automatic


def test_the_table_says_what_was_shown() -> None:
    stored = predicted(VERDICT, ALLOW, PLAIN)
    table = judgements([read(PLAIN, stored, submitted(1, 1, stored, change=pick("tone", "angry")))], VERDICT)
    rows = table.sort("control").select("control", "answer", "shown", "arm", "void").rows()
    assert rows == [
        ("tone", '["angry"]', '["calm"]', "plain", False),
        ("verdict", '["allow"]', '["allow"]', "plain", False),
    ]
    assert table.schema["shown"] == pl.String
