"""What each transform may be told: one model a kind, told apart by `transform.kind`."""

import codecs
import math
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    NEEDED: ClassVar[dict[str, str]] = {}  # fields without a default, and what to write there

    @model_validator(mode="before")
    @classmethod
    def _nothing_needed_is_left_out(cls, values: Any) -> Any:
        if isinstance(values, dict):
            for field, what in cls.NEEDED.items():
                if not values.get(field):
                    raise ValueError(f"`{field}` is needed: {what}")
        return values


class ImageSettings(_Settings):
    """Images: any format that Pillow reads safely, to uint8 [channels, height, width]."""

    kind: Literal["image"] = Field(
        default="image",
        description="What the bytes are: `image`, `text`, `audio`, `table`, `tensor`, or a plug-in's name"
        " (entry point `siftstream.transforms`). Each kind has settings of its own.",
    )
    height: int = Field(default=32, ge=1, le=8192, description="Height of the output, in pixels.")
    width: int = Field(default=32, ge=1, le=8192, description="Width of the output, in pixels.")
    channels: Literal[1, 3] = Field(default=3, description="1 for grey, 3 for RGB.")
    resize: Literal["squash", "pad", "crop"] = Field(
        default="squash",
        description="`squash` ignores the aspect ratio; `pad` fits the whole image in and fills with black;"
        " `crop` fills the output and cuts what stands over, around the centre.",
    )
    max_pixels: int = Field(
        default=64_000_000,
        ge=1,
        le=178_956_970,  # Pillow's own limit
        description="Largest image, in pixels before resizing; larger ones are refused unread.",
    )
    name: str = Field(
        default="image", pattern=r"^[A-Za-z_][\w.:/-]*$", description="Name of the model's input."
    )


class TextSettings(_Settings):
    """Texts: bytes to token ids and a mask, integers [length]."""

    NEEDED: ClassVar[dict[str, str]] = {
        "tokenizer": "the path of the encoder's Hugging Face tokenizers file (tokenizer.json)"
    }

    kind: Literal["text"] = Field(default="text", description="Texts.")
    tokenizer: str = Field(description="Path of the encoder's Hugging Face tokenizers file, tokenizer.json.")
    length: int = Field(
        default=128,
        ge=1,
        le=65_536,
        description="Tokens of one sample, special ones included; longer texts are cut, shorter ones padded.",
    )
    charset: str = Field(
        default="auto",
        min_length=1,
        description="How the bytes are encoded, such as `latin-1`; `auto`: by a byte order mark, or UTF-8.",
    )
    max_undecodable: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="Largest share (0 to 1) of characters that are undecodable (they become U+FFFD) or NUL;"
        " with more, the bytes count as no text.",
    )
    field: str = Field(
        default="",
        description="Member of a JSON object that holds the text; empty: the whole object is the text.",
    )
    max_bytes: int = Field(default=1024**2, ge=1, description="Largest text, in bytes before decoding.")
    max_characters: int = Field(
        default=0,
        ge=0,
        description="Characters given to the tokenizer, the rest is cut off; 0: 64 a token of `length`.",
    )
    pad_token: str = Field(
        default="",
        description="The tokenizer's padding token; empty: the one its file names, else [PAD] or <pad>.",
    )
    dtype: Literal["int64", "int32"] = Field(
        default="int64", description="Type of the integers that the model wants."
    )
    ids: str = Field(
        default="input_ids", min_length=1, description="Name of the model's input for token ids."
    )
    mask: str = Field(
        default="attention_mask",
        description="Name of the model's input that is 1 at tokens and 0 at padding; empty: it has none.",
    )
    types: str = Field(
        default="",
        description="Name of the model's input for segments (`token_type_ids` in BERT); empty: it has none.",
    )

    @field_validator("charset")
    @classmethod
    def _charset_is_known(cls, value: str) -> str:
        try:
            if value == "auto" or codecs.lookup(value).name not in NO_CHARSETS:
                b"\xff".decode("utf-8" if value == "auto" else value, "replace")
                return value
        except (LookupError, ValueError):
            pass
        raise ValueError(
            f"unknown charset {value!r}; write auto, utf-8, latin-1, cp1252, utf-16, shift_jis ..."
        )

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [name for name in (self.ids, self.mask, self.types) if name]
        if len(set(names)) != len(names):
            raise ValueError(f"ids, mask and types need names that differ, not {', '.join(names)}")
        return self


# Encodings of Python's own notations, some of them slow without bound, and none that a text comes in.
NO_CHARSETS = ("idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined")


class AudioSettings(_Settings):
    """Recordings: WAV, FLAC, OGG and MP3 to float32, a waveform [samples] or log-mel bands [mels, frames]."""

    kind: Literal["audio"] = Field(default="audio", description="Recordings.")
    sample_rate: int = Field(
        default=16_000, ge=1000, le=192_000, description="Samples a second that the model wants."
    )
    seconds: float = Field(
        default=1.0,
        gt=0,
        le=600,
        description="Length of one sample; longer recordings are cut, others padded.",
    )
    offset: Literal["start", "centre"] = Field(
        default="start",
        description="Which part of a longer recording is kept. Shorter ones are padded with silence: at the"
        " end with `start`, on both sides with `centre`.",
    )
    features: Literal["waveform", "log_mel"] = Field(
        default="waveform",
        description="`waveform`: the samples, -1 to 1; `log_mel`: power of Hann windows in mel bands, in dB.",
    )
    window: int = Field(
        default=400, ge=16, le=32_768, multiple_of=2, description="Length of a log-mel window, in samples."
    )
    hop: int = Field(default=160, ge=1, description="Distance of two log-mel windows, in samples.")
    mels: int = Field(
        default=80, ge=1, le=1024, description="Number of mel bands, from 0 Hz to half the rate."
    )
    max_seconds: float = Field(
        default=3600.0, gt=0, description="Longest recording, by what its header says, in seconds."
    )
    max_channels: int = Field(default=8, ge=1, le=64, description="Most channels; their mean is taken.")
    name: str = Field(
        default="",
        description="Name of the model's input; empty: `input_values`, with log-mel `input_features`.",
    )

    @property
    def samples(self) -> int:
        """Samples of one waveform."""
        return max(1, round(self.seconds * self.sample_rate))


Missing = Literal["error", "zero", "mean", "fill"]


class Column(_Settings):
    """One column of a table, and how it becomes numbers."""

    NEEDED: ClassVar[dict[str, str]] = {"name": "what the column is called in the data"}

    name: str = Field(min_length=1, description="Name of the JSON member or CSV column.")
    kind: Literal["number", "boolean", "category"] = Field(default="number", description="What it holds.")
    categories: tuple[str, ...] = Field(default=(), description="The values that a category column may have.")
    encode: Literal["one_hot", "index"] = Field(
        default="one_hot",
        description="A category becomes one number a category, 1 at the right one, or its index from 0.",
    )
    missing: Missing | None = Field(
        default=None, description="What a missing value becomes in this column; empty: as the table says."
    )
    fill: float = Field(default=0.0, allow_inf_nan=False, description="What `missing: fill` puts in.")
    mean: float = Field(
        default=0.0, allow_inf_nan=False, description="Subtracted from the value; `missing: mean` puts it in."
    )
    std: float = Field(
        default=1.0, gt=0, allow_inf_nan=False, description="The value is divided by it, after the mean."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.kind == "category":
            if not self.categories:
                raise ValueError(
                    f"column {self.name}: a category column needs `categories`, the list of its values"
                )
            if len(set(self.categories)) != len(self.categories):
                raise ValueError(f"column {self.name}: a category stands twice in `categories`")
            if (self.mean, self.std) != (0.0, 1.0):
                raise ValueError(f"column {self.name}: mean and std are for numbers, not for categories")
        elif self.categories:
            raise ValueError(f"column {self.name}: `categories` belong to `kind: category`, not {self.kind}")
        return self

    @property
    def width(self) -> int:
        """Numbers that this column becomes."""
        return len(self.categories) if self.kind == "category" and self.encode == "one_hot" else 1


class TableSettings(_Settings):
    """Table rows: one JSON object or CSV row to a float32 vector [numbers of all columns]."""

    NEEDED: ClassVar[dict[str, str]] = {
        "columns": "a list of columns, such as `- {name: age}`, in the order that the model wants"
    }

    kind: Literal["table"] = Field(default="table", description="Table rows.")
    columns: tuple[Column, ...] = Field(
        min_length=1, description="Columns, in the order that the model wants."
    )
    format: Literal["json", "csv"] = Field(default="json", description="One JSON object, or one row of CSV.")
    header: tuple[str, ...] = Field(
        default=(),
        description="Names of a CSV row's fields in their order; empty: the first line names them.",
    )
    delimiter: str = Field(
        default=",", min_length=1, max_length=1, description="What stands between two CSV fields."
    )
    missing: Missing = Field(
        default="error",
        description="What a missing value becomes: `error` refuses the row, else 0, the column's `mean` or"
        " its `fill`. Absent, null, NaN, a word of `missing_words` and an unknown category count as missing.",
    )
    missing_words: tuple[str, ...] = Field(
        default=("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"),
        description="Texts that mean a missing value.",
    )
    max_bytes: int = Field(default=1024**2, ge=1, description="Largest row, in bytes.")
    name: str = Field(default="row", min_length=1, description="Name of the model's input.")

    @model_validator(mode="after")
    def _columns_can_be_read(self) -> Self:
        names = [column.name for column in self.columns]
        if len(set(names)) != len(names):
            raise ValueError("columns: a name stands twice")
        if len(set(self.header)) != len(self.header):
            raise ValueError("header: a name stands twice")
        if self.header and (absent := [name for name in names if name not in self.header]):
            raise ValueError(f"header: lacks the columns {', '.join(absent)}")
        if self.delimiter in '"\r\n ':
            raise ValueError("delimiter: neither quote, space nor line end can stand between fields")
        for column in self.columns:
            self._check_missing(column)
        return self

    def _check_missing(self, column: Column) -> None:
        """Refuse rules that would pass one category off as another."""
        rule = self.missing_in(column)
        fine = ("error", "zero") if column.encode == "one_hot" else ("error", "fill")
        if column.kind == "category" and rule not in fine:
            raise ValueError(
                f"column {column.name}: missing: {rule} means nothing for {column.encode} categories;"
                f" write missing: {' or '.join(fine)} in this column"
            )

    def missing_in(self, column: Column) -> Missing:
        """What a missing value becomes in this column."""
        return column.missing or self.missing


class ArraySettings(_Settings):
    """One array that a tensor file holds and the model wants."""

    shape: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        max_length=16, description="Shape of one sample, without a batch axis; [] is a single number."
    )
    dtype: Literal[
        "float16", "float32", "float64", "int8", "int16", "int32", "int64",
        "uint8", "uint16", "uint32", "uint64", "bool",
    ] = Field(default="float32", description="Type that the model wants.")  # fmt: skip
    entry: str = Field(
        default="", description="Its name in an .npz or safetensors file; empty: as the model's input."
    )

    @property
    def nbytes(self) -> int:
        """Bytes of one sample."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


class TensorSettings(_Settings):
    """Arrays made elsewhere: .npy, .npz (no pickles) and safetensors, of declared shapes and types."""

    NEEDED: ClassVar[dict[str, str]] = {
        "arrays": "the model's inputs by name, such as `arrays: {x: {shape: [3, 32, 32], dtype: float32}}`"
    }

    kind: Literal["tensor"] = Field(default="tensor", description="Arrays made elsewhere.")
    arrays: dict[Annotated[str, Field(min_length=1)], ArraySettings] = Field(
        min_length=1, description="The model's inputs by name; exactly one where the files are .npy."
    )
    cast: bool = Field(
        default=False,
        description="Convert between kinds of numbers too (float to integer cuts the fraction off). Without"
        " it only what keeps the kind, or loses nothing. What the type cannot hold is refused anyway.",
    )
    finite: bool = Field(default=True, description="Refuse NaN and infinity.")
    max_bytes: int = Field(
        default=64 * 1024**2, ge=1, description="Most bytes of the arrays that are read, decompressed."
    )

    @model_validator(mode="after")
    def _arrays_fit(self) -> Self:
        size = sum(array.nbytes for array in self.arrays.values())
        if size > self.max_bytes:
            raise ValueError(f"arrays of {size:,} bytes, max_bytes allows {self.max_bytes:,}; raise it")
        return self


class PlugInSettings(BaseModel):
    """A plug-in's transform: `kind`, and whatever its own settings are."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: str = Field(description="Name of the entry point in the group `siftstream.transforms`.")


BUILT_IN: dict[str, type[_Settings]] = {
    "image": ImageSettings,
    "text": TextSettings,
    "audio": AudioSettings,
    "table": TableSettings,
    "tensor": TensorSettings,
}


def _kind(values: Any) -> str:
    kind = values.get("kind", "image") if isinstance(values, dict) else getattr(values, "kind", "image")
    return kind if kind in BUILT_IN else "plug-in"


TransformSettings = Annotated[
    Annotated[ImageSettings, Tag("image")]
    | Annotated[TextSettings, Tag("text")]
    | Annotated[AudioSettings, Tag("audio")]
    | Annotated[TableSettings, Tag("table")]
    | Annotated[TensorSettings, Tag("tensor")]
    | Annotated[PlugInSettings, Tag("plug-in")],
    Discriminator(_kind),
]
