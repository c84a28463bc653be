"""Provider choice: the first that really loads, why, and a refusal where another is required."""

from dataclasses import dataclass

import pytest

from siftstream.models import providers
from siftstream.models.cnn import spare_cnn
from siftstream.models.encoder import Encoder
from siftstream.models.providers import PROVIDERS, Choice, choose
from siftstream.models.session import Graph, open_on
from siftstream.models.settings import RuntimeSettings
from siftstream.schemas.errors import ModelError
from tests.models.onnx_parts import FakeGpu

ALL = ("tensorrt", "cuda", "cpu")


@dataclass
class Session:
    provider: str

    def get_providers(self) -> list[str]:
        return [PROVIDERS[self.provider]]


def nothing(_: str) -> None:
    return None


def test_the_first_that_loads_is_taken() -> None:
    session, choice = choose(ALL, Session, lacks=nothing)
    assert session.provider == "tensorrt"
    assert choice == Choice("tensorrt", "the first asked for")


def test_what_is_missing_is_not_tried_and_said() -> None:
    asked: list[str] = []

    def opens(name: str) -> Session:
        asked.append(name)
        return Session(name)

    lacks = {"tensorrt": "has no libnvinfer.so.10", "cuda": "has no device"}.get
    _, choice = choose(ALL, opens, lacks=lacks)
    assert str(choice) == "cpu: tensorrt has no libnvinfer.so.10, cuda has no device"
    assert asked == ["cpu"]


def test_a_session_that_fell_back_to_the_cpu_in_silence_does_not_count() -> None:
    fallen = {"tensorrt": "cpu", "cuda": "cuda"}
    session, choice = choose(ALL, lambda name: Session(fallen[name]), lacks=nothing)
    assert session.provider == "cuda"
    assert choice.why.startswith("tensorrt ")


def test_a_provider_that_fails_gives_way_to_the_next_with_its_reason() -> None:
    def opens(name: str) -> Session:
        if name == "cuda":
            raise ModelError("CUDA failure 2: out of memory")
        return Session(name)

    _, choice = choose(("cuda",), opens, lacks=nothing)
    assert choice == Choice("cpu", "cuda failed (CUDA failure 2: out of memory)")


def test_a_graph_that_not_even_the_cpu_opens_is_the_graphs_fault() -> None:
    def opens(name: str) -> Session:
        raise ModelError(f"{name}: not a graph")

    with pytest.raises(ModelError, match=r"^cpu: not a graph$"):
        choose(ALL, opens, lacks=nothing)


def test_where_a_provider_is_required_no_other_is_tried() -> None:
    asked: list[str] = []

    def opens(name: str) -> Session:
        asked.append(name)
        return Session("cpu")

    with pytest.raises(ModelError, match=r"^model.require: cuda does not run here \(cuda .*\); install what"):
        choose(ALL, opens, require="cuda", lacks=nothing)
    assert asked == ["cuda"]


def test_the_refusal_of_an_encoder_holds_the_reason() -> None:
    gpu = FakeGpu(lacking={"cuda": "has no device"})
    with pytest.raises(ModelError, match=r"model.require: cuda does not run here \(cuda has no device\)"):
        Encoder(spare_cnn((1, 8, 8)), RuntimeSettings(require="cuda"), machine=gpu.machine)


def test_a_required_provider_that_loads_is_used() -> None:
    encoder = Encoder(
        spare_cnn((1, 8, 8)), RuntimeSettings(require="cuda"), machine=FakeGpu("cuda", "tensorrt").machine
    )
    assert encoder.choice.provider == "cuda"


def test_this_machine_runs_an_encoder_on_something_and_says_why() -> None:
    encoder = Encoder(spare_cnn((1, 8, 8)))
    assert encoder.choice.provider in ALL
    assert encoder.choice.why


@pytest.mark.parametrize("provider", ["tensorrt", "cuda"])
def test_a_provider_that_does_not_load_is_tried_without_a_word(
    provider: str, capfd: pytest.CaptureFixture[str]
) -> None:
    if providers.lacks(provider) != "has no device":
        pytest.skip(f"{provider} may load here, or is not in this build of ONNX Runtime")
    try:
        reported = open_on(Graph(spare_cnn((1, 8, 8))), provider).get_providers()
        assert reported == [PROVIDERS["cpu"]]
    except ModelError as error:
        assert "\n" not in str(error)  # noqa: PT017
    providers.preload()
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
