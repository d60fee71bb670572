"""The cascade against a local endpoint: who is asked, what comes of it, and what happens when it fails."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from large_model_server import Asked, LargeModelServer, Says, Status
from msgspec.structs import replace
from unit.cascade.riddles import KEY, Project, asked, knowing, labelled, riddles, right
from unit.learning.reviews import SENTIMENT, choice, task

from ml_backend.cases import Case
from ml_backend.encoder import Encoder
from ml_backend.labeling.config import parse
from ml_backend.labeling.results import read_task
from ml_backend.policy import LargeModel as Terms
from ml_backend.settings import Settings
from ml_backend.training import train

KNOWN, NEW = riddles(160, 0), riddles(60, 1, 1_000)


@pytest.fixture(scope="module")
def server() -> Iterator[LargeModelServer]:
    with LargeModelServer(knowing(KNOWN, NEW)) as server:
        yield server


@pytest.fixture
def project(server: LargeModelServer, settings: Settings, encoder: Encoder) -> Project:
    server.asked.clear()
    server.troubles, server._befallen, server.always = [], 0, None
    made = Project(server, settings, encoder)
    train(KEY, SENTIMENT, labelled(KNOWN), encoder, made.registry)
    return made


def about(server: LargeModelServer) -> list[str]:
    return [it.text for it in server.asked]


def test_only_doubtful_tasks_are_asked_and_answers_get_better(project: Project, server: LargeModelServer) -> None:
    with project.cascade(Terms(below=0.8, unknown_from=None), labelled=labelled(KNOWN)) as cascade:
        views = cascade.views(asked(NEW))
    doubtful = {view.task for view in views if view.local["sentiment"].confidence < 0.8}
    assert 20 <= len(doubtful) < 40
    assert {view.task for view in views if view.by == "joint"} == doubtful
    assert {view.task for view in views if view.cost is not None} == doubtful
    alone = sum(view.local["sentiment"].answer == (label,) for view, (_, _, label) in zip(views, NEW, strict=True))
    assert right(views, NEW) > alone / len(NEW) + 0.1
    texts = {text for id, text, _ in NEW if id in doubtful}
    assert texts == set(about(server)) - {text for _, text, _ in KNOWN}


def test_trust_is_learned_from_labelled_tasks_once_and_kept(project: Project, server: LargeModelServer) -> None:
    terms = Terms(below=0.8, learn_from=60)
    with project.cascade(terms, labelled=labelled(KNOWN)) as cascade:
        first = cascade.trust
    assert (first.asked, first.answered) == (60, 60)
    assert len(server.asked) == 60
    assert first.joiners["sentiment"].pool.large > 0.5  # it earned more than it is given without labels
    with project.cascade(terms, labelled=labelled(KNOWN)) as cascade:
        again = cascade.trust
        assert again.joiners == first.joiners
        for name, column in first.outcomes["sentiment"].arrays.items():
            assert (again.outcomes["sentiment"].arrays[name] == column).all()
    assert len(server.asked) == 60
    with project.cascade(terms, labelled=labelled(KNOWN), guidelines="Be strict.") as cascade:
        assert cascade.trust.asked == 60
    assert len(server.asked) == 120


def test_outcomes_are_of_joint_opinions_where_asking_pays(project: Project) -> None:
    with project.cascade(Terms(below=0.8, learn_from=100), labelled=labelled(KNOWN)) as cascade:
        found = cascade.outcomes()["sentiment"]
    assert 30 <= len(found) < 100  # the easy half was asked too, to fill up, and is no outcome
    assert found.correct.mean() > 0.8
    assert abs(found.confidence.mean() - found.correct.mean()) < 0.1
    assert set(found.answers) == {'["negative"]', '["positive"]'}


def test_a_large_model_that_knows_nothing_is_hardly_heard(settings: Settings, encoder: Encoder) -> None:
    guesses = [(id, text, ("positive", "negative")[id * 7 % 3 % 2]) for id, text, _ in [*KNOWN, *NEW]]
    with LargeModelServer(knowing(guesses, accuracy=0.99)) as server:
        project = Project(server, settings, encoder)
        train(KEY, SENTIMENT, labelled(KNOWN), encoder, project.registry)
        with project.cascade(Terms(below=1.0), labelled=labelled(KNOWN)) as cascade:
            views = cascade.views(asked(NEW))
            alone = [view.local["sentiment"] for view in views]
    assert all(view.by == "joint" for view in views)
    certain = [i for i, it in enumerate(alone) if it.confidence > 0.8]
    assert all(views[i].opinions["sentiment"].answer == alone[i].answer for i in certain)


def test_the_most_doubtful_are_asked_first_and_the_budget_ends_it_cleanly(
    project: Project, server: LargeModelServer
) -> None:
    settings = project.settings.model_copy(update={"llm_concurrency": 1})
    project.settings = settings
    with project.cascade(
        Terms(below=0.95, unknown_from=None, learn_from=0, tokens_a_day=12_000), labelled=labelled(KNOWN)
    ) as cascade:
        views = cascade.views(asked(NEW))
    heard = [view for view in views if view.by == "joint"]
    left = [view for view in views if view.cost is not None and view.by == "local"]
    assert 0 < len(heard) < len(NEW) - 5
    assert left
    assert {view.note for view in left} == {"the budget of the day is spent"}
    assert all(view.opinions == view.local for view in left)
    surest = max(view.local["sentiment"].confidence for view in heard)
    assert all(view.local["sentiment"].confidence >= surest - 1e-9 for view in left)


@pytest.mark.parametrize("trouble", [Status(500), Says("no JSON at all"), Says('{"sentiment": "maybe"}')])
def test_trouble_leaves_the_local_view_and_says_why(
    trouble: object, project: Project, server: LargeModelServer
) -> None:
    server.always = trouble  # type: ignore[assignment]
    with project.cascade(Terms(below=0.9, learn_from=3), labelled=labelled(KNOWN)) as cascade:
        views = cascade.views(asked(NEW[:6]))
    server.always = None
    assert all(view.by == "local" and view.opinions == view.local for view in views)
    noted = [view for view in views if view.note]
    assert noted
    assert noted == [view for view in views if view.cost is not None]


def test_severity_makes_it_pay_however_sure_the_local_model_is(project: Project) -> None:
    terms = Terms(below=0.0, unknown_from=None, severity_from=2, learn_from=0)
    grave = {NEW[0][0], NEW[7][0]}
    with project.cascade(terms, severity=lambda it: 3.0 if it["id"] in grave else 1.0) as cascade:
        views = cascade.views(asked(NEW[:10]))
    assert {view.task for view in views if view.by == "joint"} == grave


def test_texts_unlike_anything_labelled_pay(project: Project) -> None:
    tasks = [*asked(NEW[:10:2]), {"id": 9, "data": {"text": "Quantum chromodynamics on a lattice, lecture four."}}]
    with project.cascade(Terms(below=0.0, unknown_from=0.999, learn_from=0)) as cascade:
        views = cascade.views(tasks)
    assert [view.task for view in views if view.cost is not None] == [9]


def test_no_question_shows_its_own_answer(project: Project, server: LargeModelServer) -> None:
    (_, text, label), *_ = KNOWN
    own = Case(5, 1, {"text": text.upper()}, "sentiment", (label,), rationale="Itself.")
    other = Case(5, 2, {"text": KNOWN[2][1]}, "sentiment", (KNOWN[2][2],), rationale="They said so.")
    terms = Terms(below=1.0, learn_from=0, examples=4)
    with project.cascade(terms, labelled=labelled(KNOWN), cases=[own, other]) as cascade:
        cascade.views([{"id": 1, "data": {"text": text}}])
    (question,) = server.asked
    shown = [block for name, block in question.blocks if not name.startswith("item")]
    assert question.text == text
    assert not any(text.lower() == block.lower() for block in shown)
    assert "They said so." in shown
    assert sum(name.startswith("example") for name, _ in question.blocks) == 4
    assert sum(name.startswith("case") for name, _ in question.blocks) == 1


def test_nothing_the_machine_wrote_or_seeded_is_shown_or_learned_from(
    project: Project, server: LargeModelServer
) -> None:
    written = {
        **choice("sentiment", "positive"),
        "meta": {"tiebreak": {"machine": "few-shot-1", "answer": '["positive"]'}},
    }
    own = task(900, {"text": "A lamp by the machine."}, [written])
    assert own.annotations[0].machine
    void = task(901, {"text": "A lamp that was seeded."}, [choice("sentiment", "positive")])
    seeded = replace(
        void, annotations=tuple(replace(it, arm="seeded", seeded=frozenset({"sentiment"})) for it in void.annotations)
    )
    with project.cascade(Terms(below=1.0, examples=50), labelled=[own, seeded, *labelled(KNOWN[:4])]) as cascade:
        cascade.views([{"id": 1, "data": {"text": "A lamp of mine."}}])
    assert "by the machine" not in str([it.body for it in server.asked])
    assert "was seeded" not in str([it.body for it in server.asked])


NUMBERS = parse(
    '<View><Text name="text" value="$text"/><Choices name="sentiment" toName="text">'
    '<Choice value="positive"/><Choice value="negative"/></Choices>'
    '<Number name="days" toName="text" required="true" min="0" max="90"/>'
    '<TextArea name="remark" toName="text"/></View>'
)


def test_what_the_local_model_cannot_answer_comes_from_the_large_one_alone(
    settings: Settings, encoder: Encoder
) -> None:
    def days(asked: Asked) -> dict[str, object]:
        return {"sentiment": "positive", "days": int(asked.text.split()[-2])}

    known = [
        read_task(
            {
                "id": id,
                "data": {"text": f"Came after {id} days"},
                "annotations": [
                    {
                        "id": id,
                        "completed_by": 1,
                        "result": [
                            choice("sentiment", "positive"),
                            {
                                "from_name": "days",
                                "to_name": "text",
                                "type": "number",
                                "value": {"number": id if id % 4 else 90},
                            },
                        ],
                    }
                ],
            }
        )
        for id in range(1, 41)
    ]
    with LargeModelServer(days, logprobs=False) as server:
        project = Project(server, settings, encoder)
        with project.cascade(Terms(below=0.0), config=NUMBERS) as cascade:
            (unknown,) = cascade.views([{"id": 1, "data": {"text": "Came after 55 days"}}])
        with project.cascade(Terms(below=0.0), config=NUMBERS, labelled=known) as cascade:
            (trusted,) = cascade.views([{"id": 1, "data": {"text": "Came after 55 days"}}])
        assert "remark" not in server.asked[-1].schema
    for view in (unknown, trusted):
        assert view.by == "joint"
        assert view.opinions["days"].answer == 55
        assert "days" not in view.local
    assert unknown.opinions["days"].confidence < 0.8
    assert trusted.opinions["days"].confidence == pytest.approx(0.75, abs=0.07)  # right of 3 in 4


def test_tasks_without_data_or_text_are_passed_over(project: Project, server: LargeModelServer) -> None:
    with project.cascade(Terms(below=1.0, learn_from=0)) as cascade:
        views = cascade.views([{"id": 1, "data": {}}, {"id": 2}, {"data": {"text": NEW[1][1]}}])  # type: ignore[list-item]
    assert [view.task for view in views] == [1, 2, -1]
    assert [view.by for view in views] == ["local", "local", "joint"]
    assert len(server.asked) == 1


def test_damaged_trust_is_learned_anew(project: Project, server: LargeModelServer) -> None:
    terms = Terms(below=0.8, learn_from=10)
    project.registry.write_trust(KEY, b"{broken")
    with project.cascade(terms, labelled=labelled(KNOWN)) as cascade:
        assert cascade.trust.asked == 10
