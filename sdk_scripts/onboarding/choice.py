"""Which questions a course asks, and in which order. Pure.

Both parts are stratified over labels and severities, near-duplicates are asked once, and no question of the exam is
like one that was practised. What serves as gold in the source, or the person has labelled there, comes last.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.kinds import kind_of
from ml_backend.labeling.task_data import text_of
from sdk_scripts.onboarding.questions import Question, shown
from sdk_scripts.same_texts import same_texts

MOST_DECIDED = 3_000
"""Decided tasks that are weighed against each other; of more, so many by lot."""


@dataclass(frozen=True)
class Choice:
    practice: tuple[Question, ...]
    """Easy before hard."""
    exam: tuple[Question, ...]


def choose(
    config: LabelConfig,
    questions: Sequence[Question],
    who: str,
    *,
    practice: int,
    exam: int,
    controls: Collection[str],
    used: Collection[str] = (),
    practised: Iterable[Question] = (),
    examined: Iterable[Question] = (),
) -> Choice:
    """For one person, who was asked `used` (ids) before: those and what is like them are left out. `practised` and
    `examined` are the questions that these go on from. Equal input, equal choice; another person gets other ones where
    there are enough. Fewer where there are not."""
    able = [it for it in questions if it.holds and not it.answers.keys().isdisjoint(controls)]
    fresh, groups = _fresh(config, able, questions, used, who)
    tested = _once(_ranks((it for it in fresh if it.exam), who), groups, _draw(config, who, examined), exam)
    chosen = {it.id for it in tested}
    kept = {groups[it.id] for it in fresh if it.id in chosen or (it.exam and not it.practice)}
    rest = [it for it in fresh if it.practice and groups[it.id] not in kept]
    learned = _once(_ranks(rest, who), groups, _draw(config, who, practised), practice)
    easy_first = sorted(learned, key=lambda it: (it.difficulty, it.severity, _lot(who, it)))
    return Choice(tuple(easy_first), tuple(tested))


def left(config: LabelConfig, questions: Sequence[Question], who: str, used: Collection[str]) -> Counter[str]:
    """Control -> how many questions an exam could still ask about it, those that are alike counted once."""
    fresh, groups = _fresh(config, [it for it in questions if it.holds and it.exam], questions, used, who)
    return Counter(name for name, _ in {(name, groups[it.id]) for it in fresh for name in it.answers})


def _fresh(
    config: LabelConfig, able: Sequence[Question], questions: Sequence[Question], used: Collection[str], who: str
) -> tuple[list[Question], dict[str, int]]:
    """Those of the able that are like none that was used, and question -> group of those that are the same, or nearly
    so, in what is shown of them."""
    decided = sorted((it for it in able if it.exam and it.practice), key=lambda it: _lot(who, it))[:MOST_DECIDED]
    some = [*(it for it in able if not (it.exam and it.practice)), *decided]
    before = [it for it in questions if it.id in used]
    texts = [text_of(seen := shown(config, it.data), list(seen)) for it in (*before, *some)]
    numbers = same_texts(texts)[0].tolist()
    gone = set(numbers[: len(before)])
    groups = {it.id: group for it, group in zip(some, numbers[len(before) :], strict=True)}
    return [it for it in some if groups[it.id] not in gone], groups


def _ranks(questions: Iterable[Question], who: str) -> list[list[Question]]:
    """Those that the person does not meet elsewhere first, of them what the library has for the purpose."""
    ranks: list[list[Question]] = [[], [], [], []]
    for it in questions:
        ranks[2 * (it.serves or who in it.people) + (it.exam and it.practice)].append(it)
    return ranks


_Draw = Callable[[Sequence[Question], int], list[Question]]


def _once(ranks: Iterable[Sequence[Question]], groups: dict[str, int], draw: _Draw, most: int) -> list[Question]:
    """At most so many, one a group, of the first ranks that have them."""
    found: list[Question] = []
    taken: set[int] = set()
    for rank in ranks:
        if len(found) >= most:
            break
        one_each = {groups[it.id]: it for it in reversed(rank) if groups[it.id] not in taken}
        drawn = draw(list(one_each.values()), most - len(found))
        found += drawn
        taken |= {groups[it.id] for it in drawn}
    return found


def _draw(config: LabelConfig, who: str, before: Iterable[Question]) -> _Draw:
    """Draws the question whose labels and severity were drawn least so far, by lot among equals."""
    drawn = Counter(stratum for it in before for stratum in strata(config, it))

    def draw(some: Sequence[Question], most: int) -> list[Question]:
        rows = [(it, strata(config, it)) for it in sorted(some, key=lambda it: _lot(who, it))]
        found: list[Question] = []
        while rows and len(found) < most:
            best = max(rows, key=lambda row: sum(1 / (1 + drawn[stratum]) for stratum in row[1]) / len(row[1]))
            rows.remove(best)
            found.append(best[0])
            drawn.update(best[1])
        return found

    return draw


def strata(config: LabelConfig, question: Question) -> tuple[str, ...]:
    """What a question is counted under: each label of its answers, and its severity."""
    labels = [
        f"{name}: {label}"
        for name, key in question.answers.items()
        if (kind := kind_of(config[name]))
        for label in kind.labels(kind.from_key(key)) or ("nothing",)
    ]
    return (*labels, f"severity {question.severity:g}")


def _lot(who: str, question: Question) -> str:
    return hashlib.sha256(f"{who}|{question.id}".encode()).hexdigest()
