"""Planning against Label Studio's JSON: what is changed, what is left alone, and that a plan applied leaves none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from ml_backend.labeling.errors import ConfigError
from ml_backend.policy import Accept, Policy, policy_of, stop_of
from ml_backend.settings import Settings
from sdk_scripts.manifest import Manifest
from sdk_scripts.manifest_schema import COLUMNS
from sdk_scripts.plan import Draft
from sdk_scripts.plan_output import render
from sdk_scripts.resources.project import find_project, plan_project, same_config
from sdk_scripts.standards import Standard, standard_of
from sdk_scripts.sync import SyncOutcome
from tests.unit.sync.remote import CONFIG, URL, Remote, manifest_of

titles = st.text(st.characters(categories=["L", "N", "Zs"]), min_size=3, max_size=20).filter(
    lambda t: len(t.strip()) > 2
)
flags = st.none() | st.booleans()
columns = st.sampled_from([*COLUMNS, "data.price"])
filters = st.fixed_dictionaries(
    {
        "column": columns,
        "operator": st.sampled_from(["equal", "less", "contains"]),
        "value": st.integers() | st.text(max_size=5) | st.booleans(),
    }
)
views = st.fixed_dictionaries(
    {
        "title": titles,
        "match": st.sampled_from(["all", "any"]),
        "filters": st.lists(filters, max_size=3),
        "order_by": st.none() | columns | columns.map("-{}".format),
        "hidden_columns": st.none() | st.lists(columns, max_size=3),
        "layout": st.sampled_from(["list", "grid"]),
        "numbers": st.sampled_from([[], ["data.price"]]),
    }
)
overlaps = st.fixed_dictionaries(
    {
        "maximum_annotations": st.integers(1, 9),
        "cohort_percentage": st.none() | st.integers(0, 100),
        "show_first": flags,
    }
)
manifests = st.builds(
    manifest_of,
    label_config=st.sampled_from([CONFIG, CONFIG.replace('<Choice value="spam"/>', "")]),
    instructions=st.none() | st.sampled_from(["<p>a</p>", "<p>b &amp; c</p>"]),
    title=titles,
    description=st.none() | titles,
    color=st.none() | st.sampled_from(["#ffffff", "#00FF00"]),
    show_instruction=flags,
    show_skip_button=flags,
    sampling=st.none() | st.sampled_from(["sequential", "uniform", "uncertainty"]),
    overlap=st.none() | overlaps,
    views=st.lists(views, max_size=3, unique_by=lambda view: view["title"]),
    backend=st.none() | st.fixed_dictionaries({"title": titles, "interactive": st.booleans()}),
    webhook=st.none() | st.sampled_from([{}, {"url": "http://h/x"}, {"actions": ["ANNOTATION_CREATED"]}]),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(manifests, min_size=1, max_size=3), st.booleans())
def test_a_plan_applied_leaves_an_empty_plan(steps: list[Manifest], prune: bool) -> None:
    """Whatever the project was made by before, and with things that people made beside it."""
    given = Settings(_env_file=None, backend_url=URL, webhook_secret=SecretStr("s"))
    remote = Remote(
        views=[{"id": 1, "data": {"title": "Mine"}}],
        webhooks=[{"id": 1, "url": "http://people/hook", "headers": {}, "actions": [], "send_for_all_actions": True}],
        backends=[{"id": 1, "url": "http://people", "title": "Theirs", "description": ""}],
    )
    for manifest in steps:
        remote.apply(remote.plan(manifest, given, prune=prune))
        left = remote.plan(manifest, given, prune=prune)
        assert left.changes == []
    assert remote.views[0] == {"id": 1, "data": {"title": "Mine"}}
    assert remote.webhooks[0]["url"] == "http://people/hook"
    assert remote.backends[0]["title"] == "Theirs"


def test_a_project_is_found_by_its_mark_whatever_its_title_and_never_by_its_title() -> None:
    renamed = {"id": 3, "title": "Renamed", "description": "x\r\n\r\ntiebreak: reviews"}
    same_title = {"id": 4, "title": "Reviews", "description": "somebody's"}
    other = {"id": 5, "title": "Reviews", "description": "tiebreak: reviews-2"}
    assert find_project([same_title, other, renamed], "reviews") == renamed
    assert find_project([same_title, other], "reviews") is None


def test_a_copied_project_is_told_apart_by_people_not_by_luck() -> None:
    both = [{"id": id, "title": "T", "description": "tiebreak: reviews"} for id in (3, 9)]
    with pytest.raises(
        ConfigError, match=r"2 projects have the line `tiebreak: reviews`(.|\n)*project 3(.|\n)*project 9"
    ):
        find_project(both, "reviews")


def test_fields_the_manifest_leaves_out_are_left_as_people_set_them(bare: Settings) -> None:
    remote = Remote()
    remote.apply(remote.plan(manifest_of(), bare))
    assert remote.project is not None
    remote.project |= {"sampling": "Uniform sampling", "maximum_annotations": 4, "expert_instruction": "<p>x</p>"}
    remote.project["description"] = "People wrote this.\n\ntiebreak: reviews"
    assert not remote.plan(manifest_of(), bare).changes


def test_a_config_that_differs_in_layout_only_is_the_same(bare: Settings) -> None:
    assert same_config(
        "<View>\n  <Text name='t' value='$x'/>\n</View>", '<View><Text value="$x" name="t"></Text></View>'
    )
    assert not same_config('<View><Text name="t" value="$x"/></View>', '<View><Text name="t" value="$y"/></View>')
    assert not same_config("<View/>", "<!DOCTYPE x [<!ENTITY a 'b'>]><View>&a;</View>")


def used(choice: str, times: int) -> list[dict[str, Any]]:
    annotation = {"result": [{"from_name": "verdict", "value": {"choices": [choice]}}]}
    return [{"id": number, "annotations": [annotation]} for number in range(times)]


def test_dropping_a_label_in_use_is_refused_with_the_numbers(bare: Settings) -> None:
    remote = Remote()
    remote.apply(remote.plan(manifest_of(), bare))
    remote.tasks = [*used("spam", 39), {"annotations": used("spam", 1)[0]["annotations"] * 2}]
    without = manifest_of(CONFIG.replace('<Choice value="spam"/>', ""))
    (refusal,) = remote.plan(without, bare).refusals
    assert refusal.reason == (
        "reviews: 'spam' of 'verdict' is used in 41 annotations of 40 tasks; --force to drop it anyway"
    )
    assert refusal.forcible
    remote.tasks = used("ham", 3)
    assert not remote.plan(without, bare).refusals
    renamed = manifest_of(CONFIG.replace('name="verdict"', 'name="decision"'))
    (refusal,) = remote.plan(renamed, bare).refusals
    assert "control 'verdict' is used in 3 annotations of 3 tasks" in refusal.reason
    assert not refusal.forcible


def test_tasks_are_read_only_where_labels_are_dropped(bare: Settings) -> None:
    remote = Remote()
    remote.apply(remote.plan(manifest_of(), bare))
    draft = Draft(manifest_of(CONFIG.replace("spam", "ham and spam"), title="Other"), bare, str)
    wider = replace(draft.manifest, label_config=CONFIG.replace("</Choices>", '<Choice value="eggs"/></Choices>'))
    draft.manifest = wider

    def must_not() -> list[dict[str, Any]]:
        raise AssertionError("read")

    plan_project(draft, remote.project, [], must_not)
    assert set(draft.changes[0].fields) == {"title", "label_config"}


def test_a_view_of_the_same_title_is_taken_over_and_never_deleted(bare: Settings) -> None:
    remote = Remote(views=[{"id": 8, "data": {"title": "Hard", "type": "list", "gridWidth": 4}}])
    wanted = manifest_of(views=[{"title": "Hard", "order_by": "predictions_score"}])
    remote.apply(remote.plan(wanted, bare))
    assert len(remote.views) == 1
    assert remote.views[0]["data"]["ordering"] == ["tasks:predictions_score"]
    assert not [c for c in remote.plan(manifest_of(), bare, prune=True).changes if c.kind == "view"]


def test_a_namesake_is_told_when_a_project_is_made(bare: Settings) -> None:
    draft = Draft(manifest_of(), bare, str)
    plan_project(draft, None, [{"id": 4, "title": "Reviews"}], list)
    assert draft.changes[0].action == "create"
    assert "project 4 is titled 'Reviews' too" in draft.notes[0]


def test_a_new_view_hides_bookkeeping_and_what_people_show_in_it_later_stays(bare: Settings) -> None:
    remote = Remote({"id": 1, "title": "Reviews", "label_config": CONFIG})
    first = manifest_of(views=[{"title": "Everything"}])
    remote.apply(remote.plan(first, bare))
    (view,) = remote.views
    assert {"tasks:annotations_ids", "tasks:data.tiebreak_key"} <= set(view["data"]["hiddenColumns"]["explore"])
    view["data"] |= {"hiddenColumns": {"explore": ["tasks:id"], "labeling": []}, "gridWidth": 4}
    remote.apply(remote.plan(manifest_of(views=[{"title": "Everything", "order_by": "id"}]), bare))
    (view,) = remote.views
    assert view["data"]["ordering"] == ["tasks:id"]
    assert view["data"]["hiddenColumns"] == {"explore": ["tasks:id"], "labeling": []}
    assert view["data"]["gridWidth"] == 4


def test_what_is_labelled_next_is_kept_in_the_mark_and_shown_by_its_own_name(bare: Settings) -> None:
    remote = Remote()
    remote.apply(remote.plan(manifest_of(description="About reviews."), bare))
    wanted = manifest_of(description="About reviews.", labeling={"batch": 50, "exploration": 0.25})
    draft = remote.plan(wanted, bare)
    [change] = draft.changes
    assert {name: (diff.before, diff.after) for name, diff in change.fields.items()} == {
        "labeling": (None, "batch 50, exploration 0.25")
    }
    remote.apply(draft)
    assert remote.plan(wanted, bare).changes == []


def test_the_standard_of_hard_cases_is_kept_in_the_description_and_shown_as_yaml(bare: Settings) -> None:
    remote = Remote()
    remote.apply(remote.plan(manifest_of(description="About reviews."), bare))
    wanted = {"name": "2026-11", "severity": {"spam": 3.0}, "reviewers": [{"email": "Ann@example.com"}]}
    draft = remote.plan(manifest_of(description="About reviews.", hard_cases=wanted), bare)
    [change] = draft.changes
    says = "name: 2026-11\nreviewers:\n- email: ann@example.com\nseverity:\n  spam: 3.0"
    assert {name: (diff.before, diff.after) for name, diff in change.fields.items()} == {"hard_cases": (None, says)}
    assert "+  spam: 3.0" in render(SyncOutcome(tuple(draft.changes), False, {}))
    remote.apply(draft)
    assert remote.plan(manifest_of(description="About reviews.", hard_cases=wanted), bare).changes == []
    assert remote.project is not None
    assert standard_of(remote.project).name == "2026-11"


def test_people_may_write_beside_the_standard_and_a_manifest_without_one_takes_it_away(bare: Settings) -> None:
    remote = Remote()
    remote.apply(remote.plan(manifest_of(hard_cases={"least_score": 0.5}), bare))
    assert remote.project is not None
    remote.project["description"] = "Ours.\r\n\r\n" + remote.project["description"].replace("\n", "\r\n")
    assert remote.plan(manifest_of(hard_cases={"least_score": 0.5}), bare).changes == []
    draft = remote.plan(manifest_of(), bare)
    [change] = draft.changes
    assert {name: (diff.before, diff.after) for name, diff in change.fields.items()} == {
        "hard_cases": ("least_score: 0.5", None)
    }
    remote.apply(draft)
    assert remote.project["description"] == "Ours.\n\ntiebreak: reviews"


def test_a_standard_that_people_broke_is_written_anew(bare: Settings) -> None:
    remote = Remote()
    remote.apply(remote.plan(manifest_of(hard_cases={}), bare))
    assert remote.project is not None
    remote.project["description"] = remote.project["description"].replace("{}", "{oops")
    draft = remote.plan(manifest_of(hard_cases={}), bare)
    assert draft.changes[0].fields["hard_cases"].before == "{oops"
    remote.apply(draft)
    assert standard_of(remote.project) == Standard()


STOP = '{"at": "2026-11-26T10:00:00Z", "audits": 40, "errors": 5, "version": "few-shot-1", "why": "5 of 40 were wrong"}'


def test_the_policy_is_kept_in_the_description_and_shown_as_yaml(bare: Settings) -> None:
    remote = Remote()
    remote.apply(remote.plan(manifest_of(description="About reviews."), bare))
    wanted = {"accept": {}, "blind": 0.05, "seeded": 0.01}
    draft = remote.plan(manifest_of(description="About reviews.", policy=wanted), bare)
    [change] = draft.changes
    says = "accept: {}\nblind: 0.05\nseeded: 0.01"
    assert {name: (diff.before, diff.after) for name, diff in change.fields.items()} == {"policy": (None, says)}
    assert "+blind: 0.05" in render(SyncOutcome(tuple(draft.changes), False, {}))
    remote.apply(draft)
    assert remote.plan(manifest_of(description="About reviews.", policy=wanted), bare).changes == []
    assert remote.project is not None
    assert policy_of(remote.project) == Policy(accept=Accept(), blind=0.05, seeded=0.01)


def test_a_stop_of_auto_accept_is_kept_until_the_policy_accepts_nothing(bare: Settings) -> None:
    remote = Remote()
    accepting = manifest_of(description="Ours.", policy={"accept": {}})
    remote.apply(remote.plan(accepting, bare))
    assert remote.project is not None
    description = remote.project["description"]
    remote.project["description"] = description.replace(
        "tiebreak: ", f"tiebreak auto-accept stopped: {STOP}\ntiebreak: "
    )
    assert remote.plan(accepting, bare).changes == []
    remote.apply(remote.plan(manifest_of(description="Theirs.", policy={"accept": {"audit": 0.2}}), bare))
    stop = stop_of(remote.project)
    assert stop is not None
    assert (stop.audits, stop.errors) == (40, 5)
    [change] = remote.plan(manifest_of(description="Theirs.", policy={"blind": 0.1}), bare).changes
    assert set(change.fields) == {"policy", "auto-accept stopped"}


def test_a_manifest_without_a_policy_takes_its_lines_away(bare: Settings) -> None:
    remote = Remote()
    remote.apply(remote.plan(manifest_of(description="Ours.", policy={"accept": {}, "blind": 0.1}), bare))
    assert remote.project is not None
    remote.project["description"] += f"\ntiebreak auto-accept stopped: {STOP}"
    draft = remote.plan(manifest_of(description="Ours."), bare)
    [change] = draft.changes
    assert change.fields["policy"].after is None
    remote.apply(draft)
    assert remote.project["description"] == "Ours.\n\ntiebreak: reviews"
    assert remote.plan(manifest_of(description="Ours."), bare).changes == []


def test_a_policy_that_people_broke_is_written_anew(bare: Settings) -> None:
    remote = Remote()
    remote.apply(remote.plan(manifest_of(policy={"blind": 0.1}), bare))
    assert remote.project is not None
    remote.project["description"] = remote.project["description"].replace('{"blind": 0.1}', "{oops")
    draft = remote.plan(manifest_of(policy={"blind": 0.1}), bare)
    assert draft.changes[0].fields["policy"].before == "{oops"
    remote.apply(draft)
    assert policy_of(remote.project) == Policy(blind=0.1)
