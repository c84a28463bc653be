"""zip: and tar: URIs: members of archives, wherever those lie, and archives made to hurt."""

import asyncio
import io
import os
import random
import struct
import tarfile
import time
import zipfile
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from siftstream.agents.fetch.conformance import check_loader
from siftstream.agents.fetch.loaders import archive_bytes, members
from siftstream.agents.fetch.loaders.archive import KEPT, ArchiveLoader
from siftstream.agents.fetch.loaders.base import Loader
from siftstream.agents.fetch.loaders.file import FileLoader
from siftstream.agents.fetch.loaders.reader import Reader
from siftstream.agents.fetch.loaders.redact import redact
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.schemas.errors import LoadError, RefusedError
from tests.agents.fetch.servers import Wanted

SCHEMES = ("file", "http", "zip", "tar")
CAT, DOG = b"meow" * 1000, random.Random(0).randbytes(5000)


def settings(**changed: object) -> FetchSettings:
    return FetchSettings.model_validate({"schemes": SCHEMES} | changed)


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def tarred(files: dict[str, bytes], mode: str = "w:", *odd: tarfile.TarInfo) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for info in odd:
            archive.addfile(info)
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def odd(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


class Remote:
    """What the reader is to the loader: bytes by URI, counted."""

    def __init__(self, **objects: bytes) -> None:
        self.objects = objects
        self.asked: Counter[str] = Counter()
        self.let_go = asyncio.Event()
        self.let_go.set()

    async def __call__(self, uri: str) -> bytes:
        self.asked[uri] += 1
        await self.let_go.wait()
        name = uri.rpartition("/")[2]
        if name not in self.objects:
            raise LoadError(f"{redact(uri)}: HTTP 404 Not Found")
        return self.objects[name]


async def load(uri: str, inner: Callable[[str], Awaitable[bytes]] | None = None, **changed: object) -> bytes:
    async with ArchiveLoader(settings(**changed), inner) as loader:
        return (await loader.load(uri, Wanted())).data


@pytest.fixture
def file(tmp_path: Path) -> Callable[[bytes], str]:
    def write(data: bytes) -> str:
        path = tmp_path / "archive"
        path.write_bytes(data)
        return f"file://{path}"

    return write


# --- what it reads ---------------------------------------------------------------------------


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
async def test_members_of_a_local_zip_are_read(file: Callable[[bytes], str], method: int) -> None:
    uri = file(zipped({"a/cat.png": CAT, "dog #1%41.png": DOG, "empty": b""}, method))
    assert await load(f"zip://a/cat.png::{uri}") == CAT
    assert await load(f"ZIP://dog #1%41.png::{uri.removeprefix('file://')}") == DOG
    assert await load(f"zip://empty::{uri}") == b""


@pytest.mark.parametrize("mode", ["w:", "w:gz", "w:bz2", "w:xz"])
async def test_members_of_a_tar_in_each_compression_are_read(file: Callable[[bytes], str], mode: str) -> None:
    long = "deep/" * 60 + "ünï.png"
    uri = file(tarred({"a/cat.png": CAT, "./dog.png": DOG, long: b"far"}, mode))
    assert await load(f"tar://a/cat.png::{uri}") == CAT
    assert await load(f"tar://dog.png::{uri}") == DOG
    assert await load(f"tar://./dog.png::{uri}") == DOG
    assert await load(f"tar://{long}::{uri}") == b"far"


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
async def test_each_form_of_tar_is_read(file: Callable[[bytes], str], form: int) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:", format=form) as archive:
        info = tarfile.TarInfo("a" * 90 + "/cat.png")
        info.size = len(CAT)
        archive.addfile(info, io.BytesIO(CAT))
    assert await load(f"tar://{'a' * 90}/cat.png::{file(out.getvalue())}") == CAT


async def test_an_archive_elsewhere_is_loaded_by_the_reader() -> None:
    remote = Remote(**{"c.zip": zipped({"cat": CAT, "dog": DOG})})
    async with ArchiveLoader(settings(), remote) as loader:
        assert (await loader.load("zip://cat::http://host/c.zip", Wanted())).data == CAT
        assert (await loader.load("zip://dog::http://host/c.zip", Wanted())).data == DOG
    assert remote.asked == {"http://host/c.zip": 1}


async def test_an_archive_in_an_archive_is_read_where_the_depth_allows(file: Callable[[bytes], str]) -> None:
    uri = "tar://cat::zip://inner.tar.gz::" + file(zipped({"inner.tar.gz": tarred({"cat": CAT}, "w:gz")}))
    with pytest.raises(RefusedError, match=r"deeper than fetch.max_archive_depth \(1\)"):
        await load(uri)
    deep = settings(max_archive_depth=2)
    loader = ArchiveLoader(deep)
    loaders: dict[str, Loader] = {"zip": loader, "tar": loader, "file": FileLoader(deep)}
    async with Reader(deep, loaders=loaders) as reader:
        assert await reader.read(uri) == CAT
    with pytest.raises(RefusedError, match=r"max_archive_depth \(0\)"):
        await load("zip://cat::file:///c.zip", max_archive_depth=0)


async def test_memory_is_asked_for_before_a_member_is_inflated(file: Callable[[bytes], str]) -> None:
    want = Wanted()
    async with ArchiveLoader(settings()) as loader:
        await loader.load(f"zip://cat::{file(zipped({'cat': CAT}))}", want)
    assert want.asked == [len(CAT)]


# --- what is kept open -----------------------------------------------------------------------


async def test_many_members_of_a_large_zip_do_not_read_it_whole_each_time(
    file: Callable[[bytes], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"images/{n:05}.jpg" for n in range(20_000)]
    uri = file(zipped({name: name.encode() * 20 for name in names}, zipfile.ZIP_STORED))
    read = 0
    pread = os.pread

    def counted(descriptor: int, size: int, at: int) -> bytes:
        nonlocal read
        read += len(data := pread(descriptor, size, at))
        return data

    monkeypatch.setattr(os, "pread", counted)
    async with ArchiveLoader(settings()) as loader:
        first = time.perf_counter()
        await loader.load(f"zip://{names[0]}::{uri}", Wanted())
        opened, read = read, 0
        second = time.perf_counter()
        for name in names[:1000:2]:
            assert (await loader.load(f"zip://{name}::{uri}", Wanted())).data == name.encode() * 20
        print(
            f"opened in {second - first:.3f} s, then {(time.perf_counter() - second) / 500 * 1e6:.0f} us each"
        )
    assert opened > 20_000 * 46  # the directory, once
    assert read < 500 * 5000


@pytest.mark.parametrize(("scheme", "pack"), [("zip", zipped), ("tar", tarred)])
async def test_a_local_archive_that_changed_is_opened_again(
    tmp_path: Path, scheme: str, pack: Callable[[dict[str, bytes]], bytes]
) -> None:
    path = tmp_path / "a"
    async with ArchiveLoader(settings()) as loader:
        for content in (b"one", b"three"):
            path.write_bytes(pack({"cat": content}))
            assert (await loader.load(f"{scheme}://cat::{path}", Wanted())).data == content


async def test_a_remote_archive_is_asked_for_again_when_it_is_not_fresh() -> None:
    now = 0.0
    remote = Remote(**{"c.zip": zipped({"cat": CAT})})
    async with ArchiveLoader(settings(cache={"fresh": 10}), remote, now=lambda: now) as loader:
        for moment, times in ((0.0, 1), (9.0, 1), (11.0, 2)):
            now = moment
            await loader.load("zip://cat::http://host/c.zip", Wanted())
            assert remote.asked["http://host/c.zip"] == times


async def test_loads_that_come_together_share_one_opening() -> None:
    remote = Remote(**{"c.zip": zipped({"cat": CAT})})
    remote.let_go.clear()
    async with ArchiveLoader(settings(), remote) as loader:
        uris = ["zip://cat::http://host/c.zip"] * 50 + ["zip://cat::http://host/gone.zip"] * 50
        loads = [asyncio.create_task(loader.load(uri, Wanted())) for uri in uris]
        await asyncio.sleep(0)
        loads[0].cancel()  # the first of them, and the others still get theirs
        remote.let_go.set()
        done = await asyncio.gather(*loads, return_exceptions=True)
    assert remote.asked == {"http://host/c.zip": 1, "http://host/gone.zip": 1}
    assert [type(one).__name__ for one in done] == ["CancelledError", *["Loaded"] * 49, *["LoadError"] * 50]


async def test_only_a_few_archives_stay_open_and_only_within_their_bytes() -> None:
    remote = Remote(**{f"{n}.zip": zipped({"cat": DOG}) for n in range(20)})
    async with ArchiveLoader(settings(), remote) as loader:
        for n in [*range(20), 19, 12, 11]:
            await loader.load(f"zip://cat::http://host/{n}.zip", Wanted())
    assert sum(remote.asked.values()) == 21
    assert remote.asked["http://host/11.zip"] == 2
    assert KEPT == 8

    remote.asked.clear()
    async with ArchiveLoader(settings(in_flight_bytes=8000), remote) as loader:  # a quarter of it: none fits
        for _ in range(2):
            await loader.load("zip://cat::http://host/1.zip", Wanted())
    assert remote.asked["http://host/1.zip"] > 1


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def until(true: Callable[[], bool]) -> None:
    """Wait: a thread of the pool lets go of its last result a moment after the loop has it."""
    end = time.monotonic() + 5
    while not true():
        assert time.monotonic() < end
        await asyncio.sleep(0.001)


async def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    before = open_files()
    async with ArchiveLoader(settings()) as loader:
        for n in range(30):
            (tmp_path / str(n)).write_bytes(zipped({"cat": CAT}) if n % 2 else b"no archive")
            for _ in range(2):
                if n % 2:
                    await loader.load(f"zip://cat::{tmp_path}/{n}", Wanted())
                else:
                    with pytest.raises(LoadError):
                        await loader.load(f"zip://cat::{tmp_path}/{n}", Wanted())
        await until(lambda: open_files() <= before + KEPT)
    await until(lambda: open_files() == before)


# --- what it says no to ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("zip://cat", "zip://member::URI-of-the-archive"),
        ("zip://cat::", "zip://member::URI-of-the-archive"),
        ("zip:cat", "zip://member::URI-of-the-archive"),
        ("zip://gone::{zip}", "no such member"),
        ("zip://../../etc/passwd::{zip}", "no such member"),
        ("zip://a/::{zip}", "is a folder"),
        ("tar://gone::{tar}", "no such member"),
        ("tar://a::{tar}", "is a folder"),
        ("zip://cat::{tar}", r"not a zip archive, or a damaged one"),
        ("tar://cat::{zip}", r"not a tar archive, or a damaged one"),
        ("zip://cat::{folder}", "is a folder, no archive"),
        ("zip://cat::{folder}/gone", "No such file"),
        ("zip://cat::http://host/gone.zip", r"gone.zip: HTTP 404"),
    ],
)
async def test_what_is_not_there_says_so(tmp_path: Path, uri: str, words: str) -> None:
    (tmp_path / "zip").write_bytes(zipped({"cat": CAT, "a/": b""}))
    (tmp_path / "tar").write_bytes(tarred({"cat": CAT}, "w:", odd("a", tarfile.DIRTYPE)))
    uri = uri.format(zip=tmp_path / "zip", tar=tmp_path / "tar", folder=tmp_path)
    with pytest.raises(LoadError, match=words) as told:
        await load(uri, Remote())
    assert type(told.value) is LoadError
    assert str(told.value).startswith(f"{redact(uri)}: ")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
async def test_links_and_devices_in_a_tar_are_refused(file: Callable[[bytes], str], kind: bytes) -> None:
    uri = file(tarred({"cat": CAT}, "w:", odd("x", kind, "cat")))
    with pytest.raises(RefusedError, match=r"the member is a (link|device)"):
        await load(f"tar://x::{uri}")
    assert await load(f"tar://cat::{uri}") == CAT


async def test_an_encrypted_member_is_refused(file: Callable[[bytes], str]) -> None:
    data = bytearray(zipped({"cat": CAT}))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(RefusedError, match="the member is encrypted"):
        await load(f"zip://cat::{file(bytes(data))}")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
async def test_a_method_that_cannot_be_stopped_while_inflating_is_not_read(
    file: Callable[[bytes], str], method: int
) -> None:
    with pytest.raises(LoadError, match=f"method {method}; only stored"):
        await load(f"zip://cat::{file(zipped({'cat': CAT}, method))}")


async def test_local_archives_obey_the_guards_of_local_files(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for path in (tmp_path / "c.zip", tmp_path / "in" / "c.zip"):
        path.write_bytes(zipped({"cat": CAT}))
    (tmp_path / "in" / "link.zip").symlink_to(tmp_path / "c.zip")
    os.mkfifo(tmp_path / "pipe")
    roots = {"file_roots": [str(tmp_path / "in")]}
    assert await load(f"zip://cat::{tmp_path}/in/c.zip", **roots) == CAT
    for name in ("c.zip", "in/link.zip", "in/../c.zip"):
        with pytest.raises(RefusedError, match=r"outside the folders of fetch.file_roots"):
            await load(f"zip://cat::{tmp_path}/{name}", **roots)
    with pytest.raises(RefusedError, match="no regular file"):
        await load(f"zip://cat::{tmp_path}/pipe")
    with pytest.raises(RefusedError, match=r"'file' is not in fetch.schemes"):
        await load(f"zip://cat::{tmp_path}/c.zip", schemes=["zip", "http"])


async def test_credentials_of_the_inner_uri_are_not_told() -> None:
    inner = "http://ann:s3cr3tT0ken@host/gone.zip?X-Amz-Signature=s3cr3tT0ken"
    for member in ("cat", "a/cat", "a:b/cat"):
        with pytest.raises(LoadError) as told:
            await load(f"zip://{member}::{inner}", Remote())
        assert "s3cr3tT0ken" not in str(told.value)
        assert "host/gone.zip" in str(told.value)


# --- archives made to hurt -------------------------------------------------------------------


@pytest.mark.parametrize("claimed", [None, 10])
async def test_a_member_that_inflates_past_the_limit_is_stopped(
    file: Callable[[bytes], str], claimed: int | None
) -> None:
    data = bytearray(zipped({"bomb": bytes(20 << 20)}))
    if claimed is not None:  # a header that lies about the size
        for magic, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
            struct.pack_into("<I", data, data.index(magic) + offset, claimed)
    kind, words = (RefusedError, "larger than fetch.max_bytes") if claimed is None else (LoadError, "damaged")
    with pytest.raises(kind, match=words):
        await load(f"zip://bomb::{file(bytes(data))}", max_bytes=1 << 20)


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
async def test_a_tar_that_inflates_past_the_limit_is_stopped(file: Callable[[bytes], str], mode: str) -> None:
    uri = file(tarred({"small": CAT, "bomb": bytes(40 << 20)}, mode))
    at_most = memory_of(
        lambda: members.TarArchive(archive_bytes.Source(Path(uri[7:]).read_bytes()), 1 << 20, 9)
    )
    assert at_most < 10 << 20
    with pytest.raises(RefusedError, match="when inflated; pack it as a zip"):
        await load(f"tar://small::{uri}", max_bytes=1 << 20)


def memory_of(action: Callable[[], object]) -> int:
    """Return the most bytes that Python held while an action was refused."""
    import tracemalloc

    tracemalloc.start()
    try:
        with pytest.raises(RefusedError):
            action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


async def test_a_member_of_a_tar_above_the_limit_is_refused_and_others_are_read(
    file: Callable[[bytes], str],
) -> None:
    uri = file(tarred({"big": bytes(2 << 20), "cat": CAT}))
    assert await load(f"tar://cat::{uri}", max_bytes=1 << 20) == CAT
    with pytest.raises(RefusedError, match=r"larger than fetch.max_bytes \(1,048,576 bytes\)"):
        await load(f"tar://big::{uri}", max_bytes=1 << 20)


async def test_an_archive_of_too_many_members_is_refused(
    file: Callable[[bytes], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members, "MEMBERS", 50)
    files = {str(n): b"" for n in range(51)}
    with pytest.raises(RefusedError, match="more than 50 members"):
        await load(f"zip://1::{file(zipped(files))}")
    with pytest.raises(RefusedError, match="more than 50 members"):
        await load(f"tar://1::{file(tarred(files))}")


async def test_a_directory_that_is_too_large_is_refused_unread(
    file: Callable[[bytes], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_bytes, "DIRECTORY", 100_000)
    uri = file(zipped({f"{n:0200}": b"" for n in range(1000)}))
    with pytest.raises(RefusedError, match="directory or header of the archive is larger than 100,000"):
        await load(f"zip://1::{uri}")


async def test_a_tar_header_that_claims_to_be_huge_is_refused(file: Callable[[bytes], str]) -> None:
    for kind in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME):
        info = odd("long", kind)
        info.size = 10 << 20
        data = info.tobuf(tarfile.GNU_FORMAT) + b"9" * (10 << 20) + tarred({"cat": CAT})
        with pytest.raises(RefusedError, match="header of the archive is larger than 65,536"):
            await load(f"tar://cat::{file(data)}")


async def test_a_tar_that_leads_back_to_its_beginning_ends(file: Callable[[bytes], str]) -> None:
    for size in (-512, -1024, -(1 << 40)):
        info = tarfile.TarInfo("loop")
        buffer = bytearray(info.tobuf(tarfile.GNU_FORMAT))
        buffer[124:136] = struct.pack(">B", 0xFF) + (size & ((1 << 88) - 1)).to_bytes(11, "big")
        buffer[148:156] = b" " * 8
        buffer[148:156] = f"{sum(buffer):06o}\0 ".encode()
        with pytest.raises(LoadError, match=r"lies before|damaged|no such member"):
            await load(f"tar://cat::{file(bytes(buffer) + tarred({'cat': CAT}))}")


async def test_a_tar_that_takes_too_long_to_list_is_refused(file: Callable[[bytes], str]) -> None:
    with pytest.raises(RefusedError, match=r"listing the tar took more than 1e-09 s \(fetch.timeout\)"):
        await load(f"tar://1::{file(tarred({'1': b'', '2': b''}))}", timeout=1e-9)


async def test_mutated_archives_end_in_a_member_or_a_typed_error(file: Callable[[bytes], str]) -> None:
    rng = random.Random(0)
    files = {"cat": CAT, "dog": DOG}
    whole = {
        "zip": [zipped(files), zipped(files, zipfile.ZIP_STORED)],
        "tar": [tarred(files, mode) for mode in ("w:", "w:gz", "w:bz2", "w:xz")],
    }
    ends: Counter[str] = Counter()
    async with ArchiveLoader(settings(max_bytes=1 << 20)) as loader:
        for n in range(600):
            scheme = rng.choice(["zip", "tar"])
            bad = bytearray(rng.choice(whole[scheme]))
            for _ in range(rng.choice([1, 3, 30])):
                bad[rng.randrange(len(bad))] = rng.randrange(256)
            if n % 5 == 0:
                del bad[rng.randrange(len(bad)) :]
            try:
                data = (await loader.load(f"{scheme}://cat::{file(bytes(bad))}", Wanted())).data
                ends["right" if data == CAT else "wrong"] += 1
                assert data == CAT or scheme == "tar"  # a tar has no checksum of what it holds
            except LoadError as error:
                ends[type(error).__name__] += 1
    print(dict(ends))
    assert ends["right"] > 20
    assert ends["LoadError"] > 100


# --- with the others -------------------------------------------------------------------------

CHAIN = "zip://a/cat.png::http://ann:s3cr3tT0ken@host/gone.zip?X-Amz-Signature=s3cr3tT0ken"


async def test_the_archive_loader_conforms(file: Callable[[bytes], str]) -> None:
    remote = Remote(**{"c.zip": zipped({"a/cat.png": CAT}), "c.tar": tarred({"a/cat.png": CAT})})
    for scheme, place in (
        ("zip", file(remote.objects["c.zip"])),
        ("zip", "http://ann:s3cr3tT0ken@host/c.zip"),
        ("tar", "http://ann:s3cr3tT0ken@host/c.tar"),
    ):
        await check_loader(
            lambda changed: ArchiveLoader(changed, remote),
            works=f"{scheme}://a/cat.png::{place}",
            content=CAT,
            missing=CHAIN,
            secrets=["s3cr3tT0ken"],
            settings=settings(),
        )


async def test_more_loads_than_places_do_not_wait_for_each_other(file: Callable[[bytes], str]) -> None:
    narrow = settings(in_flight=1, max_archive_depth=2)
    loader = ArchiveLoader(narrow)
    loaders: dict[str, Loader] = {"zip": loader, "tar": loader, "file": FileLoader(narrow)}
    uri = "zip://cat::zip://c.zip::" + file(zipped({"c.zip": zipped({"cat": CAT})}))
    async with Reader(narrow, loaders=loaders) as reader:
        assert await asyncio.gather(*(reader.read(uri) for _ in range(5))) == [CAT] * 5
