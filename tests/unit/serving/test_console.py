"""The console under a real uvicorn: who may see it, what leaves it, and that it shows what is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from ml_backend.console.pages import TYPES
from ml_backend.console.state import FRESH_SECONDS
from ml_backend.encoder import Encoder
from ml_backend.model_registry import ModelRegistry
from ml_backend.queues import Jobs
from ml_backend.report_history import Kept
from ml_backend.settings import Settings, load_settings
from ml_backend.valkey import Valkey
from sdk_scripts.monitoring.findings_state import Acknowledgement
from sdk_scripts.monitoring.findings_store import FindingsStore
from tests.unit.serving.console_content import HOSTILE, KEY, LABELED, OTHER_KEY, REPORT, add_findings, add_report, fill
from tests.unit.serving.running import eventually, serving

AUTH = ("ana", "pass")
GUARDED = {"backend_user": "ana", "backend_password": SecretStr("pass")}
PLACES = [
    "/console",
    "/console/",
    *(f"/console/{name}" for name in TYPES),
    "/console/state.json",
    f"/console/reports/{KEY}/20260101T000000Z-abcdef/report.html",
    "/console/nowhere",
]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, encoder: Encoder) -> Iterator[tuple[Settings, Kept]]:
    """A home and queues of its own, with something to show; and the newest report of the reviews."""
    home = tmp_path_factory.mktemp("filled")
    with Valkey(tmp_path_factory.mktemp("filled-valkey")) as server:
        settings = load_settings(home=home, redis_url=SecretStr(server.url), **GUARDED)
        with Jobs(settings) as jobs:
            yield settings, fill(settings, jobs, encoder)


@pytest.fixture(scope="module")
def shown(filled: tuple[Settings, Kept], encoder: Encoder) -> Iterator[httpx.Client]:
    """The console of that home, for tests that change nothing."""
    with signed_in(filled[0], encoder) as client:
        yield client


@pytest.fixture
def report(filled: tuple[Settings, Kept]) -> Kept:
    return filled[1]


@pytest.fixture
def guarded(queue_settings: Settings) -> Settings:
    return queue_settings.model_copy(update=GUARDED)


@pytest.fixture
def console(guarded: Settings, encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """The console of an empty home, which looks at the storage each time."""
    monkeypatch.setitem(FRESH_SECONDS, "storage", 0.0)
    monkeypatch.setattr("ml_backend.console.state.REST", 0.0)
    with signed_in(guarded, encoder) as client:
        yield client


@contextmanager
def signed_in(settings: Settings, encoder: Encoder) -> Iterator[httpx.Client]:
    with serving(settings, encoder) as client:
        client.auth = httpx.BasicAuth(*AUTH)
        eventually(lambda: panel(client, "queues")["data"], what="the queues")  # opened in the background
        yield client


def panel(client: httpx.Client, name: str) -> dict[str, Any]:
    """As it is once it is not late, which on a busy machine happens."""
    found: dict[str, Any] = {}

    def is_there() -> bool:
        answer = client.get("/console/state.json")
        assert answer.status_code == 200, answer.text
        found.update(answer.json()["panels"][name])
        return "has not answered" not in (found["problem"] or {}).get("what", "")

    eventually(is_there, what="an answer of the source")
    return found


@pytest.mark.parametrize("path", PLACES)
def test_nobody_sees_any_of_it_without_the_password(shown: httpx.Client, path: str) -> None:
    for auth in (None, ("ana", "wrong"), ("", "")):
        answer = httpx.get(shown.base_url.join(path), auth=auth, trust_env=False)
        assert answer.status_code == 401, path
        assert answer.headers["www-authenticate"].startswith("Basic")


@pytest.mark.parametrize("path", PLACES)
def test_a_backend_without_a_password_has_no_console(backend: httpx.Client, path: str) -> None:
    answer = backend.get(path)
    assert answer.status_code == 403
    assert "TIEBREAK_BACKEND_PASSWORD" in answer.json()["mend"]


@pytest.mark.parametrize("path", PLACES)
def test_nothing_of_it_is_cached_framed_or_sniffed_or_runs_foreign_scripts(shown: httpx.Client, path: str) -> None:
    headers = shown.get(path).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src 'self'" in policy or "script-src" not in policy
    assert "unsafe-inline" not in policy.replace("style-src 'unsafe-inline'", "")


def test_the_page_asks_nobody_else_for_anything(shown: httpx.Client) -> None:
    page = shown.get("/console/").text
    for name in TYPES:
        said = shown.get(f"/console/{name}").text.replace("http://www.w3.org/2000/svg", "")
        assert not any(
            it in said for it in ('"http://', '"https://', '"//', "innerHTML", "insertAdjacentHTML", "eval(")
        )
    assert "<script>" not in page
    assert " onclick" not in page
    assert " style=" not in page


def test_nothing_can_be_changed_from_it(shown: httpx.Client) -> None:
    for path in PLACES:
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            assert shown.request(method, path).status_code == 405


def test_a_foreign_page_cannot_have_a_browser_that_is_signed_in_start_a_training(shown: httpx.Client) -> None:
    body = json.dumps({"project": KEY})
    plain = {"content-type": "text/plain", "origin": "https://evil.example"}  # what a form or fetch may send unasked
    assert shown.post("/train", content=body, headers=plain).status_code == 403
    assert shown.options("/train", headers={"origin": "https://evil.example"}).status_code == 405


def test_it_shows_projects_with_their_queues_and_leaves_out_what_is_none(shown: httpx.Client) -> None:
    rows = {row["id"]: row for row in panel(shown, "projects")["data"]["rows"]}
    assert set(rows) == {7, 8}
    assert rows[7]["title"] == "Product reviews"
    assert (rows[7]["tasks"], rows[7]["labels"], rows[7]["new_labels"]) == (120, 80, 3)
    assert rows[7]["url"] == "http://127.0.0.1:8080/projects/7/data"
    assert [(it["id"], it["tasks"]) for it in rows[7]["reviews"]] == [(9, 11)]
    assert rows[8]["title"].startswith("<img")


def test_it_shows_the_live_version_with_its_metrics_and_why(shown: httpx.Client, filled: tuple[Settings, Kept]) -> None:
    [row] = panel(shown, "versions")["data"]["rows"]
    [info] = ModelRegistry(filled[0].models).versions(KEY)
    assert (row["version"], row["live"], row["labels"], row["reason"]) == (info.version, True, LABELED, info.reason)
    assert row["controls"]["sentiment"]["accuracy"] == info.metrics["sentiment"]["accuracy"]
    assert row["controls"]["sentiment"]["ece"] == info.metrics["sentiment"]["ece"]


def test_it_shows_what_became_of_trainings(shown: httpx.Client) -> None:
    found = panel(shown, "runs")["data"]
    ends = {(row["project"], row["state"]): row["came_to"] for row in found["rows"] if row["what"] == "train"}
    assert "made live: It is the first." in ends[KEY, "finished"]
    assert "5 labels are too few" in ends[OTHER_KEY, "refused"]
    assert ends[OTHER_KEY, "failed"] == "ValueError."  # its words may be an annotated text
    assert all(row["seconds"] is not None for row in found["rows"] if row["state"] in ("finished", "failed"))
    assert {row["what"] for row in found["rows"] if row["state"] == "waiting"} == {"reconcile"}
    assert found["trainings"][KEY]["state"] == "finished"
    counts = {row["queue"]: row for row in panel(shown, "queues")["data"]["rows"]}
    assert counts["tiebreak-train"]["failed"] == 1
    assert counts["tiebreak-train"]["finished"] == 2
    assert counts["tiebreak-train"]["scheduled"] == 1
    assert counts["tiebreak-work"]["waiting"] == 1


def test_it_shows_findings_hard_cases_alerts_and_what_was_spent(shown: httpx.Client) -> None:
    found = panel(shown, "findings")["data"]
    assert [(it["severity"], it["subject"], it["state"]) for it in found["rows"]] == [
        ("high", "ana@example.com", "new"),
        ("medium", HOSTILE, "new"),
    ]
    assert found["rows"][0]["links"][0] == {"task": 3, "url": "http://127.0.0.1:8080/projects/7/data?task=3"}
    assert found["projects"][KEY]["open"] == {"high": 1, "medium": 1, "low": 0}
    [cases] = [it for it in panel(shown, "hard_cases")["data"]["rows"] if it["key"] == KEY]
    assert cases["total"] == 3
    assert cases["causes"] == [{"cause": "disagreement", "count": 2}, {"cause": "label error", "count": 1}]
    assert panel(shown, "alerts")["data"]["total"] == 1
    [spent] = panel(shown, "large_model")["data"]["rows"]
    assert spent["today"]["input_tokens"] == spent["week"]["input_tokens"] == 1_200
    assert spent["today"]["money"] == 0.25


def test_an_acknowledged_finding_is_open_again_once_it_is_markedly_worse(
    console: httpx.Client, guarded: Settings
) -> None:
    store = add_findings(guarded)
    it = next(it for it in store.standings().open.values() if it.severity == "high")
    for excess, state in ((it.excess, "acknowledged"), (it.excess / 2, "new")):
        known = Acknowledgement(it.key, "We talked.", "2026-03-02", it.since, excess)
        assert known.holds(it) == (state == "acknowledged")
        store.acknowledge(known)

        def is_shown(state: str = state) -> bool:
            rows = panel(console, "findings")["data"]["rows"]
            return [row["state"] for row in rows if row["severity"] == "high"] == [state]

        eventually(is_shown, what=state)


def test_a_report_is_a_page_that_runs_nothing_or_a_download(shown: httpx.Client, report: Kept) -> None:
    folder = f"/console/reports/{KEY}/{report.id}"
    page = shown.get(f"{folder}/report.html")
    assert page.content == REPORT
    assert page.headers["content-security-policy"].startswith("sandbox ")
    assert "allow-scripts" not in page.headers["content-security-policy"]
    assert "allow-same-origin" not in page.headers["content-security-policy"]
    for name, type in (("report.json", "application/json"), ("report.xlsx", "application/vnd.openxml")):
        answer = shown.get(f"{folder}/{name}")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(type)
        assert answer.headers["content-disposition"] == f'attachment; filename="7-{report.id}-{name}"'


@pytest.mark.parametrize(
    "path",
    [
        "{key}/{id}/about.json",
        "{key}/{id}/..%2f..%2f..%2fsecret",
        "{key}/..%2f{id}/report.html",
        "..%2f..%2f{key}/{id}/report.html",
        "../{key}/{id}/report.html",
        "{key}/{id}/report.html%00.json",
        "{key}/{id}/%2e%2e/report.html",
        "{key}%0d%0aset-cookie:a/{id}/report.json",
        "7.1e3/{id}/report.html",
        "/etc/passwd",
    ],
)
def test_names_from_outside_reach_no_other_file(shown: httpx.Client, report: Kept, path: str) -> None:
    answer = shown.get(f"/console/reports/{path.format(key=KEY, id=report.id)}")
    assert answer.status_code in (400, 404)
    assert answer.headers["content-type"] == "application/json"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "name", ["../routes.py", "..%2froutes.py", "%2e%2e/routes.py", "static/index.html", "__init__.py"]
)
def test_no_other_file_of_the_package_is_served(shown: httpx.Client, name: str) -> None:
    assert shown.get(f"/console/{name}").status_code == 404


def test_a_report_that_is_gone_says_so(shown: httpx.Client) -> None:
    answer = shown.get(f"/console/reports/{KEY}/20260101T000000Z-abcdef/report.html")
    assert answer.status_code == 404
    assert answer.json()["mend"]


def test_what_did_not_change_is_not_sent_again(console: httpx.Client, guarded: Settings) -> None:
    eventually(lambda: panel(console, "reports")["data"] is not None, what="the storage")
    first = console.get("/console/state.json")
    again = console.get("/console/state.json", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    add_report(guarded)
    eventually(
        lambda: console.get("/console/state.json", headers={"if-none-match": first.headers["etag"]}).status_code == 200,
        what="the new report",
    )


def test_findings_that_are_damaged_are_none(console: httpx.Client, guarded: Settings) -> None:
    FindingsStore(guarded, KEY).acknowledge(Acknowledgement("k", "w", "", "", 0.0))
    folder = Path(guarded.models) / "inspections" / KEY
    (folder / "standings.json").write_text('{"open": [null, {"evidence": null}], "at"')
    assert panel(console, "findings")["data"]["rows"] == []
