"""The models that benchmarks run: random weights, as only the speed counts."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from kafka import KafkaProducer

from siftstream.bench.failed import BenchFailed
from siftstream.bench.resnet import resnet18
from siftstream.models.artifacts import ArtifactStore
from siftstream.models.cnn import spare_cnn
from siftstream.models.encoder import Encoder
from siftstream.models.head import Head
from siftstream.schemas import ModelVersion, VersionStatus
from siftstream.settings import Settings

CLASSES = tuple(str(number) for number in range(10))


@dataclass(frozen=True)
class Model:
    """A kind of encoder: what makes it, the side of its square pictures in pixels, samples a run."""

    name: str
    make: Callable[[], bytes]
    side: int
    batch: int = 128


MODELS = {
    model.name: model
    for model in (
        Model("resnet18", resnet18, 32),
        Model("cnn", lambda: spare_cnn((3, 32, 32)), 32),
        Model("resnet18-224", lambda: resnet18(224, 224), 224, batch=16),
    )
}


def model_of(name: str) -> Model:
    """Return a kind of encoder by name.

    Raises:
        BenchFailed: there is none of that name.
    """
    if name not in MODELS:
        raise BenchFailed(f"there is no model {name!r} to measure; choose among {', '.join(MODELS)}")
    return MODELS[name]


def published(settings: Settings, onnx: bytes, line: str = "main", version: str = "bench") -> ModelVersion:
    """Put an encoder with a random head live, so that every worker runs it; the topics must be there."""
    made = stored(settings, onnx, line, version)
    announced(settings, made)
    return made


def stored(
    settings: Settings, onnx: bytes, line: str = "main", version: str = "bench", seed: int = 0
) -> ModelVersion:
    """Store an encoder with a random head; nobody hears of it before it is announced."""
    store = ArtifactStore.open(settings.model.artifacts)
    head = random_head(Encoder(onnx, providers=("cpu",)).dim, len(settings.classes), seed)
    return ModelVersion(
        line=line, version=version, classes=tuple(settings.classes), status=VersionStatus.LIVE,
        encoder=store.put(onnx, ".onnx"), head=store.put(head.to_bytes(), ".safetensors"),
    )  # fmt: skip


def announced(settings: Settings, version: ModelVersion) -> None:
    """Let every worker know of a stored version."""
    producer = KafkaProducer(**settings.kafka.client_options())
    try:
        producer.send(settings.pipeline.topic("models"), version.encode(), key=version.key).get(10)
    finally:
        producer.close()


def random_head(dim: int, classes: int, seed: int = 0) -> Head:
    """Return a head whose answers differ from sample to sample: always the same one of a seed."""
    weights = np.random.default_rng(seed).normal(0, 0.05, (1, dim, classes)).astype(np.float32)
    return Head(weights, np.zeros((1, classes), np.float32))


def classifier(onnx: bytes, classes: int = len(CLASSES)) -> bytes:
    """Return encoder and random head as one graph, as others run it: probabilities [batch, classes] out."""
    import onnx as onnx_library
    from onnx import TensorProto, helper, numpy_helper

    model = onnx_library.load_model_from_string(onnx)
    embedding = model.graph.output[0]
    head = random_head(embedding.type.tensor_type.shape.dim[1].dim_value, classes)
    model.graph.initializer.extend(
        [
            numpy_helper.from_array(head.weights_MDC[0], "head"),
            numpy_helper.from_array(head.bias_MC[0], "bias"),
        ]
    )
    model.graph.node.extend(
        [
            helper.make_node("Gemm", [embedding.name, "head", "bias"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        ]
    )
    made = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", classes])
    del model.graph.output[:]
    model.graph.output.append(made)
    return model.SerializeToString()
