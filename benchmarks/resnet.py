"""Moved: a ResNet-18-sized encoder is made by `siftstream.bench.resnet`."""

from siftstream.bench.resnet import resnet18 as resnet18
