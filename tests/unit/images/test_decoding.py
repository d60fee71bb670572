"""Any bytes -> RGB pixels or a reason."""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ml_backend.images import Unreadable
from ml_backend.images.decoding import LONGEST_SIDE, decode
from tests.unit.images.pictures import square


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "WEBP", "BMP"])
def test_what_browsers_show_is_read(format: str) -> None:
    image = decode(square("red", format=format))
    assert (image.mode, image.size) == ("RGB", (60, 48))
    red, green, blue = image.getpixel((30, 20))  # type: ignore[misc]  # of RGB it is three
    assert red > 240
    assert green < 20
    assert blue < 20


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_pixels_of_any_mode_become_rgb(mode: str) -> None:
    file = BytesIO()
    Image.new(mode, (20, 20)).save(file, "JPEG" if mode == "CMYK" else "PNG")
    assert decode(file.getvalue()).mode == "RGB"


def test_what_is_transparent_is_white() -> None:
    file = BytesIO()
    Image.new("RGBA", (20, 20), (255, 0, 0, 0)).save(file, "PNG")
    assert decode(file.getvalue()).getpixel((5, 5)) == (255, 255, 255)


def test_a_photo_held_sideways_is_turned_upright() -> None:
    file, exif = BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 40)).save(file, "JPEG", exif=exif)
    assert decode(file.getvalue()).size == (40, 60)


def test_a_large_picture_is_made_smaller() -> None:
    assert max(decode(square("red", (5_000, 3_000), "JPEG")).size) == LONGEST_SIDE


def bomb() -> bytes:
    """A PNG of a few hundred bytes that says it has 100,000 x 50,000 pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 100_000, 50_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html><body>Please sign in</body></html>",
        b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        b"%PDF-1.7",
        bomb(),
        square("red", (7_000, 6_000), "GIF"),
        square("red", (1_000, 10)),
        square("red")[:60],
        square("red", (400, 400), "JPEG")[:500],
        square("red", format="TIFF"),
        square("red").replace(b"IDAT", b"XDAT"),
    ],
    ids=["nothing", "html", "svg", "pdf", "bomb", "42 MP", "line", "torn", "torn jpeg", "tiff", "damaged"],
)
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    with pytest.raises(Unreadable):
        decode(content)


@given(
    st.binary(max_size=200), st.sampled_from([square("red", (9, 9), name) for name in ("PNG", "GIF", "WEBP", "BMP")])
)
def test_damaged_files_are_read_or_refused_and_nothing_else(damage: bytes, whole: bytes) -> None:
    torn = whole[: len(whole) // 2] + damage + whole[len(whole) // 2 + len(damage) :]
    with suppress(Unreadable):
        assert decode(torn).mode == "RGB"
