"""Texts: bytes to token ids and a mask, integers [length], by a Hugging Face tokenizers file.

Undecodable bytes become U+FFFD and are counted, so are cut texts; a text without a word is refused, because
a mask of nothing but padding makes NaN in an attention layer and no person could label it.
"""

import codecs
import os
import re
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.fetch.transforms.base import Count, Transform, uncounted
from siftstream.agents.fetch.transforms.extra import needed
from siftstream.agents.fetch.transforms.json_object import json_object, kind_of, short
from siftstream.agents.fetch.transforms.settings import TextSettings
from siftstream.schemas.arrays import ArraySpec
from siftstream.schemas.errors import ConfigError, TransformError

# UTF-32 before UTF-16: the mark of the one begins with the mark of the other.
MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
PADDING: Final = ("[PAD]", "<pad>")
CHARACTERS_A_TOKEN: Final = 64  # far more than any language's mean
SURROGATES: Final = re.compile("[\ud800-\udfff]")  # halves of characters, which JSON can spell


class TextTransform(Transform):
    """Decodes and tokenizes one text."""

    Settings = TextSettings
    settings: TextSettings

    def __init__(self, settings: TextSettings, count: Count = uncounted) -> None:
        super().__init__(settings, count)
        # Fetch has threads of its own; the library's pool would only warn at every fork.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        self._tokenizer = _tokenizer(settings)
        self._dtype = np.dtype(settings.dtype)
        self._most = settings.max_characters or CHARACTERS_A_TOKEN * settings.length

    @property
    def specs(self) -> dict[str, ArraySpec]:
        """Two arrays [length], or as many of ids, mask and segments as have a name."""
        settings = self.settings
        names = filter(None, (settings.ids, settings.mask, settings.types))
        return {name: ArraySpec((settings.length,), self._dtype) for name in names}

    def __call__(self, data: bytes) -> dict[str, NDArray[Any]]:
        """Decode, take the field, tokenize, cut or pad."""
        if not data:
            raise TransformError("no text: the object is empty")
        if len(data) > self.settings.max_bytes:
            raise TransformError(
                f"too long a text: {len(data):,} bytes, allowed {self.settings.max_bytes:,} (max_bytes)"
            )
        text = self._decoded(data)
        if self.settings.field:
            text = self._member(text)
        if not text.strip():
            raise TransformError(f"no text: nothing but white space in {len(data):,} bytes")
        return self._tokens(text)

    def _decoded(self, data: bytes) -> str:
        charset = self.settings.charset
        if charset == "auto":
            mark, charset = next((m for m in MARKS if data.startswith(m[0])), (b"", "utf-8"))
            data = data[len(mark) :]
        try:
            text = data.decode(charset)
            replaced = 0
        except UnicodeError:
            try:
                text = data.decode(charset, "replace")
                replaced = text.count("\ufffd") - data.decode(charset, "ignore").count("\ufffd")
            except UnicodeError as error:  # UTF-16 without any mark, for example
                raise TransformError(f"no text: not readable as {charset}: {str(error)[:100]}") from None
        self._check_share(replaced + text.count("\0"), len(text), charset)
        if replaced:
            self.count("replaced_characters", replaced)
        return text.removeprefix("\ufeff")

    def _check_share(self, odd: int, length: int, charset: str) -> None:
        if odd > self.settings.max_undecodable * length:
            raise TransformError(
                f"no text: {odd:,} of {length:,} characters are NUL or not {charset}, allowed"
                f" {self.settings.max_undecodable:.0%} (max_undecodable); set charset if it is another one"
            )

    def _member(self, text: str) -> str:
        field = self.settings.field
        members = json_object(text)
        if field not in members:
            names = ", ".join(short(name) for name in list(members)[:5])
            raise TransformError(
                f"no text: the JSON object has no member {field!r}; it has {names or 'none'}"
            )
        value = members[field]
        if not isinstance(value, str):
            raise TransformError(f"no text: member {field!r} holds {kind_of(value)}, a text expected")
        whole, replaced = SURROGATES.subn("\ufffd", value)
        if replaced:
            self.count("replaced_characters", replaced)
        return whole

    def _tokens(self, text: str) -> dict[str, NDArray[Any]]:
        settings = self.settings
        try:
            # A batch of one: unlike `encode` it lets other threads run, and `fast` makes no offsets.
            tokens = self._tokenizer.encode_batch_fast([text[: self._most]])[0]
            ids, mask = tokens.ids, tokens.attention_mask
        except BaseException as error:
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise  # a panic in the tokenizer's Rust comes as a BaseException of that name
            said = " ".join(str(error).split())[:200]
            raise TransformError(f"the tokenizer fails on this text: {said}") from error
        if not any(mask):
            raise TransformError("no text: the tokenizer finds no token in it")
        if len(text) > self._most or tokens.overflowing:
            self.count("truncated_texts", 1)
        named = {settings.ids: ids, settings.mask: mask, settings.types: tokens.type_ids}
        return {name: np.array(values, self._dtype) for name, values in named.items() if name}


def _tokenizer(settings: TextSettings) -> Any:
    """Return the file's tokenizer, set to cut and pad to the length."""
    tokenizers = needed("tokenizers", "text")
    path = settings.tokenizer
    try:
        tokenizer = tokenizers.Tokenizer.from_buffer(Path(path).read_bytes())
    except OSError as error:
        raise ConfigError(f"transform.tokenizer: cannot read {path!r}: {error.strerror}") from error
    except Exception as error:  # the library raises plain ones
        raise ConfigError(
            f"transform.tokenizer: {path!r} is no Hugging Face tokenizers file: {str(error)[:200]}"
        ) from error
    special = tokenizer.num_special_tokens_to_add(False)
    if settings.length <= special:
        raise ConfigError(
            f"transform.length: {settings.length} leaves no room beside {special} special tokens"
        )
    _set_length(tokenizer, settings)
    return tokenizer


def _set_length(tokenizer: Any, settings: TextSettings) -> None:
    padding, cutting = tokenizer.padding or {}, tokenizer.truncation or {}
    token = settings.pad_token or padding.get("pad_token") or _known_padding(tokenizer)
    number = tokenizer.token_to_id(token) if token else None
    if number is None:
        raise ConfigError(
            f"transform.pad_token: the tokenizer has no token {token!r}; name one of its own"
            if token
            else "transform.pad_token: the tokenizer's file names no padding token; name one of its tokens"
        )
    tokenizer.enable_truncation(settings.length, direction=cutting.get("direction", "right"))
    tokenizer.enable_padding(
        direction=padding.get("direction", "right"),
        pad_id=number,
        pad_type_id=padding.get("pad_type_id", 0),
        pad_token=token,
        length=settings.length,
    )


def _known_padding(tokenizer: Any) -> str:
    return next((token for token in PADDING if tokenizer.token_to_id(token) is not None), "")
