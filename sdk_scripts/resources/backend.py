"""The ML backend and the webhook to it: found by their mark, else by their address, so none is connected twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from ml_backend.settings import webhook_secrets
from ml_backend.webhook_secrets import HEADER as SECRET_HEADER
from ml_backend.webhook_secrets import WebhookSecrets
from sdk_scripts.manifest_schema import Webhook
from sdk_scripts.marks import (
    WEBHOOK_HEADER,
    Mark,
    credentials_fingerprint,
    marked,
    read_mark,
    unmarked,
)
from sdk_scripts.plan import HIDDEN, Diff, Draft, created, diffs

NO_ADDRESS = "set TIEBREAK_BACKEND_URL, or `url:` in the manifest, to an address where Label Studio reaches it"


@dataclass(frozen=True)
class Credentials:
    user: str
    password: SecretStr
    fingerprint: str


def plan_backend(draft: Draft, current: Sequence[Mapping[str, Any]]) -> None:
    """Changes to the ML backends of a project (Label Studio's JSON)."""
    manifest, section = draft.manifest, draft.manifest.project.backend
    found: Mapping[str, Any] | None = None
    if section is not None:
        if (url := backend_url(draft)) is None:
            draft.note(f"the ML backend is left as it is, because it has no address: {NO_ADDRESS}")
            return
        found = _by_mark(current, manifest.name, "description") or _by_address(current, url)
        before = read_mark(found.get("description")) if found else None
        given = _credentials(draft)
        wanted: dict[str, Any] = {"title": section.title, "url": url, "is_interactive": section.interactive}
        secret: dict[str, Any] = {}
        fingerprint = given.fingerprint if given else ""
        if given:
            secret = {
                "auth_method": "BASIC_AUTH",
                "basic_auth_user": given.user,
                "basic_auth_pass": given.password.get_secret_value(),
            }
        elif before and before.credentials:
            secret = {"auth_method": "NONE", "basic_auth_user": "", "basic_auth_pass": ""}
        if found is None:
            fields = created(wanted) | ({"credentials": Diff(None, HIDDEN)} if given else {})
            mark = Mark(manifest.name, credentials=fingerprint)
            payload = {**wanted, **secret, "description": marked("", mark)}
            draft.change("create", "backend", section.title, fields, payload=payload)
        else:
            was = {**found, "url": str(found.get("url") or "").rstrip("/")}
            fields = diffs(was, wanted)
            if secret and (
                fingerprint != (before.credentials if before else "")
                or secret["auth_method"] != found.get("auth_method")
                or secret["basic_auth_user"] != (found.get("basic_auth_user") or "")
                or bool(secret["basic_auth_pass"]) != bool(found.get("basic_auth_pass_is_set", True))
            ):
                is_set = found.get("auth_method") == "BASIC_AUTH"
                fields["credentials"] = Diff(HIDDEN if is_set else None, HIDDEN if given else None)
            if fields:
                adopted = before.adopted if before else True
                mark = Mark(manifest.name, adopted, fingerprint)
                payload = {**wanted, **secret, "description": marked(unmarked(found.get("description")), mark)}
                draft.change("update", "backend", section.title, fields, target=int(found["id"]), payload=payload)
    for other in current:
        mark_found = read_mark(other.get("description"))
        if mark_found and mark_found.name == manifest.name and not mark_found.adopted and other is not found:
            draft.no_longer_named("backend", str(other.get("title")), int(other["id"]))


def plan_webhook(draft: Draft, current: Sequence[Mapping[str, Any]]) -> None:
    """Changes to the webhooks of a project. A backend brings one along, whether the manifest says `webhook:` or not.

    One that is at the address already (Label Studio adds it with a backend) is adopted. The actions of a webhook stay
    as they are unless the manifest names them; one that has none left is dead, and gets all of them.
    """
    manifest, section = draft.manifest, draft.manifest.project.webhook
    found: Mapping[str, Any] | None = None
    if section is not None or manifest.project.backend is not None:
        section = section or Webhook.model_validate({})
        url = section.url or ((address := backend_url(draft)) and f"{address}/webhook")
        if url is None:
            if manifest.project.backend is None:
                draft.note(f"the webhook is left as it is, because it has no address: {NO_ADDRESS}")
            return
        found = next((hook for hook in current if _hook_mark(hook, manifest.name)), None) or _by_address(current, url)
        value = _secret(draft, section)
        header = {SECRET_HEADER: value} if value else {}
        if found is None:
            actions = list(section.actions or ())
            wanted = {"url": url, "is_active": True, "send_for_all_actions": not actions, "actions": actions}
            payload = {**wanted, "send_payload": True, "headers": {WEBHOOK_HEADER: str(Mark(manifest.name)), **header}}
            fields = created(wanted) | ({SECRET_HEADER: Diff(None, HIDDEN)} if value else {})
            draft.change("create", "webhook", url, fields, payload=payload)
        else:
            _plan_update(draft, section, found, url, header)
        for double in current:
            if double is not found and _address(double) == url and not _hook_mark(double, manifest.name):
                draft.note(f"webhook {double['id']} goes to {url} as well, so everything is told twice; delete it")
    for other in current:
        if other is not found and (mark := _hook_mark(other, manifest.name)) and not mark.adopted:
            draft.no_longer_named("webhook", str(other.get("url")), int(other["id"]))


def backend_url(draft: Draft) -> str | None:
    section = draft.manifest.project.backend
    return (section.url if section else None) or draft.settings.backend_url


def _plan_update(draft: Draft, section: Webhook, found: Mapping[str, Any], url: str, header: Mapping[str, Any]) -> None:
    headers = dict(found.get("headers") or {})
    actions, everything = sorted(found.get("actions") or ()), bool(found.get("send_for_all_actions"))
    if section.actions is not None:
        actions, everything = sorted(section.actions), False
    elif not actions:
        everything = True
    was = {**found, "url": _address(found), "actions": sorted(found.get("actions") or ())}
    wanted = {
        "url": url,
        "is_active": True,
        "send_payload": True,
        "send_for_all_actions": everything,
        "actions": actions,
    }
    fields = diffs(was, wanted)
    if header and headers.get(SECRET_HEADER) != header[SECRET_HEADER]:
        fields[SECRET_HEADER] = Diff(HIDDEN if SECRET_HEADER in headers else None, HIDDEN)
    if fields:
        mark = _hook_mark(found, draft.manifest.name) or Mark(draft.manifest.name, adopted=True)
        payload = {**wanted, "headers": {**headers, WEBHOOK_HEADER: str(mark), **header}}
        draft.change("update", "webhook", url, fields, target=int(found["id"]), payload=payload)


def _credentials(draft: Draft) -> Credentials | None:
    section, settings = draft.manifest.project.backend, draft.settings
    if section is not None and section.user is not None and section.password is not None:
        user, password = draft.secret(section.user), SecretStr(draft.secret(section.password))
    elif settings.backend_user and settings.backend_password:
        user, password = settings.backend_user, settings.backend_password
    else:
        return None
    return Credentials(user, password, credentials_fingerprint(draft.manifest.name, user, password))


def _secret(draft: Draft, section: Webhook) -> str | WebhookSecrets | None:
    """The project's own; where it is yet to be made, what it will come from (`with_secret`)."""
    secrets = WebhookSecrets(draft.secret(section.secret)) if section.secret else webhook_secrets(draft.settings)
    return secrets.of(draft.key) if secrets and draft.key else secrets


def with_secret(payload: Mapping[str, Any], project_key: str) -> dict[str, Any]:
    """What is sent of a webhook that was planned before its project was there."""
    headers = {
        name: value.of(project_key) if isinstance(value, WebhookSecrets) else value
        for name, value in payload["headers"].items()
    }
    return {**payload, "headers": headers}


def _by_mark(current: Sequence[Mapping[str, Any]], name: str, field: str) -> Mapping[str, Any] | None:
    return next((one for one in current if (mark := read_mark(one.get(field))) and mark.name == name), None)


def _by_address(current: Sequence[Mapping[str, Any]], url: str) -> Mapping[str, Any] | None:
    return next((one for one in current if _address(one) == url), None)


def _address(one: Mapping[str, Any]) -> str:
    return str(one.get("url") or "").rstrip("/")


def _hook_mark(hook: Mapping[str, Any], name: str) -> Mark | None:
    mark = read_mark((hook.get("headers") or {}).get(WEBHOOK_HEADER))
    return mark if mark and mark.name == name else None
