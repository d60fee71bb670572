"""Answers before anybody labelled: the label whose words are nearest to the text in meaning.

Cosines of different encoders live on different scales (unrelated texts are at 0.1 for one and at 0.8 for another), so
they are measured in standard deviations of the cosines between sentences that have nothing to do with each other.

Confidence is the softmax of those at temperature 2, mixed with 20 % of "any label is as likely": without data nothing
can be calibrated, so it is never above about 0.85, and near 1/k where the labels are about equally near. Measured on
English sentiment, stars and abuse it was 0.02 to 0.15 off the accuracy (expected calibration error), mostly too low.
For a text in a language the encoder does not know, 95 % is "any label is as likely": the nearest label is a guess.

Tried on eight sets of texts (sentiment, stars, abuse, sections and tags of software; 2 to 60 labels) and left out:
taking off each label's mean cosine to unrelated sentences, so that no label is near to everything (no gain on the
average, −1 to −3 points with many labels), and sentences around the labels, such as "This is about …" (gains with few
labels, losses with many). What refines answers on the unlabelled texts of a project is left out, too: an answer would
depend on what was asked before.

A task of images without text is compared with the labels' words by the image encoder, as CLIP's authors do: "a photo
of …", and the softmax of cosines at their temperature of 1/100 (Radford et al. 2021, section 3.1.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from ml_backend.encoder import Encoder, SeeingEncoder
from ml_backend.labeling.config import Control, LabelConfig
from ml_backend.languages import unknown_languages
from ml_backend.prelabelers import Head, Inputs, Opinion, Option, register
from ml_backend.prelabelers._opinions import single
from ml_backend.prelabelers._options import exclusive, options

TEMPERATURE = 2.0
DOUBT = 0.2
DOUBT_UNKNOWN = 0.95
SEEN_SCALE = 100.0
UNRELATED = (
    "The meeting was moved to Thursday afternoon.",
    "It rained all night and the streets are wet.",
    "She bought bread, milk and two apples.",
    "How do I reset my password?",
    "The match ended in a draw after extra time.",
    "The committee published its annual report.",
    "He has been learning the piano since he was a child.",
    "The battery lasts about ten hours.",
    "A new library opened next to the school.",
    "The recipe calls for a pinch of salt.",
    "Scientists found water under the surface of the moon.",
    "They painted the kitchen yellow.",
    "The court will hear the case next month.",
    "The train was late because of a signal failure.",
    "The film tells the story of two brothers.",
    "The dog sleeps under the table.",
)


@register("zero_shot")
class ZeroShot:
    """For controls with at least two labels of which one is picked, wherever there is text or an image to read."""

    name: str

    def start(self, config: LabelConfig, control: Control, encoder: Encoder) -> Head | None:
        leaves = [option for option in options(control) if option.leaf]
        several = control.multiple and not exclusive(control)  # which of them apply cannot be told without examples
        if len(leaves) < 2 or several:
            return None
        captions = None
        if isinstance(encoder, SeeingEncoder) and config.image_fields(control):
            captions = encoder.captions([f"a photo of {option.words}" for option in leaves])
        elif not config.text_fields(control):
            return None
        vectors = encoder.encode([option.words for option in leaves])
        return ZeroShotHead(tuple(leaves), vectors, _spread(encoder), encoder.id, captions)


@dataclass(frozen=True)
class ZeroShotHead:
    options: tuple[Option, ...]
    vectors: np.ndarray
    """(k, d) unit rows."""
    spread: float
    encoder: str
    captions: np.ndarray | None = None
    """(k, d) unit rows in the space of images."""

    def opinions(self, inputs: Inputs) -> Sequence[Opinion | None]:
        nearness = inputs.text_vectors @ self.vectors.T / (self.spread * TEMPERATURE)
        if self.captions is not None and (seen := inputs.only_seen).any():
            nearness[seen] = inputs.vectors[seen, -self.captions.shape[1] :] @ self.captions.T * SEEN_SCALE
        near = softmax(nearness, axis=1)
        unknown = [language is not None for language in unknown_languages(inputs.texts, self.encoder)]
        doubt = np.where(unknown, DOUBT_UNKNOWN, DOUBT)[:, None]
        probabilities = (1 - doubt) * near + doubt / len(self.options)
        return single(self.options, probabilities, inputs)


def _spread(encoder: Encoder) -> float:
    """Standard deviation of the cosines between unrelated sentences."""
    vectors = encoder.encode(UNRELATED)
    cosines = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
    return max(float(cosines.std()), 1e-3)
