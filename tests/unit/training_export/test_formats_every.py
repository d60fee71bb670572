"""What is true of every format of training sets."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ml_backend.labeling.errors import InputError
from sdk_scripts.training_export.formats import FORMATS
from sdk_scripts.training_export.model import Export
from tests.unit.training_export.made_exports import CONTROLS, control, export, some

ROOT = Path(__file__).parents[3]
WRITE = """
import sys
from pathlib import Path
from tests.unit.training_export.test_formats_every import held
from sdk_scripts.training_export.formats import FORMATS
for name, format in FORMATS.items():
    folder = Path(sys.argv[1]) / name
    folder.mkdir(parents=True)
    format.write(held(name), folder)
"""


def held(format: str) -> Export:
    """A control of each kind that the format holds."""
    kinds = FORMATS[format].kinds
    of = [it for it in CONTROLS if kinds is None or (some(it).kind in kinds and it != "seconds")]
    return export(*map(some, of))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same exports in every format, written by a process of another hash seed and time zone."""
    folder = tmp_path_factory.mktemp("again") / "elsewhere"
    environment = {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "1", "OMP_NUM_THREADS": "1", "TZ": "Asia/Tokyo"}
    subprocess.run([sys.executable, "-c", WRITE, str(folder)], cwd=ROOT, env=environment, check=True)
    return folder


@pytest.mark.parametrize("name", FORMATS)
def test_another_process_writes_the_same_bytes_elsewhere_and_later(name: str, again: Path, tmp_path: Path) -> None:
    FORMATS[name].write(held(name), tmp_path)
    assert contents(tmp_path)
    assert contents(tmp_path) == contents(again / name)


@pytest.mark.parametrize("name", FORMATS)
def test_it_writes_into_its_folder_alone_and_lists_each_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, elsewhere = tmp_path / "set", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    hostile = [
        replace(it, control=replace(it.control, name=f"../../{n}/etc:*")) for n, it in enumerate(held(name).controls)
    ]
    written = FORMATS[name].write(export(*hostile), folder)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(written.files)
    assert all(path.is_relative_to(folder) for path in written.files)


@pytest.mark.parametrize("name", FORMATS)
def test_each_split_has_files_of_its_own(name: str, tmp_path: Path) -> None:
    made = held(name)
    FORMATS[name].write(made, tmp_path)
    files = contents(tmp_path)
    for split in ("train", "validation", "test"):
        assert any(split in path for path in files), split
    for controls in made.controls:
        assert any(controls.folder in path for path in files), controls.folder


@pytest.mark.parametrize(
    ("name", "of"),
    [
        (name, of)
        for name, it in FORMATS.items()
        if it.kinds is not None
        for of in CONTROLS
        if some(of).kind not in it.kinds
    ],
)
def test_a_kind_it_cannot_hold_is_refused_by_the_name_of_the_control(name: str, of: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        FORMATS[name].write(export(some(of)), tmp_path)
    assert repr(control(of).name) in str(refused.value)
    assert refused.value.mend
    assert not contents(tmp_path)


@pytest.mark.parametrize("name", FORMATS)
def test_it_says_what_it_is(name: str) -> None:
    assert 10 < len(FORMATS[name].what) < 90
    assert FORMATS[name].what[-1] != "."
