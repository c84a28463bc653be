"""What a graph may ask for: a hostile or broken file is refused in a sentence, and no other file is read."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto as Model
from onnx import TensorProto, external_data_helper, helper, numpy_helper

from siftstream.models.encoder import Encoder
from siftstream.models.graph_check import check_graph
from siftstream.models.spare import spare_encoder
from siftstream.schemas.arrays import ArraySpec
from siftstream.schemas.errors import ModelError
from tests.models import graphs

CPU = ("cpu",)


def model(op: str = "Relu", domain: str = "", opset: int = 17, inner: bool = False) -> Model:
    """One operator on [batch, 3], perhaps inside of a branch."""
    node = helper.make_node(op, ["x"], ["y"], domain=domain)
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", 3]) for n in ("x", "y")]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:])
    if inner:
        condition = numpy_helper.from_array(np.array(True), "c")
        branch = helper.make_graph([node], "b", [], ends[1:])
        either = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
        graph = helper.make_graph([either], "g", ends[:1], ends[1:], [condition])
    imports = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def outside(location: Path) -> bytes:
    """A graph whose weights lie in another file."""
    tensor = numpy_helper.from_array(np.ones(3, np.float32), "w")
    external_data_helper.set_external_data(tensor, str(location))
    tensor.ClearField("raw_data")
    made = model()
    made.graph.initializer.append(tensor)
    made.graph.node[0].CopyFrom(helper.make_node("Add", ["x", "w"], ["y"]))
    return made.SerializeToString()


def cnn_of_ours() -> bytes:
    specs = {"image": ArraySpec((1, 8, 8), np.dtype(np.uint8))}
    return spare_encoder(specs, 0, 4)


def test_graphs_of_our_own_pass() -> None:
    for onnx in (
        cnn_of_ours(),
        graphs.logits(),
        graphs.dropout(),
        model(inner=True).SerializeToString(),
    ):
        check_graph(onnx)


def test_weights_in_another_file_are_refused_and_it_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_bytes(np.ones(3, np.float32).tobytes())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="weights lie outside the file"):
        Encoder(outside(Path("secret")), providers=CPU)


@pytest.mark.parametrize("inner", [False, True])
@pytest.mark.parametrize(
    ("op", "domain"), [("Run", "evil"), ("EPContext", "com.microsoft"), ("Relu", "ai.onnx.training")]
)
def test_operators_of_foreign_domains_are_refused(op: str, domain: str, inner: bool) -> None:
    with pytest.raises(ModelError, match=rf"operator '{op}' of domain '{domain}'"):
        Encoder(model(op, domain, inner=inner).SerializeToString(), providers=CPU)


def test_functions_that_the_model_brings_along_are_its_own() -> None:
    made = model("Twice", "ours")
    body = [helper.make_node("Add", ["a", "a"], ["b"])]
    made.functions.append(
        helper.make_function("ours", "Twice", ["a"], ["b"], body, [helper.make_opsetid("", 17)])
    )
    encoder = Encoder(made.SerializeToString(), providers=CPU)
    assert encoder.embed(np.ones((1, 3), np.float32)).tolist() == [[2.0, 2.0, 2.0]]
    made.functions[0].node[0].CopyFrom(helper.make_node("Run", ["a"], ["b"], domain="evil"))
    with pytest.raises(ModelError, match="operator 'Run' of domain 'evil'"):
        check_graph(made.SerializeToString())


@pytest.mark.parametrize(
    ("opset", "reason"), [(6, "of ONNX opset 6"), (99, "cannot load it: ONNX Runtime only .*[Oo]pset 99")]
)
def test_an_opset_that_the_runtime_does_not_read_is_refused(opset: int, reason: str) -> None:
    with pytest.raises(ModelError, match=reason) as refused:
        Encoder(model(opset=opset).SerializeToString(), providers=CPU)
    assert "\n" not in str(refused.value)


def test_graphs_without_end_are_refused() -> None:
    def field(number: int, data: bytes) -> bytes:
        size, head = len(data), bytes([number << 3 | 2])
        while size > 127:
            head, size = head + bytes([size & 127 | 128]), size >> 7
        return head + bytes([size]) + data

    graph = b""
    for _ in range(40):
        graph = field(1, field(5, field(6, graph)))  # a node with an attribute that is a graph
    with pytest.raises(ModelError, match="graphs in graphs, over 32 deep"):
        check_graph(field(7, graph))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_file_is_refused_or_runs_but_ends_nothing(data: st.DataObject) -> None:
    onnx = bytearray(model(inner=True).SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        onnx[data.draw(st.integers(0, len(onnx) - 1))] = data.draw(st.integers(0, 255))
    try:
        Encoder(bytes(onnx[: data.draw(st.integers(0, len(onnx)))]), providers=CPU)
    except ModelError as error:
        said = str(error)
    else:
        said = ""
    assert "\n" not in said
