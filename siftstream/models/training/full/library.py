"""A torch module of a library, or of the user's, as a learner: normalised, cut, pooled and exported.

Modules of libraries read images normalised as they were trained; a factory of the user's reads what the
transform makes, images as uint8 [B, C, H, W].
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from siftstream.models.importing.embedding import attach
from siftstream.models.importing.export import OUTPUT, exported
from siftstream.models.importing.normalisation import normalise, per_channel, scale_and_shift
from siftstream.models.importing.options import InputOption, Options
from siftstream.models.importing.sources import LIBRARIES, Module, library, made
from siftstream.models.training.full.labels import is_image, tensors
from siftstream.models.training.full.last_layer import cut_last_layer
from siftstream.models.training.settings import FullSettings
from siftstream.schemas.arrays import Arrays, rows
from siftstream.schemas.errors import TrainingError

_PROBED = 2  # samples on which a module is tried before it is trained
_RATES = {"hf": 0.00005}  # of the weights that a library brings
_PRETRAINED, _RANDOM = 0.0002, 0.001


class Library:
    """A `Learner`: any torch module that answers one array a sample."""

    def __init__(self, inputs: Arrays, classes: tuple[str, ...], settings: FullSettings) -> None:
        """Args: the job's inputs; class names; which encoder, and with whose weights.

        Raises:
            ConfigError, ModelError: as `learner_of` says.
            TrainingError: it fails on the inputs, or gives no embedding.
        """
        self.name = settings.encoder
        kind = self.name.partition(":")[0]
        own = kind not in LIBRARIES
        library("onnxscript", self.name)  # needed after the training, missed before it
        self._options = Options(
            classes, inputs=_options(inputs, floats=not own), random=not settings.pretrained,
            instead="set retrain.train.full.pretrained: false",
        )  # fmt: skip
        self._made = made(f"torch:{self.name}" if own else self.name, self._options)
        self._normalised = not own and len(inputs) == 1 and is_image(next(iter(inputs.values())))
        grey = self._normalised and next(iter(inputs.values())).shape[1] == 1 < len(self._made.mean)
        self._mean, self._std = _averaged(self._made) if grey else (self._made.mean, self._made.std)
        self.net = Embedding(self._made.module.float(), tuple(inputs), len(self._made.mean) if grey else 0)
        self.rate = _RATES.get(kind, _PRETRAINED) if settings.pretrained and not own else _RANDOM
        probe = rows(inputs, slice(0, _PROBED))
        self._scale_and_shift = self._for_torch(next(iter(inputs.values())).shape)
        self._probe = {name: np.asarray(array) for name, array in probe.items()}
        self.cut = cut_last_layer(self.net.module, self._tried, len(classes) if own else None)
        self.dim = self._tried().shape[1]

    def embed(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return the embeddings of what the transform made."""
        if not self._normalised:
            return self.net(*(_as_made(inputs[name], spec.dtype) for name, spec in self._probe.items()))
        scale, shift = self._scale_and_shift
        (pixels,) = inputs.values()
        return self.net(pixels.float() * scale.to(pixels.device) - shift.to(pixels.device))

    def onnx(self) -> bytes:
        """Export the module and put the normalisation before it, as an import does."""
        whole = Module(self.net, self.name, self.name, self._options.inputs, variadic=True)
        graph = exported(whole, self._options).graph
        if self._normalised:
            normalise(graph, self._mean, self._std)
        attach(graph, OUTPUT, self._probe)
        return graph.to_bytes()

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """Return the module's state by its own names."""
        state = self.net.module.state_dict()
        return {name: np.ascontiguousarray(tensor.detach().cpu().numpy()) for name, tensor in state.items()}

    def take(self, tensors: Arrays) -> None:
        """Load a state."""
        self.net.module.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})

    def _for_torch(self, shape: Sequence[int]) -> tuple[Tensor, Tensor]:
        if not self._normalised:
            return torch.ones(1), torch.zeros(1)
        values = scale_and_shift(*per_channel(self._mean, self._std, shape[1]))
        scale, shift = (torch.from_numpy(value.astype(np.float32)) for value in values)
        return scale, shift

    def _tried(self) -> Tensor:
        self.net.eval()
        try:
            with torch.no_grad():
                said = self.embed(tensors(self._probe, torch.device("cpu")))
        except TrainingError:
            raise
        except Exception as error:  # code of theirs
            words = (" ".join(str(error).split()) or type(error).__name__)[:300]
            shapes = ", ".join(f"{a.dtype} {list(a.shape)}" for a in self._probe.values())
            raise TrainingError(
                f"training: the encoder {self.name} fails on inputs {shapes}: {words}"
            ) from error
        return said


class Embedding(nn.Module):
    """A module whose answer is made an embedding [B, D]: steps and places are averaged."""

    def __init__(self, module: nn.Module, names: tuple[str, ...], channels: int) -> None:
        """Args: the module; names of its inputs in order; channels that a grey image is repeated to, or 0."""
        super().__init__()
        self.module = module
        self._masks = [place for place, name in enumerate(names) if "mask" in name]
        self._channels = channels

    def forward(self, *arrays: Tensor) -> Tensor:
        """Return embeddings [B, D]."""
        if self._channels:
            arrays = (arrays[0].expand(-1, self._channels, -1, -1), *arrays[1:])
        return _pooled(_first(self.module(*arrays)), [arrays[place] for place in self._masks])


def _first(answer: Any) -> Tensor:
    """Return the array of an answer that may be a tuple or a mapping."""
    if isinstance(answer, dict):
        answer = next(iter(answer.values()), None)
    elif isinstance(answer, (tuple, list)) and answer:
        answer = answer[0]
    if not isinstance(answer, Tensor):
        raise TrainingError(
            f"training: the encoder returns {type(answer).__name__}; let it return one tensor [B, D]"
        )
    return answer


def _pooled(values: Tensor, masks: Sequence[Tensor]) -> Tensor:
    if values.ndim == 2:
        return values
    if values.ndim == 3:
        fitting = [mask for mask in masks if mask.shape == values.shape[:2]]
        if not fitting:
            return values.mean(1)
        mask = fitting[0].unsqueeze(-1).to(values.dtype)
        return (values * mask).sum(1) / mask.sum(1).clamp(min=1.0)
    if values.ndim == 4:
        return values.mean((2, 3))
    raise TrainingError(
        f"training: the encoder returns an array {list(values.shape)}; let it return embeddings [B, D],"
        " or [B, steps, D], or [B, D, height, width]"
    )


def _options(inputs: Arrays, *, floats: bool) -> tuple[InputOption, ...]:
    return tuple(
        InputOption(name, array.shape[1:], "float32" if floats and is_image(array) else array.dtype.name)
        for name, array in inputs.items()
    )


def _averaged(module: Module) -> tuple[tuple[float], tuple[float]]:
    """Return what grey images are normalised by, where the module knows only colours."""
    return (float(np.mean(module.mean)),), (float(np.mean(module.std)),)


def _as_made(array: Tensor, dtype: np.dtype[Any]) -> Tensor:
    """Return augmented pixels as whole grey levels again; what was not augmented is as it was made."""
    if dtype == np.uint8 and array.is_floating_point():
        return array.round().clamp(0, 255).to(torch.uint8)
    return array
