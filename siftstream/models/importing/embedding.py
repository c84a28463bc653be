"""Where a model is cut: the embedding is what its last linear layer reads, the head that layer."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siftstream.models.head import Head
from siftstream.models.importing.graph import Graph, attribute
from siftstream.schemas.arrays import Arrays
from siftstream.schemas.errors import ModelError

EMBEDDING = "embedding"
_PASSED = ("Identity", "Cast", "Dropout")  # between the last layer and the output they change nothing
_LEAST = 1e-12  # probability; the logarithm of 0 is not finite


@dataclass(frozen=True)
class Cut:
    """The tensor that is the embedding, the head after it (none: not known), and what the output holds."""

    tensor: str
    head: Head | None
    holds: str
    """`logits`, `probabilities`, `sigmoid` (one number: of the second class), or empty: no classifier."""
    output: str
    words: str


@dataclass(frozen=True)
class _Tail:
    """The end of a classifier, read backwards from its output."""

    logits: str
    squash: str  # "softmax", "sigmoid" or nothing
    features: str = ""
    weights_DC: NDArray[Any] | None = None
    bias_C: NDArray[Any] | None = None


def cut(graph: Graph, samples: Arrays, *, output: str, embedding: str, classes: int) -> Cut:
    """Decide where to cut.

    Args:
        graph: The model; not changed but for a logarithm behind probabilities.
        samples: Some inputs, as the graph reads them.
        output: The output that the user named, or nothing.
        embedding: The inner tensor that the user named, or nothing.
        classes: Number of the pipeline's classes: an output of as many numbers is a classifier's.

    Raises:
        ModelError: a named tensor is not there; no output can be used.
    """
    if embedding:
        if embedding not in graph.tensors:
            raise ModelError(f"--embedding {embedding}: no tensor of that name; {_names(graph)}")
        return Cut(embedding, None, "", "", f"embedding = the tensor {embedding}, as told")
    if EMBEDDING in graph.outputs and not output:
        return Cut(EMBEDDING, None, "", "", "the output `embedding` is there already: taken as it is")
    name = _output(graph, output)
    values = graph.run([name], samples)[0]
    if values.ndim != 2:
        words = f"output {name} of shape {list(values.shape[1:])} a sample is no class: taken as features"
        return Cut(name, None, "", "", words)
    tail = _tail(graph, name)
    if tail.squash == "sigmoid" and values.shape[1] > 1:
        raise ModelError(
            f"the model's output {name} is {values.shape[1]} sigmoids, so classes that go together;"
            " siftstream knows one class a sample: name a tensor with --embedding, a new head learns the rest"
        )
    head = _head(graph, tail, samples)
    if head is not None:
        kind = {"softmax": "probabilities", "": "logits"}.get(tail.squash, tail.squash)
        words = (
            f"embedding = input of the last linear layer ({tail.features}), head = its {head.classes} rows"
        )
        return Cut(tail.features, head, kind, name, words)
    return _without_layer(graph, name, tail, values, classes)


def attach(graph: Graph, tensor: str, samples: Arrays) -> tuple[int, str]:
    """Make `tensor` the only output, `embedding` [batch, dim] float32; return dim and what was pooled.

    Images are averaged over their places, sequences over the steps that the mask lets through.

    Raises:
        ModelError: a tensor of another kind.
    """
    value = graph.run([tensor], samples)[0]
    flow, words = tensor, ""
    batch = len(next(iter(samples.values())))
    if value.ndim < 2 or len(value) != batch:
        raise ModelError(
            f"the tensor {tensor} of shape {list(value.shape)} for {batch} samples is no embedding;"
            " [batch, dim] is wanted, or [batch, channels, height, width] or [batch, steps, dim]"
        )
    if value.dtype != np.float32:
        flow = graph.add("Cast", [flow], to=1)
    if value.ndim == 3:
        flow, words = _mean_of_steps(graph, flow, samples, value.shape[1])
    elif value.ndim > 3:
        flow = graph.add("Flatten", [graph.add("GlobalAveragePool", [flow])], axis=1)
        words = f", averaged over its {' x '.join(map(str, value.shape[2:]))} places"
    if flow != EMBEDDING:
        graph.clear_name(EMBEDDING)
        if flow in graph.inputs:
            raise ModelError(
                f"--embedding {tensor}: is an input of the model; name a tensor behind its layers"
            )
        # no Identity node: ONNX Runtime 1.31 fails to optimise one behind a dropout layer
        graph.name_tensor(flow, EMBEDDING)
    dim = value.shape[2] if value.ndim == 3 else value.shape[1]
    graph.set_outputs({EMBEDDING: ["batch", int(dim)]})
    return int(dim), words


def _output(graph: Graph, wanted: str) -> str:
    names = graph.outputs
    if wanted:
        if wanted not in names:
            raise ModelError(f"--output {wanted}: no output of that name; there are {', '.join(names)}")
        return wanted
    if not names:
        raise ModelError("the model has no output of floating point numbers; name a tensor with --embedding")
    return next((n for n in names if any(word in n.lower() for word in ("logit", "prob"))), names[0])


def _tail(graph: Graph, output: str) -> _Tail:
    """Follow the output back through what squashes it, down to the linear layer if there is one."""
    name, squash = output, ""
    while (node := graph.producer(name)) is not None:
        if (
            node.op_type in ("Softmax", "LogSoftmax")
            and attribute(node, "axis", -1) in (-1, 1)
            and not squash
        ):
            squash = "softmax"
        elif node.op_type == "Sigmoid" and not squash:
            squash = "sigmoid"
        elif node.op_type not in _PASSED:
            break
        name = node.input[0]
    if node is None:
        return _Tail(name, squash)
    if node.op_type == "Gemm":
        return _gemm(graph, node, _Tail(name, squash))
    bias = None
    if node.op_type == "Add":
        for product, constant in (node.input, reversed(node.input)):
            inner, bias = graph.producer(product), graph.constant(constant)
            if inner is not None and inner.op_type == "MatMul" and bias is not None:
                node = inner
                break
    if node.op_type == "MatMul":
        return _Tail(name, squash, node.input[0], graph.constant(node.input[1]), bias)
    return _Tail(name, squash)


def _gemm(graph: Graph, node: Any, tail: _Tail) -> _Tail:
    weights = graph.constant(node.input[1])
    bias = graph.constant(node.input[2]) if len(node.input) > 2 and node.input[2] else None
    unknown_bias = len(node.input) > 2 and bool(node.input[2]) and bias is None
    if weights is None or unknown_bias or attribute(node, "transA", 0):
        return tail
    weights = weights.T if attribute(node, "transB", 0) else weights
    bias = None if bias is None else bias * attribute(node, "beta", 1.0)
    return _Tail(tail.logits, tail.squash, node.input[0], weights * attribute(node, "alpha", 1.0), bias)


def _head(graph: Graph, tail: _Tail, samples: Arrays) -> Head | None:
    """Return the linear layer as a head of one member, where it is one."""
    weights = tail.weights_DC
    if weights is None or weights.ndim != 2 or not tail.features:
        return None
    features = graph.run([tail.features], samples)[0]
    if features.ndim != 2 or features.shape[1] != weights.shape[0]:
        return None
    weights = weights.astype(np.float32)
    bias = np.zeros(weights.shape[1], np.float32)
    if tail.bias_C is not None:
        bias = np.broadcast_to(tail.bias_C.astype(np.float32).reshape(-1), bias.shape)
    if tail.squash == "sigmoid":  # sigmoid(z) is the softmax of 0 and z
        weights = np.concatenate([np.zeros_like(weights), weights], axis=1)
        bias = np.concatenate([np.zeros_like(bias), bias])
    return Head(np.ascontiguousarray(weights[None]), np.ascontiguousarray(bias[None]))


def _without_layer(graph: Graph, name: str, tail: _Tail, values: NDArray[Any], classes: int) -> Cut:
    """Cut where no linear layer can be split off: at the logits, or the logarithm of the probabilities."""
    count = values.shape[1]
    if tail.squash == "softmax":
        words = f"no linear layer at its end: embedding = the {count} logits, the head repeats them"
        return Cut(tail.logits, identity_head(count), "probabilities", name, words)
    if (values >= 0).all() and np.allclose(values.sum(axis=1), 1.0, atol=1e-3) and count > 1:
        floor = graph.weight(_LEAST, values.dtype)
        logarithm = graph.add("Log", [graph.add("Max", [name, floor])])
        words = f"embedding = the logarithms of the {count} probabilities, the head repeats them"
        return Cut(logarithm, identity_head(count), "probabilities", name, words)
    if count == classes:
        words = f"no linear layer at its end: embedding = the {count} logits, the head repeats them"
        return Cut(name, identity_head(count), "logits", name, words)
    return Cut(name, None, "", "", f"output {name} of {count} numbers is no class: taken as the embedding")


def identity_head(classes: int) -> Head:
    """Return the head whose logits are the embedding itself."""
    return Head(np.eye(classes, dtype=np.float32)[None], np.zeros((1, classes), np.float32))


def _mean_of_steps(graph: Graph, flow: str, samples: Arrays, steps: int) -> tuple[str, str]:
    masks = [name for name, array in samples.items() if "mask" in name and array.shape[1:] == (steps,)]
    if not masks:
        turned = graph.add("Transpose", [flow], perm=[0, 2, 1])
        pooled = graph.add("Flatten", [graph.add("GlobalAveragePool", [turned])], axis=1)
        return pooled, f", averaged over its {steps} steps"
    weights = graph.add("Cast", [masks[0]], to=1)
    columns = graph.add("Unsqueeze", [weights, graph.weight([2], np.int64)])
    axis = graph.weight([1], np.int64)
    total = graph.add("ReduceSum", [graph.add("Mul", [flow, columns]), axis], keepdims=0)
    size = graph.add("Max", [graph.add("ReduceSum", [weights, axis], keepdims=1), graph.weight(1.0)])
    return graph.add("Div", [total, size]), f", averaged over the steps that {masks[0]} lets through"


def _names(graph: Graph) -> str:
    last = [name for node in graph.nodes[-12:] for name in node.output if name]
    return f"the last ones are {', '.join(last)}"
