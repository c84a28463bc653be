"""The rules for transforms, each a function that raises AssertionError with a sentence."""

import re
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Annotated, Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from siftstream.agents.fetch.conformance.rule import must
from siftstream.agents.fetch.transforms.base import Transform
from siftstream.schemas.arrays import ArraySpec
from siftstream.schemas.errors import TransformError

THREADS: Final = 8
ENDS_WITHIN_S: Final = 5.0  # a thread that was told to end needs a moment
INPUT_NAME: Final = re.compile(r"[A-Za-z_][\w.:/-]*", re.ASCII)
Result = dict[str, tuple[tuple[int, ...], str, bytes]]
Good = Sequence[bytes]


def check_transform(transform: Transform, good: Good) -> None:
    """Hold a transform to every rule; `good` are some inputs that it reads, the more varied the better.

    Raises:
        AssertionError: the rule that it breaks, and how.
    """
    must(bool(good), "check_transform needs at least one good input")
    for rule in TRANSFORM_RULES:
        rule(transform, [_copy(data) for data in good])


def specs_are_declared_and_stable(transform: Transform, good: Good) -> None:
    """`specs` holds a fixed shape and a native, plain dtype for each array, before and after its use."""
    before = dict(transform.specs)
    must(bool(before), "specs declares no array")
    for name, spec in before.items():
        must(isinstance(spec, ArraySpec), f"specs[{name!r}] is no ArraySpec")
        must(all(type(n) is int and n > 0 for n in spec.shape), f"{name}: shape {spec.shape} is not fixed")
        plain = spec.dtype.kind in "biuf" and spec.dtype.isnative
        must(plain, f"{name}: {spec.dtype} is no native boolean, integer or float")
    transform(good[0])
    must(dict(transform.specs) == before, "specs changed after a call")


def names_are_model_inputs(transform: Transform, good: Good) -> None:
    """Array names can name the inputs of an ONNX graph."""
    for name in transform.specs:
        must(bool(INPUT_NAME.fullmatch(name)), f"{name!r} cannot name a model's input")


def settings_are_described(transform: Transform, good: Good) -> None:
    """Each setting has a description, and settings survive a trip through JSON."""
    kind = type(transform).Settings
    must(issubclass(kind, BaseModel), f"{type(transform).__name__}.Settings is no pydantic model")
    must(isinstance(transform.settings, kind), f"settings are no {kind.__name__}")
    for name, field in kind.model_fields.items():
        must(bool(field.description), f"{kind.__name__}.{name} has no description")
        must(field.is_required() or _is_valid_default(field), f"{kind.__name__}.{name}: bad default")
    again = kind.model_validate_json(transform.settings.model_dump_json())
    must(again == transform.settings, f"{kind.__name__} do not survive a trip through JSON")


def _is_valid_default(field: FieldInfo) -> bool:
    default = field.get_default(call_default_factory=True, validated_data={})
    kind: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    try:
        TypeAdapter(kind).validate_python(default)
    except ValidationError:
        return False
    return True


def arrays_are_as_declared(transform: Transform, good: Good) -> None:
    """Each good input becomes exactly the declared arrays, in C order and writable."""
    for number, data in enumerate(good):
        check_arrays(transform, transform(data), f"good input {number}")


def check_arrays(transform: Transform, arrays: object, of: str) -> None:
    """Hold one result to the specs of its transform.

    Raises:
        AssertionError: what is wrong with the result `of` this input.
    """
    must(isinstance(arrays, dict), f"{of}: the result is no dict")
    assert isinstance(arrays, dict)
    names, specs = list(arrays), transform.specs
    must(set(names) == set(specs), f"{of}: arrays {names}, declared {list(specs)}")
    for name, spec in specs.items():
        array = arrays[name]
        must(isinstance(array, np.ndarray), f"{of}: {name} is no NumPy array")
        must(spec.fits(array), f"{of}: {name} is {array.dtype} {array.shape}, declared {spec}")
        must(array.flags.c_contiguous, f"{of}: {name} is not in C order")
        must(array.flags.writeable and array.flags.aligned, f"{of}: {name} is read-only or not aligned")


def arrays_own_their_memory(transform: Transform, good: Good) -> None:
    """A result shares memory with no other result and not with the input."""
    for number, data in enumerate(good):
        first, second = transform(data), transform(data)
        expected = _frozen(second)
        source = np.frombuffer(data, np.uint8)
        for name, array in first.items():
            shared = np.shares_memory(array, second[name]) or np.shares_memory(array, source)
            must(
                not shared, f"good input {number}: {name} shares its memory with another result or the input"
            )
            if array.flags.writeable:
                array.fill(0)
        must(_frozen(second) == expected, f"good input {number}: two results share their memory")
        must(_frozen(transform(data)) == expected, f"good input {number}: a result is kept and given again")


def results_are_the_same_each_time(transform: Transform, good: Good) -> None:
    """The same bytes give the same arrays, whatever came between."""
    first = [_frozen(transform(data)) for data in good]
    again = [_frozen(transform(data)) for data in reversed(good)][::-1]
    for number, (one, other) in enumerate(zip(first, again, strict=True)):
        must(one == other, f"good input {number}: another result the second time")


def threads_get_the_same(transform: Transform, good: Good) -> None:
    """Eight threads at once get what one alone gets."""
    expected = [_frozen(transform(data)) for data in good]
    together = threading.Barrier(THREADS)

    def run(offset: int) -> bool:
        together.wait(ENDS_WITHIN_S)
        order = [(offset + step) % len(good) for step in range(max(len(good), 24))]
        return all(_frozen(transform(good[place])) == expected[place] for place in order)

    with ThreadPoolExecutor(THREADS) as pool:
        must(all(pool.map(run, range(THREADS))), f"{THREADS} threads at once get other results than one")


def the_input_is_left_alone(transform: Transform, good: Good) -> None:
    """The input is neither changed nor kept: the worker counts its memory as free after the call."""
    for number, sample in enumerate(good):
        data = _copy(sample)
        before = sys.getrefcount(data)
        transform(data)
        must(data == sample, f"good input {number}: the input was changed")
        must(sys.getrefcount(data) <= before, f"good input {number}: the input is kept after the call")


def bad_input_is_refused(transform: Transform, good: Good) -> None:
    """Empty, random, cut and damaged bytes end in an array or in a TransformError of one line."""
    expected = _frozen(transform(good[0]))
    for what, data in _bad(good):
        try:
            arrays = transform(data)
        except TransformError as error:
            words = str(error)
            must(bool(words) and "\n" not in words, f"{what}: an error of one line, not {words!r}")
        except Exception as error:
            raise AssertionError(f"{what}: {type(error).__name__} instead of TransformError") from error
        else:
            check_arrays(transform, arrays, what)
    must(_frozen(transform(good[0])) == expected, "after bad inputs a good one gives another result")


def _copy(data: bytes) -> bytes:
    """Return the same bytes elsewhere, held by nobody else."""
    return bytes(bytearray(data))


def _bad(good: Good) -> list[tuple[str, bytes]]:
    random = Random(0)
    bad = [("empty bytes", b""), ("zeros", bytes(1000))]
    bad += [(f"{size} random bytes", random.randbytes(size)) for size in (1, 2, 8, 100, 1000, 10_000)]
    for number, data in enumerate(good):
        bad += [(f"good input {number} cut off", data[: len(data) * share // 8]) for share in range(1, 8)]
        for _ in range(8):
            damaged = bytearray(data)
            for _ in range(random.randint(1, 8) if damaged else 0):
                damaged[random.randrange(len(damaged))] = random.randrange(256)
            bad.append((f"good input {number} damaged", bytes(damaged)))
    return bad


def _frozen(arrays: Mapping[str, NDArray[Any]]) -> Result:
    return {name: (array.shape, array.dtype.str, array.tobytes()) for name, array in arrays.items()}


TRANSFORM_RULES: Final[tuple[Callable[[Transform, Good], None], ...]] = (
    specs_are_declared_and_stable,
    names_are_model_inputs,
    settings_are_described,
    arrays_are_as_declared,
    results_are_the_same_each_time,
    arrays_own_their_memory,
    threads_get_the_same,
    the_input_is_left_alone,
    bad_input_is_refused,
)
