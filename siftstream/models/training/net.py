"""The built-in CNN in torch: the same layers and weights as `siftstream.models.cnn`. Child process only."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from siftstream.models.cnn import EPSILON, Weights, layers


def normalise(images: Tensor) -> Tensor:
    """Centre and scale each image [B, C, H, W] by its own mean and deviation, as the ONNX graph does."""
    pixels = images.float()
    centred = pixels - pixels.mean(dim=(1, 2, 3), keepdim=True)
    deviation = centred.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    return centred / (deviation + EPSILON)


class Cnn(nn.Module):
    """Convolutions and a linear layer: normalised images [B, C, H, W] in, embeddings [B, D] out."""

    def __init__(self, weights: Weights, input_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.convs, _ = layers(input_shape)
        # Parameter names may hold no dot: conv0.weight is conv0_weight in here.
        for name, array in weights.items():
            self.register_parameter(name.replace(".", "_"), nn.Parameter(torch.from_numpy(array.copy())))

    def forward(self, images: Tensor) -> Tensor:
        """Return the embeddings of images that are normalised already."""
        flow = images
        for conv in self.convs:
            weight, bias = self.get_parameter(f"{conv.name}_weight"), self.get_parameter(f"{conv.name}_bias")
            flow = functional.relu(functional.conv2d(flow, weight, bias, padding=1))
            if conv.pool:
                flow = functional.max_pool2d(flow, 2)
        weight, bias = self.get_parameter("embed_weight"), self.get_parameter("embed_bias")
        return functional.relu(functional.linear(flow.flatten(1), weight, bias))

    def weights(self) -> Weights:
        """Return the weights as the ONNX builder names them."""
        return {
            name.replace("_", "."): parameter.detach().cpu().numpy().astype(np.float32)
            for name, parameter in self.named_parameters()
        }
