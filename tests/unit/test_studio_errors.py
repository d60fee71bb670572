"""What Studio makes of answers, and of none. The bodies are those of Label Studio 1.23.2."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from ml_backend.labeling.errors import (
    InputError,
    StudioError,
    StudioNotFound,
    StudioRefused,
    StudioUnauthorized,
    StudioUnreachable,
)
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from ml_backend.studio.payloads import differing
from ml_backend.studio.refusals import MAX_LENGTH, plain

TOKEN = "0123456789abcdef0123456789abcdef01234567"
BANNED = {"status_code": 403, "detail": "URL resolves to a reserved network address (block: 127.0.0.0/8)"}
LEGACY = {
    "status_code": 401,
    "detail": "Authentication token no longer valid: legacy token authentication has been disabled for this "
    "organization",
}


class Server:
    """Answers every call from a list, the last one for good, and remembers the calls."""

    def __init__(self, answers: Sequence[httpx.Response | Exception]) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


Answering = Callable[..., tuple[Studio, Server]]


@pytest.fixture
def answering() -> Answering:
    def make(*answers: httpx.Response | Exception, token: str = TOKEN, url: str = "http://studio") -> Any:
        server = Server(answers)
        return Studio(url, token, timeout=0.05, pause=0.0, transport=httpx.MockTransport(server)), server

    return make


def answer(status: int, body: Any = None, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=body, headers=headers)


def jwt(**claims: Any) -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, claims, {})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)


class TestWhichSettingToChange:
    def test_links_lead_where_people_reach_it(self, settings: Settings) -> None:
        inside = settings.model_copy(
            update={"studio_url": "http://label-studio:8080", "studio_token": SecretStr(TOKEN)}
        )
        assert Studio.connect(inside).data_manager(3) == "http://label-studio:8080/projects/3/data"
        outside = inside.model_copy(update={"studio_public_url": "https://labels.example.com"})
        assert Studio.connect(outside).data_manager(3) == "https://labels.example.com/projects/3/data"

    def test_no_token_names_the_setting(self, settings: Settings) -> None:
        with pytest.raises(StudioUnauthorized, match="TIEBREAK_STUDIO_TOKEN"):
            Studio.connect(settings)

    @pytest.mark.parametrize("token", ["two words", "schlüssel", "line\nbreak"])
    def test_what_cannot_be_a_token_is_not_sent_nor_shown(self, token: str) -> None:
        with pytest.raises(StudioUnauthorized, match="TIEBREAK_STUDIO_TOKEN") as caught:
            Studio("http://studio", token)
        assert token not in str(caught.value)

    def test_a_token_of_another_server(self, answering: Answering) -> None:
        studio, _ = answering(answer(401, {"detail": "Invalid token."}))
        with pytest.raises(StudioUnauthorized, match=r"Invalid token.*TIEBREAK_STUDIO_TOKEN"):
            studio.projects()

    def test_legacy_tokens_switched_off(self, answering: Answering) -> None:
        studio, _ = answering(answer(401, LEGACY))
        with pytest.raises(StudioUnauthorized, match=r"personal access token.*turn legacy tokens on"):
            studio.projects()

    def test_an_expired_personal_access_token(self, answering: Answering) -> None:
        expired = jwt(token_type="refresh", exp=1)
        studio, _ = answering(answer(200, []), token=expired)
        with pytest.raises(StudioUnauthorized, match=r"expired.*TIEBREAK_STUDIO_TOKEN") as caught:
            studio.annotators()
        assert expired not in str(caught.value)

    def test_a_personal_access_token_of_another_server(self, answering: Answering) -> None:
        pat = jwt(token_type="refresh", exp=10**10)
        studio, server = answering(answer(401, {"detail": "Token is invalid"}), token=pat)
        with pytest.raises(StudioUnauthorized, match="Token is invalid"):
            studio.annotators()
        assert [request.url.path for request in server.requests] == ["/api/token/refresh/"]

    def test_the_tokens_are_exchanged_below_the_path_of_the_address(self, answering: Answering) -> None:
        pat = jwt(token_type="refresh", exp=10**10)
        access = answer(200, {"access": jwt(token_type="access", exp=10**10)})
        studio, server = answering(access, answer(200, []), token=pat, url="https://host/labels/")
        studio.annotators()
        paths = [request.url.path for request in server.requests]
        assert paths == ["/labels/api/token/refresh/", "/labels/api/users/"]

    def test_a_private_backend_address(self, answering: Answering) -> None:
        studio, _ = answering(answer(403, BANNED))
        with pytest.raises(StudioRefused, match=r"reserved network address.*USE_DEFAULT_BANNED_SUBNETS=false"):
            studio.add_backend(1, {"url": "http://127.0.0.1:9090"})
        with pytest.raises(StudioRefused, match="SSRF_PROTECTION_ENABLED=false"):
            studio.add_webhook(1, {"url": "http://127.0.0.1:9090/webhook"})

    def test_nobody_listens(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
        with pytest.raises(StudioUnreachable, match=rf"127.0.0.1:{port}.*refused.*TIEBREAK_STUDIO_URL"):
            Studio(f"http://127.0.0.1:{port}", TOKEN, pause=0.0).version()

    def test_the_address_is_none(self) -> None:
        with pytest.raises(StudioUnreachable, match="TIEBREAK_STUDIO_URL"):
            Studio("nowhere", TOKEN, pause=0.0).version()

    def test_something_else_answers(self, answering: Answering) -> None:
        studio, _ = answering(httpx.Response(200, html="<h1>Welcome</h1>"))
        with pytest.raises(StudioError, match="TIEBREAK_STUDIO_URL"):
            studio.version()

    def test_a_redirection_is_not_followed(self, answering: Answering) -> None:
        studio, server = answering(answer(301, location="https://studio/api/projects/"))
        with pytest.raises(StudioError, match=r"https://studio/api/projects/.*TIEBREAK_STUDIO_URL"):
            studio.create_project({"title": "abc"})
        assert len(server.requests) == 1

    def test_a_404_names_what_is_missing(self, answering: Answering) -> None:
        studio, _ = answering(answer(404, {"detail": "No Project matches the given query."}))
        with pytest.raises(StudioNotFound, match="has no project 7"):
            studio.project(7)

    def test_every_reason_of_a_400_is_given(self, answering: Answering) -> None:
        reasons = {"title": ["Too short.", "Too dull."], "non_field_errors": ["No."]}
        studio, _ = answering(answer(400, {"detail": "Validation error", "validation_errors": reasons}))
        with pytest.raises(StudioRefused, match=r"title: Too short\.; title: Too dull\.; No\."):
            studio.update_project(1, {"title": "a"})

    def test_a_failure_points_to_the_log(self, answering: Answering) -> None:
        studio, _ = answering(answer(500, {"detail": "'data'"}))
        with pytest.raises(StudioError, match=r"500.*log"):
            studio.project(1)


class TestRepeating:
    @pytest.mark.parametrize("trouble", [answer(502), answer(503), answer(504), answer(429), httpx.ReadError("gone")])
    def test_reading_is_tried_again(self, answering: Answering, trouble: Any) -> None:
        studio, server = answering(trouble, trouble, answer(200, {"id": 1}))
        assert studio.project(1) == {"id": 1}
        assert len(server.requests) == 3

    def test_reading_gives_up_in_the_end(self, answering: Answering) -> None:
        studio, server = answering(answer(503))
        with pytest.raises(StudioUnreachable, match="503"):
            studio.project(1)
        assert len(server.requests) == 4

    @pytest.mark.parametrize("trouble", [answer(429), httpx.ConnectError("refused")])
    def test_what_did_not_arrive_is_sent_again(self, answering: Answering, trouble: Any) -> None:
        studio, server = answering(trouble, answer(200, {"id": 5}))
        assert studio._call("POST", "/api/anything") == {"id": 5}
        assert len(server.requests) == 2

    @pytest.mark.parametrize("trouble", [answer(502), httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("cut")])
    def test_what_may_have_arrived_is_not_sent_again_blindly(self, answering: Answering, trouble: Any) -> None:
        studio, server = answering(trouble, answer(200, {"id": 5}))
        with pytest.raises(StudioUnreachable):
            studio._call("POST", "/api/anything")
        assert len(server.requests) == 1

    def test_a_refusal_is_not_repeated(self, answering: Answering) -> None:
        studio, server = answering(answer(400, {"detail": "no"}))
        with pytest.raises(StudioRefused):
            studio.update_project(1, {"title": "abc"})
        assert len(server.requests) == 1

    def test_a_deletion_that_was_done_before_its_answer_was_lost_is_done(self, answering: Answering) -> None:
        studio, _ = answering(httpx.ReadTimeout("slow"), answer(404, {"detail": "gone"}))
        studio.delete_project(1)
        studio, _ = answering(answer(404, {"detail": "gone"}))
        with pytest.raises(StudioNotFound):
            studio.delete_project(1)


class TestReadingTasks:
    """The first answer is to the question how many there are."""

    def page(self, ids: Sequence[int], total: int) -> httpx.Response:
        return answer(200, {"tasks": [{"id": id} for id in ids], "total": total})

    def test_a_404_in_the_middle_is_no_end(self, answering: Answering) -> None:
        studio, _ = answering(self.page([1], 5), self.page([1, 2], 5), answer(404, {"detail": "Invalid page."}))
        with pytest.raises(StudioNotFound):
            list(studio.tasks(1))

    def test_a_capped_page_is_no_end(self, answering: Answering) -> None:
        studio, _ = answering(self.page([1], 3), self.page([1, 2], 3), self.page([7], 1))
        assert [task["id"] for task in studio.tasks(1)] == [1, 2, 7]

    def test_an_empty_page_before_the_end_is_an_error(self, answering: Answering) -> None:
        studio, _ = answering(self.page([1], 5), self.page([1, 2], 5), self.page([], 3))
        with pytest.raises(StudioError, match="2 of 5 tasks"):
            list(studio.tasks(1))

    def test_tasks_that_went_missing_are_an_error(self, answering: Answering) -> None:
        studio, _ = answering(self.page([1], 5), self.page([1, 2], 5), self.page([4], 1), self.page([1], 5))
        with pytest.raises(StudioError, match="3 of 5 tasks"):
            list(studio.tasks(1))

    def test_pages_that_go_round_are_an_error(self, answering: Answering) -> None:
        studio, _ = answering(self.page([1, 2], 5))
        with pytest.raises(StudioError, match="out of order"):
            list(studio.tasks(1))


class TestSecrets:
    @pytest.mark.parametrize("status", [400, 401, 403, 500])
    def test_a_token_that_the_server_repeats_is_cut_out(self, answering: Answering, status: int) -> None:
        studio, _ = answering(answer(status, {"detail": f"bad header Token {TOKEN}"}))
        with pytest.raises(StudioError, match=r"\(token\)") as caught:
            studio.project(1)
        assert TOKEN not in str(caught.value)

    def test_neither_token_nor_password_is_shown(self, answering: Answering) -> None:
        studio, _ = answering(answer(500), url="http://user:hush@studio:8080")
        with pytest.raises(StudioError) as caught:
            studio.project(1)
        assert "hush" not in repr(studio) + str(caught.value)
        assert TOKEN not in repr(studio) + str(vars(caught.value))

    @given(st.text(max_size=2000))
    def test_words_of_the_server_stay_on_one_short_printable_line(self, text: str) -> None:
        shown = plain(text)
        assert len(shown) <= MAX_LENGTH
        assert shown.isprintable()
        assert plain(shown) == shown

    def test_escapes_and_markup_are_taken_out(self) -> None:
        assert plain('\x1b[31mred\x1b[0m\r\n<a href="http://evil">here</a>\u202e') == "[31mred [0m here"


class TestNothingUnsendableIsSent:
    def test_a_number_that_json_lacks_is_an_input_error(self, answering: Answering) -> None:
        studio, server = answering(answer(200, {"tasks": [], "total": 0}))
        with pytest.raises(InputError, match="JSON"):
            studio.import_tasks(1, [{"data": {"score": float("nan")}}])
        assert not server.requests


@pytest.mark.parametrize(
    ("sent", "stored", "names"),
    [
        ({"a": 1}, {"a": 1.0, "b": 2}, []),
        ({"a": None}, {"a": ""}, []),
        ({"a": None}, {}, []),
        ({"a": "x\r\ny"}, {"a": "x\ny\n"}, []),
        ({"a": {"b": [1, {"c": 2}]}}, {"a": {"b": [1, {"c": 2, "d": 3}], "e": 4}}, []),
        ({"a": 1, "b": 2}, {"a": 2}, ["a", "b"]),
        ({"a": [1]}, {"a": [1, 2]}, ["a"]),
        ({"a": False}, {}, ["a"]),
        ({"a": {}}, {"a": None}, ["a"]),
    ],
)
def test_dropped_fields_are_found(sent: Any, stored: Any, names: list[str]) -> None:
    assert differing(sent, stored) == names
