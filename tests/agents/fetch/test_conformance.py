"""Every built-in transform and the local loaders keep every rule; the suite catches each broken one."""

import asyncio
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from pydantic import BaseModel, Field

from siftstream.agents.fetch.conformance import check_loader, check_transform
from siftstream.agents.fetch.conformance.loader import LOADER_RULES
from siftstream.agents.fetch.conformance.transform import TRANSFORM_RULES
from siftstream.agents.fetch.loaders import redact
from siftstream.agents.fetch.loaders.base import Loaded, Loader, LocalLoader, Want
from siftstream.agents.fetch.loaders.data import DataLoader
from siftstream.agents.fetch.loaders.file import FileLoader
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.agents.fetch.transforms import Transform
from siftstream.agents.fetch.transforms.settings import BUILT_IN
from siftstream.schemas.arrays import ArraySpec
from siftstream.schemas.errors import LoadError, RefusedError, TransformError
from tests.agents.fetch import samples


@pytest.mark.filterwarnings("ignore")  # as in a worker: Pillow warns of damage and reads on
@pytest.mark.parametrize("kind", BUILT_IN)
def test_every_transform_conforms(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")  # as the text transform sets it for its process
    for transform in samples.transforms(kind, tmp_path):
        check_transform(transform, samples.good(kind))


class FineSettings(BaseModel):
    """Of a transform that keeps every rule."""

    name: str = Field(default="x", description="Name of the model's input.")


class Fine(Transform):
    """Two floats: the length and the first byte."""

    Settings = FineSettings

    @property
    def specs(self) -> dict[str, ArraySpec]:
        return {self.settings.name: ArraySpec((2,), np.dtype(np.float32))}

    def __call__(self, data: bytes) -> dict[str, Any]:
        if not data:
            raise TransformError("empty")
        return {self.settings.name: np.array([len(data), data[0]], np.float32)}


GOOD = [b"abc", b"defgh"]


def test_a_plain_transform_of_ones_own_conforms() -> None:
    check_transform(Fine(FineSettings()), GOOD)


class SpecsGrow(Fine):
    calls = 0

    @property
    def specs(self) -> dict[str, ArraySpec]:
        return {"x": ArraySpec((2 + self.calls,), np.dtype(np.float32))}

    def __call__(self, data: bytes) -> dict[str, Any]:
        self.calls += 1
        return super().__call__(data)


class NoSpecs(Fine):
    specs: ClassVar = {}


class Objects(Fine):
    specs: ClassVar = {"x": ArraySpec((2,), np.dtype(object))}


class OpenShape(Fine):
    specs: ClassVar = {"x": ArraySpec((-1,), np.dtype(np.float32))}


class Undescribed(Fine):
    class Settings(BaseModel):
        name: str = "x"


class WrongDefault(Fine):
    class Settings(BaseModel):
        name: str = Field(default="x", pattern="^y$", description="Name.")


class NoTrip(Fine):
    class Settings(BaseModel):
        name: str = Field(default="x", exclude=True, description="Name.")


class Changed(Fine):
    """Gives something else for each input, made of the right result."""

    change: Callable[[Any], Any]

    def __call__(self, data: bytes) -> dict[str, Any]:
        return {"x": type(self).change(super().__call__(data)["x"])}


def changed(how: Callable[[Any], Any]) -> type[Transform]:
    return type("Changed", (Changed,), {"change": staticmethod(how)})


def read_only(array: Any) -> Any:
    array.flags.writeable = False
    return array


class MoreNames(Fine):
    def __call__(self, data: bytes) -> dict[str, Any]:
        return {"y": np.zeros(1), **super().__call__(data)}


class OneBuffer(Fine):
    buffer = np.zeros(2, np.float32)

    def __call__(self, data: bytes) -> dict[str, Any]:
        self.buffer[...] = super().__call__(data)["x"]
        return {"x": self.buffer}


class KeepsResults(Fine):
    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.kept: dict[bytes, Any] = {}

    def __call__(self, data: bytes) -> dict[str, Any]:
        return {"x": self.kept.setdefault(data, super().__call__(data)["x"])}


class ViewOfInput(Fine):
    specs: ClassVar = {"x": ArraySpec((2,), np.dtype(np.uint8))}

    def __call__(self, data: bytes) -> dict[str, Any]:
        return {"x": np.frombuffer(data, np.uint8)[:2]}


class Counts(Fine):
    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.number = count()

    def __call__(self, data: bytes) -> dict[str, Any]:
        return {"x": super().__call__(data)["x"] + next(self.number)}


class MainThreadOnly(Fine):
    def __call__(self, data: bytes) -> dict[str, Any]:
        main = threading.current_thread() is threading.main_thread()
        return {"x": super().__call__(data)["x"] * (1 if main else 2)}


class KeepsInput(Fine):
    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.seen: list[bytes] = []

    def __call__(self, data: bytes) -> dict[str, Any]:
        self.seen.append(data)
        return super().__call__(data)


class ChangesInput(Fine):
    def __call__(self, data: bytes) -> dict[str, Any]:
        if len(data) > 4 and b"\0" not in data:
            view = np.frombuffer(data, np.uint8)
            address = view.__array_interface__["data"][0]
            import ctypes

            ctypes.memset(address + 4, ord("z"), 1)
        return super().__call__(data)


class Escapes(Fine):
    def __call__(self, data: bytes) -> dict[str, Any]:
        return {"x": np.array([len(data), data[0]], np.float32)}


class ShortOfBad(Fine):
    def __call__(self, data: bytes) -> dict[str, Any]:
        return {"x": super().__call__(data)["x"][: 1 if len(data) == 1000 else 2]}


class Wordy(Fine):
    def __call__(self, data: bytes) -> dict[str, Any]:
        try:
            return super().__call__(data)
        except TransformError:
            raise TransformError("empty\nand so on") from None


class Poisoned(Fine):
    poisoned = 0

    def __call__(self, data: bytes) -> dict[str, Any]:
        if not data:
            self.poisoned = 1
        return {"x": super().__call__(data)["x"] + self.poisoned}


BROKEN_TRANSFORMS = [
    (SpecsGrow, {}, "specs changed"),
    (NoSpecs, {}, "declares no array"),
    (Objects, {}, "native boolean, integer or float"),
    (OpenShape, {}, "not fixed"),
    (Fine, {"name": "two words"}, "cannot name"),
    (Undescribed, {}, "name has no description"),
    (WrongDefault, {"name": "y"}, "bad default"),
    (NoTrip, {"name": "y"}, "trip through JSON"),
    (changed(lambda array: array.astype(np.float64)), {}, "declared float32 2"),
    (changed(lambda array: array[:1]), {}, "declared float32 2"),
    (changed(lambda array: np.stack([array, array], axis=1)[:, 0]), {}, "not in C order"),
    (changed(read_only), {}, "read-only"),
    (changed(list), {}, "no NumPy array"),
    (MoreNames, {}, r"arrays \['y', 'x'\], declared \['x'\]"),
    (OneBuffer, {}, "shares its memory"),
    (KeepsResults, {}, "shares its memory"),
    (ViewOfInput, {}, "read-only"),
    (Counts, {}, "another result the second time"),
    (MainThreadOnly, {}, "threads at once"),
    (KeepsInput, {}, "is kept after the call"),
    (ChangesInput, {}, "was changed"),
    (Escapes, {}, "IndexError instead of TransformError"),
    (ShortOfBad, {}, "zeros: x is float32"),
    (Wordy, {}, "of one line"),
    (Poisoned, {}, "after bad inputs"),
]


@pytest.mark.parametrize(("kind", "given", "words"), BROKEN_TRANSFORMS)
def test_a_transform_that_breaks_a_rule_is_caught(
    kind: type[Transform], given: dict[str, Any], words: str
) -> None:
    with pytest.raises(AssertionError, match=words):
        check_transform(kind(kind.Settings.model_validate(given)), GOOD)


def test_every_rule_for_transforms_catches_one_of_these() -> None:
    caught = set()
    for kind, given, _ in BROKEN_TRANSFORMS:
        for rule in TRANSFORM_RULES:
            try:
                rule(kind(kind.Settings.model_validate(given)), [bytes(bytearray(sample)) for sample in GOOD])
            except AssertionError:
                caught.add(rule)
                break
            except Exception:
                continue
    assert caught == set(TRANSFORM_RULES)


async def test_the_file_loader_conforms(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(b"meow")
    for prefix in ("", "file://"):
        await check_loader(
            FileLoader,
            works=f"{prefix}{tmp_path}/cat.png",
            content=b"meow",
            missing=f"{prefix}{tmp_path}/gone.png",
            settings=FetchSettings(file_roots=(str(tmp_path),)),
        )


async def test_the_data_loader_conforms() -> None:
    await check_loader(
        DataLoader,
        works="data:;base64,bWVvdw==",
        content=b"meow",
        missing="data:;base64,hunter2*",
        secrets=["hunter2"],
    )


class Shelf(Loader):
    """Objects in a dict, which keep every rule."""

    schemes = ("shelf",)
    stock: ClassVar[dict[str, bytes]] = {"shelf://ann:hunter2@here/cat": b"meow"}

    async def load(self, uri: str, want: Want) -> Loaded | None:
        data = self.stock.get(uri)
        if data is None:
            raise LoadError(f"{redact(uri)}: not on the shelf")
        if len(data) > self.settings.max_bytes:
            raise RefusedError(f"{redact(uri)}: larger than fetch.max_bytes")
        if want.known == "v1":
            return None
        await want.room_for(len(data))
        return Loaded(data, "v1")


async def check_shelf(kind: type[Loader]) -> None:
    await check_loader(
        kind,
        works="shelf://ann:hunter2@here/cat",
        content=b"meow",
        missing="shelf://ann:hunter2@here/dog?sig=0af",
        secrets=["hunter2", "0af"],
    )


async def test_a_plain_loader_of_ones_own_conforms() -> None:
    await check_shelf(Shelf)


class Loud(Shelf):
    schemes = ("SHELF",)


class Elsewhere(Shelf):
    schemes = ("other",)


class CutsShort(Shelf):
    async def load(self, uri: str, want: Want) -> Loaded | None:
        loaded = await super().load(uri, want)
        return loaded and Loaded(loaded.data[:-1], loaded.validator)


class BareBytes(Shelf):
    async def load(self, uri: str, want: Want) -> Any:
        loaded = await super().load(uri, want)
        return loaded and loaded.data


class AsksForNoRoom(Shelf):
    async def load(self, uri: str, want: Want) -> Loaded | None:
        return Loaded(self.stock[uri]) if uri in self.stock else await super().load(uri, want)


class OneAtATime(Shelf):
    busy = 0

    async def load(self, uri: str, want: Want) -> Loaded | None:
        self.busy += 1
        try:
            await asyncio.sleep(0)
            return Loaded(b"busy") if self.busy > 1 else await super().load(uri, want)
        finally:
            self.busy -= 1


class KeyErrors(Shelf):
    async def load(self, uri: str, want: Want) -> Loaded | None:
        if uri not in self.stock:
            raise KeyError(uri)
        return await super().load(uri, want)


class EmptyWhereMissing(Shelf):
    async def load(self, uri: str, want: Want) -> Loaded | None:
        return await super().load(uri, want) if uri in self.stock else Loaded(b"")


class TellsAll(Shelf):
    async def load(self, uri: str, want: Want) -> Loaded | None:
        if uri not in self.stock:
            raise LoadError(f"{redact(uri)}: nothing at {uri}")
        return await super().load(uri, want)


class TellsInTheCause(Shelf):
    async def load(self, uri: str, want: Want) -> Loaded | None:
        try:
            return await super().load(uri, want)
        except LoadError as error:
            raise LoadError(str(error)) from ValueError(uri)


class SaysNotWhere(Shelf):
    async def load(self, uri: str, want: Want) -> Loaded | None:
        if uri not in self.stock:
            raise LoadError("not on the shelf")
        return await super().load(uri, want)


class NoLimit(Shelf):
    async def load(self, uri: str, want: Want) -> Loaded | None:
        self.settings = FetchSettings()
        return await super().load(uri, want)


class LoadErrorForTooLarge(Shelf):
    async def load(self, uri: str, want: Want) -> Loaded | None:
        try:
            return await super().load(uri, want)
        except RefusedError as error:
            raise LoadError(str(error)) from None


class AlwaysFresh(Shelf):
    async def load(self, uri: str, want: Want) -> Loaded | None:
        return None if want.known else await super().load(uri, want)


class LeavesATask(Shelf):
    async def start(self) -> None:
        self.task = asyncio.create_task(asyncio.Event().wait(), name="left over")


class BreaksWhenCancelled(Shelf):
    broken = False

    async def load(self, uri: str, want: Want) -> Loaded | None:
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.broken = True
            raise
        return Loaded(b"??") if self.broken else await super().load(uri, want)


class LocalAndOther(LocalLoader, Shelf):
    def read(self, uri: str) -> bytes:
        return b"other"


BROKEN_LOADERS = [
    (Loud, "lower case"),
    (Elsewhere, "'shelf' is not among"),
    (CutsShort, "other bytes than the object's"),
    (BareBytes, "Loaded expected"),
    (AsksForNoRoom, "room for 0 bytes"),
    (OneAtATime, "16 loads at once"),
    (LocalAndOther, "`read` in threads"),
    (KeyErrors, "KeyError escaped"),
    (EmptyWhereMissing, "an error expected"),
    (TellsAll, "tells secret 0"),
    (TellsInTheCause, "tells secret 0"),
    (SaysNotWhere, r"begins with redact\(uri\)"),
    (NoLimit, "over max_bytes: loaded"),
    (LoadErrorForTooLarge, "RefusedError expected"),
    (AlwaysFresh, "a strange validator"),
    (LeavesATask, "left behind after close: left over"),
    (BreaksWhenCancelled, "after a cancelled one"),
]


@pytest.mark.parametrize(("kind", "words"), BROKEN_LOADERS)
async def test_a_loader_that_breaks_a_rule_is_caught(
    kind: type[Loader], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("siftstream.agents.fetch.conformance.loader.ENDS_WITHIN_S", 0.05)
    with pytest.raises(AssertionError, match=words):
        await check_shelf(kind)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()  # which one of these loaders leaves


def test_each_rule_for_loaders_has_a_name_that_says_it() -> None:
    assert all(rule.__doc__ for rule in LOADER_RULES)
    assert all(rule.__doc__ for rule in TRANSFORM_RULES)
