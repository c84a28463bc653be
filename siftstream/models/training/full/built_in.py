"""The built-in CNN as a learner; its ONNX graph is written without an exporter."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from siftstream.models.cnn import cnn_onnx, shapes, spare_weights
from siftstream.models.training.net import Cnn, normalise
from siftstream.schemas.arrays import Arrays


class BuiltIn:
    """A `Learner`: the CNN of `siftstream.models.cnn`."""

    rate: float = 0.003

    def __init__(self, given: str, shape: tuple[int, ...], dim: int, seed: int) -> None:
        """Args: name of the input; channels, height, width; size of an embedding; seed of the weights."""
        self.net = Cnn(spare_weights(seed, shape, dim), shape)
        self.dim = dim
        self._input = given
        self._shape = shape

    def embed(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return the embeddings of images."""
        return self.net(normalise(inputs[self._input]))

    def onnx(self) -> bytes:
        """Return the graph."""
        return cnn_onnx(self.net.weights(), self._shape)

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """Return the weights as the graph's builder names them."""
        return dict(self.net.weights())

    def take(self, tensors: Arrays) -> None:
        """Take weights."""
        with torch.no_grad():
            for name in shapes(self._shape, self.dim):
                self.net.get_parameter(name.replace(".", "_")).copy_(torch.from_numpy(tensors[name]))
