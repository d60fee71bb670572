"""Pre-labeling into a real Label Studio. The model is a stand-in that answers from the text; the last one is real."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from ml_backend.jobs import JOB_SETTINGS
from ml_backend.labeling.errors import ModelUnavailable, StudioRefused
from ml_backend.predictor import Doubts
from ml_backend.queues import WORK_QUEUE, Jobs
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from sdk_scripts.prelabel import Superseded, finish, open_run, predict_shard, prelabel
from sdk_scripts.prelabel_jobs import prelabel_job

CONFIG = """<View>
  <Text name="text" value="$text"/>
  <Choices name="sentiment" toName="text"><Choice value="good"/><Choice value="bad"/></Choices>
</View>"""


@dataclass(frozen=True)
class Answers:
    model_version: str
    results: list[dict[str, Any]]


@dataclass
class Reader:
    """Says what the text says: "good 0.9" is good with a confidence of 0.9; a text of one word has no answer."""

    version: str = "reader-1"
    becomes: str = ""
    """The version that is live after the first batch."""
    asked: list[list[int]] = field(default_factory=list)

    def model_version(self, project: str, config: Any) -> str:
        return self.version

    def predict(self, project: str, config: Any, tasks: Sequence[Mapping[str, Any]]) -> Answers:
        self.asked.append([task["id"] for task in tasks])
        version = self.becomes if self.becomes and len(self.asked) > 1 else self.version
        return Answers(version, [self._answer(task["data"]["text"].split(), version) for task in tasks])

    def doubts(self, project: str, config: Any, tasks: Sequence[Mapping[str, Any]]) -> Doubts:
        words = [task["data"]["text"].split() for task in tasks]
        confidence = np.array([float(it[1]) if len(it) > 1 else np.nan for it in words])
        topics = np.array([it[2] if len(it) > 2 else "0" for it in words]).astype(int) if words else np.zeros(0, int)
        return Doubts(self.version, confidence, 1 - confidence, np.eye(8, dtype=np.float32)[topics])

    def _answer(self, words: list[str], version: str) -> dict[str, Any]:
        if len(words) < 2:
            return {}
        value = {"choices": [words[0]]}
        region = {"from_name": "sentiment", "to_name": "text", "type": "choices", "value": value}
        return {"result": [region], "score": float(words[1]), "model_version": version}


Projects = Callable[[Sequence[str]], int]


@pytest.fixture
def project_of(studio: Studio) -> Iterator[Projects]:
    made: list[int] = []

    def make(texts: Sequence[str]) -> int:
        id = studio.create_project({"title": "Prelabel, live", "label_config": CONFIG})["id"]
        made.append(id)
        studio.import_tasks(id, [{"data": {"text": text}} for text in texts])
        return id

    yield make
    for id in made:
        studio.delete_project(id)


def versions_of(studio: Studio, project: int) -> list[list[str]]:
    return [sorted(p["model_version"] for p in task["predictions"]) for task in studio.tasks(project)]


def test_every_task_gets_one_prediction_and_a_second_run_pushes_nothing(
    studio: Studio, studio_settings: Settings, project_of: Projects
) -> None:
    id = project_of(["good 0.9", "bad 0.6", "silence"])
    outcome = prelabel(studio_settings, id, predictor=Reader())
    assert (outcome.tasks, outcome.predicted, outcome.pushed, outcome.skipped) == (3, 2, 2, 1)
    assert (outcome.version, outcome.shown) == ("reader-1", True)
    first, *_ = studio.tasks(id)
    [stored] = first["predictions"]
    assert (stored["result"][0]["value"], stored["score"]) == ({"choices": ["good"]}, 0.9)

    again = prelabel(studio_settings, id, predictor=Reader())
    assert (again.predicted, again.pushed, again.skipped, again.shown) == (0, 0, 3, True)
    assert versions_of(studio, id) == [["reader-1"], ["reader-1"], []]


def test_the_least_certain_is_served_first(studio: Studio, studio_settings: Settings, project_of: Projects) -> None:
    id = project_of(["good 0.9", "bad 0.3", "good 0.6"])
    studio.update_project(id, {"sampling": "Uncertainty sampling"})
    prelabel(studio_settings, id, predictor=Reader())
    assert studio.project(id)["model_version"] == "reader-1"
    served = studio.next_task(id)
    assert served is not None
    assert served["data"]["text"] == "bad 0.3"


def test_a_new_version_is_pushed_beside_the_old_one(
    studio: Studio, studio_settings: Settings, project_of: Projects
) -> None:
    id = project_of(["good 0.9", "bad 0.6"])
    for version in ("reader-1", "reader-10"):
        prelabel(studio_settings, id, predictor=Reader(version))
    assert versions_of(studio, id) == [["reader-1", "reader-10"]] * 2
    assert studio.project(id)["model_version"] == "reader-10"
    prelabel(studio_settings, id, predictor=Reader("reader-1"))
    assert studio.project(id)["model_version"] == "reader-1"  # rolled back, and nothing pushed twice
    assert versions_of(studio, id) == [["reader-1", "reader-10"]] * 2


def test_it_goes_on_where_it_stopped(
    studio: Studio, studio_settings: Settings, project_of: Projects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sdk_scripts.prelabel.TASKS_A_PREDICTION", 2)
    monkeypatch.setattr("sdk_scripts.prelabel.PREDICTIONS_A_PUSH", 2)
    id = project_of([f"good 0.{number}" for number in range(6)])

    class Stopped(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done >= 4:
            raise Stopped

    with pytest.raises(Stopped):
        prelabel(studio_settings, id, predictor=Reader(), progress=stop)
    assert studio.project(id)["model_version"] != "reader-1"
    rest = Reader()
    outcome = prelabel(studio_settings, id, predictor=rest)
    ids = [task["id"] for task in studio.tasks(id, data_only=True)]
    assert rest.asked == [ids[4:]]
    assert (outcome.pushed, outcome.shown) == (2, True)
    assert versions_of(studio, id) == [["reader-1"]] * 6


def test_only_missing_leaves_tasks_alone_that_any_version_predicted(
    studio: Studio, studio_settings: Settings, project_of: Projects
) -> None:
    id = project_of(["good 0.9"])
    prelabel(studio_settings, id, predictor=Reader("old"))
    studio.import_tasks(id, [{"data": {"text": "bad 0.4"}}])
    outcome = prelabel(studio_settings, id, predictor=Reader("new"), only_missing=True)
    assert (outcome.pushed, outcome.shown) == (1, False)  # the scores of "old" would vanish
    assert versions_of(studio, id) == [["old"], ["new"]]
    assert studio.project(id)["model_version"] == "old"


def test_tasks_that_came_while_others_were_predicted_are_still_to_come(
    studio: Studio, studio_settings: Settings, project_of: Projects
) -> None:
    id = project_of(["good 0.9"])
    with Jobs(studio_settings) as jobs:
        run = open_run(studio_settings, id, jobs, predictor=Reader(), studio=studio)
        shards = studio.ranges(id, 10)
        found = predict_shard(run, shards[0])
        studio.import_tasks(id, [{"data": {"text": "bad 0.4"}}])
        last = open_run(studio_settings, id, jobs, predictor=Reader(), studio=studio)  # by the job of the last shard
        finish(last, shards, found)
        key, queue = run.key, jobs.queue(WORK_QUEUE)
        jobs.prelabel_new_tasks(key, id, "reader-1", 2)
        assert len(queue.job_ids) == 1
        queue.empty()
        prelabel(studio_settings, id, predictor=Reader(), studio=studio)
        jobs.prelabel_new_tasks(key, id, "reader-1", 2)
        assert queue.job_ids == []


def test_what_does_not_fit_the_label_config_is_left_out_and_said(
    studio: Studio, studio_settings: Settings, project_of: Projects
) -> None:
    id = project_of(["good 0.9", "ugly 0.8", "bad 7.5"])
    outcome = prelabel(studio_settings, id, predictor=Reader())
    assert (outcome.pushed, outcome.rejected) == (1, 2)
    assert "ugly" in outcome.reasons[0]
    assert "7.5" in outcome.reasons[1]
    assert versions_of(studio, id) == [["reader-1"], [], []]


def test_where_nothing_fits_the_model_is_to_blame(studio_settings: Settings, project_of: Projects) -> None:
    with pytest.raises(ModelUnavailable, match=r"ugly.*Train anew"):
        prelabel(studio_settings, project_of(["ugly 0.8"]), predictor=Reader())


def test_a_version_that_is_not_live_is_not_pushed(
    studio: Studio, studio_settings: Settings, project_of: Projects
) -> None:
    id = project_of(["good 0.9"])
    with pytest.raises(Superseded, match="reader-0"):
        prelabel(studio_settings, id, predictor=Reader(), version="reader-0")
    assert versions_of(studio, id) == [[]]


def test_a_version_promoted_meanwhile_ends_the_run(
    studio: Studio, studio_settings: Settings, project_of: Projects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sdk_scripts.prelabel.TASKS_A_PREDICTION", 1)
    monkeypatch.setattr("sdk_scripts.prelabel.PREDICTIONS_A_PUSH", 1)
    id = project_of(["good 0.9", "bad 0.8"])
    with pytest.raises(Superseded) as caught:
        prelabel(studio_settings, id, predictor=Reader(becomes="reader-2"))
    assert caught.value.live == "reader-2"
    assert studio.project(id)["model_version"] != "reader-1"


def test_an_empty_project_is_no_trouble(studio_settings: Settings, project_of: Projects) -> None:
    outcome = prelabel(studio_settings, project_of([]), predictor=Reader())
    assert (outcome.tasks, outcome.pushed, outcome.shown) == (0, 0, False)


def test_a_prediction_that_label_studio_loses_does_not_go_unnoticed(
    studio: Studio, studio_settings: Settings, project_of: Projects, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = project_of(["good 0.9", "bad 0.5"])

    class Wordy(Reader):
        def _answer(self, words: list[str], version: str) -> dict[str, Any]:
            return super()._answer(words, version) | {"score": "high" if words[0] == "bad" else 0.5}

    monkeypatch.setattr("ml_backend.studio.checks.prediction_problems", lambda *_: [])
    monkeypatch.setattr("ml_backend.studio.predictions.prediction_problems", lambda *_: [])
    with pytest.raises(StudioRefused, match="1 of 2 predictions"):
        prelabel(studio_settings, id, predictor=Wordy())
    assert studio.project(id)["model_version"] != "reader-1"


class TestJob:
    @pytest.fixture(autouse=True)
    def _worker(self, studio_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setattr("sdk_scripts.prelabel._predictor", lambda settings: Reader())
        token = JOB_SETTINGS.set(studio_settings)
        yield
        JOB_SETTINGS.reset(token)

    def test_it_pushes_the_live_version(self, studio: Studio, project_of: Projects) -> None:
        id = project_of(["good 0.9"])
        assert prelabel_job(id, "reader-1")["pushed"] == 1
        assert studio.project(id)["model_version"] == "reader-1"

    def test_it_ends_where_another_version_is_live(self, studio: Studio, project_of: Projects) -> None:
        id = project_of(["good 0.9"])
        assert prelabel_job(id, "reader-0") == {"superseded_by": "reader-1"}
        assert versions_of(studio, id) == [[]]

    def test_it_ends_where_the_project_was_deleted(self) -> None:
        assert "project 999999" in prelabel_job(999_999, "reader-1")["error"]


def test_tasks_that_cannot_be_read_cost_only_themselves(
    studio: Studio, studio_settings: Settings, project_of: Projects
) -> None:
    id = project_of(["This works perfectly, I love it."])
    odd: list[Any] = ["", " \t", [], 5, [[["deep"]]], "\x01\x7f\ufffe", "lovely " * 300_000, "=1+1", "好"]
    studio.import_tasks(id, [{"data": {"text": text}} for text in odd] + [{"data": {"text": "ok", "more": [None]}}])
    outcome = prelabel(studio_settings, id)
    assert (outcome.tasks, outcome.rejected) == (len(odd) + 2, 0)
    first, *others = studio.tasks(id)
    assert first["predictions"]
    assert [bool(task["predictions"]) for task in others[:3]] == [False, False, False]
    assert others[-1]["predictions"]


def test_the_real_model_predicts_before_any_training(
    studio: Studio, studio_settings: Settings, project_of: Projects
) -> None:
    id = project_of(["This works perfectly, I love it.", "It broke after a day, awful."])
    outcome = prelabel(studio_settings, id)
    assert (outcome.pushed, outcome.rejected, outcome.shown) == (2, 0, True)
    assert outcome.version.startswith("zero-shot-")
    scores = [task["predictions"][0]["score"] for task in studio.tasks(id)]
    assert all(0 <= score <= 1 for score in scores)
