"""How many careless annotators the inspection rules find, how many careful ones they suspect, and what it costs.

    .venv/bin/python tests/benchmarks/bench_inspection.py [--teams N] [--judgements N] [--encoder] [--crowd FILE]

Teams of 25 label the demo's reviews (`tests/simulated_annotators.py`): in careful teams everybody works with care; in
mixed ones five do not. An annotator is found, or suspected, where any rule of the whole set has a finding about them.
Rates come with their 95 % interval (Wilson). Then a team of `--judgements` is inspected, with the time of each rule.

FILE (Parquet: item_id, annotator_id, label, and gold, null where unknown) is a real crowd's judgements: its workers are
ranked by the consensus and the rules without any gold, and then measured on it.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import polars as pl
from scipy.stats import binomtest

sys.path.insert(0, str(Path(__file__).parents[2]))

from ml_backend.labeling.config import parse
from ml_backend.labeling.errors import ModelUnavailable, NotEnoughLabels
from ml_backend.labeling.results import Annotation, Task
from ml_backend.settings import load_settings
from sdk_scripts.demo_data import fetch
from sdk_scripts.evidence import Evidence
from sdk_scripts.inspected import Inspected
from sdk_scripts.inspection import Inspection, inspect_with, rules_of
from sdk_scripts.rules import RULES
from sdk_scripts.sources import Dataset
from tests.simulated_annotators import Team, simulated
from tests.simulated_behaviours import BEHAVIOURS, Conditions
from tests.simulated_items import Item, review_items

SIZES = (50, 100, 200, 400)
USUAL = 200
TEAM, CARELESS = 25, 5
CONDITIONS = {
    "as usual": Conditions(),
    "95 % of the items positive": Conditions(positive=0.95),
    "one person a task": Conditions(overlap=(1,)),
    "some get harder, some mostly negative items": Conditions(specialists=0.2),
    "a model of 97 % shown on every task": Conditions(model=0.97, shown=1.0, blind=0, seeded=0),
    "no lead times": Conditions(timed=False),
    "all imported in one minute, no lead times": Conditions(timed=False, at_once=True),
    "no predictions, no gold": Conditions(shown=0, gold=0),
    "gold from hard cases": Conditions(hard_gold=True),
}
SMALL = 5
OTHERS = [name for name in BEHAVIOURS if name != "careful"]
MINIMUM = 10
"""Answers to gold items from which on a crowd's worker is judged alone."""
say = sys.stdout.write


@dataclass
class Tally:
    """What was found about the annotators of several teams."""

    found: dict[str, list[set[str]]] = field(default_factory=lambda: defaultdict(list))
    """Behaviour -> for each annotator the rules with a finding about them."""
    causes: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """Behaviour -> causes of the findings."""
    blamed: Counter[str] = field(default_factory=Counter)
    """Behaviour -> annotators with a finding that is said to be theirs."""
    of_project: Counter[str] = field(default_factory=Counter)
    """Rules with findings about no annotator."""
    teams: int = 0

    def add(self, team: Team, inspection: Inspection) -> None:
        rules: dict[str, set[str]] = defaultdict(set)
        theirs: set[str] = set()
        self.teams += 1
        for finding in inspection.findings:
            subject = finding.observation.subject
            if subject in team.behaviour:
                rules[subject].add(finding.rule)
                self.causes[team.behaviour[subject]][finding.blame.cause] += 1
                if finding.blame.cause == "annotator":
                    theirs.add(subject)
            else:
                self.of_project[finding.rule] += 1
        for who, behaviour in team.behaviour.items():
            self.found[behaviour].append(rules[who])
            self.blamed[behaviour] += who in theirs

    def rate(self, behaviour: str, rule: str = "") -> tuple[int, int]:
        people = self.found[behaviour]
        return sum(rule in found if rule else bool(found) for found in people), len(people)

    def suspected(self) -> str:
        """Careful annotators with a finding, those whose it is said to be, and its rules."""
        count, n = self.rate("careful")
        theirs = self.blamed["careful"]
        return f"{rate(count, n)}, theirs {theirs / n:.1%}, of {n}  {self.rules('careful')}"

    def rules(self, behaviour: str) -> str:
        counted = Counter(rule for found in self.found[behaviour] for rule in found)
        return ", ".join(f"{rule} {n}" for rule, n in counted.most_common())


class Bench:
    def __init__(self, items: Sequence[Item], teams: int, encoder: bool) -> None:
        self.items, self.teams = items, teams
        self.settings = load_settings() if encoder else None

    def careful(self, conditions: Conditions, labels: int, teams: int) -> Tally:
        return self._tally([["careful"] * TEAM] * teams, conditions, labels, 1)

    def mixed(self, conditions: Conditions, labels: int, teams: int) -> Tally:
        """Every behaviour as often; those who collude come as two."""
        turn = itertools.cycle(OTHERS)
        made = []
        for _ in range(teams):
            chosen = list(itertools.islice(turn, CARELESS))
            pairs = [name for name in chosen if name == "colluding"]
            others = [name for name in chosen if name != "colluding"]
            made.append([*pairs, *pairs, *others, *["careful"] * (TEAM - len(chosen) - len(pairs))])
        return self._tally(made, conditions, labels, 2)

    def _tally(self, teams: Sequence[Sequence[str]], conditions: Conditions, labels: int, start: int) -> Tally:
        tally = Tally()
        self.add(tally, teams, conditions, labels, start)
        return tally

    def add(
        self, tally: Tally, teams: Sequence[Sequence[str]], conditions: Conditions, labels: int, start: int
    ) -> None:
        for number, behaviours in enumerate(teams):
            team = simulated(behaviours, labels, items=self.items, conditions=conditions, seed=1000 * start + number)
            evidence = Evidence.collect(team.dataset, self.settings) if self.settings else Evidence(team.dataset)
            tally.add(team, inspect_with(Inspected(evidence)))


def rate(count: int, n: int) -> str:
    low, high = binomtest(count, n).proportion_ci(method="wilson") if n else (0, 1)
    return f"{count / max(n, 1):5.1%} ({low:.0%}-{high:.0%})"


def suspected(bench: Bench) -> None:
    say(f"careful annotators with any finding, and with one that is said to be theirs; {TEAM} a team, {USUAL} labels\n")
    for name, conditions in CONDITIONS.items():
        tally = bench.careful(conditions, USUAL, bench.teams)
        project = ", ".join(f"{rule} {n}" for rule, n in tally.of_project.most_common())
        say(f"  {name:<44} {tally.suspected()}")
        say(f"; about the project in {tally.teams} teams: {project}\n" if project else "\n")
    say("the same as usual, by labels each\n")
    for labels in SIZES:
        say(f"  {labels:<44} {bench.careful(CONDITIONS['as usual'], labels, bench.teams).suspected()}\n")


def found(bench: Bench) -> None:
    by_size = {
        labels: bench.mixed(CONDITIONS["as usual"], labels, (4 if labels == USUAL else 2) * bench.teams)
        for labels in SIZES
    }
    say(f"found, of those who do not work with care ({CARELESS} of {TEAM}), by labels each\n")
    say(f"  {'':<20}" + "".join(f"{labels:>17}" for labels in SIZES) + f"   rules at {USUAL}\n")
    for behaviour in (*OTHERS, "careful"):
        cells = "".join(f"{rate(*by_size[labels].rate(behaviour)):>17}" for labels in SIZES)
        n = len(by_size[USUAL].found[behaviour])
        say(f"  {behaviour:<20}{cells}   {by_size[USUAL].rules(behaviour)} of {n}\n")
    causes = by_size[USUAL].causes
    say(f"whose doing the findings at {USUAL} labels are said to be\n")
    for behaviour in (*OTHERS, "careful"):
        total = sum(causes[behaviour].values()) or 1
        said = ", ".join(f"{cause} {n / total:.0%}" for cause, n in causes[behaviour].most_common())
        say(f"  {behaviour:<20} {said}\n")
    say(f"share found by each rule at {USUAL} labels\n")
    say(f"  {'':<24}" + "".join(f"{name[:11]:>12}" for name in (*OTHERS, "careful")) + "\n")
    for rule in RULES:
        counts = [by_size[USUAL].rate(name, rule) for name in (*OTHERS, "careful")]
        say(f"  {rule:<24}" + "".join(f"{k / n:12.1%}" if k else f"{'.':>12}" for k, n in counts) + "\n")
    say(f"found at {USUAL} labels, where rules have it harder\n")
    say(f"  {'':<44}" + "".join(f"{name[:11]:>12}" for name in (*OTHERS, "careful")) + "\n")
    for name, conditions in CONDITIONS.items():
        tally = by_size[USUAL] if name == "as usual" else bench.mixed(conditions, USUAL, bench.teams)
        counts = [tally.rate(behaviour) for behaviour in (*OTHERS, "careful")]
        say(f"  {name:<44}" + "".join(f"{k / n:12.1%}" for k, n in counts) + "\n")


def small(bench: Bench) -> None:
    """Teams where one bad annotator is much of what the others are measured by."""
    tally = Tally()
    for behaviour in OTHERS:
        careless = [behaviour] * (2 if behaviour == "colluding" else 1)
        made = [[*careless, *["careful"] * (SMALL - 1)]] * (bench.teams // 2)
        bench.add(tally, made, CONDITIONS["as usual"], USUAL, 3)
    counts = [tally.rate(behaviour) for behaviour in OTHERS]
    say(f"teams of {SMALL} in which one does not work with care, {USUAL} labels: ")
    say(f"{sum(k for k, _ in counts)} of {sum(n for _, n in counts)} found; of the careful {tally.suspected()}\n")


def million(judgements: int) -> None:
    """A quarter of it, half of it and all of it, each in a process of its own; the rules' own times once their tables
    are there."""
    for part in (4, 2, 1):
        one = get_context("spawn").Process(target=large, args=(judgements // part, part == 1))
        one.start()
        one.join()
        if one.exitcode:
            sys.exit(one.exitcode)


def large(judgements: int, each_rule: bool) -> None:
    people = ["careful"] * 182 + OTHERS * 2
    team = simulated(people, round(judgements / 2.37 / len(people)), seed=3)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    inspected = Inspected(Evidence(team.dataset))
    start, used = time.perf_counter(), time.process_time()
    inspection = inspect_with(inspected)
    seconds, cpu = time.perf_counter() - start, time.process_time() - used
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    n = len(inspected.all_judgements)
    say(f"{n:,} judgements of {len(people)} people inspected in {seconds:.1f} s ({cpu:.1f} s of CPU); ")
    say(f"{len(inspection.findings)} findings; {memory:.2f} GB in all, {before:.2f} GB of them the tasks\n")
    times: dict[str, float] = {}
    for name, rule in rules_of(inspected.quality) if each_rule else ():
        start = time.perf_counter()
        try:
            list(rule(inspected, rule.parameters()))
        except (NotEnoughLabels, ModelUnavailable):
            continue
        times[name] = time.perf_counter() - start
    if times:
        slowest = sorted(times.items(), key=lambda it: -it[1])
        say(f"  seconds a rule: {', '.join(f'{name} {seconds:.2f}' for name, seconds in slowest)}\n")
        say(f"  all rules, once their tables are made: {sum(times.values()):.1f} s\n")
    sys.stdout.flush()


def crowd(file: Path) -> None:
    """Workers ranked without gold, and measured on it."""
    table = pl.read_parquet(file).with_columns(pl.col("annotator_id", "item_id", "label", "gold").cast(pl.String))
    dataset = _crowd(table)
    evidence = Evidence(dataset)
    inspection = inspect_with(Inspected(evidence))
    known = table.filter(pl.col("gold").is_not_null()).unique(["annotator_id", "item_id"], keep="last")
    right = known.group_by("annotator_id").agg(n=pl.len(), right=(pl.col("label") == pl.col("gold")).sum())
    quality = evidence.consensus.annotators.select("annotator", "quality", "low", "judgements").filter(
        pl.col("quality").is_not_nan()
    )
    people = quality.join(right, left_on="annotator", right_on="annotator_id")
    workers, items, answers = table["annotator_id"].n_unique(), table["item_id"].n_unique(), people["n"].sum()
    say(f"{len(table):,} judgements of {items:,} items by {workers} workers; {len(people)} of them ")
    say(f"answered {answers:,} times to {known['item_id'].n_unique()} gold items\n")
    base = known["gold"].value_counts(sort=True)["gold"][0]
    say(f"  always {base!r} is right in {(known['gold'] == base).mean():.1%} of those answers\n")
    for least in (1, 20, 50):
        ranked = people.filter(pl.col("judgements") >= least).sort("quality")
        tenth = max(1, round(len(ranked) / 10))
        say(f"  workers with {least} judgements or more, {len(ranked)}: ")
        _compare("the worst tenth by quality", ranked[:tenth], "the others", ranked[tenth:])
    flagged = {it.observation.subject for it in inspection.findings if it.observation.subject}
    enough = people.filter(pl.col("n") >= MINIMUM)
    level = float(enough.select((pl.col("right") / pl.col("n")).quantile(0.25)).item())
    for what, marked in {"any finding": flagged, **_by_rule(inspection)}.items():
        mark = pl.col("annotator").is_in(sorted(marked))
        say(f"  {what}, {len(marked)} workers: ")
        if not 0 < len(people.filter(mark)) < len(people):
            say("none answered to gold\n")
            continue
        _compare("they", people.filter(mark), "the others", people.filter(~mark))
        judged = enough.filter(mark)
        bad = judged.filter(pl.col("right") / pl.col("n") <= level)
        say(f"    of {len(judged)} with {MINIMUM} gold answers or more, {len(bad)} are in the worst quarter ")
        say(f"({level:.2f} or less)\n")


def _by_rule(inspection: Inspection) -> dict[str, set[str]]:
    by_rule: dict[str, set[str]] = defaultdict(set)
    for finding in inspection.findings:
        if finding.observation.subject:
            by_rule[finding.rule].add(finding.observation.subject)
    return dict(sorted(by_rule.items()))


def _compare(one: str, ones: pl.DataFrame, other: str, others: pl.DataFrame) -> None:
    """Shares of right answers to gold items, with intervals by resampling workers."""
    for what, rows in ((one, ones), (other, others)):
        right, n = rows["right"].to_numpy(), rows["n"].to_numpy()
        draws = np.random.default_rng(0).integers(len(rows), size=(2000, len(rows)))
        low, high = np.quantile(right[draws].sum(1) / n[draws].sum(1), [0.025, 0.975])
        say(f"{what} {right.sum() / n.sum():.1%} ({low:.0%}-{high:.0%}) of {n.sum():,} by {len(rows)}; ")
    say("\n")


def _crowd(table: pl.DataFrame) -> Dataset:
    labels = table["label"].unique().sort().to_list()
    choices = "".join(f'<Choice value="{label}"/>' for label in labels)
    config = parse(f'<View><Text name="t" value="$t"/><Choices name="label" toName="t">{choices}</Choices></View>')
    ids: Iterator[int] = iter(range(1, len(table) + 1))
    tasks = [
        Task(
            number,
            {},
            tuple(
                Annotation(next(ids), who, ({"from_name": "label", "value": {"choices": [label]}},))
                for who, label in rows.select("annotator_id", "label").iter_rows()
            ),
        )
        for number, rows in enumerate(table.partition_by("item_id", maintain_order=True), 1)
    ]
    return Dataset("crowd", config, tasks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teams", metavar="N", type=int, default=10, help="careful ones a condition; 0: no rates")
    parser.add_argument("--judgements", metavar="N", type=int, default=1_000_000, help="0: no such run")
    parser.add_argument("--encoder", action="store_true", help="with the model's opinions; slower")
    parser.add_argument("--crowd", metavar="FILE", type=Path, help="a real crowd's judgements, and nothing else")
    options = parser.parse_args()
    if options.crowd:
        crowd(options.crowd)
        return
    if options.teams:
        items = review_items(fetch(load_settings().folder("downloads")))
        bench = Bench(items, options.teams, options.encoder)
        suspected(bench)
        found(bench)
        small(bench)
    if options.judgements:
        million(options.judgements)


if __name__ == "__main__":
    main()
