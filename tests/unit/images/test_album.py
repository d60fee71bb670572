"""Each image is fetched and read once, and what cannot be read costs only itself."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ml_backend.images import Unreadable
from ml_backend.images.album import AT_ONCE, Album, _shown
from ml_backend.images.clip import Clip
from ml_backend.vector_cache import VectorCache
from tests.unit.images.pictures import square

RED, BLUE = square("red"), square("blue")


class Shelf:
    """Files by address, and how often each was asked for."""

    def __init__(self, **files: bytes) -> None:
        self.files = files
        self.asked: Counter[str] = Counter()

    def __call__(self, value: str, deadline: float) -> bytes:
        self.asked[value] += 1
        if value not in self.files:
            raise Unreadable("there is none")
        return self.files[value]


@pytest.fixture
def cache(tmp_path: Path) -> VectorCache:
    return VectorCache(tmp_path / "images.sqlite")


def album(shelf: Shelf, cache: VectorCache, clip: Clip) -> Album:
    return Album(shelf, cache, clip=clip, ocr=None)


def test_pictures_have_unit_vectors_in_which_colours_lie_apart(cache: VectorCache, clip: Clip) -> None:
    found = album(Shelf(a=RED, b=BLUE, c=square("#f01010")), cache, clip).look(["a", "b", "c"])
    vectors = np.stack([found[name].vector for name in "abc"]).astype(np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-3)
    assert vectors[0] @ vectors[2] > vectors[0] @ vectors[1] + 0.1


def test_an_image_is_fetched_once_by_this_process_and_the_next(cache: VectorCache, clip: Clip) -> None:
    shelf = Shelf(a=RED)
    first = album(shelf, cache, clip)
    seen = [first.look(["a", "a"]), first.look(["a"]), album(shelf, VectorCache(cache.path), clip).look(["a"])]
    assert shelf.asked == {"a": 1}
    assert len({it["a"] for it in seen}) == 1
    assert all(np.array_equal(it["a"].vector, seen[0]["a"].vector) for it in seen)


def test_another_model_sees_anew(cache: VectorCache, clip: Clip) -> None:
    shelf = Shelf(a=RED)
    album(shelf, cache, clip).look(["a"])
    other = Clip(clip._model, local=True, name="other")
    assert album(shelf, cache, other).look(["a"])["a"].vector is not None
    assert shelf.asked == {"a": 2}


def test_the_same_file_under_two_addresses_is_one_picture(cache: VectorCache, clip: Clip) -> None:
    found = album(Shelf(a=RED, b=RED), cache, clip).look(["a", "b"])
    assert found["a"] == found["b"]


def test_what_cannot_be_read_is_left_out_and_not_asked_for_again_at_once(cache: VectorCache, clip: Clip) -> None:
    shelf = Shelf(a=RED, html=b"<html>", torn=RED[:50])
    here = album(shelf, cache, clip)
    for _ in range(3):
        assert set(here.look(["gone", "html", "a", "torn"])) == {"a"}
    assert set(shelf.asked.values()) == {1}


def test_whatever_fetching_raises_costs_only_its_image(cache: VectorCache, clip: Clip) -> None:
    def fetch(value: str, deadline: float) -> bytes:
        return {"a": RED}[value]

    assert set(Album(fetch, cache, clip=clip, ocr=None).look(["a", "b"])) == {"a"}


def test_out_of_time_only_what_is_known_is_answered_and_the_rest_is_read_later(cache: VectorCache, clip: Clip) -> None:
    here = album(Shelf(a=RED, b=BLUE), cache, clip)
    here.look(["a"])
    assert set(here.look(["a", "b"], until=time.monotonic())) == {"a"}
    assert set(here.look(["a", "b"])) == {"a", "b"}


def test_an_image_that_does_not_come_keeps_no_request_waiting(cache: VectorCache, clip: Clip) -> None:
    never = threading.Event()

    def fetch(value: str, deadline: float) -> bytes:
        never.wait(60)
        raise Unreadable("too late")

    here = Album(fetch, cache, clip=clip, ocr=None)
    try:
        assert here.look(["a", "b"], until=time.monotonic() + 0.2) == {}
        assert not never.is_set()
    finally:
        never.set()


def test_many_images_are_read_in_portions(cache: VectorCache, clip: Clip) -> None:
    files = {f"image {i}": square((i, 10 * i, 0)) for i in range(2 * AT_ONCE + 1)}
    found = album(Shelf(**files), cache, clip).look(list(files))
    assert set(found) == set(files)
    assert len({picture.digest for picture in found.values()}) == len(files)


def test_logs_show_neither_passwords_nor_signatures() -> None:
    assert _shown("https://me:secret@example.com/a.png?signature=secret#secret") == "https://example.com/a.png"
    assert len(_shown("data:image/png;base64," + "A" * 1000)) <= 60
