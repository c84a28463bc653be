"""The material of an experiment as a folder."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from siftstream.experiment.material import Material
from tests.experiment.made import made


def test_it_reads_back_as_it_was_written(tmp_path: Path) -> None:
    made().write(tmp_path)
    back = Material.read(tmp_path)
    assert back.digest() == made().digest()
    assert (back.classes, back.train, back.encoder) == (made().classes, made().train, made().encoder)
    assert back.inputs["features"].shape == (0, 4)


def test_another_sample_class_or_setting_is_another_experiment() -> None:
    first = made()
    assert first.emb_ND is not None
    changed = first.emb_ND.copy()
    changed[-1, -1] += 1
    others = [
        replace(first, emb_ND=changed),
        replace(first, classes_N=first.classes_N[::-1]),
        replace(first, train=first.train.model_copy(update={"seed": 1})),
        replace(first, share=0.5),
    ]
    assert len({first.digest(), *(other.digest() for other in others)}) == 5


def test_a_test_part_of_its_own_is_the_same_for_all_seeds() -> None:
    material = made(count=100, share=None, pool=80)
    assert material.split(1).test.tolist() == material.split(2).test.tolist() == list(range(80, 100))
    assert sorted(material.split(1).stream) == list(range(80))
    assert not np.array_equal(material.split(1).stream, material.split(2).stream)
