"""Where the manual process loses its time, and what would help."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from markupsafe import Markup

from sdk_scripts.bottlenecks.model import Bottlenecks, Estimate
from sdk_scripts.report.sections import Cell, Given, Section, Sheet, register

_IN_DAYS = 96


@register("bottlenecks")
class Process(Section):
    title = "The process"
    place = 55

    def collect(self, given: Given) -> Bottlenecks | None:
        """None where nobody has done anything yet."""
        from sdk_scripts.bottlenecks import bottlenecks_of

        found = bottlenecks_of(given.evidence, given.settings)
        return found if any(it.work for it in found.steps) else None

    def charts(self, part: Bottlenecks) -> Mapping[str, Markup]:
        from sdk_scripts.report import charts

        found = {}
        for name, what, work in (("work", "working", True), ("waiting", "waiting", False)):
            steps = [(it.step, it.hours) for it in part.steps if it.work == work and it.hours]
            if steps:
                unit, hours = ("days", 24) if max(hours for _, hours in steps) >= _IN_DAYS else ("hours", 1)
                found[name] = charts.bars(
                    [step for step, _ in steps],
                    [time / hours for _, time in steps],
                    label=unit,
                    alt=f"Time of each step, {what}, in {unit}",
                )
        filled = [it for it in part.lead_times.histogram if it.count]
        if filled:
            first, last = filled[0].low, filled[-1].low
            bins = [it for it in part.lead_times.histogram if first <= it.low <= last]
            found["times"] = charts.bars(
                [it.seconds for it in bins],
                [it.count for it in bins],
                label="labels",
                alt="How many labels took how long",
            )
        if len(part.throughput.weeks) > 1:
            found["weeks"] = charts.timeline(
                [f"{it.since:%d %b}" for it in part.throughput.weeks],
                [it.annotations for it in part.throughput.weeks],
                label="labels a week",
                alt="Labels given in each week",
            )
        return found

    def sheets(self, part: Bottlenecks) -> Iterable[Sheet]:
        ends = ["", " low", " high"]
        steps: list[list[Cell]] = [
            [it.step, "work" if it.work else "waiting", it.n, it.untimed, it.hours, *_ends(it.share), it.note]
            for it in part.steps
        ]
        share = [f"share{end}" for end in ends]
        columns = ["step", "kind", "n", "not measured", "hours", *share, "note"]
        yield Sheet("Process steps", columns, steps, shares=share)
        levers: list[list[Cell]] = [
            [
                it.lever,
                it.setting,
                *_ends(it.hours_per_1000_tasks),
                *_ends(it.errors_per_1000_tasks),
                *_ends(it.share),
                it.basis,
                it.record,
            ]
            for it in part.levers
        ]
        names = [f"{name} a 1,000 tasks{end}" for name in ("hours saved", "wrong labels more") for end in ends]
        share = [f"of all work{end}" for end in ends]
        yield Sheet("Process levers", ["lever", "setting", *names, *share, "basis", "to record"], levers, shares=share)
        times = part.lead_times
        groups = {
            "label": times.by_label,
            "annotator": times.by_annotator,
            "hour (UTC)": times.by_hour,
            "weekday (UTC)": times.by_weekday,
        }
        rows: list[list[Cell]] = [
            [by, it.control, it.group, it.n, *_ends(it.median), it.p90, it.p95]
            for by, listed in groups.items()
            for it in listed
        ]
        columns = ["by", "control", "group", "labels", *(f"median s{end}" for end in ends), "90 % s", "95 % s"]
        yield Sheet("Process times", columns, rows)
        weeks: list[list[Cell]] = [[it.since, it.arrived, it.annotations, it.accepted] for it in part.throughput.weeks]
        yield Sheet("Process weeks", ["since (UTC)", "tasks came", "labels", "tasks accepted"], weeks)


def _ends(it: Estimate) -> list[Cell]:
    return [it.value, it.low, it.high]
