"""Model-ready samples for import and quantisation: newest labelled ones, or those of a folder or list."""

import asyncio
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.fetch.loaders.cache import Cache
from siftstream.agents.fetch.transforms import make_transform
from siftstream.agents.retrain.samples import Samples
from siftstream.connectors.sources.base import Entry, Source, event_of, refuse
from siftstream.connectors.sources.lists import list_of
from siftstream.connectors.sources.named import EVERYTHING, source_of
from siftstream.schemas import TrainingLabel
from siftstream.schemas.arrays import Arrays, count
from siftstream.schemas.errors import ConfigError
from siftstream.settings import Settings
from siftstream.streams.record import Record
from siftstream.streams.view import View

_LISTS: Final = (".csv", ".jsonl", ".txt")


@dataclass(frozen=True)
class Gathered:
    """Inputs [B, ...] as the transform makes them, and what is known of each."""

    inputs: Arrays
    labels: list[TrainingLabel]

    def __len__(self) -> int:
        return count(self.inputs)

    def targets(self, classes: tuple[str, ...]) -> NDArray[np.int64]:
        """Return the place of each label among the classes, -1 where there is none."""
        place = {name: number for number, name in enumerate(classes)}
        return np.array([place.get(label.label or "", -1) for label in self.labels], np.int64)


def of_data(settings: Settings, words: list[str], most: int) -> Gathered:
    """Read `most` samples of files, folders, globs, URIs or lists.

    A label is the list's column `label`, or the name of the folder a file lies in where that is a class.

    Raises:
        ConfigError: nothing there can be read.
    """
    entries = (entry for word in words for entry in _source(word).entries(refuse))
    gathered = _read(settings, [_label(entry, settings.classes) for entry in islice(entries, most)])
    if not len(gathered):
        raise ConfigError(f"--data {' '.join(words)}: no sample there that the transform can read")
    return gathered


def of_labels(settings: Settings, most: int) -> Gathered:
    """Read the `most` samples that were labelled last; perhaps none."""
    labels: dict[str, TrainingLabel] = {}

    def fold(record: Record) -> None:
        label = TrainingLabel.decode(record.value)
        labels[label.sample_id] = label

    async def follow() -> None:
        view = View(settings.kafka, settings.pipeline, TrainingLabel.topic, fold)
        try:
            await view.refresh()
        finally:
            await view.stop()

    asyncio.run(follow())
    usable = [label for label in labels.values() if label.usable]
    return _read(settings, sorted(usable, key=lambda label: label.resolved_at)[-most:])


def samples_of(settings: Settings) -> Samples:
    """Return what reads labelled samples, as the trainers of this configuration do."""
    limits = settings.fetch.cache
    folder = Path(limits.folder) if limits.folder else settings.state / "cache"
    cache = Cache(folder, limits.max_bytes) if limits.max_bytes else None
    transform = make_transform(settings.transform)
    return Samples(settings.fetch, transform, settings.state / "samples", cache)


def _read(settings: Settings, labels: list[TrainingLabel]) -> Gathered:
    read, inputs = asyncio.run(samples_of(settings).of([label.uri for label in labels]))
    return Gathered(inputs, [label for label, there in zip(labels, read, strict=True) if there])


def _source(word: str) -> Source:
    is_list = Path(word).suffix.lower() in _LISTS and Path(word).is_file()
    return list_of(Path(word), None, None, EVERYTHING) if is_list else source_of(word)


def _label(entry: Entry, classes: tuple[str, ...]) -> TrainingLabel:
    event = event_of(entry)
    folder = unquote(urlsplit(event.uri).path).rpartition("/")[0].rpartition("/")[2]
    label = entry.metadata.get("label") or (folder if folder in classes else None)
    return TrainingLabel(sample_id=event.sample_id, uri=event.uri, label=label)
