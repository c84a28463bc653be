"""Full training: encoder and heads together, in torch, out as ONNX. Child process only."""

from siftstream.models.training.full.run import Full, train_full

__all__ = ["Full", "train_full"]
