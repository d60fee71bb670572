"""project.yaml: what it says, and how a broken one is told."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ml_backend.labeling.errors import ConfigError
from sdk_scripts.manifest import Manifest, find_manifests, load_manifest

ROOT = Path(__file__).parents[3]

FULL = """
name: reviews
title: Reviews of things
description: About things.
color: "#00ff00"
guidelines: guidelines.md
show_instruction: true
overlap: {maximum_annotations: 3, cohort_percentage: 50, show_first: true}
sampling: uncertainty
views:
  - title: Hard ones
    order_by: -predictions_score
    match: any
    filters:
      - {column: data.price, operator: less, value: 10}
      - {column: created_at, operator: greater, value: 2026-01-01T00:00:00Z}
    hidden_columns: [annotations_ids, data.seller]
backend: {title: Mine, url: "http://backend:9090/", user: "${TIEBREAK_A}", password: "${TIEBREAK_B}"}
webhook: {secret: "${TIEBREAK_C}", actions: [ANNOTATION_CREATED]}
tasks:
  - {file: rows.csv, key: id, fields: {body: text}, meta: [seller], numbers: [price]}
"""


def test_a_manifest_says_everything_about_a_project(folder: Callable[..., Path]) -> None:
    made = load_manifest(folder(FULL, **{"guidelines.md": "# Be *kind*"}))
    assert made.instructions == "<h1>Be <em>kind</em></h1>"
    assert made.config["verdict"].keys == ("ham", "spam")
    assert made.project.backend is not None
    assert made.project.backend.url == "http://backend:9090"
    assert made.project.backend.password == "TIEBREAK_B"
    assert made.project.tasks[0].fields == {"body": "text"}
    assert made.project.tasks[0].meta == {"seller": "seller"}
    assert made.project.views[0].filters[1].value == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize("path", sorted(ROOT.glob("label_configs/*/project.yaml")), ids=lambda path: path.parent.name)
def test_the_manifests_that_come_along_are_good(path: Path) -> None:
    assert load_manifest(path).name


@pytest.mark.parametrize(
    ("yaml", "reason"),
    [
        ("overlap: {maximum_anotations: 3}", ":3: overlap.maximum_anotations: is not a field, did you mean maximum_an"),
        ("overlap: {maximum_anotations: 3}", ":3: overlap.maximum_annotations: is missing; add it"),
        ("guideline: x.md", ":3: guideline: is not a field, did you mean guidelines?"),
        ("harder_cases: {}", ":3: harder_cases: is not a field"),
        ("sampling: random", ":3: sampling: must be 'sequential', 'uniform' or 'uncertainty'"),
        ("show_instruction: 7", ":3: show_instruction: must be true or false"),
        ("overlap:\n  maximum_annotations: many", ":4: overlap.maximum_annotations: must be a whole number"),
        ("color: green", ":3: color: must match"),
        ("backend: {password: hunter2, user: me}", ":3: backend.password: must name an environment variable"),
        ("backend: {password: '${HOME}', user: '${HOME}'}", ":3: backend.password: must name an environment variable"),
        ("backend: {user: '${TIEBREAK_A}', password: '${TIEBREAK_STUDIO_TOKEN}'}", ":3: backend.password: must name"),
        ("backend: {user: '${TIEBREAK_A}'}", ":3: backend: user and password come together"),
        ("backend: {url: 'http://me:pw@host'}", ":3: backend.url: must be an http(s) address"),
        ("backend: {url: 'file:///etc/passwd'}", ":3: backend.url: must be an http(s) address"),
        ("webhook: {actions: []}", ":3: webhook.actions: "),
        ("webhook: {actions: [PROJECT_CREATED]}", ":3: webhook.actions[0]: must be 'ANNOTATION_CREATED', "),
        ("views:\n- title: A\n- title: A", ":3: views: two views are titled 'A'"),
        ("views:\n- title: A\n  order_by: agreement", ":5: views[0].order_by: must be data.<field> or one of "),
        ("views: [{title: A, filters: [{column: meta.a, operator: equal, value: 1}]}]", ":3: views[0].filters[0].col"),
        ("views: {title: A}", ":3: views: must be a list"),
        ("description: |\n  a\n  tiebreak: other", ":3: description: may not hold a `tiebreak: …` line"),
        ("description: 'tiebreak hard cases: {}'", ":3: description: may not hold a `tiebreak: …` line"),
        ("hard_cases: {least_score: 2}", ":3: hard_cases.least_score: "),
        ("hard_cases:\n  reviewers:\n  - email: ann", ":5: hard_cases.reviewers[0].email: "),
        ("hard_cases:\n  severity: {spam: 3}\n  disturbing: {labels: [spum]}", ":5: hard_cases.disturbing.labels: the"),
        ("hard_cases: {two_reviewers_from: 3}", ":3: hard_cases.two_reviewers_from: needs two reviewers"),
        ("hard_cases: {signals: {disagrement: 1}}", ":3: hard_cases.signals.disagrement: is no signal; known: dis"),
        ("description: 'tiebreak policy: {}'", ":3: description: may not hold a `tiebreak: …` line"),
        ("policy: {blind: 0.6}", ":3: policy.blind: "),
        ("policy:\n  seeded: 0.01", ":4: policy.seeded: needs the setting TIEBREAK_POLICY_SECRET"),
        ("policy:\n  accept: {audit: 0}", ":4: policy.accept.audit: "),
        ("policy: {acept: {}}", ":3: policy.acept: is not a field, did you mean accept?"),
        ("policy:\n  large_model: {money_a_day: 3}", ":4: policy.large_model: money_a_day needs"),
        ("label_config: ../secret.xml", ":3: label_config: ../secret.xml leads out of the manifest's folder"),
        ("guidelines: /etc/passwd", ":3: guidelines: /etc/passwd leads out of the manifest's folder"),
        ("guidelines: none.md", ":3: guidelines: there is no file none.md beside the manifest"),
        ("tasks: [{file: ../rows.csv}]", ":3: tasks[0]: ../rows.csv leads out of the manifest's folder"),
        ("tasks: [{file: rows.xls}]", ":3: tasks[0]: the format of 'rows.xls' is not known by its suffix"),
        ("tasks: [{file: rows.txt, format: jsnl}]", ":3: tasks[0]: there is no format 'jsnl', did you mean json"),
        ("tasks: [{file: rows.csv, fields: {a: body}}]", ":3: tasks[0].fields: the label config shows $text"),
        ("tasks: [{file: rows.csv, fields: {a: text, b: text}}]", ":3: tasks[0]: fields maps two columns to text"),
        ("tasks: [{file: rows.csv, fields: {a: tiebreak_key}}]", ":3: tasks[0]: fields may not use tiebreak_key"),
        ("tasks: [{file: a.csv, key: id}, {file: b.csv, key: id}]", ":3: tasks[1]: several sources have the name ''"),
        ("title: Again", ":3: has 'title' a second time (first on line 2)"),
        ("a: &x [1]\nb: *x", ":4: uses an alias"),
        ("a: !!python/object/apply:os.system [ls]", ":3: has the tag"),
        ("a: b: c", ":3: "),
        ("\tcolor: x", ":3: "),
        ("---\nname: second", ":3: "),
    ],
)  # fmt: skip
def test_an_error_names_file_line_field_and_mend(folder: Callable[..., Path], yaml: str, reason: str) -> None:
    path = folder(f"name: reviews\ntitle: Reviews\n{yaml}\n")
    with pytest.raises(ConfigError, match=re.escape(f"{path}{reason}")) as caught:
        load_manifest(path)
    assert "hunter2" not in str(caught.value)


def test_all_reasons_come_at_once_in_the_order_of_the_file(folder: Callable[..., Path]) -> None:
    path = folder("title: x\nname: A B\nextra: 1\n")
    with pytest.raises(ConfigError) as caught:
        load_manifest(path)
    assert [reason.split(": ")[0].rsplit(":")[-1] for reason in caught.value.reasons] == ["1", "2", "3"]


@pytest.mark.parametrize("yaml", ["", "- a\n", "just text", "[" * 2000, "a: " + "[" * 60 + "]" * 60, "name: \x07"])
def test_what_is_no_manifest_is_told_and_nothing_breaks(folder: Callable[..., Path], yaml: str) -> None:
    with pytest.raises(ConfigError, match=r"project\.yaml"):
        load_manifest(folder(yaml))


def test_a_bomb_of_aliases_is_refused_at_its_first_alias(folder: Callable[..., Path]) -> None:
    levels = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9))
    with pytest.raises(ConfigError, match="uses an alias"):
        load_manifest(folder(f"a0: &a0 [lol]\n{levels}"))


def test_a_manifest_over_a_megabyte_is_refused(folder: Callable[..., Path]) -> None:
    with pytest.raises(ConfigError, match="over a megabyte"):
        load_manifest(folder(f"name: reviews\ntitle: Reviews\ndescription: {'x' * 1_000_001}"))


def test_a_manifest_that_is_not_utf_8_is_told_with_its_line(folder: Callable[..., Path]) -> None:
    path = folder("")
    path.write_bytes(b"name: reviews\ntitle: caf\xe9\n")
    with pytest.raises(ConfigError, match=r"project\.yaml:2: is not UTF-8"):
        load_manifest(path)


def test_a_broken_label_config_is_told_with_file_and_line(folder: Callable[..., Path]) -> None:
    path = folder("name: reviews\ntitle: Reviews\n", **{"config.xml": "\n\n<View>\n  <Text></View>"})
    with pytest.raises(ConfigError, match=r"config\.xml:4: .*not valid XML"):
        load_manifest(path)
    lost = '<View>\n<Text name="t" value="$t"/>\n<Choices name="c" toName="x"><Choice value="a"/></Choices></View>'
    with pytest.raises(ConfigError, match=r"config\.xml:3: .*points to 'x'"):
        load_manifest(folder("name: reviews\ntitle: Reviews\n", **{"config.xml": lost}))


def test_a_link_does_not_lead_out_of_the_folder(folder: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("secret")
    path = folder("name: reviews\ntitle: Reviews\nguidelines: guidelines.md\n")
    (path.parent / "guidelines.md").symlink_to(tmp_path / "secret.md")
    with pytest.raises(ConfigError, match="leads out of the manifest's folder"):
        load_manifest(path)


def test_a_task_source_may_lie_elsewhere_when_the_manifest_says_so(manifest: Callable[..., Manifest]) -> None:
    made = manifest("tasks: [{file: ../rows.csv, outside_folder: true}]")
    assert made.source_path(made.project.tasks[0]) == made.path.parent.parent / "rows.csv"


def test_variables_are_not_expanded_in_text(manifest: Callable[..., Manifest], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEBREAK_B", "a secret")
    made = manifest("description: costs ${TIEBREAK_B} and ${HOME}\nguidelines: g.md", **{"g.md": "${TIEBREAK_B}"})
    assert made.project.description == "costs ${TIEBREAK_B} and ${HOME}"
    assert made.instructions == "<p>${TIEBREAK_B}</p>"


@pytest.mark.parametrize(("word", "value"), [("no", "no"), ("on", "on"), ("1:30", "1:30"), ("007", 7), ("1e3", 1000.0)])
def test_scalars_are_what_they_look_like(manifest: Callable[..., Manifest], word: str, value: object) -> None:
    made = manifest(f"views: [{{title: V, filters: [{{column: data.a, operator: equal, value: {word}}}]}}]")
    assert made.project.views[0].filters[0].value == value


def test_a_folder_stands_for_its_manifest_or_those_of_its_folders(folder: Callable[..., Path], tmp_path: Path) -> None:
    path = folder("name: reviews\ntitle: Reviews\n")
    assert find_manifests(path) == find_manifests(path.parent) == find_manifests(tmp_path) == [path]
    with pytest.raises(ConfigError, match=r"There is no project\.yaml at"):
        find_manifests(tmp_path / "elsewhere")


def test_a_policy_that_seeds_needs_its_secret(folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder("name: reviews\ntitle: Reviews\npolicy: {seeded: 0.01, blind: 0.05}\n")
    monkeypatch.setenv("TIEBREAK_POLICY_SECRET", "sixteen letters or more")
    policy = load_manifest(path).project.policy
    assert policy is not None
    assert (policy.seeded, policy.blind) == (0.01, 0.05)
