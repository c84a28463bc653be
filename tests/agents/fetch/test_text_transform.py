"""Texts of every encoding become token ids and a mask of the declared length, or a TransformError."""

import codecs
import json
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from siftstream.agents.fetch.transforms import TransformSettings, make_transform
from siftstream.agents.fetch.transforms.base import Transform
from siftstream.schemas.errors import ConfigError, TransformError

tokenizers = pytest.importorskip("tokenizers")

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "cat", "sat", "ä", "\ufffd"]
PAD, UNK, CLS, SEP, THE, CAT, SAT, A_UMLAUT, REPLACED = range(len(WORDS))


@pytest.fixture(autouse=True)
def no_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """The transform sets it for its process; here it is undone after each test."""
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")


def word_level(words: list[str] = WORDS) -> Any:
    made = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]")
    )
    made.normalizer = tokenizers.normalizers.Lowercase()
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)]
    )
    return made


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    word_level().save(str(path))
    return str(path)


def transform(file: str, counts: Counter[str] | None = None, **more: Any) -> Transform:
    settings = TypeAdapter(TransformSettings).validate_python(
        {"kind": "text", "tokenizer": file, "length": 6, **more}
    )
    counts = Counter() if counts is None else counts
    return make_transform(settings, lambda name, number: counts.update({name: number}))


def ids(made: Transform, data: bytes) -> list[int]:
    arrays = made(data)
    assert arrays.keys() == made.specs.keys()
    for name, spec in made.specs.items():
        assert spec.fits(arrays[name])
        assert arrays[name].flags.c_contiguous
    return arrays["input_ids"].tolist()


def test_a_text_becomes_ids_and_a_mask(file: str) -> None:
    made = transform(file)
    assert ids(made, b"The cat") == [CLS, THE, CAT, SEP, PAD, PAD]
    assert made(b"The cat")["attention_mask"].tolist() == [1, 1, 1, 1, 0, 0]


def test_a_long_text_is_cut_before_its_last_special_token_and_counted(file: str) -> None:
    counts: Counter[str] = Counter()
    made = transform(file, counts)
    assert ids(made, b"the cat sat the cat sat") == [CLS, THE, CAT, SAT, THE, SEP]
    assert ids(made, b"the cat sat the") == [CLS, THE, CAT, SAT, THE, SEP]
    assert counts == {"truncated_texts": 1}
    assert ids(made, b"the " * 10_000) == [CLS, THE, THE, THE, THE, SEP]
    assert counts == {"truncated_texts": 2}


def test_names_and_type_are_as_declared(file: str) -> None:
    made = transform(file, ids="x", mask="", types="segments", dtype="int32")
    assert {name: str(spec) for name, spec in made.specs.items()} == {"x": "int32 6", "segments": "int32 6"}
    assert {name: array.dtype.name for name, array in made(b"cat").items()} == {
        "x": "int32",
        "segments": "int32",
    }


@pytest.mark.parametrize(
    ("mark", "charset"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
        (b"", "utf-8"),
    ],
)
def test_a_byte_order_mark_says_the_charset(file: str, mark: bytes, charset: str) -> None:
    assert ids(transform(file), mark + "ä cat".encode(charset)) == [CLS, A_UMLAUT, CAT, SEP, PAD, PAD]


def test_a_declared_charset_is_used(file: str) -> None:
    made = transform(file, charset="latin-1")
    assert ids(made, "ä cat".encode("latin-1")) == [CLS, A_UMLAUT, CAT, SEP, PAD, PAD]


def test_undecodable_bytes_are_replaced_and_counted(file: str) -> None:
    counts: Counter[str] = Counter()
    made = transform(file, counts, max_undecodable=0.5)
    assert ids(made, b"cat \xff \xfe the") == [CLS, CAT, REPLACED, REPLACED, THE, SEP]
    assert counts == {"replaced_characters": 2}
    ids(made, "cat \ufffd".encode())  # that character is in the text itself
    assert counts == {"replaced_characters": 2}


def test_bytes_that_are_no_text_are_refused(file: str) -> None:
    made = transform(file)
    for data, words in {
        b"": "empty",
        b" \n\t": "white space",
        codecs.BOM_UTF8: "white space",
        b"\x89PNG\r\n\x1a\n" + bytes(50): "NUL or not utf-8, allowed 10%",
        "the cat sat".encode("utf-16-le"): "set charset",
        b"the cat " * 200_000: r"1,600,000 bytes, allowed 1,048,576 \(max_bytes\)",
    }.items():
        with pytest.raises(TransformError, match=words):
            made(data)


def test_a_text_without_a_token_is_refused(tmp_path: Path) -> None:
    bare = word_level()
    bare.post_processor = tokenizers.processors.TemplateProcessing(single="$A", special_tokens=[])
    bare.normalizer = tokenizers.normalizers.Replace("cat", "")
    bare.save(str(tmp_path / "bare.json"))
    with pytest.raises(TransformError, match="no token"):
        transform(str(tmp_path / "bare.json"))(b"cat")


def test_the_text_is_taken_out_of_a_json_object(file: str) -> None:
    counts: Counter[str] = Counter()
    made = transform(file, counts, field="body")
    assert ids(made, b'{"id": 7, "body": "the cat"}') == [CLS, THE, CAT, SEP, PAD, PAD]
    assert ids(made, rb'{"body": "cat \ud800"}') == [CLS, CAT, REPLACED, SEP, PAD, PAD]
    assert counts == {"replaced_characters": 1}
    for data, words in {
        b'{"id": 7}': "no member 'body'; it has id",
        b'{"body": 7}': "the number 7, a text expected",
        b'{"body": ""}': "white space",
        b'{"body": "a", "body": "b"}': "twice",
        b"the cat": "no JSON object: Expecting value at line 1",
        b"[" * 100_000: "nested too deeply",
    }.items():
        with pytest.raises(TransformError, match=words):
            made(data)


def test_padding_is_the_files_own_or_the_named_token(file: str, tmp_path: Path) -> None:
    padded = word_level()
    padded.enable_padding(direction="left", pad_id=UNK, pad_token="[UNK]", length=2)
    padded.save(str(tmp_path / "left.json"))
    assert ids(transform(str(tmp_path / "left.json")), b"cat") == [UNK, UNK, UNK, CLS, CAT, SEP]
    assert ids(transform(file, pad_token="sat"), b"cat") == [CLS, CAT, SEP, SAT, SAT, SAT]
    with pytest.raises(ConfigError, match=r"transform.pad_token: the tokenizer has no token '<none>'"):
        transform(file, pad_token="<none>")
    word_level(["(pad)", *WORDS[1:]]).save(str(tmp_path / "none.json"))
    with pytest.raises(ConfigError, match="names no padding token"):
        transform(str(tmp_path / "none.json"))


def test_a_wrong_tokenizer_file_is_refused_at_start(file: str, tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text('{"version": "1.0"}')
    with pytest.raises(ConfigError, match=r"transform.tokenizer: .*no Hugging Face tokenizers file"):
        transform(str(tmp_path / "broken.json"))
    with pytest.raises(ConfigError, match=r"transform.tokenizer: cannot read .*No such file"):
        transform(str(tmp_path / "absent.json"))
    with pytest.raises(ConfigError, match="2 leaves no room beside 2 special tokens"):
        transform(file, length=2)


def test_wrong_settings_are_refused(file: str) -> None:
    for wrong, words in (
        ({"tokenizer": ""}, "`tokenizer` is needed: the path"),
        ({"charset": "klingon"}, "unknown charset 'klingon'"),
        ({"charset": "punycode"}, "unknown charset"),
        ({"charset": "base64"}, "unknown charset"),
        ({"mask": "input_ids"}, "names that differ"),
    ):
        with pytest.raises(ValidationError, match=words):
            transform(file, **wrong)


def test_a_missing_package_is_named_with_its_extra(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ConfigError, match=r"needs the package tokenizers; pip install 'siftstream\[text\]'"):
        transform(file)


def test_several_threads_get_the_same_ids(file: str) -> None:
    made = transform(file)
    texts = [" ".join(WORDS[4 + (i * k) % 3] for k in range(i % 9 + 1)).encode() for i in range(200)]
    alone = [ids(made, text) for text in texts]
    seen: dict[int, list[list[int]]] = {}
    threads = [
        threading.Thread(target=lambda n=n: seen.update({n: [ids(made, t) for t in texts]})) for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(seen.values()) == [alone] * 4


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda t: json.dumps({"t": t}).encode()))
@pytest.mark.parametrize("more", [{}, {"field": "t"}, {"charset": "utf-16"}, {"charset": "shift_jis"}])
def test_any_bytes_end_in_arrays_or_a_transform_error(file: str, more: dict[str, str], data: bytes) -> None:
    made = transform(file, **more)
    try:
        arrays = made(data)
    except TransformError as error:
        assert len(str(error)) < 400  # noqa: PT017 - either end is right
    else:
        assert all(spec.fits(arrays[name]) for name, spec in made.specs.items())
        assert np.isin(arrays["attention_mask"], (0, 1)).all()
