"""The disk cache: bounded, shared by processes, and never a reason for a load to fail."""

import multiprocessing
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siftstream.agents.fetch.loaders.cache import Cache, Kept
from siftstream.agents.fetch.loaders.cache_file import PAGE
from siftstream.schemas.errors import ConfigError

MB = 1 << 20
SPAWN = multiprocessing.get_context("spawn")


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(tmp_path: Path, clock: Clock) -> Iterator[Cache]:
    cache = Cache(tmp_path / "cache", MB, now=clock)
    yield cache
    cache.close()


def on_disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def overwrite(path: Path, offset: int, value: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(value)


def told(caplog: pytest.LogCaptureFixture, words: str) -> int:
    return sum(words in record.getMessage() for record in caplog.records)


# --- what it keeps ---------------------------------------------------------------------------


def test_what_was_put_comes_back_with_its_validator_and_time(cache: Cache, clock: Clock) -> None:
    cache.put("https://host/a", b"meow", '"v1"')
    clock.time = 200.0
    assert cache.get("https://host/a") == Kept(b"meow", '"v1"', 100.0)
    assert cache.get("https://host/b") is None


def test_a_second_put_replaces_the_first(cache: Cache) -> None:
    cache.put("a", b"old" * 1000, "1")
    cache.put("a", b"", "")
    assert cache.get("a") == Kept(b"", "", 100.0)


def test_a_renewed_copy_counts_as_stored_now(cache: Cache, clock: Clock) -> None:
    cache.put("a", b"meow", "1")
    clock.time = 200.0
    cache.renew("a")
    cache.renew("never put")
    assert cache.get("a") == Kept(b"meow", "1", 200.0)


def test_a_copy_from_a_time_to_come_is_not_fresh(cache: Cache, clock: Clock) -> None:
    cache.put("a", b"meow", "1")
    clock.time = 50.0
    assert cache.get("a") == Kept(b"meow", "1", 0.0)


def test_what_was_put_is_there_after_a_restart(cache: Cache, tmp_path: Path) -> None:
    cache.put("a", b"meow", "1")
    cache.close()
    again = Cache(tmp_path / "cache", MB)
    assert again.get("a") == Kept(b"meow", "1", 100.0)
    again.close()


def test_uris_and_validators_of_any_characters_are_kept(cache: Cache) -> None:
    for uri in ("ünï", "lone \udcff surrogate", "nul \0", "x" * 100_000):
        cache.put(uri, uri.encode(errors="replace"), "ünï \udcff")
        kept = cache.get(uri)
        assert kept is not None
        assert kept.data == uri.encode(errors="replace")
        assert kept.validator.startswith("ünï")


def test_a_signed_query_string_never_lies_readable_on_disk(cache: Cache, tmp_path: Path) -> None:
    cache.put("https://host/a.png?X-Amz-Signature=deadbeefdeadbeef", b"meow", "1")
    cache.close()
    for path in (tmp_path / "cache").iterdir():
        assert b"host" not in path.read_bytes()
        assert b"deadbeef" not in path.read_bytes()


def test_only_the_owner_may_look_into_the_folder(cache: Cache, tmp_path: Path) -> None:
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700


# --- how much it keeps -----------------------------------------------------------------------


def test_an_object_above_a_quarter_of_the_limit_is_not_kept(cache: Cache) -> None:
    cache.put("a", b"small", "1")
    cache.put("a", bytes(MB // 4 + 1), "2")
    assert cache.get("a") is None  # nor what it replaced
    cache.put("a", bytes(MB // 4), "3")
    assert cache.get("a") is not None


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 30), st.integers(0, 80_000)), min_size=1, max_size=120)
)
def test_the_bound_holds_and_what_was_used_last_stays(steps: list[tuple[bool, int, int]]) -> None:
    limit = 512 * 1024
    with TemporaryDirectory() as folder:
        cache = Cache(Path(folder), limit)
        model: OrderedDict[str, bytes] = OrderedDict()  # the least recently used first
        for put, name, size in steps:
            uri = str(name)
            if put:
                data = random.Random(size).randbytes(size)
                cache.put(uri, data, "")
                model[uri] = data
                model.move_to_end(uri)
            elif (kept := cache.get(uri)) is not None:
                assert kept.data == model[uri]
                model.move_to_end(uri)
            assert on_disk(Path(folder)) <= limit
        there = [uri for uri in model if (kept := cache.get(uri)) and kept.data == model[uri]]
        cache.close()
    assert there == list(model)[len(model) - len(there) :]  # no hole: older ones went first
    sizes = [len(model[uri]) // PAGE * PAGE + 2 * PAGE for uri in reversed(model)]
    most = 0  # and no more went than had to: these fit for certain
    while most < len(sizes) and sum(sizes[: most + 1]) <= limit * 3 // 5:
        most += 1
    assert len(there) >= most


def test_many_small_objects_stay_within_the_bound(cache: Cache, tmp_path: Path) -> None:
    for n in range(3000):
        cache.put(str(n), bytes(1000), "")
    assert on_disk(tmp_path) <= MB
    there = sum(cache.get(str(n)) is not None for n in range(3000))
    assert there > 600
    assert cache.get("2999") is not None


def test_reads_alone_keep_an_object_from_going(cache: Cache) -> None:
    cache.put("kept", b"meow", "")
    for n in range(200):
        cache.put(str(n), bytes(50_000), "")
        assert cache.get("kept") is not None


def test_a_limit_too_small_for_anything_keeps_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for limit in (1, PAGE, 4 * PAGE, 8 * PAGE):
        cache = Cache(tmp_path / str(limit), limit)
        cache.put("a", b"", "")
        cache.get("a")
        cache.close()


def test_a_lower_limit_begins_anew(cache: Cache, tmp_path: Path) -> None:
    for n in range(10):
        cache.put(str(n), bytes(80_000), "")
    cache.close()
    less = Cache(tmp_path / "cache", MB // 4)
    assert less.get("9") is None
    less.put("a", b"meow", "")
    assert less.get("a") is not None
    less.close()
    assert on_disk(tmp_path) <= MB // 4


# --- several threads and processes -----------------------------------------------------------


def test_threads_share_one_cache(cache: Cache) -> None:
    wrong: list[str] = []

    def work(me: int) -> None:
        for n in range(100):
            uri = str((me + n) % 20)
            cache.put(uri, uri.encode() * 500, "")
            kept = cache.get(uri)
            if kept is None or kept.data != uri.encode() * 500:
                wrong.append(uri)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def content(n: int) -> bytes:
    return random.Random(n).randbytes(2000 + n * 500)


def put_and_get(folder: Path, seed: int) -> None:
    cache = Cache(folder, MB)
    rng = random.Random(seed)
    hits = 0
    for _ in range(400):
        n = rng.randrange(60)
        if rng.random() < 0.4:
            cache.put(str(n), content(n), str(n))
        else:
            kept = cache.get(str(n))
            hits += kept is not None
            assert kept is None or (kept.data, kept.validator) == (content(n), str(n))
    cache.close()
    assert hits > 50


def test_two_processes_write_and_read_at_once(tmp_path: Path) -> None:
    workers = [SPAWN.Process(target=put_and_get, args=(tmp_path, seed)) for seed in (1, 2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert on_disk(tmp_path) <= MB


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_parent_and_forked_child_both_go_on(cache: Cache) -> None:
    cache.put("a", b"parent", "")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            fine = cache.get("a") == Kept(b"parent", "", 100.0)
            for n in range(50):
                cache.put(f"child {n}", b"child", "")
            code = 0 if fine else 2
        finally:
            os._exit(code)
    for n in range(50):
        cache.put(f"parent {n}", b"parent", "")
    assert os.waitpid(child, 0)[1] == 0
    for n in range(50):
        assert cache.get(f"child {n}") == Kept(b"child", "", 100.0)
        assert cache.get(f"parent {n}") == Kept(b"parent", "", 100.0)


def writes_for_ever(folder: Path, contents: list[bytes], seed: int) -> tuple[int, int]:
    """Fork a process that puts without end; return its id, and where it writes a byte before each put."""
    hear, tell = os.pipe()
    child = os.fork()
    if child:
        os.close(tell)
        return child, hear
    try:
        cache, rng = Cache(folder, MB), random.Random(seed)
        while True:
            n = rng.randrange(len(contents))
            os.write(tell, b".")
            cache.put(str(n), contents[n], str(n))
    finally:
        os._exit(1)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_writer_killed_in_mid_put_leaves_a_usable_cache(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rng = random.Random(0)
    contents = [rng.randbytes(MB // 5 - n) for n in range(10)]
    turn = torn = 0
    end = time.monotonic() + 60
    while turn < 40 or torn < 3:
        assert time.monotonic() < end, "too few kills hit a transaction"
        turn += 1
        writer, hear = writes_for_ever(tmp_path, contents, turn)
        for _ in range(rng.randrange(3, 20)):
            os.read(hear, 1)
        moment = time.perf_counter() + rng.random() * 0.004
        while time.perf_counter() < moment:
            pass  # a put takes some milliseconds: hit any place of it
        os.kill(writer, signal.SIGKILL)
        assert os.waitpid(writer, 0)[1] == signal.SIGKILL
        os.close(hear)
        torn += (tmp_path / "objects.sqlite-journal").stat().st_size > 0
        cache = Cache(tmp_path, MB)
        for n, content in enumerate(contents):
            kept = cache.get(str(n))
            assert kept is None or (kept.data, kept.validator) == (content, str(n))
        cache.put("mine", b"meow", "")
        assert cache.get("mine") is not None
        assert sum(cache.get(str(n)) is not None for n in range(10)) >= 2
        cache.close()
        assert on_disk(tmp_path) <= MB
    assert not told(caplog, "begins anew")


# --- damage ----------------------------------------------------------------------------------


def test_a_flipped_byte_in_the_data_is_a_miss_and_the_rest_stays(cache: Cache, tmp_path: Path) -> None:
    for name in ("a", "b"):
        cache.put(name, f"the bytes of {name} ".encode() * 1000, "")
    path = tmp_path / "cache" / "objects.sqlite"
    path.write_bytes(path.read_bytes().replace(b"bytes of a", b"bytes of X"))
    other = Cache(tmp_path / "cache", MB)
    assert other.get("a") is None
    assert other.get("b") is not None
    other.put("a", b"meow", "")
    assert other.get("a") is not None
    other.close()


@pytest.mark.parametrize("column", ["validator", "stored", "sum", "seal", "key"])
def test_a_changed_column_is_a_miss(cache: Cache, tmp_path: Path, column: str) -> None:
    cache.put("a", b"meow", "1")
    other = sqlite3.connect(tmp_path / "cache" / "objects.sqlite")
    with other:
        value: object = 4e9 if column == "stored" else b"x" * 32
        other.execute(f"UPDATE entries SET {column} = ?", (value,))
    other.close()
    assert cache.get("a") is None


def test_bytes_flipped_anywhere_are_a_miss_and_the_cache_goes_on(tmp_path: Path) -> None:
    good = Cache(tmp_path / "good", MB)
    for n in range(40):
        good.put(str(n), content(n % 20), str(n))
    good.close()
    whole = (tmp_path / "good" / "objects.sqlite").read_bytes()
    rng = random.Random(0)
    hits = misses = 0
    for turn in range(150):
        folder = tmp_path / str(turn)
        folder.mkdir()
        bad = bytearray(whole)
        for _ in range(rng.choice([1, 10, 100])):
            at = rng.randrange(rng.choice([100, 4 * PAGE, len(bad)]))
            bad[at] = rng.randrange(256)
        (folder / "objects.sqlite").write_bytes(bad[: rng.randrange(len(bad))] if turn % 5 == 0 else bad)
        cache = Cache(folder, MB)
        for n in range(40):
            kept = cache.get(str(n))
            assert kept is None or (kept.data, kept.validator) == (content(n % 20), str(n))
            hits, misses = hits + (kept is not None), misses + (kept is None)
        for n in range(40):
            cache.renew(str(n))
            cache.put(f"new {n}", bytes(40_000), "")
        for _ in range(2):  # the first may meet the damage
            cache.put("last", b"meow", "")
        assert cache.get("last") is not None
        cache.close()
        assert on_disk(folder) <= MB
    assert hits > 500
    assert misses > 500


@pytest.mark.parametrize(
    "what", [b"", b"not a database, " * 1000, b"\x80\x04cposix\nsystem\n(S'touch hacked'\ntR."]
)
def test_a_foreign_file_in_its_place_is_replaced(
    tmp_path: Path, what: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "objects.sqlite").write_bytes(what)
    cache = Cache(tmp_path, MB)
    assert cache.get("a") is None
    cache.put("a", b"meow", "")
    assert cache.get("a") is not None
    cache.close()
    assert told(caplog, "begins anew") == bool(what)


def test_a_database_with_another_schema_is_replaced(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "objects.sqlite")
    other.executescript(
        "CREATE VIEW entries AS"
        " WITH RECURSIVE e(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM e) SELECT * FROM e"
    )
    other.close()
    cache = Cache(tmp_path, MB)
    assert cache.get("a") is None
    cache.put("a", b"meow", "")
    assert cache.get("a") is not None
    cache.close()


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "objects.sqlite").symlink_to(tmp_path / "precious")
    cache = Cache(tmp_path / "cache", MB)
    cache.put("a", b"meow", "")
    assert cache.get("a") is not None
    cache.close()
    assert (tmp_path / "precious").read_bytes() == b""


def test_who_has_the_file_open_follows_to_the_new_one(cache: Cache, tmp_path: Path, clock: Clock) -> None:
    cache.put("a", b"meow", "")
    overwrite(tmp_path / "cache" / "objects.sqlite", 0, b"X" * PAGE)
    other = Cache(tmp_path / "cache", MB, now=clock)
    assert other.get("a") is None  # meets the damage, begins anew
    other.put("b", b"purr", "")
    assert cache.get("b") == other.get("b") == Kept(b"purr", "", 100.0)
    other.close()


def test_a_folder_removed_while_in_use_is_made_again(cache: Cache, tmp_path: Path) -> None:
    cache.put("a", b"meow", "")
    for path in (tmp_path / "cache").iterdir():
        path.unlink()
    (tmp_path / "cache").rmdir()
    assert cache.get("a") is None
    cache.put("a", b"meow", "")
    assert cache.get("a") is not None


# --- a disk that will not --------------------------------------------------------------------


def test_a_full_disk_stops_no_load_and_is_told_once(
    cache: Cache, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache.put("a", b"meow", "")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5 * PAGE, before[1]))
    try:
        for n in range(20):
            cache.put(str(n), bytes(50_000), "")
            assert cache.get(str(n)) is None
        assert cache.get("a") is not None
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert told(caplog, "cannot be used") == 1
    cache.put("b", bytes(50_000), "")
    assert cache.get("b") is not None


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("may not mount a tmpfs")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_disk_smaller_than_the_limit_stops_no_load(
    tiny_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = Cache(tiny_disk / "cache", MB)
    for n in range(50):
        cache.put(str(n), content(n % 40), str(n))
        kept = cache.get(str(n))
        assert kept is None or kept.data == content(n % 40)
    cache.close()
    assert told(caplog, "cannot be used") == 1


def test_a_folder_that_cannot_be_written_stops_no_load(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "cache"
    (folder / "objects.sqlite" / "in the way").mkdir(parents=True)
    cache = Cache(folder, MB)
    for _ in range(3):
        cache.put("a", b"meow", "")
        cache.renew("a")
        assert cache.get("a") is None
    cache.close()
    assert told(caplog, "cannot be used") == 1
    assert "set fetch.cache.folder" in caplog.text


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user than the folder's to be told no")
def test_a_read_only_folder_is_read_and_not_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    script = """
import os, sys
from pathlib import Path
from siftstream.agents.fetch.loaders.cache import Cache
os.seteuid(65534)
cache = Cache(Path(sys.argv[1]), 1 << 20)
cache.put("b", b"purr", "")
print(cache.get("a"), cache.get("b"))
"""
    folder = tmp_path / "cache"
    cache = Cache(folder, MB, now=lambda: 1.0)
    cache.put("a", b"meow", "1")
    cache.close()
    tmp_path.chmod(0o755)
    for path in tmp_path.parents:
        if path.stat().st_uid == os.geteuid() and path.is_relative_to(tmp_path.parents[1]):
            path.chmod(0o755)
    folder.chmod(0o555)
    (folder / "objects.sqlite").chmod(0o444)
    told = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert "cannot be used" in told.stderr
    assert told.stdout == "Kept(data=b'meow', validator='1', stored=1.0) None\n"


@pytest.mark.parametrize("name", ["file/cache", "file", "x" * 300, "nul\0"])
def test_a_folder_that_can_never_be_is_refused_at_start(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"fetch.cache.folder: .* cannot be made .*max_bytes to 0"):
        Cache(tmp_path / name, MB)


def test_a_writer_that_holds_the_file_costs_a_put_and_no_error(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("siftstream.agents.fetch.loaders.cache_file.PATIENCE_S", 0.01)
    cache.put("a", b"meow", "")
    cache.close()
    other = sqlite3.connect(tmp_path / "cache" / "objects.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    cache.put("b", b"purr", "")
    assert cache.get("a") is not None
    other.execute("ROLLBACK")
    other.close()
    assert cache.get("b") is None
    cache.put("b", b"purr", "")
    assert cache.get("b") is not None
