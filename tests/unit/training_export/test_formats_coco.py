"""COCO's detection JSON, read by pycocotools."""

from __future__ import annotations

import contextlib
import math
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.coco import COCO

from ml_backend.labeling.errors import InputError
from ml_backend.labeling.kinds.boxes import Box
from sdk_scripts.training_export.formats import Written
from sdk_scripts.training_export.formats.coco import PAGE, write
from sdk_scripts.training_export.model import Image, Row
from tests.unit.training_export.made_exports import asked, drawn, export, row, some

percents = st.floats(0, 100).map(lambda it: round(it, 4))
sides = st.floats(0.01, 100).map(lambda it: round(it, 4))
sizes = st.tuples(st.integers(8, 5000), st.integers(8, 5000))


def written(folder: Path, *rows: Row, labels: str = "AB") -> Written:
    return write(export(asked("boxes", labels, *rows)), folder)


def annotations(folder: Path) -> list[dict[str, Any]]:
    with contextlib.redirect_stdout(None):
        return list(COCO(str(folder / "logos/train.json")).anns.values())


def test_pycocotools_finds_images_categories_and_boxes(tmp_path: Path) -> None:
    written(tmp_path, drawn(7, Box(10, 20, 30, 40, 0, ("B",)), Box(0, 0, 50, 50, 0, ("A", "B"))), drawn(9))
    coco = COCO(str(tmp_path / "logos/train.json"))
    assert coco.loadCats(coco.getCatIds()) == [
        {"id": 1, "name": "A", "supercategory": ""},
        {"id": 2, "name": "B", "supercategory": ""},
    ]
    assert coco.loadImgs([7, 9]) == [
        {"id": 7, "file_name": "https://images.test/7-0.jpg", "width": 640, "height": 480},
        {"id": 9, "file_name": "https://images.test/9-0.jpg", "width": 640, "height": 480},
    ]
    found = coco.loadAnns(coco.getAnnIds(imgIds=[7]))
    assert [(it["id"], it["category_id"], it["bbox"]) for it in found] == [
        (1, 2, [64, 96, 192, 192]),
        (2, 1, [0, 0, 320, 240]),
        (3, 2, [0, 0, 320, 240]),
    ]
    assert coco.annToMask(found[0]).sum() == found[0]["area"] == 192 * 192
    assert coco.getAnnIds(imgIds=[9]) == []


@given(percents, percents, sides, sides, sizes)
def test_a_box_covers_the_same_share_of_the_image_in_pixels_as_in_percent(
    x: float, y: float, width: float, height: float, size: tuple[int, int]
) -> None:
    box = Box(x, y, min(width, 100 - x), min(height, 100 - y), 0, ("A",))
    if not box.width or not box.height:
        return
    with tempfile.TemporaryDirectory() as folder:
        assert not written(Path(folder), drawn(1, box, size=size)).lost
        (found,) = annotations(Path(folder))
    left, top, across, along = found["bbox"]
    scale = (size[0] / 100, size[1] / 100)
    assert (left, across) == pytest.approx((box.x * scale[0], box.width * scale[0]), abs=1e-5)
    assert (top, along) == pytest.approx((box.y * scale[1], box.height * scale[1]), abs=1e-5)
    assert found["area"] == pytest.approx(across * along, rel=1e-4, abs=1e-6)
    assert left + across <= size[0] + 1e-5
    assert top + along <= size[1] + 1e-5


@given(percents, percents, sides, sides, st.floats(0, 359.9), sizes)
def test_a_rotated_box_keeps_its_sides_and_is_inside_the_rectangle_around_it(
    x: float, y: float, width: float, height: float, rotation: float, size: tuple[int, int]
) -> None:
    box = Box(x, y, width, height, rotation, ("A",))
    with tempfile.TemporaryDirectory() as folder:
        lost = written(Path(folder), drawn(1, box, size=size)).lost
        found = annotations(Path(folder))
    if not found:
        assert lost == {"a box outside its image: left out": (1,)}
        return
    (left, top, across, along), area = found[0]["bbox"], found[0]["area"]
    (flat,) = found[0]["segmentation"]
    assert min(flat[::2]) == pytest.approx(left, abs=1e-5)
    assert max(flat[::2]) == pytest.approx(left + across, abs=1e-5)
    assert min(flat[1::2]) == pytest.approx(top, abs=1e-5)
    assert max(flat[1::2]) == pytest.approx(top + along, abs=1e-5)
    assert left >= -1e-6
    assert top >= -1e-6
    assert left + across <= size[0] + 1e-5
    assert top + along <= size[1] + 1e-5
    assert area <= across * along * (1 + 1e-6) + 1e-4
    whole = box.width * box.height / 1e4 * size[0] * size[1]
    assert area <= whole * (1 + 1e-6) + 1e-5
    assert (area >= 0.99 * whole - 1e-5) or lost == {"a box over the edge of its image: cut there": (1,)}


def test_a_box_turned_by_a_right_angle_stands_on_its_side_in_pixels(tmp_path: Path) -> None:
    written(tmp_path, drawn(1, Box(50, 10, 20, 10, 90, ("A",)), size=(1000, 500)))
    (found,) = annotations(tmp_path)
    assert found["bbox"] == pytest.approx([450, 50, 50, 200])  # 200 across and 50 along, around (500, 50)
    assert found["area"] == pytest.approx(200 * 50)


def test_a_box_turned_by_45_degrees_has_the_rectangle_around_it(tmp_path: Path) -> None:
    written(tmp_path, drawn(1, Box(50, 10, 10, 10, 45, ("A",)), size=(1000, 1000)))
    (found,) = annotations(tmp_path)
    half = 100 / math.sqrt(2)
    assert found["bbox"] == pytest.approx([500 - half, 100, 2 * half, 2 * half], abs=1e-5)
    assert found["area"] == pytest.approx(100 * 100)


def test_what_reaches_over_the_edge_is_cut_and_counted(tmp_path: Path) -> None:
    lost = written(
        tmp_path, drawn(3, Box(90, 0, 20, 50, 0, ("A",)), Box(100, 0, 20, 50, 0, ("A",)), size=(100, 100))
    ).lost
    assert lost == {"a box outside its image: left out": (3,), "a box over the edge of its image: cut there": (3,)}
    assert [it["bbox"] for it in annotations(tmp_path)] == [[90, 0, 10, 50]]


def test_an_image_of_unknown_size_is_left_out_and_counted_with_its_boxes(tmp_path: Path) -> None:
    box = Box(10, 20, 30, 40, 0, ("A",))
    lost = written(tmp_path, drawn(1, box), drawn(2, box, box, size=None), row(3)).lost
    assert lost == {
        "a box on an image of unknown size: left out": (2, 2),
        "a row without an image: left out": (3,),
        "an image of unknown size: left out": (2,),
    }
    assert [it["image_id"] for it in annotations(tmp_path)] == [1]


def test_a_control_without_any_known_size_is_refused_by_name(tmp_path: Path) -> None:
    box = Box(10, 20, 30, 40, 0, ("A",))
    with pytest.raises(InputError, match=r"'logos'.*size.*\(task 1, 2, 3, 4, 5, …\)"):
        written(tmp_path, *(drawn(task, box, size=None) for task in range(1, 8)))


def test_the_pages_of_a_task_are_images_of_their_own(tmp_path: Path) -> None:
    boxes = [Box(10, 20, 30, 40, 0, ("A",), page) for page in (0, 1, 2)]
    lost = written(tmp_path, drawn(5, *boxes, pages=2)).lost
    assert lost == {"a box on an image that its task does not have: left out": (5,)}
    coco = COCO(str(tmp_path / "logos/train.json"))
    assert [coco.imgs[it["image_id"]]["file_name"] for it in coco.anns.values()] == [
        "https://images.test/5-0.jpg",
        "https://images.test/5-1.jpg",
    ]
    assert sorted(coco.imgs) == [5, 5 + PAGE]


def test_a_box_without_a_label_is_counted(tmp_path: Path) -> None:
    assert written(tmp_path, drawn(5, Box(1, 1, 1, 1))).lost == {"a box without a label: left out": (5,)}


def test_annotations_are_numbered_through_the_splits_which_have_a_file_each(tmp_path: Path) -> None:
    files = write(export(some("boxes")), tmp_path).files
    assert [it.name for it in files] == ["train.json", "validation.json", "test.json"]
    assert [id for path in files for id in COCO(str(path)).anns] == [1, 2, 3]


def test_addresses_and_labels_of_any_script_come_back(tmp_path: Path) -> None:
    made = row(1, images=(Image("/data/upload/1/Zoë 店.jpg", 10, 10),), regions=(Box(0, 0, 50, 50, 0, ('"名"\n',)),))
    write(export(asked("boxes", ['"名"\n'], made)), tmp_path)
    coco = COCO(str(tmp_path / "logos/train.json"))
    assert coco.imgs[1]["file_name"] == "/data/upload/1/Zoë 店.jpg"
    assert coco.cats[1]["name"] == '"名"\n'
