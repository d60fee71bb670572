"""Studio against a real Label Studio: signing in, projects, people, views, and what connects to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from ml_backend.labeling.errors import (
    ConfigError,
    InputError,
    StudioNotFound,
    StudioRefused,
    StudioUnauthorized,
)
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from tests.contract.studio_projects import CONFIG, Projects, Repeats, choice, ids_of


class TestSigningIn:
    def test_the_version_is_label_studios(self, studio: Studio, studio_server: Any) -> None:
        assert studio.version() == studio_server.version

    def test_a_personal_access_token_works_and_survives_a_refused_access_token(self, studio_server: Any) -> None:
        studio = Studio(studio_server.url, studio_server.pat)
        assert studio.annotators()
        studio._client()._client_wrapper._tokens_client._access_token = studio_server.pat  # good by the clock, refused
        assert studio.annotators()

    def test_a_wrong_token_is_unauthorized_and_never_shown(self, studio_server: Any) -> None:
        studio = Studio(studio_server.url, "f" * 40)
        with pytest.raises(StudioUnauthorized, match="TIEBREAK_STUDIO_TOKEN") as caught:
            studio.projects()
        assert "f" * 40 not in str(caught.value)
        assert "f" * 40 not in repr(studio)

    def test_the_settings_connect(self, studio_settings: Settings) -> None:
        assert Studio.connect(studio_settings).annotators()


class TestProjects:
    def test_a_project_is_stored_as_sent_and_listed(self, studio: Studio, new_project: Projects) -> None:
        id = new_project(maximum_annotations=3, expert_instruction="<p>Read.</p>", overlap_cohort_percentage=50)
        assert studio.project(id)["maximum_annotations"] == 3
        assert id in [project["id"] for project in studio.projects()]

    def test_more_than_a_page_of_projects_is_listed(
        self, studio: Studio, new_project: Projects, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ml_backend.studio.projects.PAGE", 2)
        made = {new_project() for _ in range(5)}
        assert made <= {project["id"] for project in studio.projects()}

    def test_a_field_of_the_enterprise_edition_is_refused_by_name(self, studio: Studio, new_project: Projects) -> None:
        id = new_project()
        with pytest.raises(StudioRefused, match="annotator_evaluation_minimum_score"):
            studio.update_project(id, {"description": "x", "annotator_evaluation_minimum_score": 5})

    def test_a_project_made_with_a_dropped_field_is_taken_back(self, studio: Studio) -> None:
        before = len(studio.projects())
        with pytest.raises(StudioRefused, match="review_settings"):
            studio.create_project({"title": "Dropped", "label_config": CONFIG, "review_settings": {"a": 1}})
        assert len(studio.projects()) == before

    def test_the_servers_reasons_are_given(self, studio: Studio) -> None:
        with pytest.raises(StudioRefused, match="title: Ensure this field has at least 3 characters"):
            studio.create_project({"title": "ab"})

    def test_a_project_whose_answer_was_lost_is_found_again(self, losing: Callable, studio: Studio) -> None:
        lossy, transport = losing("/api/projects/")
        title = f"Lost {datetime.now(UTC).isoformat()}"
        made = lossy.create_project({"title": title, "label_config": CONFIG})
        assert transport.calls == 1
        assert [p["id"] for p in studio.projects() if p["title"] == title] == [made["id"]]
        studio.delete_project(made["id"])

    def test_of_two_projects_that_label_studio_made_of_one_request_one_stays(
        self, studio: Studio, studio_server: Any
    ) -> None:
        twice = Studio(studio_server.url, studio_server.token, transport=Repeats("/api/projects/"))
        fields = {"title": "Once", "label_config": CONFIG, "description": "tiebreak: once"}
        made = twice.create_project(fields, alone=True)
        assert [it["id"] for it in studio.projects() if it["title"] == "Once"] == [made["id"]]
        studio.delete_project(made["id"])

    def test_a_deletion_whose_answer_was_lost_is_done(self, losing: Callable, studio: Studio) -> None:
        id = studio.create_project({"title": "Delete me", "label_config": CONFIG})["id"]
        lossy, _ = losing(f"/api/projects/{id}/")
        lossy.delete_project(id)
        with pytest.raises(StudioNotFound, match=f"project {id}"):
            studio.project(id)

    def test_label_configs_are_validated(self, studio: Studio) -> None:
        studio.validate_config(CONFIG)
        with pytest.raises(ConfigError, match="'Choice' is a required property"):
            studio.validate_config('<View><Choices name="a" toName="b"/></View>')


class TestAnnotations:
    def test_one_is_stored_as_sent(self, studio: Studio, new_project: Projects) -> None:
        [task] = ids_of(studio, new_project(1))
        who = studio.add_annotator("as-sent@example.com")
        fields = {"result": choice("positive"), "completed_by": who, "lead_time": 1.5}
        made = studio.create_annotation(task, fields)
        assert studio.task(task)["annotations"][0]["id"] == made["id"]
        assert studio.update_annotation(made["id"], {"ground_truth": True})["ground_truth"]

    def test_a_lost_answer_does_not_double_it(self, losing: Callable, studio: Studio, new_project: Projects) -> None:
        [task] = ids_of(studio, new_project(1))
        lossy, transport = losing("/annotations/")
        made = lossy.create_annotation(task, {"result": choice("positive")})
        assert transport.calls == 2
        assert [annotation["id"] for annotation in studio.task(task)["annotations"]] == [made["id"]]


class TestPeople:
    def test_an_account_is_made_once(self, studio: Studio, losing: Callable) -> None:
        id = studio.add_annotator("Once@Example.com", "On", "Ce")
        assert studio.add_annotator("once@example.com ") == id
        assert studio.annotators()[id] == "once@example.com"
        lossy, _ = losing("/api/users/")
        assert lossy.add_annotator("lost@example.com") == studio.add_annotator("lost@example.com")

    def test_no_address_no_account(self, studio: Studio) -> None:
        with pytest.raises(InputError, match="e-mail"):
            studio.add_annotator("nobody")


class TestViews:
    def test_filters_and_ordering_are_kept_changed_and_taken_away(self, studio: Studio, new_project: Projects) -> None:
        id = new_project(1)
        item = {"filter": "filter:tasks:predictions_score", "operator": "less", "type": "Number", "value": 0.5}
        filters = {"conjunction": "and", "items": [item]}
        made = studio.create_view(
            id, {"title": "Uncertain", "filters": filters, "ordering": ["tasks:predictions_score"]}
        )
        [view] = studio.views(id)
        assert (view["id"], view["data"]["filters"]) == (made["id"], filters)
        studio.update_view(made["id"], {"title": "Least certain"})
        [view] = studio.views(id)
        assert view["data"] | {"title": "Uncertain"} == made["data"]
        studio.update_view(made["id"], {"filters": {}, "ordering": []})
        [view] = studio.views(id)
        assert (view["data"].get("ordering", []), view["data"]["filters"]["items"]) == ([], [])
        studio.delete_view(view["id"])
        assert studio.views(id) == []

    def test_a_project_that_is_not_there_has_no_views(self, studio: Studio) -> None:
        with pytest.raises(StudioNotFound):
            studio.views(999_999)


class TestWebhooks:
    def test_a_change_keeps_the_actions_and_headers(self, studio: Studio, new_project: Projects) -> None:
        id = new_project()
        fields = {
            "url": "http://127.0.0.1:9/webhook",
            "actions": ["ANNOTATION_CREATED", "ANNOTATIONS_DELETED"],
            "headers": {"X-Tiebreak-Secret": "hush"},
        }
        made = studio.add_webhook(id, fields)
        studio.update_webhook(made["id"], {"is_active": False})
        [webhook] = studio.webhooks(id)
        assert sorted(webhook["actions"]) == sorted(fields["actions"])
        assert (webhook["headers"], webhook["is_active"]) == (fields["headers"], False)
        studio.delete_webhook(made["id"])
        assert studio.webhooks(id) == []

    def test_a_lost_answer_does_not_double_it(self, losing: Callable, studio: Studio, new_project: Projects) -> None:
        id = new_project()
        lossy, _ = losing("/api/webhooks/")
        lossy.add_webhook(id, {"url": "http://127.0.0.1:9/once", "actions": ["ANNOTATION_CREATED"]})
        assert len(studio.webhooks(id)) == 1


class Backend(BaseHTTPRequestHandler):
    """The least that Label Studio takes for an ML backend, behind Basic auth (user:password)."""

    def do_GET(self) -> None:
        self._answer(b'{"status": "UP"}')

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(b'{"model_version": "v1"}')

    def _answer(self, body: bytes) -> None:
        known = self.headers["Authorization"] == "Basic dXNlcjpwYXNzd29yZA=="
        self.send_response(200 if known else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def backend_url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


class TestBackends:
    def test_basic_auth_survives_other_changes(self, studio: Studio, new_project: Projects, backend_url: str) -> None:
        id = new_project()
        login = {"basic_auth_user": "user", "basic_auth_pass": "password"}
        made = studio.add_backend(id, {"url": backend_url, "title": "Tiebreak", **login})
        changed = studio.update_backend(made["id"], {"title": "Renamed"})
        assert (changed["title"], changed["auth_method"], changed["state"]) == ("Renamed", "BASIC_AUTH", "CO")
        [listed] = studio.backends(id)
        assert (listed["title"], listed["basic_auth_pass_is_set"]) == ("Renamed", True)
        assert "password" not in str(listed.values())
        studio.delete_backend(made["id"])
        assert studio.backends(id) == []

    def test_a_wrong_password_is_refused_with_the_reason(
        self, studio: Studio, new_project: Projects, backend_url: str
    ) -> None:
        login = {"basic_auth_user": "user", "basic_auth_pass": "wrong"}
        with pytest.raises(StudioRefused, match="authentication parameters") as caught:
            studio.add_backend(new_project(), {"url": backend_url, "title": "Tiebreak", **login})
        assert "<a " not in str(caught.value)

    def test_a_backend_without_a_password_is_not_sent(self, studio: Studio) -> None:
        with pytest.raises(InputError, match="TIEBREAK_BACKEND_PASSWORD"):
            studio.add_backend(1, {"url": "http://127.0.0.1:9", "basic_auth_user": "user"})
