"""What the whole quality report costs: seconds and peak memory, by stage and by size, and how far from linear it grows.

    .venv/bin/python tests/benchmarks/bench_report.py [--judgements N,N,…] [--profile]

A made export (three judgements a task, predictions and the record of what was shown, 200 annotators) is written, read
as `tiebreak report FILE` reads it, and reported on: collected, written as page, workbook and JSON. Each size has a
process of its own. `--profile` prints, for the last size, where the time goes. `--encoder` has the model read the
texts, too, which takes milliseconds for each text that it has not read before.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from ml_backend.labeling.errors import ModelUnavailable

GOAL_SECONDS, GOAL_GB = 60.0, 4.0
LABELS = ("positive", "negative", "mixed", "unclear", "spam")
ANNOTATORS = 200
A_TASK = 3
CONFIG = (
    '<View><Text name="text" value="$text"/><Choices name="label" toName="text">'
    + "".join(f'<Choice value="{label}"/>' for label in LABELS)
    + "</Choices></View>"
)
START = datetime(2026, 1, 5, 9, tzinfo=UTC)
say = sys.stdout.write


def made_tasks(judgements: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Tasks of a snapshot export, three annotations each."""
    draw = random.Random(seed)
    words = {label: [f"{label[:3]}{number:03d}" for number in range(200)] for label in LABELS}
    common = [f"word{number:03d}" for number in range(2_000)]
    skill = [draw.uniform(0.7, 0.98) for _ in range(ANNOTATORS)]
    annotation = 0
    for task in range(1, judgements // A_TASK + 1):
        truth = draw.choices(LABELS, (40, 25, 15, 12, 8))[0]
        text = " ".join(draw.choices(common, k=14) + draw.choices(words[truth], k=4))
        prediction = _prediction(task, truth if draw.random() < 0.85 else draw.choice(LABELS), draw)
        annotations = []
        for person in draw.sample(range(ANNOTATORS), A_TASK):
            annotation += 1
            given = truth if draw.random() < skill[person] else draw.choice(LABELS)
            at = START + timedelta(seconds=annotation * 7.3)
            annotations.append(_annotation(annotation, person, given, prediction, at, draw))
        yield {
            "id": task,
            "data": {"text": text},
            "meta": {},
            "annotations": annotations,
            "predictions": [prediction],
            "created_at": START.isoformat(),
            "updated_at": annotations[-1]["updated_at"],
        }


def _prediction(task: int, label: str, draw: random.Random) -> dict[str, Any]:
    score = round(draw.uniform(0.4, 0.99), 4)
    region = {"id": f"p{task}", "from_name": "label", "to_name": "text", "type": "choices", "score": score}
    result = [{**region, "value": {"choices": [label]}}]
    return {"id": task, "task": task, "model_version": "v1", "score": score, "result": result}


def _annotation(
    id: int, person: int, label: str, prediction: dict[str, Any], at: datetime, draw: random.Random
) -> dict[str, Any]:
    shown = prediction["result"][0]["value"]["choices"][0]
    origin = "prediction" if label == shown else "prediction-changed"
    return {
        "id": id,
        "completed_by": {"id": person + 1, "email": f"annotator{person:03d}@example.com"},
        "result": [{**prediction["result"][0], "value": {"choices": [label]}, "origin": origin}],
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": at.isoformat(),
        "updated_at": at.isoformat(),
        "lead_time": round(draw.lognormvariate(2.3, 0.6), 3),
        "prediction": prediction,
        "parent_prediction": prediction["id"],
        "unique_id": f"00000000-0000-0000-0000-{id:012d}",
    }


def write_export(path: Path, judgements: int) -> None:
    with path.open("w") as file:
        for number, task in enumerate(made_tasks(judgements)):
            file.write("[\n" if number == 0 else ",\n")
            json.dump(task, file)
        file.write("\n]\n")
        file.flush()
        os.fsync(file.fileno())  # or the disk is still busy when the report is timed


def _no_encoder(_: object) -> None:
    raise ModelUnavailable("This benchmark runs without an encoder.")


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def measured(folder: Path, judgements: int, profiled: bool, with_encoder: bool, answer: Any) -> None:
    """One size: writes {stage: seconds, "peak": GB} to `answer`."""
    import ml_backend.encoder
    from ml_backend.settings import load_settings
    from sdk_scripts.report.collect import collect
    from sdk_scripts.report.excel import workbook
    from sdk_scripts.report.html import page
    from sdk_scripts.sources import load_source

    settings = load_settings(home=folder / "home")
    if not with_encoder:
        ml_backend.encoder.load_encoder = _no_encoder
    (folder / "config.xml").write_text(CONFIG)
    export = folder / f"{judgements}.json"
    stages: dict[str, float] = {}
    peaks: dict[str, float] = {}
    cpu: dict[str, float] = {}

    def stage(name: str, work: Callable[[], Any]) -> Any:
        start, used = time.perf_counter(), time.process_time()
        result = work()
        stages[name], peaks[name] = time.perf_counter() - start, peak()
        cpu[name] = time.process_time() - used
        return result

    profile = cProfile.Profile()
    if profiled:
        profile.enable()
    dataset = stage("read", lambda: load_source(str(export), label_config=folder / "config.xml", settings=settings))
    report = stage("collect", lambda: collect(dataset, settings))
    html = stage("page", lambda: page(report))
    stage("workbook", lambda: workbook(report))
    stage("json", lambda: json.dumps(report.to_json()))
    profile.disable()
    if profiled:
        pstats.Stats(profile).sort_stats("cumulative").print_stats(100)
    answer.put(
        {
            "stages": stages,
            "cpu": cpu,
            "peaks": peaks,
            "html": len(html) / 1e6,
            "judgements": report.overview.judgements,
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--judgements", default="100000,300000,1000000", metavar="N,N,…")
    parser.add_argument("--encoder", action="store_true", help="the model reads the texts, too: slower by far")
    parser.add_argument("--profile", action="store_true", help="where the time of the last size goes")
    options = parser.parse_args()
    sizes = [int(size) for size in options.judgements.split(",")]
    spawn = get_context("spawn")
    first: tuple[int, float] | None = None
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for size in sizes:
            write_export(folder / f"{size}.json", size)
            megabytes = (folder / f"{size}.json").stat().st_size / 1e6
            answer = spawn.Queue()
            last = options.profile and size == sizes[-1]
            process = spawn.Process(target=measured, args=(folder, size, last, options.encoder, answer))
            process.start()
            process.join()
            if process.exitcode:
                sys.exit(f"{size:,} judgements: the process ended with {process.exitcode}")
            found = answer.get()
            total = sum(found["stages"].values())
            first = first or (found["judgements"], total)
            linear = total / (first[1] * found["judgements"] / first[0])
            told = ", ".join(f"{name} {seconds:.1f}" for name, seconds in found["stages"].items())
            memory = max(found["peaks"].values())
            say(f"{found['judgements']:>9,} judgements, {megabytes:,.0f} MB of JSON: ")
            say(f"{total:.1f} s, {memory:.2f} GB at most ({told}; page {found['html']:.1f} MB); ")
            say(f"{linear:.2f} of linear\n")
            gbs = ", ".join(f"{name} {gb:.2f}" for name, gb in found["peaks"].items())
            used = ", ".join(f"{name} {seconds:.1f}" for name, seconds in found["cpu"].items())
            say(f"    seconds of CPU: {sum(found['cpu'].values()):.1f} ({used})\n")
            say(f"    GB after each stage: {gbs}\n")
            sys.stdout.flush()
        say(f"the goal at a million is {GOAL_SECONDS:.0f} s and {GOAL_GB:.0f} GB")
        if found["judgements"] >= 999_000:
            say(": kept" if total <= GOAL_SECONDS and memory <= GOAL_GB else ": NOT kept")
        say("\n")


if __name__ == "__main__":
    main()
