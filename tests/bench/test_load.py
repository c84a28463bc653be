"""What is pushed, in which records, and which pictures."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from siftstream.bench.encoders import MODELS, classifier, model_of
from siftstream.bench.failed import BenchFailed
from siftstream.bench.load import PARTITIONS, Load, ids_for, samples
from siftstream.bench.options import PARTS, words
from siftstream.bench.pictures import images
from siftstream.bench.pushing import many_a_record, one_a_record
from siftstream.bench.workbench import require_side
from siftstream.models.encoder import Encoder
from siftstream.schemas.bulk import decode_many
from siftstream.settings.load import settings_from
from siftstream.streams.partition import partition_of


@pytest.mark.parametrize("count", [1, 16, 200, 999, 8000, 40_000])
def test_every_partition_ends_with_a_round_and_a_fourth_is_chosen(count: int) -> None:
    load = Load.of(count)
    assert load.count == PARTITIONS * load.rounds * load.every
    assert 4 * load.per_round == load.every
    assert load.chosen == PARTITIONS * load.rounds * load.per_round
    assert count * 0.9 - 16 <= load.count <= max(count, 16)
    assert settings_from({"select": load.select()}).select.trigger.every == load.every


def test_ids_are_different_and_the_same_number_for_each_partition() -> None:
    ids = ids_for("a", 400)
    assert len(set(ids)) == 400
    assert [sum(partition_of(one, 4) == p for one in ids) for p in range(4)] == [100] * 4


def test_files_are_taken_again_under_other_ids() -> None:
    pairs = samples("a", ["file:///1", "file:///2"], 8)
    assert [uri for _, uri in pairs] == ["file:///1", "file:///2"] * 4
    assert len({one for one, _ in pairs}) == 8


def test_one_uri_a_record_lies_where_kafka_would_put_its_key() -> None:
    pairs = samples("a", ["file:///1"], 600)
    placed = list(one_a_record(pairs, 4))
    records = [(partition, *record) for partition, some in placed for record in some]
    assert len(records) == 600
    assert all(
        key is not None and partition == partition_of(key.decode(), 4) for partition, key, _ in records
    )


def test_bulk_records_are_what_fetch_reads() -> None:
    pairs = samples("a", ["file:///1"], 200)
    values = [value for _, records in many_a_record(pairs, 4) for _, value in records]
    assert [len(json.loads(value)) for value in values] == [128, 72]
    found = [(one.sample_id, one.uri) for value in values for one in decode_many(value)]  # type: ignore[union-attr]
    assert found == pairs


def test_pictures_come_from_a_folder_a_zip_or_are_made(tmp_path: Path) -> None:
    made = images(None, 3, tmp_path / "made")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(3):
            archive.write(tmp_path / "made" / f"{number}.jpg", f"train/{number}.jpg")
    unpacked = images(tmp_path / "a.zip", 2, tmp_path / "zip")
    assert images(tmp_path / "made", 9, tmp_path / "unused") == made
    assert unpacked == [(tmp_path / "zip" / "train" / f"{n}.jpg").as_uri() for n in range(2)]
    require_side(unpacked[0], 32)


def test_what_holds_no_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.zip").write_bytes(b"no zip")
    with pytest.raises(BenchFailed, match="neither a folder nor a readable zip"):
        images(tmp_path / "no.zip", 1, tmp_path / "x")
    with pytest.raises(BenchFailed, match="no JPEG files"):
        images(tmp_path, 1, tmp_path / "x")


def test_pictures_of_another_size_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (40, 30)).save(tmp_path / "a.jpg")
    with pytest.raises(BenchFailed, match="40x30 pixels; give JPEG files of 32x32"):
        require_side((tmp_path / "a.jpg").as_uri(), 32)


def test_unknown_parts_and_models_are_refused_with_the_choice() -> None:
    assert words("line,limits", PARTS, "part") == ("line", "limits")
    with pytest.raises(BenchFailed, match="no part 'speed'; choose among limits, line, others"):
        words("line,speed", PARTS, "part")
    with pytest.raises(BenchFailed, match="no model 'vgg'"):
        model_of("vgg")


def test_the_graph_for_others_gives_probabilities() -> None:
    onnx = classifier(MODELS["cnn"].make())
    probabilities = Encoder(onnx, providers=("cpu",)).embed(np.zeros((2, 3, 32, 32), np.uint8))
    assert probabilities.shape == (2, 10)
    assert probabilities.sum(axis=1) == pytest.approx([1.0, 1.0])
