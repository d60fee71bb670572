"""What a task's images show, where TIEBREAK_IMAGE_ENCODER or TIEBREAK_OCR is set; without them nothing is fetched.

    album         the value of an `<Image>` tag -> a Picture, fetched and read once
    sources       where images may come from: data: URIs, Label Studio's own files, hosts that the settings list
    guarded_http  one GET that neither leaves the listed hosts nor lasts longer than allowed
    decoding      bytes -> pixels, for bytes that may be anything
    clip          pixels -> a vector, in one space with the vectors of words
    ocr           pixels -> the text in them

Task data is untrusted: whoever imports a task chooses what its image is. An image that cannot be read is left out, and
said once in the logs; the task is answered by what else it has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, slots=True)
class Picture:
    """An image that was read."""

    digest: str
    """64 hex digits: SHA-256 of its file."""
    text: str = ""
    """What is written in it, one line a line."""
    vector: np.ndarray | None = field(default=None, repr=False, compare=False)
    """(d,) float16 of length 1; None without an image encoder."""


Look = Callable[[Sequence[str]], Mapping[str, Picture]]
"""Values of `<Image>` tags -> pictures, of those that can be read. Raises ModelUnavailable."""


class Unreadable(Exception):
    """Why an image is not read, in a sentence for the logs. Never leaves this package."""
