"""The peer of bench_serving: TF-IDF and logistic regression in the official label-studio-ml server.

python tests/benchmarks/peer_server.py PORT FOLDER
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from label_studio_ml.api import init_app
from label_studio_ml.model import LabelStudioMLBase
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

LABELS = ("positive", "negative")
LEARNED: list[Pipeline] = []


def learned() -> Pipeline:
    """Learned once a process, from the reviews that ours has learned from too."""
    if not LEARNED:
        from tests.unit.learning.reviews import reviews

        texts, labels = zip(*reviews(200), strict=True)
        LEARNED.append(make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(C=10)).fit(texts, labels))
    return LEARNED[0]


class Peer(LabelStudioMLBase):
    def predict(self, tasks: Sequence[Mapping[str, Any]], **_: Any) -> list[dict[str, Any]]:
        model = learned()
        probabilities = model.predict_proba([task["data"]["text"] for task in tasks])
        return [
            {
                "result": [
                    {
                        "from_name": "sentiment",
                        "to_name": "text",
                        "type": "choices",
                        "value": {"choices": [model.classes_[row.argmax()]]},
                    }
                ],
                "score": float(row.max()),
            }
            for row in probabilities
        ]

    def fit(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {}


if __name__ == "__main__":
    init_app(model_class=Peer, model_dir=sys.argv[2]).run(host="127.0.0.1", port=int(sys.argv[1]), threaded=True)
