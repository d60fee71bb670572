"""No wrong figure hides: what the report says is worked out once more from the raw export, by another path."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.analysis.exports import annotation, choice, task
from unit.report import made
from unit.report.textbook import Book, Control

from ml_backend.labeling.arms import Arms
from ml_backend.labeling.config import parse
from ml_backend.labeling.consensus import Consensus, consensus
from ml_backend.labeling.kinds import kind_of
from ml_backend.settings import Settings
from sdk_scripts.evidence import Evidence
from sdk_scripts.hard_cases import find_hard_cases
from sdk_scripts.report.collect import collect
from sdk_scripts.report.model import Report
from sdk_scripts.sources import Dataset, load_export

ARMS = Arms("a secret of this test", 0.0, 0.5)
CONFIG = """
<View><Text name="text" value="$text"/>
  <Choices name="verdict" toName="text"><Choice value="allow"/><Choice value="limit"/><Choice value="reject"/></Choices>
  <Choices name="why" toName="text" choice="multiple"><Choice value="ip"/><Choice value="drugs"/><Choice value="arms"/>
  </Choices>
  <Rating name="stars" toName="text" maxRating="5"/>
  <Labels name="spans" toName="text"><Label value="brand"/><Label value="claim"/></Labels>
</View>"""
VERDICTS, WHYS = ("allow", "limit", "reject"), ("ip", "drugs", "arms")
CONTROLS = {
    "verdict": Control("one", VERDICTS),
    "why": Control("many", WHYS),
    "stars": Control("stars"),
    "spans": Control("spans", ("brand", "claim")),
}
TEXT = "a-blue-shirt-of-a-known-brand-that-heals"  # no blanks: they are cut off the ends of spans


def stars(value: int) -> dict[str, Any]:
    return {"from_name": "stars", "to_name": "text", "type": "rating", "value": {"rating": value}}


def span(start: int, end: int, label: str) -> dict[str, Any]:
    value = {"start": start, "end": end, "text": TEXT[start:end], "labels": [label]}
    return {"from_name": "spans", "to_name": "text", "type": "labels", "value": value}


def marked(region: Mapping[str, Any], **about: Any) -> dict[str, Any]:
    return {**region, "meta": {"tiebreak": about}}


def mixed(seed: int, tasks: int = 80) -> tuple[list[dict[str, Any]], set[tuple[int, str]]]:
    """An export with whatever makes counting hard, and the void answers in it."""
    draw, void = random.Random(seed), set[tuple[int, str]]()
    export = []
    for id in range(1, tasks + 1):
        truth, predictions, given = draw.choice(VERDICTS), [], []
        if id % 3 == 0:
            shown = [choice("verdict", draw.choice(VERDICTS)), stars(draw.randint(1, 5))]
            predictions.append({"id": id, "result": shown, "score": 0.7, "model_version": "v1"})
        if id % 8 == 0:  # a wrong answer on purpose, submitted as it was by one, changed by the other
            seal = ARMS.seal(id, "seeded", "verdict", "v1")
            predictions = [
                {
                    "id": id,
                    "result": [marked(choice("verdict", "limit"), seal=seal)],
                    "score": 0.7,
                    "model_version": "v1",
                }
            ]
            for place, label in enumerate(("limit", "allow")):
                kept = label == "limit"
                origin = {"origin": "prediction" if kept else "prediction-changed"}
                region = marked(choice("verdict", label), seal=seal) | origin
                given.append(_given(id * 100 + 50 + place, place, draw, region, parent_prediction=id))
                if kept:
                    void.add((id * 100 + 50 + place, "verdict"))
        people = draw.sample(range(5), draw.randrange(4)) if id % 8 else []
        for place in people:
            regions = [choice("verdict", truth if draw.random() < 0.7 else draw.choice(VERDICTS))]
            regions += [choice("why", *draw.sample(WHYS, draw.randint(1, 3)))] if draw.random() < 0.6 else []
            regions += [stars(draw.randint(2, 4))] if draw.random() < 0.8 else []
            start = draw.randrange(10)
            regions += [span(start, start + draw.randint(3, 9), draw.choice(("brand", "claim")))] * (id % 2)
            more = {"parent_prediction": id} if predictions and draw.random() < 0.7 else {}
            given.append(_given(id * 100 + place, place, draw, *regions, **more))
        if id % 7 == 0 and people:  # the same person once more, and another who skips
            given.append(_given(id * 100 + 60, people[0], draw, choice("verdict", "limit"), later=True))
            given.append(_given(id * 100 + 61, 5, draw, was_cancelled=True))
        if id % 11 == 0:
            told = marked(choice("verdict", truth), machine=True, answer=json.dumps([truth]))
            given.append(_given(id * 100 + 70, 6, draw, told))
        if id % 13 == 0:
            told = marked(choice("verdict", "reject"), review="5/6/7")
            given.append(_given(id * 100 + 80, 7, draw, told, ground_truth=True, later=True))
        if id % 17 == 0 and given:
            given[0]["ground_truth"] = True
        export.append(task(id, TEXT, given, predictions=predictions, drafts=[{"id": id, "result": [stars(1)]}]))
    return export, void


def _given(id: int, place: int, draw: random.Random, *regions: Any, later: bool = False, **more: Any) -> dict[str, Any]:
    day, minute = draw.randint(1, 20), draw.randrange(60)
    times = [f"2026-0{2 if later else 1}-{day:02d}T10:{minute:02d}:{second:02d}.000000Z" for second in (1, 30)]
    who = {"id": place + 1, "email": f"person-{place}@example.com"}
    lead = None if draw.random() < 0.1 else round(draw.uniform(1, 90), 2)
    about = {"created_at": times[0], "updated_at": times[1], "lead_time": lead, "completed_by": who}
    return annotation(id, who, *regions, **{**about, **more})


def read(export: list[dict[str, Any]], xml: str, folder: Path) -> Dataset:
    (folder / "export.json").write_text(json.dumps(export))
    (folder / "config.xml").write_text(xml)
    return load_export(folder / "export.json", folder / "config.xml", ARMS)


def project_of_shops() -> tuple[list[dict[str, Any]], str, dict[str, Control], set[tuple[int, str]]]:
    controls = {"verdict": Control("one", made.LABELS), "stars": Control("stars")}
    return made.made(120, seed=7), made.XML, controls, set()


EXPORTS: dict[str, Callable[[], tuple[list[dict[str, Any]], str, dict[str, Control], set[tuple[int, str]]]]] = {
    "mixed": lambda: (mixed(1)[0], CONFIG, CONTROLS, mixed(1)[1]),
    "mixed, another": lambda: (mixed(2)[0], CONFIG, CONTROLS, mixed(2)[1]),
    "shops": project_of_shops,
    "nobody": lambda: ([task(1, TEXT), task(2, TEXT)], CONFIG, CONTROLS, set()),
}


@pytest.fixture(scope="module", params=EXPORTS)
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, converted_encoders: str
) -> tuple[Book, Report, Evidence]:
    export, xml, controls, void = EXPORTS[request.param]()
    folder = tmp_path_factory.mktemp("export")
    dataset = read(export, xml, folder)
    given = Settings(home=folder / "home", converted_encoders=Path(converted_encoders))
    return Book(export, controls, void), collect(dataset, given), Evidence.collect(dataset, given)


Both = tuple[Book, Report, Evidence]


def same(report: float | None, book: float | None) -> bool:
    return report is book is None or (report is not None and report == pytest.approx(book, abs=1e-9))


def test_the_counts_of_the_overview_are_those_of_the_raw_export(both: Both) -> None:
    book, report, _ = both
    assert report.overview.model_dump() == book.overview()


def test_every_day_has_as_many_judgements_as_the_raw_export(both: Both) -> None:
    book, report, _ = both
    assert {it.day: it.judgements for it in report.days} == book.days()


def test_agreement_is_what_the_textbook_says(both: Both) -> None:
    book, report, _ = both
    rows = {row.control: row for row in report.controls}
    for name in book.controls:
        assert rows[name].items == sum(len(unit) > 1 for unit in book.units(name)), name
        assert rows[name].judgements == sum(map(len, book.units(name))), name
        assert same(rows[name].percent, book.percent(name)), name
        assert same(rows[name].alpha, book.alpha(name)), name


def test_each_labels_count_share_and_alpha_are_what_the_textbook_says(both: Both) -> None:
    book, report, _ = both
    for row in report.controls:
        if row.control not in book.controls:
            continue
        counts = book.label_counts(row.control)
        assert {it.label: it.count for it in row.labels} == counts
        for it in row.labels:
            assert it.share == pytest.approx(it.count / row.judgements if row.judgements else 0)
            assert same(it.alpha, book.label_alpha(row.control, it.label)), (row.control, it.label)


def test_intervals_hold_their_figure(both: Both) -> None:
    _, report, _ = both
    for row in report.controls:
        for it in (row, *row.labels):
            if it.alpha_low is not None and it.alpha is not None and it.alpha_high is not None:
                assert it.alpha_low <= it.alpha + 1e-9
                assert it.alpha <= it.alpha_high + 1e-9
    for person in report.annotators:
        if person.quality is not None and person.quality_low is not None and person.quality_high is not None:
            assert 0 <= person.quality_low <= person.quality <= person.quality_high <= 1


def test_annotators_are_counted_timed_and_compared_as_in_the_raw_export(both: Both) -> None:
    book, report, _ = both
    rows = {row.annotator: row for row in report.annotators}
    assert rows.keys() == {it.who for it in book.judgements}
    for who, row in rows.items():
        mine = [it for it in book.judgements if it.who == who]
        assert row.judgements == len(mine)
        assert same(row.median_lead_time, book.median_seconds(who)), who
        assert same(row.agreement, book.with_others(who)), who
        assert row.prelabeled == sum(it.get("parent_prediction") is not None for it in book.annotations_of(who))


def test_what_people_accept_of_the_machine_is_counted_as_in_the_raw_export(both: Both) -> None:
    book, report, _ = both
    shown, kept = book.accepted()
    working = report.to_json()["working"]
    if not shown:
        assert working is None or working["figures"]["acceptance"]["overall"]["n"] == 0  # type: ignore[index]
        return
    told = working["figures"]["acceptance"]["overall"]  # type: ignore[index]
    assert (told["n"], told["count"]) == (shown, kept)
    assert told["share"] == pytest.approx(kept / shown)


def test_what_all_agree_on_and_what_reviews_decided_is_the_consensus(both: Both) -> None:
    book, _, evidence = both
    found = {
        (task, name): answer for task, name, answer in evidence.consensus.items["task", "control", "answer"].rows()
    }
    decided = book.decided()
    for name in book.controls:
        expected = book.unanimous(name) | {id: answer for (id, it), answer in decided.items() if it == name}
        for id, answer in expected.items():
            assert plainly(evidence, name, found[id, name]) == answer, (id, name)


def test_a_majority_is_the_consensus_where_votes_are_counted(both: Both) -> None:
    book, _, evidence = both
    counted = consensus(evidence.all_judgements, evidence.config, method="majority")
    found = _answers(counted)
    decided = book.decided()
    for id, answer in book.majority("verdict").items():
        expected = decided.get((id, "verdict"), answer)
        assert plainly(evidence, "verdict", found[id, "verdict"]) == expected, id


def test_hard_cases_are_those_whose_reasons_add_up_to_more_than_half(both: Both) -> None:
    _, report, evidence = both
    told = find_hard_cases(evidence.dataset, evidence).to_json()
    hard = {}
    for it in told["items"]:
        clear = 1.0
        for reason in it["reasons"]:
            clear *= 1 - told["weights"][reason["signal"]] * reason["score"]
        if 1 - clear >= 0.5:
            hard[it["task"]] = 1 - clear
    assert {row.task: pytest.approx(row.score, abs=1e-4) for row in report.hard_cases} == hard
    causes: Any = report.to_json().get("causes", [])
    assert sum(it["first"] for it in causes) == len(hard)
    assert all(it["only"] <= it["cases"] <= len(hard) for it in causes)


def _answers(found: Consensus) -> dict[tuple[int, str], str]:
    return {(id, name): answer for id, name, answer in found.items["task", "control", "answer"].rows()}


def plainly(evidence: Evidence, control: str, key: str) -> Any:
    """An answer's key as the textbook has answers."""
    asked = evidence.config[control]
    kind = kind_of(asked)
    assert kind is not None
    answer = kind.from_key(key)
    if kind.name == "rating":
        return answer
    if kind.name == "spans":
        return frozenset((it.start, it.end, label) for it in answer for label in it.labels)
    return frozenset(answer)


VOTE = st.tuples(st.integers(0, 3), st.sampled_from(VERDICTS), st.integers(1, 5), st.booleans())
RANDOM = st.lists(st.lists(VOTE, max_size=4), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(RANDOM)
def test_on_any_small_export_the_figures_are_those_of_the_textbook(
    tmp_path: Path, votes: list[list[tuple[int, str, int, bool]]]
) -> None:
    xml = CONFIG.replace('<Labels name="spans"', '<Labels name="unused"')
    export = [
        task(
            id,
            f"text {id}",
            [
                annotation(id * 10 + n, who, choice("verdict", label), stars(value), was_cancelled=skipped)
                for n, (who, label, value, skipped) in enumerate(given)
            ],
        )
        for id, given in enumerate(votes, start=1)
    ]
    parse(xml)
    book = Book(export, {name: CONTROLS[name] for name in ("verdict", "why", "stars")})
    report = collect(read(export, xml, tmp_path), Settings(home=tmp_path / "home"))
    assert report.overview.model_dump() == book.overview()
    rows = {row.control: row for row in report.controls}
    for name in book.controls:
        assert same(rows[name].percent, book.percent(name))
        assert same(rows[name].alpha, book.alpha(name))
        assert {it.label: it.count for it in rows[name].labels} == book.label_counts(name)
    for row in report.annotators:
        assert same(row.agreement, book.with_others(row.annotator))
