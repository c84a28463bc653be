"""`hf:NAME_OR_FOLDER`: a transformer of Hugging Face for text, images or sound, with its head if any."""

from collections.abc import Sequence
from typing import Any

from siftstream.models.importing.options import InputOption, Options
from siftstream.models.importing.sources import Module, library, load_weights
from siftstream.schemas.errors import ModelError

_IDS = InputOption("input_ids", (None,), "int64"), InputOption("attention_mask", (None,), "int64")
_WAVE = (InputOption("input_values", (16_000,)),)
_TASKS = {  # what the model's main input is called: which of the library's classes hold a head for it
    "input_ids": "AutoModelForSequenceClassification",
    "pixel_values": "AutoModelForImageClassification",
    "input_values": "AutoModelForAudioClassification",
    "input_features": "AutoModelForAudioClassification",
}


def module(name: str, options: Options) -> Module:
    """Load the model: with its classifier where it has one, else the encoder alone.

    Raises:
        ConfigError: transformers is not installed.
        ModelError: the model cannot be had.
    """
    source = f"hf:{name}"
    library("torch", source)
    transformers = library("transformers", source)
    try:
        config = transformers.AutoConfig.from_pretrained(name)
        made = _made(transformers, name, config, random=options.random or options.weights is not None)
    except Exception as error:  # of the library: no such name, no network, a format it does not know
        words = (" ".join(str(error).split()) or type(error).__name__)[:300]
        raise ModelError(f"{source}: transformers cannot load it: {words}; {options.instead}") from error
    loaded = load_weights(made, options)
    main = str(getattr(made, "main_input_name", "input_ids"))
    channels = int(getattr(config, "num_channels", 3))
    images = main == "pixel_values"
    mean, std, size = _of_images(transformers, name, config, channels) if images else ((), (), 0)
    inputs = {
        "input_ids": _IDS, "input_values": _WAVE,
        "pixel_values": (InputOption("pixel_values", (channels, size, size)),),
    }.get(main, ())  # fmt: skip
    if not (options.inputs or inputs):
        raise ModelError(f"{source}: reads {main}; give its shape, such as --input {main}=80x3000")
    classified = type(made).__name__.endswith("Classification")
    labels: dict[int, str] = getattr(config, "id2label", None) or {}
    own = loaded or (", random weights" if options.random else ", its own weights")
    return Module(
        _answering(made, _named(main, options.inputs or inputs)),
        name.rstrip("/").rpartition("/")[2],
        f"{type(made).__name__} of Hugging Face{own}", options.inputs or inputs, mean=mean, std=std,
        classes=tuple(labels[number] for number in sorted(labels)) if classified else (), variadic=True,
    )  # fmt: skip


def _made(transformers: Any, name: str, config: Any, *, random: bool) -> Any:
    architecture: str = next(iter(getattr(config, "architectures", None) or ()), "")
    kind = "AutoModel"
    if architecture.endswith("Classification"):
        whole = getattr(transformers, architecture, None)
        kind = _TASKS.get(getattr(whole, "main_input_name", ""), kind)
    auto = getattr(transformers, kind)
    return auto.from_config(config) if random else auto.from_pretrained(name)


def _named(main: str, inputs: Sequence[InputOption]) -> list[str]:
    """Return what the model calls its inputs: a single one is its main one, whatever we call it."""
    return [main] if len(inputs) == 1 else [entry.name for entry in inputs]


def _of_images(
    transformers: Any, name: str, config: Any, channels: int
) -> tuple[tuple[float, ...], tuple[float, ...], int]:
    """Return mean, std and side as the model's own image processor is configured."""
    size = getattr(config, "image_size", None) or 224
    try:
        said, _ = transformers.image_processing_utils.ImageProcessingMixin.get_image_processor_dict(name)
    except OSError:  # no such file beside the model
        said = {}
    mean: Sequence[float] = said.get("image_mean") or (0.5,)
    std: Sequence[float] = said.get("image_std") or (0.5,)
    sides = size if isinstance(size, int) else int(size[0])
    return _each(mean, channels), _each(std, channels), sides


def _each(values: Sequence[float], channels: int) -> tuple[float, ...]:
    return tuple(values) * channels if len(values) == 1 else tuple(values)


def _answering(model: Any, names: Sequence[str]) -> Any:
    """Return a module from arrays in order to logits, or to hidden states where there is no head."""
    torch = library("torch", "hf")

    class Answer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *arrays: Any) -> Any:
            answer = self.model(**dict(zip(names, arrays, strict=True)))
            logits = getattr(answer, "logits", None)
            return answer.last_hidden_state if logits is None else logits

    return Answer()
