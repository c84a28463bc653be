"""Recordings of every kind become float32 waveforms or log-mel bands of one length, or a TransformError."""

import io
import os
import struct
import sys
import threading
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from siftstream.agents.fetch.transforms import TransformSettings, make_transform
from siftstream.agents.fetch.transforms.base import Transform
from siftstream.agents.fetch.transforms.log_mel import LogMel, filterbank
from siftstream.schemas.errors import ConfigError, TransformError

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("soxr")

DIGITS = Path(os.environ.get("SIFTSTREAM_TEST_DATA", "nowhere"), "spoken-digits-wav.zip")
KINDS = [
    ("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "FLOAT"), ("WAV", "ULAW"), ("WAVEX", "PCM_16"),
    ("RF64", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"),
]  # fmt: skip


def transform(**more: Any) -> Transform:
    return make_transform(TypeAdapter(TransformSettings).validate_python({"kind": "audio", **more}))


def wave_of(made: Transform, data: bytes) -> np.ndarray:
    arrays = made(data)
    assert arrays.keys() == made.specs.keys()
    ((name, spec),) = made.specs.items()
    assert spec.fits(arrays[name])
    assert arrays[name].flags.c_contiguous
    return arrays[name]


def tone(seconds: float = 1.0, rate: int = 16_000, hz: float = 440.0, loud: float = 0.5) -> np.ndarray:
    return (loud * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def encoded(wave: np.ndarray, rate: int = 16_000, kind: str = "WAV", subtype: str | None = None) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, wave, rate, format=kind, subtype=subtype)
    return file.getvalue()


@pytest.mark.parametrize(("kind", "subtype"), KINDS)
def test_every_format_is_read(kind: str, subtype: str) -> None:
    wave = wave_of(transform(), encoded(tone(1.5), 16_000, kind, subtype))
    spectrum = np.abs(np.fft.rfft(wave))
    assert spectrum.argmax() == 440  # one second, so bins are hertz
    assert abs(np.sqrt(np.mean(wave[2000:-2000] ** 2)) - 0.5 / np.sqrt(2)) < 0.02


def test_samples_of_the_right_rate_are_kept_as_they_are() -> None:
    wave = tone()
    np.testing.assert_array_equal(wave_of(transform(), encoded(wave, subtype="FLOAT")), wave)


def test_channels_become_their_mean() -> None:
    left, right = tone(loud=0.5), tone(loud=-0.1)
    data = encoded(np.stack([left, right], axis=1), subtype="FLOAT")
    np.testing.assert_allclose(wave_of(transform(), data), (left + right) / 2, atol=1e-7)


@pytest.mark.parametrize("rate", [8000, 11_025, 44_100, 48_000, 96_000])
def test_another_rate_is_resampled(rate: int) -> None:
    wave = wave_of(transform(), encoded(tone(1.2, rate), rate, subtype="FLOAT"))
    assert abs(wave[200:-200] - tone()[200:-200]).max() < 1e-3


def test_what_the_new_rate_cannot_hold_is_filtered_out_and_not_folded_back() -> None:
    wave = wave_of(transform(sample_rate=8000), encoded(tone(1.2, 44_100, 6000.0), 44_100))
    assert np.abs(wave[200:-200]).max() < 1e-3


def test_long_recordings_are_cut_and_short_ones_padded() -> None:
    ramp = np.linspace(-1, 1, 3000, dtype=np.float32)
    data = encoded(ramp, 1000, subtype="FLOAT")
    kept = {"sample_rate": 1000, "seconds": 1.0}
    np.testing.assert_array_equal(wave_of(transform(**kept), data), ramp[:1000])
    np.testing.assert_array_equal(wave_of(transform(**kept, offset="centre"), data), ramp[1000:2000])
    short = encoded(np.ones(400, np.float32), 1000, subtype="FLOAT")
    assert np.flatnonzero(wave_of(transform(**kept), short)).tolist() == list(range(400))
    centred = np.flatnonzero(wave_of(transform(**kept, offset="centre"), short))
    assert centred.tolist() == list(range(300, 700))


@pytest.mark.parametrize(("kind", "subtype"), KINDS)
def test_the_centre_is_the_same_in_every_format(kind: str, subtype: str) -> None:
    wave = np.concatenate([tone(1), tone(1, hz=880), tone(1)])
    middle = wave_of(transform(offset="centre", seconds=0.5), encoded(wave, 16_000, kind, subtype))
    assert np.abs(np.fft.rfft(middle)).argmax() == 440  # 880 Hz in half a second


@pytest.mark.parametrize(("kind", "subtype"), KINDS)
@pytest.mark.parametrize("share", [0.001, 0.02, 0.5, 0.9])
def test_a_recording_cut_off_is_refused(kind: str, subtype: str, share: float) -> None:
    data = encoded(np.random.default_rng(0).normal(0, 0.1, 64_000).astype(np.float32), 16_000, kind, subtype)
    with pytest.raises(TransformError):
        transform(seconds=4)(data[: int(len(data) * share)])


def test_a_recording_cut_off_behind_what_is_wanted_is_read() -> None:
    whole = encoded(tone(4), subtype="FLOAT")
    np.testing.assert_array_equal(wave_of(transform(), whole[: len(whole) // 2]), tone())
    with pytest.raises(TransformError, match="cut off: it ends after 2 s"):
        transform(seconds=3)(whole[: len(whole) // 2])


def test_a_wav_that_knew_no_length_is_read_to_its_end_and_a_flac_is_refused() -> None:
    wav = bytearray(encoded(tone(0.5), subtype="FLOAT"))
    place = wav.index(b"data") + 4
    wav[place : place + 4] = b"\xff\xff\xff\xff"
    assert np.flatnonzero(wave_of(transform(), bytes(wav)))[-1] == 7999
    flac = bytearray(encoded(tone(0.5), kind="FLAC"))
    flac[21] &= 0xF0
    flac[22:26] = bytes(4)  # the count of samples, 36 bits, in the first metadata block
    with pytest.raises(TransformError, match="does not say how long it is"):
        transform()(bytes(flac))


def wav_header(
    rate: int = 16_000, channels: int = 1, size: int = 32_000, bits: int = 16, data: bytes = b""
) -> bytes:
    """A WAV whose header claims anything."""
    width = channels * bits // 8
    form = struct.pack("<HHIIHH", 1, channels, rate, min(rate * width, 2**32 - 1), width & 0xFFFF, bits)
    return (
        b"RIFF\xff\xff\xff\x7fWAVEfmt "
        + struct.pack("<I", 16)
        + form
        + b"data"
        + struct.pack("<I", size)
        + data
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (wav_header(data=bytes(32_000), channels=64), r"too many channels: 64, allowed 8 \(max_channels\)"),
        (wav_header(data=bytes(32_000), rate=2_000_000_000), "2,000,000,000 samples a second"),
        (wav_header(data=bytes(32_000), rate=1), "1 samples a second, 1,000 to 384,000"),
        (wav_header(data=bytes(2_000), size=2_000_000), "cut off"),
        (wav_header(size=0), "no samples"),
        (encoded(np.zeros(5000, np.float32), 1000), r"too long a recording: 5 s, allowed 4 \(max_seconds\)"),
        (encoded(np.full(99, np.nan, np.float32), subtype="FLOAT"), "NaN or beyond"),
        (encoded(np.full((99, 2), np.inf, np.float32), subtype="FLOAT"), "NaN or beyond"),
        (encoded(np.full(99, 1e30, np.float32), subtype="FLOAT"), "NaN or beyond"),
        (b"", "the object is empty"),
        (b"<!doctype html>", "error page"),
        (b"\0" * 99, "known format"),
        (encoded(tone(), kind="AIFF"), "known format"),
        (b"\xff\xfb\x90\xc4" + bytes(500), "no frame of it can be decoded"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "cut off in its header: 16 bytes"),
        (b"RIFF\x30\0\0\0AVI LIST" + bytes(40), "not a readable recording: Format not recognised"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_hostile_and_foreign_files_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(TransformError, match=words) as caught:
        transform(max_seconds=4)(data)
    assert "0x" not in str(caught.value)


def test_memory_follows_what_is_wanted_and_not_what_the_file_holds() -> None:
    made = transform(seconds=0.5)
    data = encoded(np.zeros((16_000 * 120, 2), np.float32), 16_000, "FLAC")  # 15 MB decoded, some KB here
    tracemalloc.start()
    try:
        made(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000


def test_the_filterbank_is_of_triangles_of_area_one_between_equidistant_mels() -> None:
    bank = filterbank(16_000, 2048, 40)
    np.testing.assert_allclose(bank.sum(axis=1) * (16_000 / 2048), 1.0, atol=0.02)
    peaks = bank.argmax(axis=1) * (16_000 / 2048)
    step = (15 + 27 * np.log(8) / np.log(6.4)) / 41  # 8 kHz is 45.25 mel
    np.testing.assert_allclose(peaks[:10], np.arange(1, 11) * step * 200 / 3, atol=4)
    np.testing.assert_allclose(np.diff(np.log(peaks[20:])), step * np.log(6.4) / 27, rtol=0.1)


def test_log_mel_of_a_chirp_has_the_values_that_librosa_gives() -> None:
    """librosa 0.11: power_to_db(melspectrogram(n_fft=256, hop_length=80, n_mels=20), top_db=None)."""
    t = np.arange(8000) / 8000
    chirp = (0.5 * np.sin(2 * np.pi * (200 * t + 900 * t * t))).astype(np.float32)
    made = transform(sample_rate=8000, features="log_mel", window=256, hop=80, mels=20)
    bands = wave_of(made, encoded(chirp, 8000, subtype="FLOAT"))
    assert made.specs.keys() == {"input_features"}
    assert bands.shape == (20, 101)
    expected = [
        [2.22, -74.567, -85.507, -27.012],
        [-15.861, -38.171, -77.368, -26.451],
        [-30.038, -46.568, -37.195, -24.687],
        [-39.622, -87.081, -68.785, -16.253],
        [-48.786, -100.0, -100.0, -26.402],
    ]
    np.testing.assert_allclose(bands[[0, 3, 7, 12, 19]][:, [0, 25, 50, 100]], expected, atol=0.01)


def test_log_mel_of_silence_is_the_floor_and_long_waves_are_done_in_parts() -> None:
    np.testing.assert_allclose(LogMel(16_000, 400, 160, 80)(np.zeros(16_000, np.float32)), -100)
    made = LogMel(8000, 256, 64, 20)
    noise = np.random.default_rng(0).normal(0, 0.1, 64 * 2100).astype(np.float32)
    np.testing.assert_allclose(made(noise)[:, 1500:1510], made(noise[64 * 1400 :])[:, 100:110], atol=1e-3)


def test_more_mels_than_the_window_can_tell_apart_are_refused_at_start() -> None:
    with pytest.raises(ConfigError, match=r"transform.mels: \d+ of 128 mel bands hold no frequency"):
        transform(features="log_mel", mels=128, window=64)
    with pytest.raises(ValidationError, match="seconds"):
        transform(seconds=0)


@pytest.mark.parametrize("package", ["soundfile", "soxr"])
def test_a_missing_package_is_named_with_its_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf"package {package}; pip install 'siftstream\[audio\]'"):
        transform()


def test_several_threads_hear_the_same() -> None:
    made = transform(features="log_mel", sample_rate=8000)
    files = [encoded(tone(0.8, 11_025, 200 + 50 * i), 11_025, *kind) for i, kind in enumerate(KINDS[:8])]
    alone = [wave_of(made, file) for file in files]
    same: list[bool] = []

    def listen() -> None:
        same.extend(
            bool(np.array_equal(wave_of(made, f), a))
            for _ in range(3)
            for f, a in zip(files, alone, strict=True)
        )

    threads = [threading.Thread(target=listen) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert same == [True] * (4 * 3 * len(files))


@pytest.mark.skipif(not DIGITS.exists(), reason="SIFTSTREAM_TEST_DATA names no folder with it")
@pytest.mark.parametrize("features", ["waveform", "log_mel"])
def test_real_recordings_are_read(features: str) -> None:
    made = transform(sample_rate=16_000, seconds=0.5, features=features, offset="centre")
    with zipfile.ZipFile(DIGITS) as archive:
        for name in [n for n in archive.namelist() if n.endswith(".wav")][::100]:
            assert wave_of(made, archive.read(name)).std() > 0.001, name


SEEDS = [encoded(tone(0.1, 8000), 8000, *kind) for kind in KINDS if kind[0] != "MP3"]  # see below
FUZZED = [
    transform(sample_rate=8000, seconds=0.1, offset=offset, features=features)
    for offset in ("start", "centre")
    for features in ("waveform", "log_mel")
]


@settings(max_examples=300, deadline=None)
@given(
    # libmpg123 writes a line to stderr for each damage that it finds, so MP3 has only its own, small test
    st.sampled_from(SEEDS) | st.binary(max_size=200),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=12),
    st.integers(0, 2000),
    st.sampled_from(FUZZED),
)
def test_mutated_recordings_end_in_an_array_or_a_transform_error(
    seed: bytes, changes: list[tuple[int, int]], cut: int, made: Transform
) -> None:
    data = bytearray(seed or b"x")
    for place, value in changes:
        data[place % len(data)] = value
    ((name, spec),) = made.specs.items()
    try:
        array = made(bytes(data[: cut or None]))[name]
    except TransformError as error:
        assert len(str(error)) < 400  # noqa: PT017 - either end is right
    else:
        assert spec.fits(array)
        assert np.isfinite(array).all()


def test_an_mp3_with_damage_ends_in_an_array_or_a_transform_error() -> None:
    rng = np.random.default_rng(0)
    data = encoded(tone(0.5), kind="MP3")
    for _ in range(30):
        broken = bytearray(data)
        for place in rng.integers(0, len(data), 8):
            broken[place] = rng.integers(256)
        try:
            assert np.isfinite(FUZZED[0](bytes(broken))["input_values"]).all()
        except TransformError:
            pass
