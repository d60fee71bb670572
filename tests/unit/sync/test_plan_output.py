"""How a plan reads: as text, as JSON, without secrets."""

from __future__ import annotations

import json

from ml_backend.settings import Settings
from sdk_scripts.plan import Draft
from sdk_scripts.plan_output import render
from sdk_scripts.sync import SyncOutcome
from tests.unit.sync.remote import CONFIG, Remote, manifest_of


def outcome(draft: Draft, *, applied: bool = False) -> SyncOutcome:
    return SyncOutcome(tuple(draft.changes), applied, {"reviews": 3}, (), tuple(draft.notes), tuple(draft.refusals))


def test_no_secret_is_printed(full: Settings) -> None:
    remote = Remote()
    wanted = manifest_of(
        backend={"user": "${TIEBREAK_U}", "password": "${TIEBREAK_P}"}, webhook={"secret": "${TIEBREAK_S}"}
    )
    for manifest in (wanted, manifest_of(backend={})):
        draft = remote.plan(manifest, full)
        said = outcome(draft)
        printed = render(said) + json.dumps(said.to_json()) + repr(said) + repr(draft.changes)
        for secret in ("value of", "hunter2", "s3cr3t", "tiebreak-user"):
            assert secret not in printed
        assert "X-Tiebreak-Secret" in printed
        remote.apply(draft)


def test_a_plan_reads_as_text(full: Settings) -> None:
    remote = Remote()
    remote.apply(remote.plan(manifest_of(views=[{"title": "Old"}]), full))
    hard = {
        "title": "Hard\x1b[31m",
        "order_by": "-predictions_score",
        "filters": [{"column": "data.price", "operator": "less", "value": 5}],
    }
    changed = manifest_of(
        CONFIG.replace("spam", "junk"), title="Renamed", overlap={"maximum_annotations": 2}, views=[hard], backend={}
    )
    assert render(outcome(remote.plan(changed, full, prune=True))) == TEXT
    assert render(outcome(Remote().plan(changed, full), applied=True)).endswith("Applied and verified: 4 created.")


TEXT = """\
reviews (project 3)
  ~ project reviews
      title: "Reviews" -> "Renamed"
      label_config:
         <View><Text name="t" value="$text"/>
        -<Choices name="verdict" toName="t"><Choice value="ham"/><Choice value="spam"/></Choices></View>
        +<Choices name="verdict" toName="t"><Choice value="ham"/><Choice value="junk"/></Choices></View>
      overlap.maximum_annotations: none -> 2
  + view Hard [31m
      filters: data.price less 5 (Number)
      match: "all"
      order_by: "-predictions_score"
      layout: "list"
  - view Old
  + webhook http://backend:9090/webhook
      url: "http://backend:9090/webhook"
      is_active: yes
      send_for_all_actions: yes
      X-Tiebreak-Secret: "**********"
  + backend Tiebreak
      title: "Tiebreak"
      url: "http://backend:9090"
      is_interactive: no
      credentials: "**********"
Plan: 3 to create, 1 to update, 1 to delete. Nothing was changed; --apply carries it out."""


def test_the_json_of_a_change_has_before_and_after(bare: Settings) -> None:
    remote = Remote()
    remote.apply(remote.plan(manifest_of(), bare))
    document = outcome(remote.plan(manifest_of(title="Renamed"), bare)).to_json()
    assert document == {
        "changes": [
            {
                "action": "update",
                "kind": "project",
                "name": "reviews",
                "project": "reviews",
                "fields": {"title": {"before": "Reviews", "after": "Renamed"}},
            }
        ],
        "applied": False,
        "projects": {"reviews": 3},
        "rejects": [],
        "notes": [],
        "refusals": [],
    }
