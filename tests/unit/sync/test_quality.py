"""rules.yaml: what it says, how a broken one is told, and how it comes to be a line of the project's description."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ml_backend.labeling.errors import ConfigError
from ml_backend.roles import Role, role_of
from ml_backend.settings import Settings
from sdk_scripts.manifest import Manifest, load_manifest
from sdk_scripts.marks import unmarked
from sdk_scripts.quality import Quality, quality_of
from tests.unit.sync.remote import Remote

RULES = """
rules:
  gold_failures: {pass_mark: 0.9}
contradictions:
  - {name: spam with praise, when: {verdict: [spam]}, never: {stars: [5]}}
automatic: true
"""


def test_rules_are_kept_in_the_description_and_shown_as_yaml(manifest: Callable[..., Manifest], bare: Settings) -> None:
    remote, loaded = Remote(), manifest("quality: rules.yaml", **{"rules.yaml": RULES})
    remote.apply(remote.plan(manifest("description: About reviews."), bare))
    draft = remote.plan(manifest("description: About reviews.\nquality: rules.yaml", **{"rules.yaml": RULES}), bare)
    [said] = [change.fields["quality"] for change in draft.changes if "quality" in change.fields]
    assert said.before is None
    assert "pass_mark: 0.9" in said.after
    remote.apply(draft)
    assert remote.project is not None
    assert quality_of(remote.project) == loaded.quality
    assert unmarked(remote.project["description"]) == "About reviews."
    assert role_of(remote.project) == Role(monitored=True)


def test_a_project_without_a_line_has_the_defaults() -> None:
    assert quality_of({"id": 7, "description": "About reviews."}) == Quality()


def test_a_line_that_people_broke_is_named_with_its_project() -> None:
    with pytest.raises(ConfigError, match=r"tiebreak quality:.* project 7"):
        quality_of({"id": 7, "description": "tiebreak quality: {oops"})


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ("rules:\n  gold_failure: false", "rules.yaml:2: rules.gold_failure: is no inspection rule; known: "),
        ("rules:\n  gold_failures: {pass_mark: 2}", "rules.yaml:2: rules.gold_failures.pass_mark: "),
        ("rules:\n  gold_failures: {mark: 2}", "rules.yaml:2: rules.gold_failures.mark: "),
        ("automatic: perhaps", "rules.yaml:1: automatic: "),
        ("gold: {shares: 1}", "rules.yaml:1: gold.shares: is not a field, did you mean share"),
        (
            "contradictions:\n  - {name: x, when: {verdikt: [spam]}, never: {stars: [5]}}",
            "rules.yaml:1: contradictions: x: the label config has no control 'verdikt'",
        ),
        ("rules: [", "rules.yaml:1: "),
    ],
)
def test_a_broken_one_is_told_with_file_line_and_field(folder: Callable[..., Path], rules: str, reason: str) -> None:
    path = folder("name: reviews\ntitle: Reviews\nquality: rules.yaml", **{"rules.yaml": rules})
    with pytest.raises(ConfigError) as caught:
        load_manifest(path)
    assert reason in str(caught.value)


def test_a_missing_file_is_named(folder: Callable[..., Path]) -> None:
    with pytest.raises(ConfigError, match=r"project.yaml:3: quality: there is no file rules.yaml"):
        load_manifest(folder("name: reviews\ntitle: Reviews\nquality: rules.yaml"))


def test_a_file_elsewhere_is_not_read(folder: Callable[..., Path]) -> None:
    with pytest.raises(ConfigError, match=r"project.yaml:3: quality: ../rules.yaml leads out of the manifest's folder"):
        load_manifest(folder("name: reviews\ntitle: Reviews\nquality: ../rules.yaml"))


def test_nothing_learns_from_a_satellite() -> None:
    role = role_of({"description": 'A round.\n\ntiebreak satellite: {"kind": "calibration", "source": "7.1"}'})
    assert role.satellite
    assert not role.learns
