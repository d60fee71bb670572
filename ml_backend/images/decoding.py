"""Bytes that claim to be an image -> pixels."""

from __future__ import annotations

import warnings
from io import BytesIO
from typing import TYPE_CHECKING

from ml_backend.images import Unreadable

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP")
"""What browsers show. Pillow reads dozens more, whose code few have tried to break."""
MOST_PIXELS = 40_000_000
"""120 MB once decoded: a file of a few kB can claim any size."""
LONGEST_SIDE = 2_000
"""Pixels to which a picture is reduced: more than any encoder looks at, and what reading text takes."""
MOST_SLENDER = 20
"""Long side to short side. Encoders enlarge the short side to theirs, which makes gigabytes of a thread."""


def decode(content: bytes) -> Image:
    """RGB pixels, upright, on white where they are transparent; of an animation the first frame. Raises Unreadable."""
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's about large images: the limit here is lower
            with Image.open(BytesIO(content), formats=FORMATS) as file:
                width, height = file.size
                if width * height > MOST_PIXELS:
                    raise Unreadable(f"it has {width} x {height} pixels, over {MOST_PIXELS // 1_000_000} million")
                if max(width, height) > MOST_SLENDER * min(width, height):
                    raise Unreadable(f"it is {width} x {height} pixels, a line rather than a picture")
                file.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))  # a JPEG is decoded at a fraction of its size
                upright = ImageOps.exif_transpose(file)
    except Unreadable:
        raise
    except Image.UnidentifiedImageError:
        raise Unreadable(f"it is none of {', '.join(FORMATS)}") from None
    except Exception as error:  # whatever a file made to break decoders raises
        raise Unreadable(f"it cannot be decoded: {error}") from None
    upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    if not upright.has_transparency_data:
        return upright.convert("RGB")
    ground = Image.new("RGBA", upright.size, "white")
    return Image.alpha_composite(ground, upright.convert("RGBA")).convert("RGB")
