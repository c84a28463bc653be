"""Spoken digits as log-mel bands, each averaged over tenths of the recording: 3,000 of 10 classes."""

import io
import wave
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from benchmarks.label_savings.data import Data
from siftstream.agents.fetch.transforms.log_mel import LogMel

MELS = 24
PARTS = 10  # the recordings are of different lengths; a tenth of each is about 40 ms


def spoken_digits(path: Path) -> Data:
    """Read `<digit>_<speaker>_<n>.wav` from the zip; features [N, 240], standardised over the set."""
    log_mel = LogMel(rate=8000, window=256, hop=64, mels=MELS)
    features: list[NDArray[np.float32]] = []
    classes: list[int] = []
    with ZipFile(path) as files:
        for name in sorted(name for name in files.namelist() if name.endswith(".wav")):
            frames = log_mel(_samples(files.read(name)))
            parts = np.array_split(frames, PARTS, axis=1)
            features.append(np.concatenate([part.mean(axis=1) for part in parts]))
            classes.append(int(name.rpartition("/")[2][0]))
    features_ND = np.stack(features)
    features_ND = (features_ND - features_ND.mean(axis=0)) / features_ND.std(axis=0)
    return Data(features_ND.astype(np.float32), np.array(classes, np.int64))


def _samples(data: bytes) -> NDArray[np.float32]:
    """Return the samples of a WAV file of one channel and 16 bits, from -1 to 1."""
    with wave.open(io.BytesIO(data)) as recording:
        raw = recording.readframes(recording.getnframes())
    return (np.frombuffer(raw, "<i2") / 32768).astype(np.float32)
