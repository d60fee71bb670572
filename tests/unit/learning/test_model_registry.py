from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path

import fsspec
import numpy as np
import pytest

from ml_backend.labeling.errors import ConfigError, InputError, ModelUnavailable, UnknownName
from ml_backend.live_models import LiveModels
from ml_backend.live_pointer import HISTORY
from ml_backend.model_registry import Model, ModelRegistry, Pointer, StoredHead, VersionInfo
from ml_backend.outcomes import Outcomes
from ml_backend.prelabelers import State
from tests.unit.learning.stores import SlowStore

PROJECT = "7.1795381865"
BEGIN = datetime(2026, 11, 23, tzinfo=UTC)


def model(number: int = 0) -> Model:
    info = VersionInfo(
        version="",
        created_at=BEGIN + timedelta(seconds=number),
        labels=10 + number,
        metrics={"c": {"accuracy": 0.5, "reliability": [{"low": 0.0, "accuracy": None}]}},
        fingerprint=f"{number:016x}",
        label_fingerprint="l",
        data_fingerprint="d",
        config_fingerprint="c",
        encoder="e",
        recipe=1,
        policy_version="p",
    )
    outcomes = Outcomes(
        texts=np.arange(5, dtype=np.uint64),
        confidence=np.full(5, 0.5, np.float32),
        correct=np.ones(5, np.bool_),
        answered=np.zeros(5, np.int32),
        expected=np.zeros(5, np.int32),
        answers=('["a"]',),
    )
    state = State({"names": ["ดี", "half \ud800"]}, {"weights": np.full((3, 2), number, np.float32)})
    return Model(info, {"c": StoredHead("few_shot", "s", state)}, {"c": np.arange(5, dtype=np.uint64)}, {"c": outcomes})


@pytest.fixture(params=["folder", "memory", "slow"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> ModelRegistry:
    """On a local folder, and on file systems that are none."""
    return ModelRegistry(str(tmp_path) if request.param == "folder" else f"{request.param}://{uuid.uuid4().hex}")


@pytest.fixture
def local(tmp_path: Path) -> ModelRegistry:
    return ModelRegistry(str(tmp_path))


def test_a_version_is_loaded_as_it_was_saved(registry: ModelRegistry) -> None:
    version = registry.save(PROJECT, model(3))
    loaded = registry.load(PROJECT, version)
    assert loaded.info == replace(model(3).info, version=version)
    assert loaded.heads["c"].state.fields == {"names": ["ดี", "half \ud800"]}
    np.testing.assert_array_equal(loaded.heads["c"].state.arrays["weights"], np.full((3, 2), 3, np.float32))
    np.testing.assert_array_equal(loaded.learned_from["c"], np.arange(5))


def test_versions_are_listed_newest_first_with_the_live_one_marked(registry: ModelRegistry) -> None:
    assert registry.versions(PROJECT) == []
    names = [registry.save(PROJECT, model(number)) for number in range(3)]
    registry.promote(PROJECT, names[1])
    assert [(info.version, info.live) for info in registry.versions(PROJECT)] == [
        (names[2], False),
        (names[1], True),
        (names[0], False),
    ]
    assert registry.versions(PROJECT)[0].to_json()["created_at"] == "2026-11-23T00:00:02+00:00"


def test_the_same_content_has_the_same_name_whenever_and_wherever_it_is_made(registry: ModelRegistry) -> None:
    later = replace(model(3), info=replace(model(3).info, created_at=BEGIN + timedelta(days=1), reason="Why not."))
    name = registry.save(PROJECT, model(3))
    assert registry.save(PROJECT, later) == registry.save("8.1", later) == name
    assert len(registry.versions(PROJECT)) == 1
    (other,) = {registry.save(PROJECT, replace(model(3), learned_from={"c": np.arange(6, dtype=np.uint64)}))} - {name}
    assert name.split("-")[:3] == other.split("-")[:3] == ["few", "shot", "13"]


def test_a_version_under_another_name_is_refused(local: ModelRegistry, tmp_path: Path) -> None:
    name, other = local.save(PROJECT, model(0)), local.save(PROJECT, model(1))
    for file in ("arrays.safetensors", "model.json"):
        (tmp_path / PROJECT / other / file).write_bytes((tmp_path / PROJECT / name / file).read_bytes())
    with pytest.raises(ModelUnavailable, match=f"it holds version {name}"):
        local.load(PROJECT, other)
    assert [info.version for info in local.versions(PROJECT)] == [name]


def test_saving_makes_nothing_live_and_saving_again_changes_nothing(registry: ModelRegistry) -> None:
    registry.save(PROJECT, model())
    registry.save(PROJECT, model())
    assert registry.live(PROJECT) is None
    assert len(registry.versions(PROJECT)) == 1


def test_rolling_back_goes_through_the_versions_that_were_live(registry: ModelRegistry) -> None:
    names = [registry.save(PROJECT, model(number)) for number in range(3)]
    for name in names:
        registry.promote(PROJECT, name)
    assert registry.rollback(PROJECT) == names[1] == registry.live(PROJECT)
    assert registry.rollback(PROJECT) == names[0]
    assert registry.pointer(PROJECT) == Pointer(names[0], (), (names[1], names[2]))
    with pytest.raises(InputError, match="no earlier version"):
        registry.rollback(PROJECT)
    registry.promote(PROJECT, names[2])
    assert registry.pointer(PROJECT) == Pointer(names[2], (names[0],), (names[1],))


def test_projects_do_not_see_each_other(registry: ModelRegistry) -> None:
    version = registry.save(PROJECT, model())
    registry.promote(PROJECT, version)
    assert registry.live("8.1") is None
    with pytest.raises(UnknownName):
        registry.promote("8.1", version)


def test_a_version_that_is_not_there_lists_those_that_are(registry: ModelRegistry) -> None:
    version = registry.save(PROJECT, model())
    with pytest.raises(UnknownName, match=version):
        registry.promote(PROJECT, "few-shot-20200101-000000-00000000")


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def forge(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"labels": 11', b'"labels": 99'))


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("arrays.safetensors", truncate),
        ("arrays.safetensors", flip),
        ("arrays.safetensors", Path.unlink),
        ("model.json", truncate),
        ("model.json", flip),
        ("model.json", forge),
    ],
)
def test_a_damaged_version_is_refused_and_the_live_one_stays(
    local: ModelRegistry, tmp_path: Path, file: str, damage: Callable[[Path], None]
) -> None:
    good, bad = local.save(PROJECT, model(0)), local.save(PROJECT, model(1))
    local.promote(PROJECT, good)
    damage(tmp_path / PROJECT / bad / file)
    with pytest.raises(ModelUnavailable, match=bad):
        local.promote(PROJECT, bad)
    assert local.live(PROJECT) == good
    assert good in [info.version for info in local.versions(PROJECT)]


def test_rolling_back_passes_over_a_damaged_version(local: ModelRegistry, tmp_path: Path) -> None:
    names = [local.save(PROJECT, model(number)) for number in range(3)]
    for name in names:
        local.promote(PROJECT, name)
    truncate(tmp_path / PROJECT / names[1] / "arrays.safetensors")
    assert local.rollback(PROJECT) == names[0]


def test_a_saving_cut_short_leaves_no_version(local: ModelRegistry, tmp_path: Path) -> None:
    version = local.save(PROJECT, model())
    (tmp_path / PROJECT / version / "model.json").unlink()
    assert local.versions(PROJECT) == []
    assert local.save(PROJECT, model()) == version
    assert local.load(PROJECT, version).info == replace(model().info, version=version)


def test_a_damaged_pointer_is_an_error_until_a_version_is_promoted(local: ModelRegistry, tmp_path: Path) -> None:
    version = local.save(PROJECT, model())
    (tmp_path / PROJECT / "live.json").write_text('{"version": "../../etc", "before": [], "withdrawn": []}')
    with pytest.raises(ModelUnavailable, match=r"live\.json"):
        local.live(PROJECT)
    local.promote(PROJECT, version)
    assert local.live(PROJECT) == version


def test_a_pointer_that_the_disk_damaged_is_read_from_its_copy_and_mended(local: ModelRegistry, tmp_path: Path) -> None:
    versions = [local.save(PROJECT, model(number)) for number in range(2)]
    for version in versions:
        local.promote(PROJECT, version)
    file = tmp_path / PROJECT / "live.json"
    file.write_bytes(file.read_bytes()[:20])
    assert local.pointer(PROJECT) == Pointer(versions[1], (versions[0],))
    local.promote(PROJECT, versions[1])
    assert json.loads(file.read_bytes())["version"] == versions[1]


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../other", "a/b", "/etc", "a\0b", "a..b", "-x", "é", "x" * 200, "a\\b", "a\n"]
)
def test_names_that_could_leave_their_folder_are_refused(registry: ModelRegistry, name: str) -> None:
    for call in (registry.live, registry.versions, registry.rollback, registry.mark):
        with pytest.raises(InputError):
            call(name)
    for two in (registry.load, registry.promote):
        with pytest.raises(InputError):
            two(PROJECT, name)
        with pytest.raises(InputError):
            two(name, "few-shot-10-0123456789abcdef")


def test_the_mark_changes_with_every_promotion(registry: ModelRegistry) -> None:
    names = [registry.save(PROJECT, model(number)) for number in range(2)]
    marks = [registry.mark(PROJECT)]
    for name in (names[0], names[1], names[0]):
        registry.promote(PROJECT, name)
        marks.append(registry.mark(PROJECT))
    assert all(one != other for one, other in pairwise(marks))


def test_old_versions_go_but_never_those_that_were_live(local: ModelRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml_backend.model_registry.KEPT", 3)
    first = local.save(PROJECT, model(0))
    local.promote(PROJECT, first)
    names = [local.save(PROJECT, model(number)) for number in range(1, 8)]
    assert [info.version for info in local.versions(PROJECT)] == [*names[:-4:-1], first]


def test_readers_see_whole_versions_while_others_promote_and_roll_back(registry: ModelRegistry) -> None:
    names = [registry.save(PROJECT, model(number)) for number in range(4)]
    for name in names:
        registry.promote(PROJECT, name)
    live, done = LiveModels(registry, "e"), threading.Event()

    def switch(number: int) -> None:
        if number % 3:
            registry.promote(PROJECT, names[number % 4])
        else:
            with suppress(InputError):  # nothing left to go back to
                registry.rollback(PROJECT)

    def read() -> set[str]:
        seen = set()
        while not done.is_set():
            version = registry.live(PROJECT)
            assert version is not None
            served = live.live(PROJECT)
            assert served is not None
            for found in (registry.load(PROJECT, version), served):
                assert (found.heads["c"].state.arrays["weights"] == found.info.labels - 10).all()
            seen.add(version)
        return seen

    with ThreadPoolExecutor(6) as threads:
        readers = [threads.submit(read) for _ in range(3)]
        try:
            list(threads.map(switch, range(30)))
        finally:
            done.set()
        assert set().union(*(reader.result() for reader in readers)) <= set(names)
    assert registry.live(PROJECT) in names


def test_writers_at_the_same_time_lose_nothing_of_each_other(registry: ModelRegistry) -> None:
    names = [registry.save(PROJECT, model(number)) for number in range(6)]
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(partial(registry.promote, PROJECT), names))
    pointer = registry.pointer(PROJECT)
    assert sorted([pointer.version, *pointer.before]) == sorted(names)
    with ThreadPoolExecutor(3) as threads:
        gone = list(threads.map(lambda _: registry.rollback(PROJECT), range(3)))
    assert set(registry.pointer(PROJECT).withdrawn) == {pointer.version, *pointer.before[:2]}
    assert registry.live(PROJECT) == pointer.before[2]
    assert pointer.before[2] in gone


def test_a_switch_cut_short_leaves_the_one_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml_backend.live_pointer.PATIENCE", 0.05)
    root = uuid.uuid4().hex
    registry = ModelRegistry(f"slow://{root}")
    names = [registry.save(PROJECT, model(number)) for number in range(2)]
    registry.promote(PROJECT, names[0])
    torn = f"{root}/{PROJECT}/live/000000002-{'a' * 32}.json"
    SlowStore.contents[torn] = b'{"version": "few-'
    assert registry.live(PROJECT) == names[0]
    registry.promote(PROJECT, names[1])
    assert registry.pointer(PROJECT) == Pointer(names[1], (names[0],))


def test_old_switches_do_not_pile_up() -> None:
    root = uuid.uuid4().hex
    registry = ModelRegistry(f"memory://{root}")
    names = [registry.save(PROJECT, model(number)) for number in range(2)]
    for number in range(60):
        registry.promote(PROJECT, names[number % 2])
    assert len(fsspec.filesystem("memory").ls(f"/{root}/{PROJECT}/live")) <= HISTORY + 1
    assert registry.live(PROJECT) == names[1]


def test_a_url_nobody_can_read_names_the_setting() -> None:
    with pytest.raises(ConfigError, match="TIEBREAK_MODELS_URL"):
        ModelRegistry("nosuchprotocol://bucket")
