"""What an ONNX file may ask for before ONNX Runtime opens it: its own bytes and standard operators, no more.

The file is walked as protobuf, field by field, without copying its weights and without the `onnx` package
(13 MB and 0.15 s that a worker never pays). Field numbers: onnx.proto3 of ONNX 1.23.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from siftstream.schemas.errors import ModelError

DOMAINS: Final = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc")
_READ_OTHER_FILES: Final = ("EPContext",)
_OLDEST_OPSET: Final = 7  # ONNX Runtime reads none older; of newer ones than it reads it says so itself
_DEEPEST: Final = 32  # graphs in graphs
_VARINT, _BYTES = 0, 2
_FIXED: Final = {1: 8, 5: 4}

_GRAPH, _OPSETS, _FUNCTIONS = 7, 8, 25  # of a model
_NODES, _TENSORS, _SPARSE = 1, 5, 15  # of a graph
_FUNCTION_NAME, _FUNCTION_NODES, _FUNCTION_DOMAIN, _FUNCTION_DEFAULTS = 1, 7, 10, 11
_OP_TYPE, _ATTRIBUTES, _DOMAIN = 4, 5, 7  # of a node
_A_TENSOR, _A_GRAPH, _TENSORS_OF, _GRAPHS_OF, _A_SPARSE, _SPARSE_OF = 5, 6, 10, 11, 22, 23  # of an attribute
_EXTERNAL, _LOCATION = 13, 14  # of a tensor


class _Field(NamedTuple):
    number: int
    integer: int
    data: memoryview


def check_graph(onnx: bytes) -> None:
    """Refuse a graph that wants more than its own bytes and the operators that ONNX Runtime brings along.

    Raises:
        ModelError: not ONNX, weights or code outside the file, an operator of a foreign domain, an opset that
            no runtime reads.
    """
    try:
        _Check(onnx).run()
    except (_NotProtobuf, UnicodeDecodeError, RecursionError) as error:
        raise ModelError(
            f"encoder: {len(onnx):,} bytes that are no ONNX model ({error}); export it again"
        ) from error


class _NotProtobuf(Exception):
    """The bytes end in the middle, or are of no protobuf message."""


class _Check:
    def __init__(self, onnx: bytes) -> None:
        self._model = memoryview(onnx)
        self._ours: set[tuple[str, str]] = set()  # functions that the model brings along

    def run(self) -> None:
        functions: list[memoryview] = []
        graphs: list[memoryview] = []
        for field in _fields(self._model):
            if field.number == _GRAPH:
                graphs.append(field.data)
            elif field.number == _FUNCTIONS:
                functions.append(field.data)
                self._ours.add(_words(field.data, _FUNCTION_DOMAIN, _FUNCTION_NAME))
            elif field.number == _OPSETS:
                self._opset(field.data)
        if not graphs:
            raise _NotProtobuf("there is no graph in it")
        for function in functions:
            self._nodes(function, _FUNCTION_NODES, 0)
            for field in _fields(function):
                if field.number == _FUNCTION_DEFAULTS:
                    self._attribute(field.data, 0)
        for graph in graphs:
            self._graph(graph, 0)

    def _opset(self, opset: memoryview) -> None:
        domain, version = "", 0
        for field in _fields(opset):
            if field.number == 1:
                domain = _text(field.data)
            elif field.number == 2:
                version = field.integer
        if domain in ("", "ai.onnx") and version < _OLDEST_OPSET:
            raise ModelError(
                f"encoder: of ONNX opset {version}, which ONNX Runtime does not read;"
                f" export it with opset {_OLDEST_OPSET} or newer"
            )

    def _graph(self, graph: memoryview, depth: int) -> None:
        if depth > _DEEPEST:
            raise _NotProtobuf(f"graphs in graphs, over {_DEEPEST} deep")
        self._nodes(graph, _NODES, depth)
        for field in _fields(graph):
            if field.number == _TENSORS:
                _tensor(field.data)
            elif field.number == _SPARSE:
                _sparse(field.data)

    def _nodes(self, holder: memoryview, number: int, depth: int) -> None:
        for field in _fields(holder):
            if field.number == number:
                self._node(field.data, depth)

    def _node(self, node: memoryview, depth: int) -> None:
        domain, operator = _words(node, _DOMAIN, _OP_TYPE)
        if (domain not in DOMAINS and (domain, operator) not in self._ours) or operator in _READ_OTHER_FILES:
            raise ModelError(
                f"encoder: operator {operator!r:.80} of domain {domain!r:.80} is none that ONNX Runtime"
                " brings along safely; export it with standard ONNX operators only"
            )
        for field in _fields(node):
            if field.number == _ATTRIBUTES:
                self._attribute(field.data, depth)

    def _attribute(self, attribute: memoryview, depth: int) -> None:
        for field in _fields(attribute):
            if field.number in (_A_TENSOR, _TENSORS_OF):
                _tensor(field.data)
            elif field.number in (_A_GRAPH, _GRAPHS_OF):
                self._graph(field.data, depth + 1)
            elif field.number in (_A_SPARSE, _SPARSE_OF):
                _sparse(field.data)


def _sparse(sparse: memoryview) -> None:
    for field in _fields(sparse):
        if field.number in (1, 2):  # values and indices
            _tensor(field.data)


def _tensor(tensor: memoryview) -> None:
    for field in _fields(tensor):
        if field.number == _EXTERNAL or (field.number == _LOCATION and field.integer):
            raise ModelError(
                "encoder: its weights lie outside the file, in one that is never read;"
                " export it as one file (torch.onnx.export: external_data=False)"
            )


def _words(message: memoryview, first: int, second: int) -> tuple[str, str]:
    """Return the texts in two fields; empty where one is missing, the last one where it is there twice."""
    found = {f.number: _text(f.data) for f in _fields(message) if f.number in (first, second)}
    return found.get(first, ""), found.get(second, "")


def _text(data: memoryview) -> str:
    return bytes(data).decode()


def _fields(message: memoryview) -> Iterator[_Field]:
    at = 0
    while at < len(message):
        tag, at = _integer(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            integer, at = _integer(message, at)
            yield _Field(number, integer, message[:0])
        elif kind == _BYTES:
            size, at = _integer(message, at)
            end = at + size
            if end > len(message):
                raise _NotProtobuf("it is cut short")
            yield _Field(number, 0, message[at:end])
            at = end
        elif kind in _FIXED:
            at += _FIXED[kind]
        else:
            raise _NotProtobuf(f"a field of kind {kind}")
    if at != len(message):
        raise _NotProtobuf("it is cut short")


def _integer(message: memoryview, at: int) -> tuple[int, int]:
    """Read a varint; return it and where the next thing begins."""
    value = shift = 0
    while shift < 70 and at < len(message):
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise _NotProtobuf("it is cut short")
