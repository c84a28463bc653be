"""What runs on what is told once a model, in log, metric and note; and how many batches run at once."""

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from siftstream.agents.infer import stage
from siftstream.agents.infer.report import Report
from siftstream.agents.infer.stage import RUNS_ON_A_GPU, runs_for
from siftstream.models.providers import Choice
from siftstream.streams.metrics import Metrics
from siftstream.streams.runs_on import RunsOn


def model(version: str, provider: str = "cpu", precision: str = "fp32", threads: int = 1) -> Any:
    choice = Choice(provider, "cuda has no device")
    return SimpleNamespace(
        version=version, encoder=SimpleNamespace(choice=choice, precision=precision, threads=threads)
    )


def test_each_model_is_told_once_and_everywhere(caplog: pytest.LogCaptureFixture) -> None:
    metrics, notes = Metrics("infer"), list[str]()
    report = Report("main", 2, metrics, notes.append)
    first, second = model("v1"), model("v2", "cuda", "fp16")
    with caplog.at_level(logging.INFO, "siftstream"):
        for now in (None, first, first, second, second):
            report.of(now)
    assert caplog.messages == [
        "infer runs main/v1 on cpu (fp32, 2 runs): cuda has no device",
        "infer runs main/v2 on cuda (fp16, 2 runs): cuda has no device",
    ]
    assert [str(RunsOn.decode(note)) for note in notes] == [
        text.removeprefix("infer runs ") for text in caplog.messages
    ]

    def shown(**labels: str) -> float | None:
        return metrics.registry.get_sample_value("siftstream_infer_runs_on", labels)

    assert shown(provider="cuda", precision="fp16") == 1
    assert shown(provider="cpu", precision="fp32") is None


@pytest.mark.parametrize(
    ("threads", "cores", "runs"), [(1, 8, 8), (2, 8, 4), (3, 8, 2), (16, 8, 1), (0, 8, 1), (1, 1, 1)]
)
def test_runs_and_their_threads_never_outnumber_the_cores(
    threads: int, cores: int, runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "cores", lambda: cores)
    assert runs_for(model("v1", threads=threads).encoder) == runs


def test_on_a_gpu_one_batch_is_copied_while_another_runs() -> None:
    assert runs_for(model("v1", "cuda").encoder) == RUNS_ON_A_GPU
