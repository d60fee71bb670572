"""Planning what connects a project: views of the same title, backends, webhooks and their secrets."""

from __future__ import annotations

from pydantic import SecretStr

from ml_backend.settings import Settings
from ml_backend.webhook_secrets import WebhookSecrets
from sdk_scripts.resources.backend import with_secret
from tests.unit.sync.remote import KEY, URL, Remote, manifest_of

OWN_SECRET = WebhookSecrets("s3cr3t").of(KEY)


def test_what_the_manifest_no_longer_names_goes_with_prune_only(full: Settings) -> None:
    remote = Remote()
    remote.apply(remote.plan(manifest_of(views=[{"title": "Hard"}], backend={}), full))
    assert len(remote.views) == len(remote.backends) == len(remote.webhooks) == 1
    kept = remote.plan(manifest_of(), full)
    assert not kept.changes
    assert [note.split(" ")[1] for note in kept.notes] == ["view", "webhook", "backend"]
    remote.apply(remote.plan(manifest_of(), full, prune=True))
    assert remote.views == remote.backends == remote.webhooks == []


def test_the_automatic_webhook_of_a_backend_is_adopted_not_doubled(full: Settings) -> None:
    automatic = {
        "id": 5, "url": f"{URL}/webhook", "headers": {"X-Mine": "1"}, "is_active": True, "send_payload": True,
        "send_for_all_actions": False, "actions": ["ANNOTATION_UPDATED", "ANNOTATION_CREATED"],
    }  # fmt: skip
    remote = Remote(webhooks=[automatic])
    draft = remote.plan(manifest_of(backend={}), full)
    remote.apply(draft)
    (hook,) = remote.webhooks
    assert hook["headers"] == {
        "X-Mine": "1", "X-Tiebreak-Secret": OWN_SECRET, "X-Tiebreak-Sync": "tiebreak: reviews (adopted)",
    }  # fmt: skip
    assert hook["actions"] == ["ANNOTATION_CREATED", "ANNOTATION_UPDATED"]
    assert not hook["send_for_all_actions"]


def test_a_webhook_whose_actions_were_emptied_gets_them_all(full: Settings) -> None:
    remote = Remote()
    remote.apply(remote.plan(manifest_of(backend={}), full))
    remote.webhooks[0] |= {"send_for_all_actions": False, "actions": []}
    remote.apply(remote.plan(manifest_of(backend={}), full))
    assert remote.webhooks[0]["send_for_all_actions"]


def test_a_second_webhook_to_the_same_address_is_told(full: Settings) -> None:
    remote = Remote()
    remote.apply(remote.plan(manifest_of(backend={}), full))
    remote.webhooks.append({**remote.webhooks[0], "id": 77, "headers": {}})
    (note,) = remote.plan(manifest_of(backend={}), full).notes
    assert "webhook 77 goes to" in note


def test_new_credentials_and_secrets_are_sent(full: Settings) -> None:
    remote = Remote()
    remote.apply(remote.plan(manifest_of(backend={}), full))
    changed = full.model_copy(update={"backend_password": SecretStr("hunter3"), "webhook_secret": SecretStr("other")})
    draft = remote.plan(manifest_of(backend={}), changed)
    assert [(change.kind, list(change.fields)) for change in draft.changes] == [
        ("webhook", ["X-Tiebreak-Secret"]), ("backend", ["credentials"]),
    ]  # fmt: skip
    assert draft.changes[1].payload["basic_auth_pass"] == "hunter3"
    remote.apply(draft)
    assert not remote.plan(manifest_of(backend={}), changed).changes
    named = manifest_of(backend={"user": "${TIEBREAK_U}", "password": "${TIEBREAK_P}"})
    assert remote.plan(named, changed).changes[0].payload["basic_auth_user"] == "value of TIEBREAK_U"


def test_a_webhook_bears_the_secret_of_its_own_project_also_where_that_is_made_with_it(full: Settings) -> None:
    (change,) = [it for it in Remote(key="").plan(manifest_of(backend={}), full).changes if it.kind == "webhook"]
    assert "s3cr3t" not in repr(change)
    assert with_secret(change.payload, KEY)["headers"]["X-Tiebreak-Secret"] == OWN_SECRET
    assert WebhookSecrets("s3cr3t").of(f"{KEY}1") != OWN_SECRET


def test_without_a_webhook_secret_that_of_a_project_comes_from_the_password(full: Settings) -> None:
    remote = Remote()
    remote.apply(remote.plan(manifest_of(backend={}), full.model_copy(update={"webhook_secret": None})))
    assert remote.webhooks[0]["headers"]["X-Tiebreak-Secret"] == WebhookSecrets("hunter2").of(KEY)


def test_a_backend_that_moved_is_moved_with_its_webhook(full: Settings) -> None:
    remote = Remote()
    remote.apply(remote.plan(manifest_of(backend={}), full))
    moved = full.model_copy(update={"backend_url": "http://elsewhere:1"})
    remote.apply(remote.plan(manifest_of(backend={}), moved))
    assert [backend["url"] for backend in remote.backends] == ["http://elsewhere:1"]
    assert [hook["url"] for hook in remote.webhooks] == ["http://elsewhere:1/webhook"]


def test_without_an_address_the_backend_is_left_alone_even_by_prune(full: Settings, bare: Settings) -> None:
    remote = Remote()
    remote.apply(remote.plan(manifest_of(backend={}), full))
    draft = remote.plan(manifest_of(backend={}), bare, prune=True)
    assert not draft.changes
    assert "TIEBREAK_BACKEND_URL" in draft.notes[0]
