"""`siftstream models`: any model in, int8, live; each step is told in a line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from siftstream.cli import app
from siftstream.cli.fitting import fitted_head
from siftstream.cli.samples import of_data
from siftstream.models.artifacts import ArtifactStore
from siftstream.models.encoder import Encoder
from siftstream.models.loaded import LoadedModel
from siftstream.schemas import ModelVersion, VersionStatus
from siftstream.settings import load_settings
from siftstream.streams.status import read_status
from tests.models import graphs

CONFIG = "classes: [a, b, c]\ntransform: {kind: image, height: 16, width: 16}\nmodel: {providers: [cpu]}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "SIFTSTREAM_CONFIG", "SIFTSTREAM_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "siftstream.yaml").write_text(CONFIG)
    (tmp_path / "plain.onnx").write_bytes(graphs.logits())
    (tmp_path / "drops.onnx").write_bytes(graphs.dropout())
    rng = np.random.default_rng(0)
    for number, name in enumerate("abc"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for row in range(12):
            shade = rng.integers(0, 60, (16, 16, 3)) + 70 * number
            Image.fromarray(shade.astype(np.uint8)).save(tmp_path / "images" / name / f"{row}.png")
    return tmp_path


def run(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["models", *words])
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.stderr


def test_a_dry_run_tells_each_step_and_writes_a_version_that_runs(folder: Path) -> None:
    normal = ("--mean", "0.5", "--std", "0.25")
    told = run("import", "plain.onnx", *normal, "--data", "images", "--dry-run", "-o", "out")
    for words in (
        "plain.onnx: ONNX, opset 17",
        "normalised in the graph",
        "head = its 3 rows",
        "checked on 32",
    ):
        assert words in told
    version = ModelVersion.model_validate_json((folder / "out" / "version.json").read_bytes())
    assert (version.status, version.classes, version.passes) == (VersionStatus.CANDIDATE, ("a", "b", "c"), 1)
    settings = load_settings(None)
    model = LoadedModel.load(
        version, ArtifactStore.open("out/artifacts"), settings.model, classes=settings.classes
    )
    assert model.predict(graphs.pixels(2))[0].shape == (2, 1, 3)
    assert Encoder((folder / "out" / "encoder.onnx").read_bytes()).sha256 == model.encoder.sha256


def test_an_imported_encoder_gets_a_head_fitted_to_what_is_labelled(folder: Path) -> None:
    data = of_data(load_settings(None), ["images"], 100)
    targets = data.targets(("a", "b", "c"))
    assert sorted(targets.tolist()) == [0] * 12 + [1] * 12 + [2] * 12
    encoder = Encoder(graphs_encoder(), providers=("cpu",))
    head = fitted_head(load_settings(None), graphs_encoder(), data)
    assert head is not None
    right = head.probs(encoder.embed(data.inputs)).mean(axis=1).argmax(axis=1) == targets
    assert right.mean() > 0.9


def graphs_encoder() -> bytes:
    """An encoder whose numbers grow with brightness: classes of `images` are told apart by a line."""
    nodes = [graphs.node("Cast", "x", "n", to=1), graphs.node("Mul", "n scale", "s")]
    nodes += [graphs.node("GlobalAveragePool", "s", "p"), graphs.node("Flatten", "p", "embedding", axis=1)]
    scale = {"scale": np.float32(1 / 255)}
    return graphs.model(nodes, scale, dtype=2, outputs=("embedding",))


def test_too_few_labels_fit_no_head() -> None:
    settings = load_settings(None)
    assert fitted_head(settings, graphs_encoder(), of_data(settings, ["images/a"], 100)) is None
    assert fitted_head(settings, graphs_encoder(), of_data(settings, ["images/*/1.png"], 100)) is None


def test_a_list_names_the_labels(folder: Path) -> None:
    lines = "\n".join(f"images/a/{n}.png,{name}" for n, name in enumerate("bca"))
    (folder / "list.csv").write_text(f"path,label\n{lines}\n")
    found = of_data(load_settings(None), ["list.csv"], 10)
    assert [label.label for label in found.labels] == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("import", "plain.onnx", "--dry-run"), "--dry-run needs -o FOLDER"),
        (("import", "plain.onnx", "-o", "out"), "-o FOLDER is for --dry-run"),
        (("import", "plain.onnx"), "no Kafka is known"),
        (("import", "none.onnx", "--dry-run", "-o", "out"), "none.onnx: cannot be read: No such file"),
        (("import", "plain.pt", "--dry-run", "-o", "out"), "plain.pt: is no model; give a .onnx file"),
        (("import", "plain.onnx", "--mean", "x", "--dry-run", "-o", "out"), "--mean x: write numbers"),
        (("import", "plain.onnx", "--input", "q=", "--dry-run", "-o", "out"), "write it as 3x224x224"),
        (("import", "plain.onnx", "--data", "nowhere", "--dry-run", "-o", "out"), "nowhere"),
        (("import", "plain.onnx", "--mc-dropout", "4", "--dry-run", "-o", "out"), "no dropout layer"),
        (("list",), "no Kafka is known"),
        (("promote", "v1"), "no Kafka is known"),
        (("quantize", "v1"), "no Kafka is known"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(words: tuple[str, ...], sentence: str) -> None:
    told = run(*words, code=1)
    assert sentence in told
    assert told.count("\n") == 1


@pytest.mark.kafka
def test_a_model_is_imported_made_int8_and_promoted(
    broker: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", broker)
    monkeypatch.setenv("SIFTSTREAM_PIPELINE__NAME", topic_prefix)
    settings = load_settings(None)

    def versions() -> dict[str, ModelVersion]:
        return {v.version: v for v in read_status(settings.kafka, settings.pipeline).versions}

    assert "no version in the line 'main' yet" in run("list")
    told = run("import", "plain.onnx", "--name", "first", "--live")
    assert "first is live in the line main" in told
    assert versions()["first"].status is VersionStatus.LIVE
    assert "a version 'first' is there already" in run("import", "plain.onnx", "--name", "first", code=1)
    assert "there is no version 'other' in the line 'main'; there are: first" in run(
        "quantize", "other", code=1
    )
    assert "0 samples to calibrate on" in run("quantize", "first", code=1)
    told = run("quantize", "live", "--data", "images", "--samples", "18")
    for words in ("calibrating on 18 samples, comparing on 18 others", "agreement with fp32:", "times fp32"):
        assert words in told
    int8 = versions()["first-int8"]
    assert (int8.status, int8.parent) == (VersionStatus.CANDIDATE, "first")
    assert int8.head == versions()["first"].head
    assert int8.metrics["agreement"] > 0.8
    assert "first-int8 is live" in run("promote", "first-int8")
    assert versions()["first-int8"].status is VersionStatus.LIVE
    run("import", "drops.onnx", "--mc-dropout", "4")
    listed = run("list")
    assert "first-int8" in listed
    assert "drops-" in listed
    assert [v.passes for name, v in versions().items() if name.startswith("drops-")] == [4]
