"""A backtest -> one HTML file: no script, no request to anywhere, every value escaped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup

from sdk_scripts.report import charts
from sdk_scripts.report.html import template

Document = Mapping[str, Any]


def page(document: Document) -> str:
    """The backtest as a complete HTML document."""
    made = template("backtest.html", percent=_percent, number=_number, count=lambda n: f"{n:,}")
    return made.render(it=document, charts=dict(_charts(document)))


def _charts(document: Document) -> Iterator[tuple[str, Markup]]:
    rows = document["stream"]
    labels = [row["labels"] for row in rows]
    usual = document["majority"]["accuracy"]
    flat: dict[str, list[tuple[float, float]]] = {"commonest answer": [(labels[0], usual), (labels[-1], usual)]}
    if document["zero_shot"] is not None:
        named = document["zero_shot"]["accuracy"]
        flat["names of the labels alone"] = [(labels[0], named), (labels[-1], named)]
    yield (
        "learning",
        charts.curves(
            {
                "Tiebreak": list(zip(labels, [row["accuracy"] for row in rows], strict=True)),
                "TF-IDF + LR": list(zip(labels, [row["tfidf"]["accuracy"] for row in rows], strict=True)),
                **flat,
            },
            across="labels (logarithmic)",
            up="share that was right",
            alt="Accuracy on unseen texts against the number of labels, with TF-IDF and the commonest answer",
        ),
    )
    full = document["full"]["reliability"]
    yield (
        "reliability",
        charts.reliability(
            [one["confidence"] for one in full],
            [one["accuracy"] for one in full],
            [one["count"] for one in full],
            alt="Reliability: share of right answers against the confidence given",
        ),
    )
    active = document["active"]
    if active["curve"]:
        yield (
            "active",
            charts.curves(
                {
                    "chosen by doubt": [(one["labels"], one["chosen"]) for one in active["curve"] if one["chosen"]],
                    "random order": [(one["labels"], one["random"]) for one in active["curve"]],
                    "target": [(one["labels"], active["target"]) for one in active["curve"]],
                },
                across="labels (logarithmic)",
                up="share that was right",
                alt="Accuracy against the number of labels, chosen by doubt and in random order",
            ),
        )


def _percent(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def _number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
