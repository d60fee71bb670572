"""The peer of bench_serving: label-studio-ml's own example of a text classifier, in its own server.

    python tests/benchmarks/peer_server.py PORT FOLDER

A model of the framework's examples/sklearn_text_classifier, on the server of label-studio-ml 1.0.9 as `label-studio-ml
start` runs it (Flask's, a thread a request, without Redis). FOLDER is its model directory: the framework finds the last
training there (`job_result.json`) when `/setup` comes, and makes the model from its `train_output`, a pickled pipeline
of TF-IDF word 1–3-grams and logistic regression. As in the example each request looks the tags and labels up in the
label config with the SDK. What version 2 of the framework adds (a cache on disk, a checked `ModelResponse`)
is left out, which makes the peer faster.
"""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from label_studio_ml.api import init_app
from label_studio_ml.model import LabelStudioMLBase
from label_studio_sdk.label_interface import LabelInterface
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline


class Peer(LabelStudioMLBase):
    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        with Path(self.train_output["model_file"]).open("rb") as file:
            self.model = pickle.load(file)  # noqa: S301

    def predict(self, tasks: Sequence[Mapping[str, Any]], **_: Any) -> list[dict[str, Any]]:
        interface = LabelInterface(self.label_config)
        from_name, to_name, value = interface.get_first_tag_occurence("Choices", "Text")
        labels = sorted(interface.get_tag(from_name).labels)
        probabilities = self.model.predict_proba([task["data"].get(value) for task in tasks])
        picked = np.argmax(probabilities, axis=1)
        return [
            {
                "result": [
                    {
                        "from_name": from_name,
                        "to_name": to_name,
                        "type": "choices",
                        "value": {"choices": [labels[label]]},
                    }
                ],
                "score": float(score),
            }
            for label, score in zip(picked, probabilities[np.arange(len(picked)), picked], strict=True)
        ]


def train(folder: Path, texts: Sequence[str], labels: Sequence[str]) -> None:
    """What a training of the example leaves behind."""
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 3), token_pattern=r"(?u)\b\w\w+\b|\w"), LogisticRegression(C=10)
    )
    model.fit(texts, [sorted(set(labels)).index(label) for label in labels])
    run = folder / "1795381865"
    run.mkdir(parents=True)
    (run / "model.pkl").write_bytes(pickle.dumps(model))
    (run / "job_result.json").write_text(json.dumps({"model_file": str(run / "model.pkl")}))


if __name__ == "__main__":
    init_app(model_class=Peer, model_dir=sys.argv[2]).run(host="127.0.0.1", port=int(sys.argv[1]))
