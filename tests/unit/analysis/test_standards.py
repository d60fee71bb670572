"""What counts as hard, as a manifest says it and as a project's description keeps it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from unit.analysis.exports import EVERY_KIND

from ml_backend.labeling.config import parse
from ml_backend.labeling.errors import ConfigError
from ml_backend.roles import Role, role_of
from sdk_scripts.marks import Mark, marked, read_mark, unmarked
from sdk_scripts.standards import Reviewer, Standard, names_of, problems, standard_of

words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
standards = st.builds(
    Standard,
    name=words,
    least_score=st.floats(0, 1),
    severity=st.dictionaries(words, st.floats(0.1, 100), max_size=3),
    risk_words=st.dictionaries(st.text(min_size=1, max_size=20), st.floats(0.1, 100), max_size=3),
    reviewers=st.lists(
        st.builds(Reviewer, email=st.from_regex(r"[A-Z]{3}@example\.com", fullmatch=True), labels=st.tuples(words)),
        max_size=3,
        unique_by=lambda reviewer: reviewer.email,
    ),
    expires_days=st.none() | st.integers(1, 3650),
)


@given(words, standards)
def test_a_standard_is_read_back_from_the_description_whatever_people_wrote(text: str, standard: Standard) -> None:
    about = marked(text, Mark("reviews"), standard.line())
    assert standard_of({"description": about}) == standard
    assert (read_mark(about), unmarked(about)) == (Mark("reviews"), unmarked(text))
    assert standard_of({"description": about.replace("\n", "\r\n")}) == standard


def test_a_project_without_the_line_has_the_default_standard() -> None:
    assert standard_of({"description": "We talk of tiebreak hard cases: often."}) == Standard()
    assert standard_of({"description": None}) == Standard()


@pytest.mark.parametrize("line", ["", "yes", '{"budget": {"a_run": 0}}', '{"no_such_field": 1}', "[]"])
def test_a_line_that_people_broke_is_an_error_that_says_how_to_mend_it(line: str) -> None:
    with pytest.raises(ConfigError, match="project 7 cannot be read") as raised:
        standard_of({"id": 7, "description": f"About.\n\ntiebreak hard cases: {line}\ntiebreak: reviews"})
    assert "tiebreak sync" in raised.value.mend


def test_the_fingerprint_changes_with_a_field_and_not_with_the_order_of_mappings() -> None:
    assert Standard().fingerprint == Standard(name="default").fingerprint
    assert Standard().fingerprint != Standard(blind=False).fingerprint
    one, two = {"a": 1.0, "b": 2.0}, {"b": 2.0, "a": 1.0}
    assert Standard(severity=one).fingerprint == Standard(severity=two).fingerprint


def test_an_e_mail_is_one_whatever_its_case_and_a_reviewer_is_named_once() -> None:
    assert Reviewer(email=" Ann@Example.COM ").email == "ann@example.com"
    with pytest.raises(ValidationError, match=r"two reviewers are ann@example\.com"):
        Standard(reviewers=[{"email": "ann@example.com"}, {"email": "ANN@example.com"}])
    with pytest.raises(ValidationError):
        Reviewer(email="ann")
    with pytest.raises(ValidationError):
        Reviewer(email="ann@example.com", languages=["german"])


def test_two_decide_the_severe_where_reviewers_are_named() -> None:
    standard = Standard(two_reviewers_from=3, reviewers=[{"email": "a@x.y"}, {"email": "b@x.y"}])
    assert [standard.seats(severity) for severity in (1, 2.9, 3, 10)] == [1, 1, 2, 2]
    assert Standard(two_reviewers_from=3).seats(10) == 1


def test_workers_need_a_bar_below_which_nothing_is_hard() -> None:
    with pytest.raises(ValidationError, match="automatic needs a least_score"):
        Standard(automatic=True)
    assert role_of({"description": marked("x", Mark("reviews"), Standard(automatic=True, least_score=0.5).line())}) == (
        Role(automatic=True)
    )


def test_a_path_is_meant_by_its_branches_and_its_parts() -> None:
    assert names_of(["goods / weapons", "ham"]) == {"goods", "weapons", "goods / weapons", "ham"}


def test_what_does_not_fit_the_label_config_is_told_with_its_place() -> None:
    standard = Standard(
        severity={"fake": 3, "ip": 2, "weapon": 5},
        reviewers=[{"email": "a@x.y", "labels": ["ip / fake", "claim"]}, {"email": "b@x.y", "labels": ["gods"]}],
        disturbing={"labels": ["logo"]},
        signals={"disagreement": 1, "gut_feeling": 1},
    )
    found = dict(problems(standard, parse(EVERY_KIND)))
    assert found.keys() == {("severity",), ("reviewers", 1, "labels"), ("signals", "gut_feeling")}
    assert "no label gods" in found["reviewers", 1, "labels"]
    dynamic = parse('<View><Text name="t" value="$t"/><Choices name="c" toName="t" value="$options"/></View>')
    assert list(problems(Standard(severity={"anything": 2}), dynamic)) == []


def test_labels_of_explanations_have_no_severity() -> None:
    config = parse(
        '<View><Text name="t" value="$t"/><Choices name="c" toName="t"><Choice value="a"/></Choices>'
        '<Labels name="drove" toName="t" tiebreak="explanation"><Label value="for it"/></Labels></View>'
    )
    ((_, why),) = problems(Standard(severity={"for it": 2, "a": 2}), config)
    assert why == "the label config has no label for it; it has a"


def test_two_reviewers_for_the_severe_need_two_reviewers() -> None:
    ((where, why),) = problems(Standard(two_reviewers_from=3), parse(EVERY_KIND))
    assert (where, why) == (("two_reviewers_from",), "needs two reviewers, and a third to break a tie; 0 named")
