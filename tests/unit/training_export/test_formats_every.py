"""What is true of every format of training sets."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ml_backend.labeling.errors import InputError
from ml_backend.labeling.kinds import kind_of
from sdk_scripts.training_export.formats import FORMATS
from sdk_scripts.training_export.model import SPLITS, ControlSet, Export, Image
from tests.unit.labeling.strategies import answers_to, configs, json_values
from tests.unit.training_export.made_exports import CONTROLS, control, export, row, some

texts = st.text(max_size=30) | st.just("Acme \ud83d\n\tbag")
sizes = st.tuples(st.integers(1, 3000), st.integers(1, 3000)) | st.just((None, None))
ROOT = Path(__file__).parents[3]
WRITE = """
import sys
import tempfile
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


@st.composite
def exports(draw: st.DrawFn, kinds: frozenset[str] | None) -> Export:
    """Of controls of these kinds, with answers, texts, labels and images of all sorts."""
    controls = []
    for asked in draw(configs()).answerable:
        kind = kind_of(asked)
        if kind is None or (kinds is not None and kind.name not in kinds):
            continue
        rows = []
        for task in draw(st.lists(st.integers(0, 2**40), max_size=4, unique=True).map(sorted)):
            answer = draw(answers_to(asked))
            regions = answer if kind.name in ("spans", "boxes") else ()
            if kind.name == "spans":
                regions = tuple(replace(it, start_in="", end_in="", end=max(it.end, it.start + 1)) for it in answer)
            images = tuple(Image(draw(texts), *draw(sizes)) for _ in range(draw(st.integers(0, 2))))
            labels = kind.labels(answer)
            rows.append(
                row(
                    task,
                    text=draw(texts),
                    data={"a": draw(json_values)},
                    images=images,
                    answer=answer,
                    labels=labels,
                    regions=regions,
                    soft=dict.fromkeys(labels, 0.5) if draw(st.booleans()) else {},
                    split=draw(st.sampled_from(SPLITS)),
                )
            )
        seen = sorted({label for it in rows for label in it.labels})
        controls.append(ControlSet(asked, kind.name, tuple(seen) if draw(st.booleans()) else (), tuple(rows)))
    return export(*controls)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=20, phases=[Phase.generate])  # each writes files: to shrink would take minutes
@given(data=st.data())
def test_whatever_people_answer_is_written_twice_alike_or_refused_by_the_name_of_a_control(
    name: str, data: st.DataObject
) -> None:
    made = data.draw(exports(FORMATS[name].kinds))
    contained, refused = [], ""
    for _ in range(2):
        with tempfile.TemporaryDirectory() as folder:
            try:
                written = FORMATS[name].write(made, Path(folder))
            except InputError as error:
                refused = error.what
                break
            contained.append(contents(Path(folder)))
            assert len(set(written.files)) == len(contained[-1])
    if refused:
        assert any(repr(it.control.name) in refused for it in made.controls)
        return
    assert contained[0] == contained[1]
    tasks = {it.task for controls in made.controls for it in controls.rows}
    assert tasks.issuperset(task for found in written.lost.values() for task in found)


@pytest.mark.parametrize("name", FORMATS)
def test_each_split_has_files_of_its_own(name: str, tmp_path: Path) -> None:
    made = held(name)
    FORMATS[name].write(made, tmp_path)
    files = contents(tmp_path)
    for split in ("train", "validation", "test"):
        assert any(split in path for path in files), split
    for controls in made.controls:
        assert any(controls.folder in path for path in files), controls.folder


@pytest.mark.parametrize("name", FORMATS)
def test_a_control_that_nobody_answered_costs_the_others_nothing(name: str, tmp_path: Path) -> None:
    made = held(name)
    first, *others = made.controls
    empty = replace(first, control=replace(first.control, name="empty"), rows=())
    FORMATS[name].write(export(empty, first, *others), tmp_path)
    assert not [path for path in contents(tmp_path) if "empty" in path]
    assert any(first.folder in path for path in contents(tmp_path))


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
