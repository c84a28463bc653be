"""The one configuration: its file, the environment above it, and the sentences for what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from siftstream.agents.fetch.transforms.settings import BUILT_IN
from siftstream.schemas.errors import ConfigError
from siftstream.settings import Settings, load_settings
from siftstream.settings.check import check
from siftstream.settings.example import example
from siftstream.settings.load import settings_from


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "SIFTSTREAM_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def walk(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, type[BaseModel], FieldInfo]]:
    for name, field in model.model_fields.items():
        kind: Any = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from walk(kind, f"{path}{name}.")
        elif name == "transform":
            for title, section in BUILT_IN.items():
                yield from walk(section, f"{path}{name}.{title}.")
        else:
            yield f"{path}{name}", model, field


SETTINGS = list(walk(Settings))


@pytest.mark.parametrize(("name", "model", "field"), SETTINGS, ids=[name for name, _, _ in SETTINGS])
def test_every_setting_is_described_and_has_a_default(
    name: str, model: type[BaseModel], field: FieldInfo
) -> None:
    assert (field.description or "").endswith((".", ")")), f"{name}: a sentence in `description` is missing"
    other = name.startswith("transform.") and not name.startswith("transform.image.")
    assert other or not field.is_required(), f"{name}: a default that works is missing"
    assert model.__doc__, f"{name}: its section {model.__name__} has no docstring"
    assert model.model_config.get("extra") == "forbid", f"{model.__name__} takes unknown settings"


def test_the_example_is_valid_and_says_the_defaults() -> None:
    assert settings_from(yaml.safe_load(example())) == Settings()


def test_the_example_describes_every_setting() -> None:
    words = " ".join(line.strip(" #") for line in example().splitlines())
    for name, _, field in SETTINGS:
        if not name.endswith(".kind"):
            assert (field.description or "")[:60] in words, name


def test_without_a_file_the_defaults_hold() -> None:
    assert load_settings() == Settings()


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.yaml: cannot be read: No such file .*config init"):
        load_settings(tmp_path / "no.yaml")


def test_the_environment_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cats.yaml").write_text("classes: [cat, dog]")
    monkeypatch.setenv("SIFTSTREAM_CONFIG", str(tmp_path / "cats.yaml"))
    assert load_settings().classes == ("cat", "dog")


def test_the_environment_overrides_one_value_and_leaves_its_neighbours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SIFTSTREAM_SELECT__BUDGET__PER_ROUND", "5")
    settings = settings_from({"select": {"budget": {"per_round": 9, "total": 100}}})
    assert (settings.select.budget.per_round, settings.select.budget.total) == (5, 100)


def test_the_cluster_comes_from_the_usual_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "a:1, b:2")
    assert settings_from({"kafka": {"bootstrap_servers": "c:3"}}).kafka.servers == ["a:1", "b:2"]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"slect": {}}, r"settings: slect: is not a setting; did you mean select\?"),
        ({"select": {"budget": {"per_rond": 3}}}, r"per_rond: is not a setting; did you mean per_round\?"),
        ({"select": {"budget": {"per_round": 0}}}, r"select\.budget\.per_round: Input should be greater"),
        ({"classes": ["a", "a"]}, "classes: a name stands there twice"),
        ({"kafka": 3, "slect": 1}, r"and 1 more\); `siftstream config init`"),
    ],
)
def test_what_is_wrong_is_one_sentence_that_says_where(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as raised:
        settings_from(values)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SIFTSTREAM_SELECT__BUDGET__PER_ROUNT", "5", "PER_ROUNT: is not a setting; did you mean per_round"),
        ("SIFTSTREAM_SELECT__SEED", "x", "environment: SIFTSTREAM_SELECT__SEED: Input should be"),
        ("SIFTSTREAM_CLASSES", "a,b", "environment: SIFTSTREAM_CLASSES: not JSON"),
    ],
)
def test_a_wrong_variable_is_named(
    name: str, value: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=sentence):
        settings_from({})


@pytest.mark.parametrize("text", ["classes: [a, b", "- a list", "\xff\xfe"])
def test_a_file_that_is_no_mapping_is_told(text: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"bad\.yaml: "):
        load_settings(file)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("transform: {heigth: 3}", "transform.heigth: is not a setting; did you mean height?"),
        (
            "transform: {kind: image, height: 0}",
            "transform.height: Input should be greater than or equal to 1",
        ),
        (
            "transform: {kind: text, tokenizer: t.json, lenght: 3}",
            "transform.lenght: is not a setting; did you mean length?",
        ),
    ],
)
def test_a_wrong_setting_of_a_transform_is_named_without_pydantics_tags(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings_from(yaml.safe_load(text))
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("strategy", "words"),
    [
        ({"name": "token_margin"}, "select.strategy.name: it reads token probabilities"),
        ({"cold_start": {"name": "typiclus"}}, "select.strategy.cold_start: strategy 'typiclus' is unknown"),
        ({"name": "schedule"}, "select.strategy.name: strategy 'schedule': parameter 'steps' must be given"),
        ({"name": "split"}, "is a stream rule"),
    ],
)
def test_a_strategy_that_cannot_work_on_the_stream_is_refused_before_it_runs(
    strategy: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        check(settings_from({"classes": ["a", "b"], "select": {"strategy": strategy}}))


@pytest.mark.parametrize(
    ("retrain", "words"),
    [
        ({"gate": {"allowed": {"acuracy": 0.1}}}, "retrain.gate.allowed: no figure is called 'acuracy', the"),
        ({"gate": {"allowed": {"recall/cta": 0.1}}}, "'recall/cta', the nearest is 'recall/cat'"),
        (
            {"train": {"calibration": {"method": "platt"}}},
            "retrain.train.calibration.method: 'platt' is for two classes, and these are 3",
        ),
    ],
)
def test_a_gate_and_a_calibration_that_are_not_for_these_classes_are_refused(
    retrain: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        check(settings_from({"classes": ["cat", "dog", "cow"], "retrain": retrain}))


def test_a_cold_start_may_have_parameters() -> None:
    cold = {"name": "random_projection", "strategy": "k_means", "dim": 16}
    check(settings_from({"classes": ["a", "b"], "select": {"strategy": {"cold_start": cold}}}))
