"""What the tests of the large model have in common: configs, questions, terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.large_model import AnswerCache, LargeModel, Ledger, LedgerInMemory, Question, Reply, Shot, Terms
from ml_backend.large_model.ledger import Day
from ml_backend.model_files import ModelFiles
from ml_backend.prelabelers import readings_of
from ml_backend.settings import Settings, load_settings
from tests.large_model_server import LargeModelServer, by_keywords

MODERATION = parse(
    '<View><Text name="title" value="$title"/><Text name="body" value="$body"/>'
    '<Choices name="verdict" toName="title" choice="single-radio">'
    '<Choice value="Allow" alias="allow" hint="Nothing is broken."/><Choice value="Reject" alias="reject"/>'
    '<Choice value="Escalate" alias="escalate"/></Choices>'
    '<Choices name="tags" toName="title" choice="multiple"><Choice value="price"/><Choice value="brand"/>'
    '<Choice value="contact"/></Choices>'
    '<View visibleWhen="choice-selected" whenTagName="verdict" whenChoiceValue="Reject,Escalate">'
    '<Taxonomy name="policy" toName="title" leafsOnly="true" maxUsages="1"><Choice value="Goods" alias="goods">'
    '<Choice value="Weapons" alias="weapons"/><Choice value="Drugs" alias="drugs"/></Choice><Choice value="Fake"/>'
    "</Taxonomy></View>"
    '<Rating name="stars" toName="title" maxRating="5"/><Number name="price" toName="title" min="0" max="100"/>'
    '<Labels name="evidence" toName="body"><Label value="Claim" alias="claim"/><Label value="Threat"/></Labels>'
    '<TextArea name="why" toName="title"/></View>'
)
VERDICT = parse(
    '<View><Text name="text" value="$text"/><Choices name="verdict" toName="text"><Choice value="allow"/>'
    '<Choice value="all"/><Choice value="reject"/></Choices></View>'
)

REJECT = {
    "verdict": "reject",
    "tags": ["contact", "price"],
    "policy": "goods / weapons",
    "stars": 2,
    "price": 12.5,
    "evidence": [{"quote": "best knife", "label": "claim", "occurrence": 2}],
    "why": "a weapon",
}
KNIFE = {"title": "Knife!", "body": "The best knife is the best knife."}
RULES = by_keywords({"gun": {"verdict": "reject"}}, otherwise={"verdict": "allow"})
TEXTS = ({"text": "a gun"}, {"text": "a toy"}, {"text": "another gun"}, {"text": "a book"})


@dataclass(frozen=True)
class Given:
    """Terms, as `policy.LargeModel` has them."""

    samples: int = 1
    tokens_a_day: int | None = None
    money_a_day: float | None = None
    input_price: float = 0.0
    output_price: float = 0.0


def questions(config: LabelConfig, *data: Mapping[str, Any], shots: Sequence[Shot] = ()) -> list[Question]:
    """Tasks 1, 2, … with this data."""
    by_control = {control.name: readings_of(config, control, data) for control in config.answerable}
    return [
        Question(place + 1, item, {name: readings[place] for name, readings in by_control.items()}, shots)
        for place, item in enumerate(data)
    ]


def settings_of(server: LargeModelServer, home: Path, **more: Any) -> Settings:
    return load_settings(
        home=home, llm_url=server.url, llm_model="test", llm_key=SecretStr(more.pop("key", server.key)), **more
    )


def ask(
    server: LargeModelServer,
    home: Path,
    config: LabelConfig,
    asked: Sequence[Question],
    *,
    terms: Terms = Given(),
    ledger: Ledger | None = None,
    cached: bool = False,
    guidelines: str = "",
    **more: Any,
) -> list[Reply]:
    cache = AnswerCache(ModelFiles(str(home / "answers"))) if cached else None
    model = LargeModel(
        settings_of(server, home, **more), terms, ledger=ledger or LedgerInMemory(), cache=cache, pause=0.001
    )
    try:
        return model.ask(config, config.answerable, guidelines, asked)
    finally:
        model.close()


def today(ledger: Ledger) -> Day:
    return ledger.day(datetime.now(UTC).date().isoformat())


def said_of(replies: list[Reply], control: str = "verdict") -> list[Any]:
    return [reply.opinions[control].answer[0] if control in reply.opinions else None for reply in replies]  # type: ignore[index]
