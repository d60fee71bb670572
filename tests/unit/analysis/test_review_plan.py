"""Which cases get which seats, by what the review project has already."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from unit.analysis.exports import SENTIMENT, choice, dataset, voted
from unit.analysis.given import GivenEvidence

from sdk_scripts.another_label import AnotherLabel, OneMore
from sdk_scripts.hard_cases import HardCase, Reason, find_hard_cases
from sdk_scripts.review_cases import CaseFacts
from sdk_scripts.review_plan import DRAWN, Planner, ReviewPlan, doubles, rounds_of, to_take_back, twice
from sdk_scripts.review_project import Pushed
from sdk_scripts.review_tasks import build_review_tasks, reseated
from sdk_scripts.standards import Standard

SOURCE = 12
NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)
PEOPLE = [f"{name}@example.com" for name in ("ann", "bob", "cho", "dee")]
ANSWERED = {"was_cancelled": False}
SKIPPED = {"was_cancelled": True}
SIX = [voted(n, "x" * n, "negative", "positive") for n in range(1, 7)]


def standard(*emails: str, **more: Any) -> Standard:
    return Standard.model_validate({"reviewers": [{"email": email} for email in emails], **more})


class Desk:
    """A review project that the plans of one source are carried out in."""

    def __init__(self, given: Standard, tasks=SIX) -> None:
        project = {"id": SOURCE, "title": "Reviews", "created_at": "2026-01-01T00:00:00Z"}
        evidence = GivenEvidence(dataset(tasks, project=project), standard=given)
        self.facts = CaseFacts(evidence)
        self.ranked = list(find_hard_cases(evidence.dataset, evidence))
        self.tasks: list[dict[str, Any]] = []
        self.now = NOW

    def plan(self, budget: int = 100, **more: Any) -> ReviewPlan:
        return Planner(self.facts, SOURCE, self.tasks, self.now, **more).plan(self.ranked, budget)

    def carry_out(self, plan: ReviewPlan, most: int = 1_000) -> None:
        """Up to `most` review tasks of it, as if the run were killed then."""
        made = [{"data": reseated(data, seat)} for data, seat in plan.more]
        for task in [*made, *build_review_tasks(self.facts, plan.new)][:most]:
            self.add(task["data"])

    def add(self, data: dict[str, Any]) -> dict[str, Any]:
        task = {"id": len(self.tasks) + 1, "data": data, "created_at": self.now.isoformat(), "annotations": []}
        self.tasks.append(task)
        return task

    @property
    def seats(self) -> list[tuple[int, int, str]]:
        return [(it["data"]["source_task"], it["data"]["seat"], it["data"]["reviewer"]) for it in self.tasks]


def test_a_second_plan_adds_nothing() -> None:
    desk = Desk(standard(*PEOPLE[:2]))
    plan = desk.plan(4)
    assert (len(plan.new), plan.existing) == (4, 0)
    assert Pushed(None, plan).by_reviewer == {PEOPLE[0]: 2, PEOPLE[1]: 2}
    assert Pushed(None, plan, doubled=(PEOPLE[0],)).created == 3
    desk.carry_out(plan)
    again = desk.plan(4)
    assert (again.new, again.more, again.existing) == ((), (), 4)
    more = desk.plan(6)
    assert (len(more.new), more.existing) == (2, 4)


@pytest.mark.parametrize("killed_after", range(13))
def test_a_killed_run_is_completed_by_the_next_and_nobody_sits_twice_on_a_case(killed_after: int) -> None:
    desk = Desk(standard(*PEOPLE, two_reviewers_from=1))
    desk.carry_out(desk.plan(), killed_after)
    desk.carry_out(desk.plan())
    assert len(desk.seats) == 12
    assert Counter((task, seat) for task, seat, _ in desk.seats).most_common(1)[0][1] == 1
    assert len({(task, who) for task, _, who in desk.seats}) == 12
    assert (desk.plan().new, desk.plan().more) == ((), ())


def test_a_missing_seat_is_made_also_of_a_case_that_is_ranked_no_longer() -> None:
    desk = Desk(standard(*PEOPLE, two_reviewers_from=1))
    desk.carry_out(desk.plan(1), 1)
    first = desk.tasks[0]["data"]
    desk.ranked = []
    plan = desk.plan(1)
    ((data, seat),) = plan.more
    assert (data, seat.number) == (first, 2)
    assert seat.reviewer != first["reviewer"]


def test_what_its_reviewer_skips_goes_to_somebody_else_once() -> None:
    desk = Desk(standard(*PEOPLE[:3]))
    desk.carry_out(desk.plan(1))
    desk.tasks[0]["annotations"] = [SKIPPED]
    desk.carry_out(desk.plan(1))
    assert desk.seats == [(1, 1, PEOPLE[0]), (1, 2, PEOPLE[1])]
    assert desk.plan(1).more == ()
    desk.tasks[1]["annotations"] = [SKIPPED, ANSWERED]
    assert desk.plan(1).more == ()


def test_what_is_for_anybody_and_skipped_is_served_to_others_by_label_studio() -> None:
    desk = Desk(standard())
    desk.carry_out(desk.plan(1))
    desk.tasks[0]["annotations"] = [SKIPPED]
    assert desk.plan(1).more == ()


def test_annotators_of_the_item_and_reviewers_of_earlier_rounds_do_not_decide() -> None:
    judged = voted(1, "x", "negative", "positive")
    for one, email in zip(judged["annotations"], PEOPLE, strict=False):
        one["completed_by"] = {"id": one["completed_by"], "email": email.upper()}
    desk = Desk(standard(*PEOPLE), [judged])
    desk.carry_out(desk.plan())
    assert desk.seats == [(1, 1, PEOPLE[2])]
    desk.add(desk.tasks[0]["data"] | {"round": 2, "reviewer": PEOPLE[3]})["annotations"] = [SKIPPED]
    plan = desk.plan()
    assert (plan.more, [one.case.task for one in plan.unplaced]) == ((), [1])


def test_the_newest_round_counts() -> None:
    desk = Desk(standard(*PEOPLE))
    desk.carry_out(desk.plan(1))
    desk.tasks[0]["annotations"] = [ANSWERED]
    desk.add(desk.tasks[0]["data"] | {"round": 2, "reviewer": PEOPLE[1]})
    round_ = rounds_of(desk.tasks, SOURCE)[1, "sentiment"]
    assert (round_.number, round_.seated, round_.earlier) == (2, ((1, PEOPLE[1]),), frozenset({PEOPLE[0]}))
    assert desk.plan(1).existing == 1


def test_older_review_tasks_count_as_the_first_seat_of_the_first_round() -> None:
    desk = Desk(standard(*PEOPLE))
    desk.add({"source_project": SOURCE, "source_task": 1, "control": "sentiment"})
    desk.add({"source_project": 99, "source_task": 2, "control": "sentiment"})
    desk.add({"people": "made this one"})
    plan = desk.plan(2)
    assert (plan.existing, [seat.case.task for _, seat in plan.new]) == (1, [2])


@pytest.mark.parametrize("odd", ["x", None, -1, [], 2.5])
def test_review_tasks_that_people_edited_stop_nobody(odd: object) -> None:
    desk = Desk(standard(*PEOPLE))
    desk.carry_out(desk.plan(1))
    data = desk.tasks[0]["data"]
    data |= {"round": odd, "seat": odd, "severity": odd, "reviewer": odd}
    data["tiebreak"] = {"seats": odd, "labels": odd} if odd else odd
    desk.tasks[0]["annotations"] = [SKIPPED]
    assert desk.plan(1).existing == 1


def test_a_day_has_its_budget() -> None:
    desk = Desk(standard(*PEOPLE, two_reviewers_from=1, budget={"a_run": 100, "a_day": 4}))
    plan = desk.plan()
    assert (len({seat.case for _, seat in plan.new}), plan.day_is_full) == (4, True)
    desk.carry_out(plan)
    assert (desk.plan().new, desk.plan().day_is_full, desk.plan().existing) == ((), True, 4)
    desk.now += timedelta(days=1)
    assert len({seat.case for _, seat in desk.plan().new}) == 2


def test_what_cannot_be_placed_leaves_its_place_to_others_and_comes_again() -> None:
    tasks = [voted(1, "x", "negative", "positive"), voted(2, "xx", "neutral", "positive")]
    desk = Desk(Standard(reviewers=[{"email": PEOPLE[0], "labels": ["neutral"]}]), tasks)
    plan = desk.plan(1)
    assert [seat.case.task for _, seat in plan.new] == [2]
    assert [(one.case.task, one.reason) for one in plan.unplaced] == [
        (1, "None of the 1 reviewers can take it: does not decide its labels (1).")
    ]
    desk.carry_out(plan)
    assert [one.case.task for one in desk.plan().unplaced] == [1]


def test_full_reviewers_end_the_search() -> None:
    desk = Desk(Standard(reviewers=[{"email": PEOPLE[0], "open": 2}]))
    plan = desk.plan(3)
    assert (len(plan.new), len(plan.unplaced)) == (2, 1)


def test_language_is_asked_where_somebody_reads_only_some() -> None:
    german = "Die Lieferung kam schnell an und alles war sehr gut verpackt, danke."
    desk = Desk(
        Standard(reviewers=[{"email": PEOPLE[0], "languages": ["en"]}, {"email": PEOPLE[1], "languages": ["de"]}]),
        [voted(1, german, "negative", "positive")],
    )
    ((_, seat),) = desk.plan().new
    assert (seat.reviewer, seat.case.language) == (PEOPLE[1], "de")


def test_severity_and_disturbing_content_follow_labels_and_words() -> None:
    desk = Desk(
        standard(
            *PEOPLE[:2],
            severity={"negative": 3},
            risk_words={"Gun": 5},
            two_reviewers_from=4,
            disturbing={"labels": ["neutral"]},
        ),
        [voted(1, "a gun", "negative", "positive"), voted(2, "x", "neutral", "positive")],
    )
    found = {seat.case.task: seat.case for _, seat in desk.plan().new}
    assert (found[1].severity, found[1].seats, found[1].disturbing) == (5, 2, False)
    assert (found[2].severity, found[2].seats, found[2].disturbing) == (1, 1, True)


def test_content_is_disturbing_where_annotators_say_so_in_the_feedback_panel() -> None:
    xml = SENTIMENT.replace(
        "</View>",
        """<Choices name="feedback" toName="text" tiebreak="feedback"><Choice value="Disturbing" alias="bad"/></Choices>
        </View>""",
    )
    told = voted(1, "x", "negative", "positive")
    told["annotations"][0]["result"].append(choice("feedback", "bad"))
    facts = CaseFacts(GivenEvidence(dataset([told], xml), standard=standard(disturbing={"labels": ["bad"]})))
    case = facts.case(HardCase(1, 0.5, (Reason("disagreement", 0.5, "why", "sentiment"),)))
    assert (case.disturbing, case.labels) == (True, {"negative", "positive", "bad"})


def test_too_few_judgements_are_no_case_yet_unless_the_standard_says_so() -> None:
    desk = Desk(standard(minimum_judgements=3), [*SIX[:1], voted(2, "xx", "negative", "positive", "neutral")])
    plan = desk.plan()
    assert ([seat.case.task for _, seat in plan.new], plan.too_few) == ([2], 1)


def one_more(desk: Desk, overlap: int, most: int, share: float = 0.0) -> ReviewPlan:
    return desk.plan(
        overlap=lambda task: overlap,
        usual=frozenset({1, 2}),
        most_annotations=most,
        share=lambda control, task: share,
    )


def test_one_more_annotator_comes_before_a_review_where_it_is_worth_half_of_one() -> None:
    desk = Desk(standard(one_more_annotator=True), SIX[:1])
    assert one_more(desk, 2, 3, 0.5).one_more == (OneMore(1, 3, raised=True),)
    assert one_more(desk, 2, 3, 0.5).new == ()
    assert one_more(desk, 3, 3, 0.5).one_more == (OneMore(1, 3, raised=False),)
    assert len(one_more(desk, 2, 2, 0.5).new) == 1
    assert len(one_more(desk, 2, 3, 0.4).new) == 1


def test_a_task_is_given_one_more_annotator_once() -> None:
    desk = Desk(standard(one_more_annotator=True), [voted(1, "x", "negative", "positive", "neutral")])
    assert len(one_more(desk, 3, 5, 0.5).new) == 1
    assert one_more(desk, 2, 5, 0.5).one_more == (OneMore(1, 4, raised=True),)


def test_one_more_annotator_comes_where_judgements_are_too_few() -> None:
    desk = Desk(standard(one_more_annotator=True, minimum_judgements=3), SIX[:1])
    assert one_more(desk, 2, 3).one_more == (OneMore(1, 3, raised=True),)
    full = one_more(desk, 2, 2)
    assert (full.one_more, full.new, full.too_few) == ((), (), 1)


def test_what_was_drawn_to_inspect_a_lot_is_reviewed_whatever_another_label_is_worth() -> None:
    desk = Desk(standard(one_more_annotator=True, minimum_judgements=3), SIX[:1])
    desk.ranked = [HardCase(1, 0.5, (Reason(DRAWN, 0.5, "Drawn.", "sentiment"),))]
    plan = one_more(desk, 2, 3, share=0.9)
    assert ([seat.case.task for _, seat in plan.new], plan.one_more, plan.too_few) == ([1], (), 0)


def test_another_label_is_worth_more_from_reliable_annotators_and_nothing_where_nobody_answered() -> None:
    agreed = [voted(n, "x", "negative", "negative", "negative") for n in range(2, 40)]
    reliable = AnotherLabel(GivenEvidence(dataset([SIX[0], *agreed])))
    noise = [voted(n, "x", *(["negative", "positive"] if n % 2 else ["positive", "neutral"])) for n in range(2, 40)]
    unreliable = AnotherLabel(GivenEvidence(dataset([SIX[0], *noise])))
    assert 1 >= reliable.share("sentiment", 1) > 0.5 > unreliable.share("sentiment", 1) > 0
    assert reliable.share("sentiment", 99) == 0


def test_old_review_tasks_are_taken_back_unless_somebody_answered_or_skipped_them() -> None:
    desk = Desk(standard(*PEOPLE, expires_days=7))
    desk.carry_out(desk.plan())
    for task, touched in zip(desk.tasks, ({}, {"annotations": [SKIPPED]}, {"annotations": [ANSWERED]}), strict=False):
        task.update(touched, created_at="2026-11-18T00:00:00.000000Z")
    assert to_take_back(desk.tasks, desk.facts.standard, NOW) == [1]
    assert to_take_back(desk.tasks, standard(*PEOPLE), NOW) == []


def test_the_queue_of_a_reviewer_who_leaves_is_taken_back_and_given_to_others() -> None:
    desk = Desk(standard(*PEOPLE[:2]))
    desk.carry_out(desk.plan())
    left = standard(PEOPLE[1])
    gone = to_take_back(desk.tasks, left, NOW)
    assert [desk.tasks[id - 1]["data"]["reviewer"] for id in gone] == [PEOPLE[0]] * 3
    assert to_take_back(desk.tasks, standard(), NOW) == []


def test_doubles_of_two_machines_go_and_what_was_begun_stays() -> None:
    desk = Desk(standard(*PEOPLE))
    desk.carry_out(desk.plan(2))
    assert twice(desk.tasks, SOURCE) == []
    desk.carry_out(ReviewPlan(new=Desk(desk.facts.standard).plan(2).new))
    assert sorted(twice(desk.tasks, SOURCE)) == [1, 2, 3, 4]
    assert twice(desk.tasks, SOURCE + 1) == []
    assert [task["id"] for task in doubles(desk.tasks)] == [3, 4]
    desk.tasks[2]["annotations"] = [ANSWERED]
    assert [task["id"] for task in doubles(desk.tasks)] == [1, 4]
    desk.tasks[0]["annotations"] = [ANSWERED]
    assert [task["id"] for task in doubles(desk.tasks)] == [4]
