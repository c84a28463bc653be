"""What every measurement has at hand: options, a broker, pictures, models, configurations of pipelines."""

import os
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from siftstream.agents.fetch.loaders.file import path_of
from siftstream.bench.encoders import CLASSES, Model, model_of
from siftstream.bench.failed import BenchFailed
from siftstream.bench.load import PARTITIONS
from siftstream.bench.options import Options
from siftstream.bench.pictures import images
from siftstream.bench.servers import serving
from siftstream.streams.broker import LocalBroker

GIVEN_SIDE = 32  # pixels of the pictures that `--data` names
Tell = Callable[[str], None]


@dataclass
class Workbench:
    """One run of the benchmark. Pictures and models are made once, when first asked for."""

    options: Options
    folder: Path
    broker: LocalBroker
    tell: Tell
    _uris: dict[int, tuple[int, list[str]]] = field(default_factory=dict[int, tuple[int, list[str]]])
    _onnx: dict[str, bytes] = field(default_factory=dict[str, bytes])
    _numbers: int = 0
    _ports: dict[str, int] | None = None
    open: ExitStack = field(default_factory=ExitStack)  # what ends with the run

    @property
    def model(self) -> Model:
        """The kind of encoder that every part runs."""
        return model_of(self.options.models[0])

    def uris(self, side: int, count: int) -> list[str]:
        """Return up to `count` pictures, `--count` at most: those given where they have that side, else made.

        Raises:
            BenchFailed: there are none, or they are of another size.
        """
        wanted = min(count, self.options.count)
        asked, found = self._uris.get(side, (0, []))
        if asked < wanted:
            data = self.options.data if side == GIVEN_SIDE else None
            found = images(data, wanted, self.pictures(side), side)
            require_side(found[0], side)
            self._uris[side] = wanted, found
        return found[:wanted]

    def pictures(self, side: int) -> Path:
        """Return the folder in which pictures of that side lie, where they were not given as a folder."""
        return self.folder / f"pictures-{side}"

    def ports(self) -> dict[str, int]:
        """Return the ports of the servers of the pictures by scheme; they start when first asked for."""
        if self._ports is None:
            self._ports = self.open.enter_context(serving(self.root(self.model.side)))
        return self._ports

    def root(self, side: int) -> Path:
        """Return the folder that holds the pictures of that side."""
        data = self.options.data
        given = data is not None and data.is_dir() and side == GIVEN_SIDE
        return data.absolute() if data is not None and given else self.pictures(side)

    def onnx(self, model: Model) -> bytes:
        """Return an encoder's graph."""
        if model.name not in self._onnx:
            self._onnx[model.name] = model.make()
        return self._onnx[model.name]

    def config(self, name: str, model: Model, **sections: Mapping[str, Any]) -> dict[str, Any]:
        """Return the configuration of a pipeline that nobody used before.

        `sections` replace settings section by section, such as `select=...`.
        """
        self._numbers += 1
        own = f"{name}-{self._numbers}"
        return {
            "pipeline": {"name": own, "partitions": PARTITIONS},
            "kafka": {"bootstrap_servers": self.broker.bootstrap},
            "classes": list(CLASSES),
            "model": {"artifacts": str(self.folder / "artifacts")},
            "state": str(self.folder / own / "state"),
            "transform": {"height": model.side, "width": model.side, "channels": 3},
            "infer": {"batch": {"min": min(32, model.batch), "max": model.batch}},
            **{key: dict(section) for key, section in sections.items()},
        }


def require_side(uri: str, side: int) -> None:
    """Refuse pictures of another size: the others do not resize, so none does."""
    with Image.open(path_of(uri)) as picture:
        if picture.size != (side, side):
            width, height = picture.size
            raise BenchFailed(f"{uri}: {width}x{height} pixels; give JPEG files of {side}x{side}, or none")


@contextmanager
def workbench(options: Options, tell: Tell) -> Generator[Workbench]:
    """Give a workbench with a broker of its own; nothing of it stays."""
    with TemporaryDirectory(prefix="siftstream-bench-") as place, LocalBroker(tell=tell) as broker:
        bench = Workbench(options, Path(place).resolve(), broker, tell)
        with bench.open:
            yield bench


def cores() -> int:
    """Return how many cores this process may use."""
    return len(getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))(0))
