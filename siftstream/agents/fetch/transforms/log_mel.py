"""Log-mel bands: the power of Hann windows in mel bands of equal area (Slaney's Auditory Toolbox), in dB."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

HZ_A_MEL: Final = 200 / 3  # below 1 kHz the scale is linear
KNEE_HZ: Final = 1000.0
KNEE_MEL: Final = KNEE_HZ / HZ_A_MEL
STEP: Final = np.log(6.4) / 27  # above it, 27 mels are a factor of 6.4
FLOOR: Final = 1e-10  # power counted as silence: -100 dB
FRAMES_AT_ONCE: Final = 1024  # bounds memory


def mel_of(hz: Any) -> Any:
    """Return the mel of a frequency.

    >>> [float(round(mel, 6)) for mel in mel_of(np.array([0.0, 500.0, 1000.0, 6400.0]))]
    [0.0, 7.5, 15.0, 42.0]
    """
    high = KNEE_MEL + np.log(np.maximum(hz, KNEE_HZ) / KNEE_HZ) / STEP
    return np.where(hz < KNEE_HZ, hz / HZ_A_MEL, high)


def hz_of(mel: Any) -> Any:
    """Return the frequency of a mel."""
    high = KNEE_HZ * np.exp(STEP * (np.maximum(mel, KNEE_MEL) - KNEE_MEL))
    return np.where(mel < KNEE_MEL, mel * HZ_A_MEL, high)


def filterbank(rate: int, window: int, mels: int) -> Floats:
    """Return triangles of area 1 (in Hz) [mels, window // 2 + 1] from 0 Hz to half the rate.

    Each rises from its lower neighbour's peak and falls to its upper neighbour's; peaks are equally far
    apart in mel.
    """
    bins = np.arange(window // 2 + 1) * (rate / window)
    edges = hz_of(np.linspace(0.0, mel_of(rate / 2), mels + 2))
    low, peak, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    triangles = np.minimum((bins - low) / (peak - low), (high - bins) / (high - peak)).clip(min=0.0)
    return (triangles * (2.0 / (high - low))).astype(np.float32)


class LogMel:
    """Turns a waveform [samples] float32 into [mels, frames] float32.

    Frame t is centred on sample t * hop, with silence before the first and after the last sample.

    Raises:
        ValueError: some mel band is so narrow that no frequency bin falls into it.
    """

    def __init__(self, rate: int, window: int, hop: int, mels: int) -> None:
        self._hop, self._length = hop, window
        self._hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype(np.float32)
        bank = filterbank(rate, window, mels)
        empty = int((bank.max(axis=1) == 0).sum())
        if empty:
            raise ValueError(f"{empty} of {mels} mel bands hold no frequency; take fewer or a longer window")
        # Only the bins under a triangle, band by band: few, and a matrix product would go to the threads of
        # BLAS, which get in the way of fetch's own.
        bands, self._bins = np.nonzero(bank)
        self._weights = bank[bands, self._bins]
        self._starts = np.searchsorted(bands, np.arange(mels))

    def frames(self, samples: int) -> int:
        """Return how many frames so many samples give."""
        return 1 + samples // self._hop

    def __call__(self, wave: Floats) -> Floats:
        """Return 10 * log10 of the power in each band, at least -100 dB."""
        padded = np.pad(wave, self._length // 2)
        windows = np.lib.stride_tricks.sliding_window_view(padded, self._length)[:: self._hop]
        out = np.empty((len(self._starts), len(windows)), np.float32)
        for first in range(0, len(windows), FRAMES_AT_ONCE):
            part = slice(first, first + FRAMES_AT_ONCE)
            spectrum = np.fft.rfft(windows[part] * self._hann, axis=1)
            power = spectrum.real**2 + spectrum.imag**2
            bands = np.add.reduceat(power[:, self._bins] * self._weights, self._starts, axis=1)
            out[:, part] = 10.0 * np.log10(np.maximum(bands.T, FLOOR))
        return out
