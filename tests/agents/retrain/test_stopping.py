"""Stopping: what rules see of the line's history, when they pause, and what takes a pause back."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from siftstream.agents.asking import Asking
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.agents.fetch.transforms import make_transform
from siftstream.agents.fetch.transforms.settings import ImageSettings
from siftstream.agents.retrain.embeddings import Embeddings
from siftstream.agents.retrain.evidence import history_of, loadable, since, trained
from siftstream.agents.retrain.pool import Pool
from siftstream.agents.retrain.samples import Samples
from siftstream.agents.retrain.stop_set import StopSet
from siftstream.agents.retrain.stopping import enough, resumes
from siftstream.models.artifacts import ArtifactStore
from siftstream.models.head import Head
from siftstream.models.settings import ModelSettings
from siftstream.models.spare import spare_encoder
from siftstream.schemas import (
    Action,
    Artifact,
    Command,
    Drift,
    Figure,
    Judgement,
    ModelVersion,
    Slice,
    TrainingLabel,
)
from siftstream.schemas.errors import ConfigError
from siftstream.settings import Settings
from siftstream.settings.check import check
from siftstream.strategies.stopping import Audit, Evidence, History, StoppingRule, Verdict, stopping_of
from siftstream.streams.record import Record

FILE = Artifact(uri="file:///x", sha256="0" * 64, size=1)


def version(name: str, upto: int, **facts: Any) -> ModelVersion:
    """A version that knew so much of L; published at that moment after a second of training."""
    said = {
        "line": "main", "version": name, "classes": ("a", "b"), "encoder": FILE, "head": FILE, "mode": "head",
        "upto": (upto,), "created_at": float(upto), "seconds": 1.0, "trained_on": upto, "status": "live",
    }  # fmt: skip
    return ModelVersion.model_validate(said | facts)


def judged(accuracy: float, count: int) -> Judgement:
    return Judgement(figures=(Figure(name="accuracy", samples="audit", count=count, value=accuracy),))


def drift(at: float) -> Drift:
    return Drift(
        partition=0, seen=50, position=9, statistic="embedding", detector="adwin", model_version="v1",
        before=1.0, after=9.0, detected_at=at,
    )  # fmt: skip


def asking_after(action: Action, by: str, at: float) -> Asking:
    asking = Asking("main")
    asking.hear(Command(line="main", action=action, by=by, told_at=at))
    return asking


def test_versions_count_by_what_they_know_whatever_their_verdict() -> None:
    versions = [
        version("late", 30),
        version("early", 10, status="rejected"),
        version("middle", 20, status="candidate"),
        version("imported", 99, mode=""),
        version("broken", 50, status="failed", encoder=None, head=None),
    ]
    assert [one.version for one in trained(versions)] == ["early", "middle", "late"]


def test_audits_are_counted_and_versions_without_one_left_out() -> None:
    versions = [
        version("a", 10, judgement=judged(0.75, 40)),
        version("b", 20),
        version("c", 30, judgement=judged(0.9, 50)),
    ]
    assert history_of(versions).audits == (Audit(30, 40), Audit(45, 50))


def test_after_a_resume_evidence_begins_anew_and_labels_count_from_there() -> None:
    versions = [version("a", 100), version("b", 500), version("c", 540)]
    rules = [stopping_of({"name": "label_limit", "labels": 500})]
    stop = enough(rules, history_of(versions[:2]))
    assert stop is not None
    assert stop.rule == "label_limit"
    resumed = asking_after(Action.RESUME, "person", 520.0).resumed_at
    assert enough(rules, history_of(versions, resumed)) is None
    assert history_of(versions, resumed).labels == (40,)
    assert enough(rules, history_of([*versions, version("d", 1000)], resumed)) is not None


def test_a_version_that_was_being_trained_at_the_resume_is_old_evidence() -> None:
    assert since([version("a", 100, seconds=30.0)], 80.0) == []


def test_a_plateau_pauses_only_with_enough_audited_versions() -> None:
    rules = [stopping_of({"name": "accuracy_plateau", "versions": 2})]
    flat = [version(f"v{n}", n, judgement=judged(0.9, 5000)) for n in (10, 20, 30)]
    assert enough(rules, history_of(flat[:2])) is None
    stop = enough(rules, history_of(flat))
    assert stop is not None
    assert stop.reason.startswith("the last 2 versions gained")


def test_agreeing_versions_pause() -> None:
    same = np.arange(60) % 3
    rules = [stopping_of({"name": "kappa", "pairs": 2})]
    assert enough(rules, history_of([version("a", 1)], predictions=[same, same])) is None
    stop = enough(rules, history_of([version("a", 1)], predictions=[same, same, same]))
    assert stop is not None
    assert stop.rule == "stabilising_predictions"


def test_a_rule_without_evidence_as_yet_says_nothing() -> None:
    assert enough([stopping_of("accuracy_plateau"), stopping_of("kappa")], History(labels=(9,))) is None


def test_a_rule_that_fails_is_told_and_the_next_one_is_asked(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(StoppingRule):
        name: ClassVar[str] = "broken"
        needs: ClassVar[frozenset[Evidence]] = frozenset({Evidence.LABELS})

        def judge(self, history: History) -> Verdict:
            raise ZeroDivisionError

    with caplog.at_level(logging.ERROR):
        stop = enough([Broken(), stopping_of({"name": "label_limit", "labels": 5})], History(labels=(9,)))
    assert stop is not None
    assert stop.rule == "label_limit"
    assert "stopping rule broken failed" in caplog.text


def test_drift_takes_back_what_a_rule_paused_before_it_and_nothing_else() -> None:
    paused = asking_after(Action.PAUSE, "label_limit", 100.0)
    assert resumes(paused, drift(101.0))
    assert not resumes(paused, drift(99.0))
    assert not resumes(paused, None)
    assert not resumes(asking_after(Action.PAUSE, "person", 100.0), drift(101.0))
    assert not resumes(asking_after(Action.RESUME, "person", 100.0), drift(101.0))
    assert not resumes(Asking("main"), drift(101.0))


def test_only_versions_whose_files_are_there_answer() -> None:
    versions = [version("a", 1), version("b", 2, collected=True), version("c", 3), version("d", 4)]
    assert [one.version for one in loadable(versions, 2)] == ["c", "d"]


@pytest.mark.parametrize(
    ("stop", "more", "said"),
    [
        (["nonsense"], {}, "is unknown"),
        ([{"name": "kappa", "pairs": 0}], {}, "pairs"),
        (["exhausted_gain"], {}, "which trainers do not see"),
        ([{"name": "any", "rules": ["label_limit", "max_confidence"]}], {}, "which trainers do not see"),
        (["plateau"], {"select": {"audit": {"fraction": 0.0}}}, "select.audit.fraction above 0"),
        (
            ["kappa"],
            {"select": {"audit": {"fraction": 0.0}}, "consensus": {"holdout": 0.0}},
            "consensus.holdout above 0",
        ),
    ],
)
def test_rules_that_can_never_speak_are_refused(stop: list[Any], more: dict[str, Any], said: str) -> None:
    settings = Settings.model_validate({"retrain": {"stop": {"rules": stop}}, **more})
    with pytest.raises(ConfigError, match=r"retrain\.stop\.rules\[0\]") as refused:
        check(settings)
    assert said in str(refused.value)


async def test_every_version_answers_on_the_same_samples_and_no_training_label_is_among_them(
    tmp_path: Path,
) -> None:
    settings = ModelSettings(artifacts=str(tmp_path / "artifacts"))
    transform = make_transform(ImageSettings(width=8, height=8, channels=1))
    store = ArtifactStore.open(settings.artifacts)
    encoder = store.put(spare_encoder(transform.specs, 0, 8), ".onnx")
    rng = np.random.default_rng(0)
    found: list[ModelVersion] = []
    for number, name in enumerate(("a", "b")):
        head = Head(rng.normal(size=(1, 8, 2)).astype(np.float32), np.zeros((1, 2), np.float32))
        found.append(version(name, number, encoder=encoder, head=store.put(head.to_bytes(), ".safetensors")))
    pool = Pool(("a", "b"), 1)
    for number, part in enumerate([Slice.HOLDOUT, Slice.AUDIT, Slice.TRAIN, Slice.AUDIT]):
        path = tmp_path / f"{number}.png"
        Image.fromarray(rng.integers(255, size=(8, 8), dtype=np.uint8)).save(path)
        label = TrainingLabel(sample_id=f"s{number}", uri=path.as_uri(), label="a", slice=part)
        pool.fold(Record("labelled", 0, number, label.key, label.encode()))
    (tmp_path / "3.png").unlink()  # cannot be read any more
    samples = Samples(FetchSettings(), transform, tmp_path / "samples", limit=1 << 26)
    stop_set = StopSet(settings, samples, Embeddings(tmp_path / "embeddings"))
    answers = await stop_set.answers(found, await pool.frozen().snapshot())
    assert [said.shape for said in answers] == [(2,), (2,)]
    again = await stop_set.answers(found[1:], await pool.frozen().snapshot())
    assert (again[0] == answers[1]).all()
