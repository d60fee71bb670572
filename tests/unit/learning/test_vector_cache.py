from __future__ import annotations

import multiprocessing
import sqlite3
from pathlib import Path

import pytest

from ml_backend.vector_cache import VectorCache


def vectors(*numbers: int) -> dict[bytes, bytes]:
    return {f"key {number}".encode(): bytes([number % 256]) * 8 for number in numbers}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vectors.sqlite"


def test_what_was_put_is_found_by_the_next_process(path: Path) -> None:
    VectorCache(path).put(vectors(1, 2))
    assert VectorCache(path).get([b"key 1", b"key 2", b"key 3"]) == vectors(1, 2)


def test_a_torn_row_is_as_good_as_none_and_can_be_written_again(path: Path) -> None:
    VectorCache(path).put(vectors(1, 2))
    with sqlite3.connect(path) as file:
        file.execute("UPDATE vectors SET vector = ? WHERE key = ?", (b"torn ...", b"key 1"))
    cache = VectorCache(path)
    assert cache.get([b"key 1", b"key 2"]) == vectors(2)
    cache.put(vectors(1))
    assert VectorCache(path).get([b"key 1"]) == vectors(1)


@pytest.mark.parametrize("content", [b"this is no database, but text" * 100, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_file_is_set_aside_and_begun_anew(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    cache = VectorCache(path)
    assert cache.get([b"key 1"]) == {}
    cache.put(vectors(1))
    assert VectorCache(path).get([b"key 1"]) == vectors(1)
    assert path.with_name("vectors.sqlite.damaged").exists()


def test_a_file_of_another_layout_is_begun_anew(path: Path) -> None:
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE vectors (id INTEGER PRIMARY KEY, other TEXT)")
    cache = VectorCache(path)
    assert cache.get([b"key 1"]) == {}
    cache.put(vectors(1))
    assert VectorCache(path).get([b"key 1"]) == vectors(1)


def test_without_a_disk_it_lives_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = VectorCache(tmp_path / "file" / "vectors.sqlite")
    cache.put(vectors(1))
    assert cache.get([b"key 1", b"key 2"]) == vectors(1)


def test_the_file_stays_bounded_and_loses_the_oldest_first(path: Path) -> None:
    cache = VectorCache(path, disk_bytes=10 * 208)
    for number in range(30):
        cache.put(vectors(number))
    kept = VectorCache(path).get([f"key {number}".encode() for number in range(30)])
    assert kept == vectors(*range(20, 30))


def test_wide_vectors_take_no_more_of_the_disk_than_narrow_ones(path: Path) -> None:
    cache = VectorCache(path, disk_bytes=2_000_000)
    for start in range(0, 4_000, 100):
        cache.put({f"key {number}".encode(): bytes(2_048) for number in range(start, start + 100)})
    with sqlite3.connect(path) as file:
        [(size,)] = file.execute("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
    assert size < 3_000_000


def test_a_full_disk_costs_only_time(path: Path) -> None:
    cache = VectorCache(path)
    cache.put(vectors(1))
    assert cache._file is not None
    cache._file.execute("PRAGMA max_page_count=1")  # as SQLite sees a disk without room
    many = {f"key {number}".encode(): bytes(4_000) for number in range(50)}
    cache.put(many)
    assert cache.get(list(many)) == many
    assert VectorCache(path).get([b"key 1"]) == vectors(1)
    assert not path.with_name("vectors.sqlite.damaged").exists()


def test_a_process_killed_while_it_writes_leaves_a_whole_file(path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    writer = spawn.Process(target=_write, args=(path, 0, 1_000_000))
    writer.start()
    cache = VectorCache(path)
    while not cache.get([b"key 20"]):
        assert writer.is_alive()
    writer.kill()
    writer.join(60)
    after = VectorCache(path)
    assert after.get([b"key 1", b"key 20"]) == vectors(1, 20)
    after.put(vectors(7_000_000))
    assert VectorCache(path).get([b"key 7000000"]) == vectors(7_000_000)
    assert not path.with_name("vectors.sqlite.damaged").exists()


def test_memory_stays_bounded_and_the_file_has_the_rest(path: Path) -> None:
    cache = VectorCache(path, memory_bytes=2_000)
    cache.put(vectors(*range(50)))
    assert len(cache._memory) < 10
    assert cache.get([f"key {number}".encode() for number in range(50)]) == vectors(*range(50))


def test_more_keys_than_a_statement_takes_are_found(path: Path) -> None:
    many = {f"key {number}".encode(): number.to_bytes(8, "big") for number in range(3_000)}
    VectorCache(path).put(many)
    assert VectorCache(path).get(list(many)) == many


def _write(path: Path, first: int, count: int = 50) -> None:
    cache = VectorCache(path)
    for number in range(first, first + count):
        cache.put(vectors(number))


def test_several_processes_share_one_file(path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_write, args=(path, first)) for first in (0, 50, 100)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    keys = [f"key {number}".encode() for number in range(150)]
    assert VectorCache(path).get(keys) == vectors(*range(150))
