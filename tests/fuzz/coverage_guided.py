"""One target under atheris: `python tests/fuzz/coverage_guided.py TARGET FOLDER [libFuzzer's options]`.

What the product's own code does with an input leads to the next one. FOLDER gets the seeds: recorded payloads and our
label configs, never anything that was found.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import atheris

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]
with atheris.instrument_imports(include=["ml_backend", "sdk_scripts"]):
    from ml_backend.labeling.markup import words
    from tests.fuzz import test_exports, test_label_configs, test_large_model_answers, test_results, test_written_files
    from tests.fuzz.mutations import CONFIGS, TOKENS
    from tests.fuzz.test_written_files import CONFIG, PAGES, ROWS, RULES, read_page, read_rows, written

    read_quality = test_written_files.read_quality

Target = tuple[Callable[[bytes], Any], Iterable[str | bytes]]


def text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def result(content: bytes) -> None:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return
    test_results.survives(document)


def page(content: bytes) -> None:
    words(text(content))
    read_page(text(content))


TARGETS: dict[str, Target] = {
    "label-configs": (lambda content: test_label_configs.survives(text(content)), CONFIGS),
    "results": (result, map(json.dumps, test_results.SENT)),
    "export-files": (test_exports.survives, test_exports.SEEDS),
    "large-model-answers": (
        lambda content: test_large_model_answers.survives(text(content)),
        test_large_model_answers.PHRASED,
    ),
    "html": (page, PAGES),
    "rules-yaml": (lambda content: written(text(content), lambda path: read_quality(path, CONFIG)), RULES),
    "csv": (lambda content: read_rows("csv", content, "id"), [ROWS["csv"], ROWS["tsv"]]),
    "jsonl": (lambda content: read_rows("jsonl", content, "id"), [ROWS["jsonl"], ROWS["json"]]),
}


def main(name: str, folder: str, *options: str) -> None:
    tried, seeds = TARGETS[name]
    for place, seed in enumerate(seeds):
        content = seed.encode("utf-8", "surrogatepass") if isinstance(seed, str) else seed
        (Path(folder) / f"seed-{place}").write_bytes(content)
    dictionary = Path(folder).parent / "tokens"
    escaped = ["".join(f"\\x{byte:02x}" for byte in token) for token in TOKENS if 0 < len(token) < 60]
    dictionary.write_text("".join(f'"{word}"\n' for word in escaped))
    atheris.Setup([sys.argv[0], f"-dict={dictionary}", *options, folder], tried)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
