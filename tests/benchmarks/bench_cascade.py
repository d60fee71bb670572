"""The cascade: local model alone, large model alone, and both together, against an endpoint that errs.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_cascade.py FILE

FILE (Parquet or CSV) has the columns text and label. The endpoint is the tests' local server: an oracle that is right
with just the probability it gives (uniform over a range, by hash of the text), one that is too sure of the same
answers, one that errs mostly where the local model does, and one that guesses. Of up to 600 labels the local model
learns; 200 of them are asked, to learn how far to trust the endpoint; all figures are of other texts. ECE by chance is
what confidences that are all honest stay below 95 times in 100. `below` is the policy's: the confidence below which the
large model is asked.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

import polars as pl
from pydantic import SecretStr

sys.path.insert(0, str(Path(__file__).parents[1]))

from large_model_server import Answered, Asked, Brain, LargeModelServer, oracle, plain

from ml_backend.cascade import Cascade
from ml_backend.encoder import Encoder, load_encoder
from ml_backend.labeling.answers import write_answers
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.evidence_pool import LabelPool
from ml_backend.labeling.results import Task, read_task
from ml_backend.large_model import AnswerCache, LargeModel, LedgerInMemory
from ml_backend.logs import set_up_logs
from ml_backend.model_files import ModelFiles
from ml_backend.model_registry import ModelRegistry
from ml_backend.policy import LargeModel as Terms
from ml_backend.predictor import Predictor
from ml_backend.prelabelers import Opinion
from ml_backend.settings import load_settings
from ml_backend.training import out_of_fold, train
from sdk_scripts.backtest.measures import Answered as Measured

LABELS, TESTED, LEARN = 600, 1_000, 200
BELOW = (0.6, 0.7, 0.8, 0.9, 1.0)
KEY = "1"


@dataclass(frozen=True)
class Data:
    config: LabelConfig
    known: list[Task]
    asked: list[dict]
    truth: list[tuple[str, ...]]
    answers: dict[str, dict[str, str]]


def read(path: Path) -> Data:
    table = (pl.read_parquet if path.suffix == ".parquet" else pl.read_csv)(path).select("text", "label")
    table = table.unique("text", maintain_order=True).sample(fraction=1.0, shuffle=True, seed=0)
    rows = [(str(text), str(label)) for text, label in table.head(LABELS + TESTED).iter_rows() if str(text).strip()]
    split = min(LABELS, len(rows) // 2)
    names = sorted({label for _, label in rows})
    listed = "".join(f"<Choice value={quoteattr(name)}/>" for name in names)
    config = parse(
        f'<View><Text name="text" value="$text"/><Choices name="label" toName="text">{listed}</Choices></View>'
    )
    known = [_labelled(config, id, text, label) for id, (text, label) in enumerate(rows[:split], 1)]
    tested = rows[split:]
    asked = [{"id": id, "data": {"text": text}} for id, (text, _) in enumerate(tested, 10_000)]
    return Data(config, known, asked, [(label,) for _, label in tested], {t: {"label": it} for t, it in rows})


def _words(pool: object) -> str:
    assert isinstance(pool, LabelPool)
    return f"local {pool.local:.2f}, large {pool.large:.2f}, temperature {pool.temperature:.2f}, doubt {pool.doubt:.2f}"


def _labelled(config: LabelConfig, id: int, text: str, label: str) -> Task:
    result = write_answers(config, {"label": (label,)}, {"label": 1.0})
    return read_task(
        {"id": id, "data": {"text": text}, "annotations": [{"id": id, "completed_by": 1, "result": result}]}
    )


def too_sure(brain: Brain, power: float = 6.0) -> Brain:
    """The same answers, with probabilities raised to that power."""

    def answer(asked: Asked) -> Answered:
        said = brain(asked)
        assert isinstance(said, Answered)
        return Answered(said.answer, {name: _raised(it, power) for name, it in said.probabilities.items()})

    return answer


def guessing(data: Data) -> Brain:
    labels = sorted({it["label"] for it in data.answers.values()})
    wrong = {text: {"label": labels[hash_of(text) % len(labels)]} for text in data.answers}
    return oracle(wrong, accuracy=0.95)


def alike(data: Data, wrong: set[str], right: float = 0.95, else_right: float = 0.6) -> Brain:
    """Right that often on texts that the local model gets right, and on those it does not."""
    easy, hard = oracle(data.answers, accuracy=right), oracle(data.answers, accuracy=else_right)
    texts = {plain(text) for text in wrong}
    return lambda asked: (hard if plain(asked.text) in texts else easy)(asked)


def missed(data: Data, predictor: Predictor, encoder: Encoder) -> set[str]:
    """Texts that the local model gets wrong, those it learned from out of fold."""
    _, views = predictor.views(KEY, data.config, data.asked)
    found = {
        task["data"]["text"]
        for task, view, right in zip(data.asked, views, data.truth, strict=True)
        if view["label"].answer != right
    }
    unseen = out_of_fold(data.config, data.known, encoder)["label"]
    truth = {task.id: (data.answers[task.data["text"]]["label"],) for task in data.known}
    return found | {task.data["text"] for task in data.known if unseen[task.id].answer != truth[task.id]}


def hash_of(text: str) -> int:
    return sum(text.encode()) * 2_654_435_761 % 2**32 // 7


def _raised(probabilities: dict, power: float) -> dict:
    raised = {value: max(it, 1e-9) ** power for value, it in probabilities.items()}
    return {value: it / sum(raised.values()) for value, it in raised.items()}


def line(name: str, opinions: list[Opinion | None], data: Data, share: str = "", tokens: str = "") -> None:
    found = Measured.of(opinions, data.truth)
    sys.stdout.write(
        f"  {name:34} {found.accuracy:8.3f} {found.ece():6.3f} {found.ece_by_chance():9.3f} {share:>6} {tokens:>9}\n"
    )
    sys.stdout.flush()


def main() -> None:
    set_up_logs("ERROR")  # stdout is for the figures
    data = read(Path(sys.argv[1]))
    with tempfile.TemporaryDirectory() as home:
        settings = load_settings(home=Path(home), llm_model="oracle", llm_key=SecretStr("a-key-for-tests"))
        encoder, registry = load_encoder(settings), ModelRegistry(f"{home}/models")
        train(KEY, data.config, data.known, encoder, registry)
        predictor = Predictor(registry, encoder)
        sys.stdout.write(f"{len(data.known)} labels, {len(data.asked)} texts asked\n")
        brains = {
            "an honest oracle, 0.85": oracle(data.answers, accuracy=0.85),
            "an honest oracle, 0.75": oracle(data.answers, accuracy=0.75),
            "the first, too sure of itself": too_sure(oracle(data.answers, accuracy=0.85)),
            "one that errs where the local does": alike(data, missed(data, predictor, encoder)),
            "one that guesses": guessing(data),
        }
        for place, (name, brain) in enumerate(brains.items()):
            sys.stdout.write(f"{name:36} accuracy    ECE by chance  asked    tokens\n")
            with LargeModelServer(brain) as server:
                own = settings.model_copy(update={"llm_url": server.url})
                cache = AnswerCache(ModelFiles(f"{home}/answers{place}"))
                for below in reversed(BELOW):
                    terms = Terms(below=below, unknown_from=None, learn_from=LEARN)
                    with LargeModel(own, terms, ledger=LedgerInMemory(), cache=cache) as large:
                        cascade = Cascade(
                            KEY, data.config, predictor=predictor, registry=registry, encoder=encoder, large=large,
                            terms=terms, labelled=data.known,
                        )  # fmt: skip
                        started = time.perf_counter()
                        pool = cascade.trust.joiners["label"].pool
                        seconds = time.perf_counter() - started
                        views = cascade.views(data.asked)
                    if below == 1.0:
                        line("local alone", [it.local.get("label") for it in views], data)
                        line("large alone, recalibrated", [it.large.get("label") for it in views], data, "1.00")
                    asked = [it for it in views if it.by == "joint"]
                    spent = sum(it.cost.tokens for it in views if it.cost) or ""
                    line(
                        f"cascade, below {below:.1f}", [it.opinions.get("label") for it in views], data,
                        f"{len(asked) / len(views):.2f}", f"{spent:,}" if spent else "",
                    )  # fmt: skip
                sys.stdout.write(f"  trust, from {LEARN} labels, in {seconds:.1f} s: {_words(pool)}\n")


if __name__ == "__main__":
    main()
