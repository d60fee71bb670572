"""The examples in ml_backend/README.md and sdk_scripts/README.md run: each is put into the folder that its first line
names, is found there by its family, and does what the text says of it."""

from __future__ import annotations

import csv
import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ml_backend.encoder import Encoder
from ml_backend.labeling import kinds
from ml_backend.labeling.answers import answers, write_answers
from ml_backend.labeling.config import parse
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.kinds import KINDS, kind_of
from ml_backend.labeling.plugins import Registry
from ml_backend.labeling.results import Annotation, Task
from ml_backend.model_registry import ModelRegistry
from ml_backend.predictor import Predictor
from ml_backend.prelabelers import PRELABELERS
from ml_backend.training import train
from sdk_scripts.evidence import Evidence
from sdk_scripts.rule_examples import Given, example
from sdk_scripts.rules import RULES
from sdk_scripts.signals import SIGNALS
from sdk_scripts.training_export.formats import FORMATS
from tests.unit.rules.test_every_rule import found, observations
from tests.unit.training_export.made_exports import export, some

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("ml_backend/README.md", "sdk_scripts/README.md")
FAMILIES: dict[str, Registry[Any]] = {
    "ml_backend/labeling/kinds": KINDS,
    "ml_backend/prelabelers": PRELABELERS,
    "sdk_scripts/signals": SIGNALS,
    "sdk_scripts/rules": RULES,
    "sdk_scripts/training_export/formats": FORMATS,
}
EXAMPLES = {
    path: source
    for document in DOCUMENTS
    for path, source in re.findall(r"```python\n# (\S+\.py)\n(.*?)```", (ROOT / document).read_text("utf-8"), re.DOTALL)
}
NUMBERS = parse('<View><Text name="text" value="$text"/><Number name="items" toName="text"/></View>')

Place = Callable[[str], None]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Puts the example of this path where its family looks for members, until the test ends."""
    placed: list[tuple[Any, str]] = []

    def put(path: str) -> None:
        folder, _, name = path.rpartition("/")
        file = tmp_path / path
        file.parent.mkdir(parents=True)
        file.write_text(EXAMPLES[path], "utf-8")
        package = importlib.import_module(folder.replace("/", "."))
        family = FAMILIES[folder]
        placed.append((package, name.removesuffix(".py")))
        list(family)  # what is there already is imported before the copy of the members
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(file.parent)])
        monkeypatch.setattr(family, "_members", dict(family._members))
        monkeypatch.setattr(family, "_discovered", False)
        monkeypatch.setattr(kinds, "_TAGS", {})

    yield put
    for package, name in placed:
        del sys.modules[f"{package.__name__}.{name}"]
        delattr(package, name)


def test_every_example_is_new_and_is_tried_here() -> None:
    tried = Path(__file__).read_text("utf-8")
    assert {path.rpartition("/")[0] for path in EXAMPLES} == set(FAMILIES)
    assert all(not (ROOT / path).exists() and f'place("{path}")' in tried for path in EXAMPLES)


def test_the_kind_reads_and_writes_days(place: Place) -> None:
    config = parse('<View><Text name="text" value="$text"/><DateTime name="when" toName="text" only="date"/></View>')
    assert kind_of(config["when"]) is None
    place("ml_backend/labeling/kinds/day.py")
    kind = kind_of(config["when"])
    assert kind is not None
    regions = write_answers(config, {"when": "2026-02-28"})
    assert regions[0]["value"] == {"datetime": "2026-02-28"}
    assert answers(config, regions) == {"when": "2026-02-28"}
    assert kind.from_key(kind.key("2026-02-28")) == "2026-02-28"
    assert kind.distance("2026-01-01", "2026-01-31") == 0.5
    assert kind.read(config["when"], [{**regions[0], "value": {"datetime": "soon"}}]) is None
    with pytest.raises(InputError, match="takes a date"):
        kind.write(config["when"], "soon")


def test_the_prelabeler_is_trained_stored_and_predicts(place: Place, encoder: Encoder, tmp_path: Path) -> None:
    things = {"a lamp": 1.0, "a pair of shoes": 2.0, "a dozen eggs": 12.0}
    labelled = [
        Task(
            number,
            {"text": f"Offer {number}: {thing}, unused."},
            (Annotation(number, "ana", tuple(write_answers(NUMBERS, {"items": items}))),),
        )
        for number, (thing, items) in enumerate([*things.items()] * 6, 1)
    ]
    registry = ModelRegistry(str(tmp_path / "models"))
    place("ml_backend/prelabelers/nearest_number.py")
    outcome = train("1.1795381865", NUMBERS, labelled, encoder, registry)
    assert outcome.promoted
    assert outcome.metrics["items"]["accuracy"] == 1.0
    task = {"data": {"text": "A dozen eggs, fresh from the farm."}}
    (item,) = Predictor(registry, encoder).predict("1.1795381865", NUMBERS, [task]).results
    assert answers(NUMBERS, item["result"]) == {"items": 12.0}
    assert 0.8 < item["score"] < 1
    assert train("1.1795381865", NUMBERS, labelled[::-1], encoder, registry).version == outcome.version


def test_the_signal_suspects_what_took_long(place: Place) -> None:
    place("sdk_scripts/signals/long_looks.py")
    rows = [
        Given(task, who, "positive", seconds=100.0 if task == 3 else 20.0)
        for task in range(1, 11)
        for who in ("ana", "ben")
    ]
    suspected = SIGNALS["long_looks"](Evidence(example(rows)))
    assert list(suspected) == [3]
    assert suspected[3].score == pytest.approx(0.8)
    assert suspected[3].detail == "people took 5 times as long as they usually do"


def test_the_rule_finds_its_bad_example_and_not_its_good_one(place: Place) -> None:
    place("sdk_scripts/rules/placeholder_rationale.py")
    rule = RULES["placeholder_rationale"]
    assert found("placeholder_rationale", rule.bad()) == ["placeholder_rationale"]
    assert found("placeholder_rationale", rule.good()) == []
    assert [it.value for it in observations("placeholder_rationale", rule.bad())] == [pytest.approx(2 / 3)]


def test_the_format_writes_a_text_and_its_label_a_row(place: Place, tmp_path: Path) -> None:
    place("sdk_scripts/training_export/formats/csv_table.py")
    folder = tmp_path / "csv"
    folder.mkdir()
    written = FORMATS["csv"].write(export(some("choices")), folder)
    assert written.files
    rows = [row for file in written.files for row in csv.DictReader(file.open(encoding="utf-8"))]
    assert rows
    assert all(row["label"] and float(row["confidence"]) for row in rows)
