"""The case library as Label Studio gives it, readable or not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from ml_backend.cases import Case, case_texts, cases_fingerprint, policy_version, read_cases, source_name, usable
from ml_backend.labeling.config import parse
from ml_backend.studio import Studio
from tests.unit.learning.reviews import SENTIMENT, choice

NOW = datetime(2026, 11, 24, tzinfo=UTC)
SOURCE = {"id": 1, "description": "Ours.\n\ntiebreak: reviews"}


class Library:
    """What is asked of Label Studio, answered from lists; tests/contract asks the real one."""

    def __init__(self, description: str, *tasks: Mapping[str, Any]) -> None:
        self.description, self.stored = description, tasks

    def projects(self) -> list[dict[str, Any]]:
        return [SOURCE, {"id": 2, "description": None}, {"id": 9, "description": self.description}]

    def tasks(self, project: int) -> list[Mapping[str, Any]]:
        assert project == 9
        return list(self.stored)


def stored(id: int, label: str, about: Any = None, **annotation: Any) -> dict[str, Any]:
    data = {"text": f"text {id}"} | ({} if about is None else {"tiebreak_case": about})
    made = {"id": id, "result": [choice("sentiment", label)], "ground_truth": True} | annotation
    return {"id": id, "data": data, "annotations": [made]}


def read(*tasks: Mapping[str, Any], description: str = "tiebreak cases: reviews") -> list[Case]:
    return read_cases(cast(Studio, Library(description, *tasks)), SOURCE, SENTIMENT, NOW)


def test_a_case_is_the_ground_truth_of_its_task_and_what_is_said_of_it() -> None:
    (found,) = read(stored(5, "negative", {"severity": "high", "expires": "2027-01-31", "policy": "a1"}))
    assert (found.project, found.task, found.control, found.answer) == (9, 5, "sentiment", ("negative",))
    assert (found.severity, found.policy, found.expires) == ("high", "a1", datetime(2027, 1, 31, tzinfo=UTC))
    assert found.place == "projects/9/data?task=5"


@pytest.mark.parametrize(
    "description",
    ["", None, "tiebreak cases: others", "tiebreak: reviews-cases", "see tiebreak cases: reviews", "tiebreak cases:"],
)
def test_a_project_of_another_description_is_no_library_of_this_one(description: Any) -> None:
    assert read(stored(5, "negative"), description=description) == []


def test_the_line_stands_beside_others() -> None:
    description = "Settled cases.\r\n\r\ntiebreak cases: reviews\r\ntiebreak: reviews-cases"
    assert len(read(stored(5, "negative"), description=description)) == 1


def test_a_source_that_bears_no_name_is_known_by_its_id() -> None:
    source = {"id": 1, "description": "Ours."}
    for description, found in (("tiebreak cases: reviews", 0), ("tiebreak cases: #12", 0), ("tiebreak cases: #1", 1)):
        library = cast(Studio, Library(description, stored(5, "negative")))
        assert len(read_cases(library, source, SENTIMENT, NOW)) == found
    assert source_name(source) == "#1"
    assert source_name(SOURCE) == "reviews"


def test_a_source_may_get_its_name_after_its_library() -> None:
    assert len(read(stored(5, "negative"), description="tiebreak cases: #1")) == 1


@pytest.mark.parametrize(
    "task",
    [
        stored(1, "negative", ground_truth=False),
        stored(1, "negative", was_cancelled=True),
        stored(1, "negative", result=[]),
        {"id": 1, "data": {"text": "unanswered"}, "annotations": []},
    ],
)
def test_a_task_that_settles_nothing_is_no_case(task: Mapping[str, Any]) -> None:
    assert read(task) == []


def test_the_latest_ground_truth_counts() -> None:
    task = stored(1, "negative", updated_at="2026-01-01T00:00:00Z")
    task["annotations"] += stored(2, "positive", updated_at="2026-02-01T00:00:00Z")["annotations"]
    assert [it.answer for it in read(task)] == [("positive",)]


def test_an_expired_case_is_none() -> None:
    assert read(stored(1, "negative", {"expires": "2026-11-23"})) == []
    assert len(read(stored(1, "negative", {"expires": "2026-11-25T12:00:00+02:00"}))) == 1


def written(control: str, text: str) -> dict[str, Any]:
    return {"from_name": control, "to_name": "text", "type": "textarea", "value": {"text": [text]}}


def test_what_the_annotation_says_counts_before_the_data() -> None:
    until = {"from_name": "tiebreak_expires", "type": "datetime", "value": {"datetime": "2026-12-01"}}
    said = [choice("tiebreak_use", "gold"), written("tiebreak_rationale", "It broke."), written("tiebreak_clause", "4")]
    task = stored(1, "negative", {"expires": "2027-01-31"}, result=[choice("sentiment", "negative"), *said, until])
    (found,) = read(task)
    assert (found.uses, found.rationale, found.clause) == (("gold",), "It broke.", "4")
    assert found.expires == datetime(2026, 12, 1, tzinfo=UTC)


def test_a_case_made_as_code_with_no_use_picked_is_for_nothing_and_any_other_for_what_it_was() -> None:
    assert read(stored(1, "negative"))[0].uses == ("precedent", "regression")
    assert read(stored(1, "negative", {"source_task": 7}))[0].uses == ()


@pytest.mark.parametrize("value", [{"choices": [["gold"]]}, {"choices": "?"}, {"choices": {"gold": 1}}, {}])
def test_a_use_that_cannot_be_read_is_none(value: Any) -> None:
    use = {"from_name": "tiebreak_use", "value": value}
    assert read(stored(1, "negative", result=[choice("sentiment", "negative"), use]))[0].uses == ()


def test_words_of_annotators_are_bounded() -> None:
    said = written("tiebreak_rationale", "x" * 10**6)
    (found,) = read(stored(1, "negative", {"cause": "y" * 10**6}, result=[choice("sentiment", "negative"), said]))
    assert len(found.rationale) == len(found.cause) == 2_000


HIDDEN = parse(
    SENTIMENT.xml.replace(
        "</View>",
        '<Choices name="why" toName="text" visibleWhen="choice-selected" whenTagName="sentiment" '
        'whenChoiceValue="negative"><Choice value="broken"/></Choices></View>',
    )
)


@pytest.mark.parametrize(("control", "found"), [("why", ["why"]), ("gone", []), (["why"], []), (None, [])])
def test_a_case_about_one_control_needs_no_answer_that_would_bring_it_on_the_screen(
    control: Any, found: list[str]
) -> None:
    task = stored(1, "", {"control": control, "source_task": 3}, result=[choice("why", "broken")])
    library = cast(Studio, Library("tiebreak cases: reviews", task))
    assert [case.control for case in read_cases(library, SOURCE, HIDDEN, NOW)] == found


def test_a_case_settled_under_other_guidelines_is_stale_and_used_for_nothing() -> None:
    source = SOURCE | {"expert_instruction": "<p>Spam?</p>"}
    policies = (policy_version(source), "", "other")
    tasks = [stored(id, "negative", {"policy": policy}) for id, policy in enumerate(policies, 1)]
    library = cast(Studio, Library("tiebreak cases: reviews", *tasks))
    cases = read_cases(library, source, SENTIMENT, NOW)
    assert [case.state(NOW) for case in cases] == ["holds", "holds", "stale"]
    assert [case.task for case in usable(cases, "regression", NOW)] == [1, 2]
    assert usable(cases, "gold", NOW) == []


def test_a_case_expires_while_it_is_held() -> None:
    (found,) = read(stored(1, "negative", {"expires": "2026-12-01"}))
    assert usable([found], "precedent", NOW) == [found]
    assert usable([found], "precedent", datetime(2026, 12, 1, tzinfo=UTC)) == []


@pytest.mark.parametrize("about", ["", "[", "[]", 3, [], {"expires": "some day", "severity": None}, {"expires": 7}])
def test_what_cannot_be_read_of_a_case_is_left_out(about: Any) -> None:
    (found,) = read(stored(1, "negative", about))
    assert (found.severity, found.expires, found.policy) == ("", None, "")


def test_what_is_said_of_a_case_may_be_json_in_text() -> None:
    (found,) = read(stored(1, "negative", '{"severity": 3}'))
    assert found.severity == "3"


def test_the_fingerprint_changes_with_texts_and_answers_alone() -> None:
    one, other = read(stored(1, "negative")), read(stored(1, "positive"))
    assert cases_fingerprint([], SENTIMENT) == ""
    assert cases_fingerprint(one, SENTIMENT) != cases_fingerprint(other, SENTIMENT)
    assert cases_fingerprint(one, SENTIMENT) == cases_fingerprint(
        read(stored(1, "negative", {"severity": 1})), SENTIMENT
    )
    assert case_texts(one, "sentiment", SENTIMENT).tolist() == case_texts(other, "sentiment", SENTIMENT).tolist()
    assert len(case_texts(one, "rating", SENTIMENT)) == 0


def test_the_policy_version_is_that_of_the_words() -> None:
    def version(html: Any) -> str:
        return policy_version({"expert_instruction": html})

    assert version("<p>Spam &amp;  scam</p>") == version("<div>Spam & scam</div>\n") != version("<p>Spam</p>")
    assert version("") == version(None) == version("<p> </p>") == version(7) == ""
