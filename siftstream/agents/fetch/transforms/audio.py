"""Recordings: WAV, FLAC, OGG and MP3 to float32, a waveform [samples] or log-mel bands [mels, frames].

The mean of the channels, the declared seconds of it, resampled; silence fills what is missing. Only what is
needed is decoded, in blocks, and a header that promises too much is refused before memory is taken for it.
"""

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.fetch.transforms.audio_length import is_cut_off
from siftstream.agents.fetch.transforms.base import Count, Transform, uncounted
from siftstream.agents.fetch.transforms.extra import needed
from siftstream.agents.fetch.transforms.log_mel import LogMel
from siftstream.agents.fetch.transforms.settings import AudioSettings
from siftstream.schemas.arrays import ArraySpec
from siftstream.schemas.errors import ConfigError, TransformError

Floats = NDArray[np.float32]

FORMATS: Final = ("WAV", "WAVEX", "RF64", "FLAC", "OGG", "MP3", "MPEG")
# libsndfile would open twenty formats more, seldom used and seldom tested.
MARKS: Final = (b"RIFF", b"RIFX", b"RF64", b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"\xff\xfa", b"\xff\xf3",
                b"\xff\xf2", b"\xff\xe3", b"\xff\xe2")  # fmt: skip
SHORTEST: Final = 44  # bytes of the shortest WAV header; the others' are longer
RATES: Final = (1000, 384_000)
UNKNOWN_LENGTH: Final = 2**62  # libsndfile says 2**63 - 1 where a FLAC does not tell
BLOCK: Final = 65_536  # frames decoded at once
LOUDEST: Final = 1e6  # full scale is 1; some float files hold 16-bit numbers unscaled


class AudioTransform(Transform):
    """Decodes, mixes down, cuts and resamples one recording."""

    Settings = AudioSettings
    settings: AudioSettings

    def __init__(self, settings: AudioSettings, count: Count = uncounted) -> None:
        super().__init__(settings, count)
        self._soundfile = needed("soundfile", "audio")
        self._soxr = needed("soxr", "audio")
        self._log_mel = _log_mel(settings)
        self._name = settings.name or ("input_features" if self._log_mel else "input_values")

    @property
    def specs(self) -> dict[str, ArraySpec]:
        """One array float32, [samples] or [mels, frames]."""
        samples = self.settings.samples
        shape = (self.settings.mels, self._log_mel.frames(samples)) if self._log_mel else (samples,)
        return {self._name: ArraySpec(shape, np.dtype(np.float32))}

    def __call__(self, data: bytes) -> dict[str, NDArray[Any]]:
        """Decode, mix down, cut, resample, pad; then mel bands if wanted."""
        if not data.startswith(MARKS):
            raise TransformError(_unknown(data))
        if len(data) < SHORTEST:
            raise TransformError(f"recording cut off in its header: {len(data)} bytes")
        try:
            wave, rate = self._decoded(data)
            if rate != self.settings.sample_rate:
                wave = self._soxr.resample(wave, rate, self.settings.sample_rate)
            wave = self._fitted(wave)
            return {self._name: self._log_mel(wave) if self._log_mel else wave}
        except TransformError:
            raise
        except Exception as error:  # decoders fail in every way on bytes made to harm
            raise TransformError(f"not a readable recording: {_said(error)}") from error

    def _decoded(self, data: bytes) -> tuple[Floats, int]:
        """Return the wanted part as one channel, at the recording's own rate, and that rate."""
        with self._soundfile.SoundFile(_Bytes(data)) as recording:
            self._check_header(recording)
            rate, frames = int(recording.samplerate), int(recording.frames)
            wanted = math.ceil(self.settings.seconds * rate)
            first = 0
            if self.settings.offset == "centre" and frames > wanted:
                first = recording.seek((frames - wanted) // 2)
            blocks: list[Floats] = []
            missing = promised = min(wanted, frames - first)
            while missing > 0 and len(block := self._block(recording, missing)):
                blocks.append(block)
                missing -= len(block)
        decoded = promised - missing
        if decoded < wanted and is_cut_off(data, promised, decoded):
            raise TransformError(f"recording cut off: it ends after {decoded / rate:.3g} s of what is wanted")
        if not blocks:
            raise TransformError("no recording: it has no samples")
        return np.concatenate(blocks), rate

    def _block(self, recording: Any, most: int) -> Floats:
        block = recording.read(min(BLOCK, most), dtype="float32", always_2d=True)
        with np.errstate(all="ignore"):
            mono: Floats = block[:, 0] if block.shape[1] == 1 else block.mean(axis=1)
        if len(mono) and not np.abs(mono).max() <= LOUDEST:
            raise TransformError(f"no recording: it has samples that are NaN or beyond {LOUDEST:,.0f}")
        return mono

    def _check_header(self, recording: Any) -> None:
        settings, rate, frames = self.settings, recording.samplerate, recording.frames
        if recording.format not in FORMATS:
            raise TransformError(f"no recording in a known format (WAV, FLAC, OGG, MP3): {recording.format}")
        if not RATES[0] <= rate <= RATES[1]:
            raise TransformError(
                f"no recording: {rate:,} samples a second, {RATES[0]:,} to {RATES[1]:,} allowed"
            )
        if recording.channels > settings.max_channels:
            raise TransformError(
                f"too many channels: {recording.channels}, allowed {settings.max_channels} (max_channels)"
            )
        if frames > UNKNOWN_LENGTH:
            raise TransformError(
                "the recording does not say how long it is; encode it into a file, not a pipe"
            )
        if frames > settings.max_seconds * rate:
            raise TransformError(
                f"too long a recording: {frames / rate:,.0f} s, allowed"
                f" {settings.max_seconds:,.0f} (max_seconds)"
            )

    def _fitted(self, wave: Floats) -> Floats:
        """Cut or pad to exactly the samples wanted."""
        samples = self.settings.samples
        short = samples - len(wave)
        if short <= 0:
            return np.ascontiguousarray(wave[:samples], np.float32)
        before = short // 2 if self.settings.offset == "centre" else 0
        return np.pad(wave, (before, short - before))


class _Bytes:
    """Bytes as a file whose seeks stay within it: libsndfile follows the offsets of broken files anywhere."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._place = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        start = (0, self._place, len(self._data))[whence]
        self._place = min(max(start + offset, 0), len(self._data))
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: Any) -> int:
        part = self._data[self._place : self._place + len(buffer)]
        buffer[: len(part)] = part
        self._place += len(part)
        return len(part)

    def read(self, size: int) -> bytes:  # soundfile takes only what has it for a file
        return bytes(self._data[self._place : self._place + size])

    def write(self, data: bytes) -> int:
        raise OSError("read only")


def _log_mel(settings: AudioSettings) -> LogMel | None:
    if settings.features == "waveform":
        return None
    try:
        return LogMel(settings.sample_rate, settings.window, settings.hop, settings.mels)
    except ValueError as error:
        raise ConfigError(f"transform.mels: {error}") from error


def _said(error: Exception) -> str:
    """Return the library's sentence without what misleads in it."""
    said = " ".join(str(getattr(error, "error_string", error)).split())  # the rest is a memory address
    if said.startswith("File does not exist"):  # of an MP3 without two frames in a row
        return "no frame of it can be decoded"
    return said[:200] or type(error).__name__


def _unknown(data: bytes) -> str:
    if not data:
        return "no recording: the object is empty"
    if data.lstrip()[:1] in (b"<", b"{"):
        return f"no recording: {len(data):,} bytes of what looks like HTML, XML or JSON (an error page?)"
    return f"no recording in a known format (WAV, FLAC, OGG, MP3): {len(data):,} bytes"
