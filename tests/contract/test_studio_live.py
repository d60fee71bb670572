"""Studio against a real Label Studio; each test has a project of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest

from ml_backend.labeling.errors import (
    ConfigError,
    InputError,
    StudioError,
    StudioNotFound,
    StudioRefused,
    StudioUnauthorized,
)
from ml_backend.settings import Settings
from ml_backend.studio import Studio

CONFIG = """<View>
  <Text name="text" value="$text"/>
  <Choices name="sentiment" toName="text"><Choice value="positive"/><Choice value="negative"/></Choices>
</View>"""

Projects = Callable[..., int]


def choice(label: str, control: str = "sentiment") -> list[dict[str, Any]]:
    return [{"from_name": control, "to_name": "text", "type": "choices", "value": {"choices": [label]}}]


def prediction(
    task: int, version: str = "v1", score: Any = 0.5, label: str = "positive", **more: Any
) -> dict[str, Any]:
    return {"task": task, "result": choice(label), "score": score, "model_version": version, **more}


@pytest.fixture
def new_project(studio: Studio) -> Iterator[Projects]:
    made: list[int] = []

    def make(tasks: int = 0, **fields: Any) -> int:
        project = studio.create_project({"title": "Studio, live", "label_config": CONFIG, **fields})
        made.append(project["id"])
        if tasks:
            studio.import_tasks(project["id"], [{"data": {"text": f"text {number}"}} for number in range(tasks)])
        return project["id"]

    yield make
    for id in made:
        studio.delete_project(id)


def ids_of(studio: Studio, project: int) -> list[int]:
    return [task["id"] for task in studio.tasks(project, data_only=True)]


class LosesAnswers(httpx.BaseTransport):
    """Passes calls on to the real server; of calls to `path` it loses the first `times` answers, or the calls."""

    def __init__(self, path: str, *, times: int = 1, arrives: bool = True) -> None:
        self.path, self.times, self.arrives, self.calls = path, times, arrives, 0
        self.inner = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET" or not request.url.path.endswith(self.path):
            return self.inner.handle_request(request)
        self.calls += 1
        if self.calls > self.times:
            return self.inner.handle_request(request)
        if self.arrives:
            self.inner.handle_request(request).read()
        raise httpx.ReadTimeout("no answer", request=request)


@pytest.fixture
def losing(studio_server: Any) -> Callable[..., tuple[Studio, LosesAnswers]]:
    def make(path: str, **how: Any) -> tuple[Studio, LosesAnswers]:
        transport = LosesAnswers(path, **how)
        return Studio(studio_server.url, studio_server.token, timeout=2.0, pause=0.01, transport=transport), transport

    return make


class TestSigningIn:
    def test_the_version_is_label_studios(self, studio: Studio) -> None:
        assert studio.version() == "1.23.2"

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


class TestTasks:
    def test_tasks_come_in_full_and_in_order(self, studio: Studio, new_project: Projects) -> None:
        id = new_project()
        who = studio.add_annotator("in-full@example.com")
        annotation = {"result": choice("negative"), "completed_by": who, "lead_time": 2.5}
        guess = {"result": choice("positive"), "score": 0.75, "model_version": "v1"}
        one = {"data": {"text": "a"}, "meta": {"k": 1}, "annotations": [annotation], "predictions": [guess]}
        studio.import_tasks(id, [one, {"data": {"text": "b"}}])
        first, second = studio.tasks(id)
        assert (first["data"], first["meta"], second["data"]) == ({"text": "a"}, {"k": 1}, {"text": "b"})
        [stored] = first["annotations"]
        assert (stored["completed_by"], stored["result"], stored["lead_time"]) == (who, choice("negative"), 2.5)
        assert not stored["ground_truth"]
        [guessed] = first["predictions"]
        assert (guessed["result"], guessed["score"], guessed["model_version"]) == (choice("positive"), 0.75, "v1")

    def test_every_task_comes_once_over_several_pages(
        self, studio: Studio, new_project: Projects, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        id = new_project(25)
        monkeypatch.setattr("ml_backend.studio.tasks.PAGE", 10)
        found = ids_of(studio, id)
        assert len(set(found)) == len(found) == studio.task_count(id) == 25

    def test_tasks_deleted_during_the_reading_shift_nothing(
        self, studio: Studio, new_project: Projects, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        id = new_project(25)
        everything = ids_of(studio, id)
        monkeypatch.setattr("ml_backend.studio.tasks.PAGE", 10)
        reading = studio.tasks(id, data_only=True)
        found = [next(reading)["id"]]
        assert studio.delete_tasks(id, everything[:5]) == 5
        found += [task["id"] for task in reading]
        assert found == everything

    def test_a_snapshot_says_the_same_as_the_pages(
        self, studio: Studio, new_project: Projects, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        id = new_project(20)
        ids = ids_of(studio, id)
        studio.import_tasks(id, [{"data": {"text": "schön ✓ [{]}\\"}, "meta": {"k": [1]}}])
        studio.import_predictions(id, [prediction(task) for task in ids[:3]])
        for task in ids[:2]:
            studio.create_annotation(task, {"result": choice("negative"), "lead_time": 1.5})
        studio.create_annotation(ids[4], {"result": [], "was_cancelled": True})
        paged = list(studio.tasks(id))
        monkeypatch.setattr("ml_backend.studio.tasks.SNAPSHOT_FROM", 1)
        monkeypatch.setattr("ml_backend.studio.snapshots.CHUNK", 700)
        monkeypatch.setattr(Studio, "_matching", lambda *_, **__: pytest.fail("read page by page"))
        whole = list(studio.tasks(id))
        passing = {"created_ago", "created_username", "prediction", "result_count", "unique_id"}
        for one, other in zip(paged, whole, strict=True):
            for name in ("id", "data", "meta", "updated_at"):
                assert one[name] == other[name]
            for name in ("annotations", "predictions"):
                for left, right in zip(one[name], other[name], strict=True):
                    assert {k: v for k, v in left.items() if k not in passing}.items() <= right.items()
        assert studio._get(f"/api/projects/{id}/exports/") == []

    def test_pages_help_where_there_is_no_snapshot(
        self, studio: Studio, new_project: Projects, losing: Callable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        id = new_project(5)
        monkeypatch.setattr("ml_backend.studio.tasks.SNAPSHOT_FROM", 1)
        lossy, _ = losing("/exports/", arrives=False)
        assert [task["id"] for task in lossy.tasks(id)] == ids_of(studio, id)

    def test_ids_and_times_are_filtered_by_the_server(self, studio: Studio, new_project: Projects) -> None:
        id = new_project(5)
        ids = ids_of(studio, id)
        assert [task["id"] for task in studio.tasks(id, ids=[ids[3], ids[1], 10**9])] == [ids[1], ids[3]]
        assert list(studio.tasks(id, ids=[])) == []
        last = max(datetime.fromisoformat(task["updated_at"]) for task in studio.tasks(id))
        made = studio.create_annotation(ids[2], {"result": choice("positive")})
        assert [task["id"] for task in studio.tasks(id, updated_after=last)] == [ids[2]]
        [changed] = studio.tasks(id, updated_after=last)
        now = datetime.fromisoformat(changed["updated_at"])
        studio.delete_annotation(made["id"])
        assert [task["id"] for task in studio.tasks(id, updated_after=now)] == [ids[2]]

    def test_a_project_that_is_not_there_is_not_empty(self, studio: Studio) -> None:
        with pytest.raises(StudioNotFound, match="project 999999"):
            list(studio.tasks(999_999))
        with pytest.raises(StudioNotFound, match="project 999999"):
            studio.task_count(999_999)
        with pytest.raises(StudioNotFound, match="project 999999"):
            studio.next_task(999_999)

    def test_an_empty_project_has_no_tasks_and_no_next_one(self, studio: Studio, new_project: Projects) -> None:
        id = new_project()
        assert list(studio.tasks(id)) == []
        assert studio.next_task(id) is None

    def test_the_queue_serves_a_task(self, studio: Studio, new_project: Projects) -> None:
        id = new_project(2)
        served = studio.next_task(id)
        assert served is not None
        assert served["id"] in ids_of(studio, id)


class TestImportingTasks:
    def test_batches_add_up(self, studio: Studio, new_project: Projects, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("ml_backend.studio.imports.BATCH_TASKS", 10)
        id = new_project()
        assert studio.import_tasks(id, [{"data": {"text": str(number)}} for number in range(25)]) == 25
        assert studio.task_count(id) == 25

    def test_the_servers_reasons_name_the_item(self, studio: Studio, new_project: Projects) -> None:
        with pytest.raises(StudioRefused, match='item 0: "text" key is expected'):
            studio.import_tasks(new_project(), [{"data": {"other": "a"}}])

    @pytest.mark.parametrize("bad", [{"text": "no data"}, "text", {"data": [1]}, None])
    def test_what_is_no_task_is_not_sent(self, studio: Studio, bad: Any) -> None:
        with pytest.raises(InputError, match="Item 1"):
            studio.import_tasks(999_999, [{"data": {"text": "a"}}, bad])

    def test_a_batch_whose_answer_was_lost_is_not_doubled(
        self, losing: Callable, studio: Studio, new_project: Projects
    ) -> None:
        id = new_project(3)
        lossy, transport = losing("/import", times=9)
        same_texts = [{"data": {"text": "twice", "n": 1.0}}] * 2
        assert lossy.import_tasks(id, same_texts) == 2
        assert transport.calls == 1
        assert studio.task_count(id) == 5

    def test_a_batch_that_never_arrived_is_sent_again(
        self, losing: Callable, studio: Studio, new_project: Projects
    ) -> None:
        id = new_project(3)
        lossy, transport = losing("/import", arrives=False)
        assert lossy.import_tasks(id, [{"data": {"text": "late"}}]) == 1
        assert transport.calls == 2
        assert studio.task_count(id) == 4


class TestPredictions:
    def test_they_are_stored_once_per_version(self, studio: Studio, new_project: Projects) -> None:
        id = new_project(4)
        ids = ids_of(studio, id)
        assert studio.import_predictions(id, [prediction(task) for task in ids[:2]]) == 2
        assert studio.import_predictions(id, [prediction(task) for task in ids]) == 2
        assert studio.import_predictions(id, [prediction(task, "v2", None) for task in ids[:1]]) == 1
        assert studio.model_versions(id) == {"v1": 4, "v2": 1}
        assert studio.predicted(id, "v1") == set(ids)
        assert [len(task["predictions"]) for task in studio.tasks(id)] == [2, 1, 1, 1]

    def test_a_version_is_found_by_its_whole_name(self, studio: Studio, new_project: Projects) -> None:
        id = new_project(3)
        ids = ids_of(studio, id)
        odd = "100% v1, really"
        studio.import_predictions(id, [prediction(ids[0], "v1"), prediction(ids[1], "v10"), prediction(ids[2], odd)])
        assert studio.predicted(id, "v1") == {ids[0]}
        assert studio.predicted(id, "v10") == {ids[1]}
        assert studio.predicted(id, odd) == {ids[2]}
        long_names = [f"version-{number}-{'x' * 50}" for number in range(9)]
        studio.import_predictions(id, [prediction(ids[0], name) for name in long_names])
        assert all(studio.predicted(id, name) == {ids[0]} for name in long_names)

    def test_tasks_without_a_version_are_asked_of_the_server(self, studio: Studio, new_project: Projects) -> None:
        id = new_project(3)
        ids = ids_of(studio, id)
        assert studio.task_count(id, predicted=True) == 0
        studio.import_predictions(id, [prediction(ids[0]), prediction(ids[1], "v10")])
        assert [task["id"] for task in studio.tasks_without(id, "v10")] == [ids[0], ids[2]]
        assert sorted(task["id"] for task in studio.tasks_without(id, "v1")) == ids[1:]
        assert [task["id"] for task in studio.tasks(id, unpredicted=True)] == ids[2:]
        assert studio.task_count(id, predicted=True) == 2

    def test_what_does_not_fit_the_label_config_is_not_sent(self, studio: Studio, new_project: Projects) -> None:
        id = new_project(1)
        [task] = ids_of(studio, id)
        bad = [
            prediction(task, label="neutral"),
            prediction(task) | {"result": choice("positive", "mood")},
            prediction(task, score="0.5"),
            prediction(task, score=7.5),
            prediction(task, version=""),
        ]
        with pytest.raises(InputError, match=r"item 0.*neutral.*item 1.*mood.*item 2.*score.*item 3.*7\.5.*item 4"):
            studio.import_predictions(id, bad)
        assert studio.model_versions(id) == {}

    def test_an_unknown_task_is_refused_and_nothing_is_stored(self, studio: Studio, new_project: Projects) -> None:
        id = new_project(1)
        [task] = ids_of(studio, id)
        with pytest.raises(StudioError, match=r"999999999"):
            studio.import_predictions(id, [prediction(task), prediction(999_999_999)])
        assert studio.model_versions(id) == {}

    def test_a_prediction_that_label_studio_drops_is_named(
        self, studio: Studio, new_project: Projects, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        id = new_project(2)
        ids = ids_of(studio, id)
        monkeypatch.setattr("ml_backend.studio.predictions.prediction_problems", lambda *_: [])
        with pytest.raises(StudioRefused, match=f"1 of 2 predictions and dropped the others, those of tasks {ids[1]}"):
            studio.import_predictions(id, [prediction(ids[0]), prediction(ids[1], score="high")])

    @pytest.mark.parametrize("arrives", [True, False])
    def test_a_lost_answer_neither_loses_nor_doubles(
        self, losing: Callable, studio: Studio, new_project: Projects, arrives: bool
    ) -> None:
        id = new_project(3)
        lossy, transport = losing("/import/predictions", arrives=arrives)
        assert lossy.import_predictions(id, [prediction(task) for task in ids_of(studio, id)]) == 3
        assert transport.calls == (1 if arrives else 2)
        assert studio.model_versions(id) == {"v1": 3}

    def test_a_cluster_is_kept(self, studio: Studio, new_project: Projects) -> None:
        id = new_project(2)
        ids = ids_of(studio, id)
        assert studio.import_predictions(id, [prediction(task, cluster=task % 2) for task in ids]) == 2
        stored = [task["predictions"][0]["cluster"] for task in studio.tasks(id)]
        assert stored == [task % 2 for task in ids]

    def test_they_are_deleted_by_version_or_id(self, studio: Studio, new_project: Projects) -> None:
        id = new_project(2)
        ids = ids_of(studio, id)
        studio.import_predictions(id, [prediction(task, version) for task in ids for version in ("v1", "v2")])
        assert studio.delete_predictions(id, version="v1") == 2
        [task, _] = studio.tasks(id)
        assert studio.delete_predictions(id, ids=[task["predictions"][0]["id"]]) == 1
        assert studio.model_versions(id) == {"v2": 1}

    @pytest.mark.parametrize("counts_all", [True, False], ids=["by every import", "one by one"])
    def test_tasks_that_a_broken_import_left_uncounted_are_counted(
        self, studio: Studio, new_project: Projects, losing: Callable, counts_all: bool
    ) -> None:
        id = new_project(3)
        ids = ids_of(studio, id)
        studio.import_predictions(id, [prediction(task) for task in ids])
        for task in ids[:2]:
            studio._call("PATCH", f"/api/tasks/{task}/", json={"total_predictions": 0})
        assert studio.task_count(id, predicted=True) == 1
        asking = studio if counts_all else losing("/import/predictions", arrives=False)[0]
        assert asking.recount(id, "v1", seconds=60) == 2
        assert studio.task_count(id, predicted=True) == 3
        assert studio.recount(id, "v1", seconds=60) == 0

    def test_a_model_version_without_predictions_is_refused(self, studio: Studio, new_project: Projects) -> None:
        with pytest.raises(StudioRefused, match="model_version"):
            studio.update_project(new_project(), {"model_version": "nobody"})


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
