"""Static int8 of an encoder: quantise and dequantise nodes, a scale a channel, calibrated on samples."""

import contextlib
import logging
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from siftstream.schemas.arrays import Arrays, count, rows
from siftstream.schemas.errors import ModelError

_WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")  # what int8 makes faster
_ATTENTION = ("Softmax", "LayerNormalization", "Erf", "Gelu")  # a graph with these is a transformer
_BATCH = 32
_OPSET = 13  # the first whose quantise nodes have a scale per channel


def quantized(onnx: bytes, samples: Arrays, *, batch: int = _BATCH) -> bytes:
    """Return the same encoder in static int8, its inputs and its embedding as they were.

    What stands before the first weights (normalisation) stays in floating point. In transformers only the
    layers with weights are quantised, as attention's own arithmetic does not survive 8 bits.

    Args:
        onnx: The encoder, fp32.
        samples: Arrays [N, ...] by the encoder's input names (or the only one), as a transform makes them;
            100 to 500 typical ones are enough.
        batch: Samples in one calibration run.

    Raises:
        ModelError: no ONNX graph, one that cannot be quantised, or samples that do not fit it.
    """
    import onnx as onnx_library

    try:
        model = onnx_library.load_model_from_string(onnx)
    except Exception as error:  # protobuf's errors share no base but Exception
        raise ModelError("quantise: these bytes are no ONNX graph; name an encoder.onnx") from error
    _refuse(model)
    if not samples or not count(samples):
        raise ModelError("quantise: no samples to calibrate on; give --data, or label some first")
    with tempfile.TemporaryDirectory() as folder, _quietly():
        prepared = _prepared(onnx_library, model, Path(folder))
        target = Path(folder) / "int8.onnx"
        try:
            _quantise(prepared, target, _Reader(model, samples, batch))
        except ModelError:
            raise
        except Exception as error:  # ONNX Runtime's errors share no base but Exception
            words = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            raise ModelError(f"quantise: ONNX Runtime cannot quantise this encoder: {words}") from error
        return target.read_bytes()


def _refuse(model: Any) -> None:
    kinds = {node.op_type for node in model.graph.node}
    if kinds & {"QuantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul"}:
        raise ModelError("quantise: this encoder is quantised already; take the fp32 version it came from")
    if not kinds & set(_WEIGHTED):
        raise ModelError(
            f"quantise: this encoder has no layer that int8 makes faster ({', '.join(_WEIGHTED)});"
            " leave it as it is"
        )


def _prepared(library: Any, model: Any, folder: Path) -> Any:
    """Return the graph folded and with all shapes told, which the quantiser needs to see scales through."""
    import onnxruntime as ort

    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if opset < _OPSET:
        model = library.version_converter.convert_version(model, 17)
    options = ort.SessionOptions()
    options.log_severity_level = 4  # its errors reach us as exceptions as well
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folder / "folded.onnx")
    try:
        ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors share no base but Exception
        words = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise ModelError(f"quantise: ONNX Runtime cannot load this encoder: {words}") from error
    folded = library.load(options.optimized_model_filepath)
    for number, node in enumerate(folded.graph.node):
        node.name = node.name or f"{node.op_type}.{number}"  # the quantiser tells nodes apart by name
    return library.shape_inference.infer_shapes(folded)


def _quantise(model: Any, target: Path, reader: "_Reader") -> None:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    kinds = {node.op_type for node in model.graph.node}
    quantize_static(
        model,
        target,
        cast("Any", reader),  # it needs no base class
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=list(_WEIGHTED) if kinds & set(_ATTENTION) else None,
        nodes_to_exclude=_before_weights(model),
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )


def _before_weights(model: Any) -> list[str]:
    """Return the nodes that no layer with weights stands before: normalisation, casts, lookups."""
    behind: set[str] = set()
    names: list[str] = []
    for node in model.graph.node:  # in topological order, as ONNX demands
        if node.op_type in _WEIGHTED or behind.intersection(node.input):
            behind.update(node.output)
        else:
            names.append(node.name)
    return names


class _Reader:
    """Hands samples to the calibrator batch by batch, by the graph's own input names."""

    def __init__(self, model: Any, samples: Arrays, batch: int) -> None:
        constants = {tensor.name for tensor in model.graph.initializer}
        names = [entry.name for entry in model.graph.input if entry.name not in constants]
        if len(names) == len(samples) == 1:
            samples = dict(zip(names, samples.values(), strict=True))
        if set(names) != set(samples):
            raise ModelError(
                f"quantise: samples named {', '.join(samples)}, the encoder reads {', '.join(names)};"
                " use the transform of this model's pipeline"
            )
        self._batches = (
            {
                name: np.ascontiguousarray(array)
                for name, array in rows(samples, slice(at, at + batch)).items()
            }
            for at in range(0, count(samples), batch)
        )

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """Return the next batch, None after the last."""
        return next(self._batches, None)


@contextlib.contextmanager
def _quietly() -> Generator[None]:
    """Keep the quantiser's advice about its own preprocessing, which `_prepared` does, out of the log."""
    root = logging.getLogger()
    disabled, handlers = root.disabled, list(root.handlers)
    root.disabled = True
    try:
        yield
    finally:
        root.disabled = disabled
        root.handlers[:] = handlers  # a first word to the root logger would have left a handler there
