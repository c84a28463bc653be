"""Labelling: what somebody says about samples, made the events that consensus reads."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from getpass import getuser
from typing import cast

from pydantic import ValidationError

from siftstream.schemas import Label, LabelAction, Selected
from siftstream.schemas.errors import LabelError

Labelled = str | Selected | Label | Mapping[str, str | None] | Iterable[str | Selected | Label]


def labels_of(
    what: Labelled,
    label: str | None = None,
    *,
    annotator: str | None = None,
    skip: bool = False,
    classes: Sequence[str] = (),
) -> list[Label]:
    """Return the events.

    Args:
        what: A sample id or a chosen sample, several of these, a mapping of ids to labels (none: skipped),
            or `Label`s, which are taken as they are.
        label: The class, of all that `what` names.
        annotator: Who says it; none: the user's login name.
        skip: Say that there is no answer.
        classes: The names that are allowed; empty: not known, any.

    Raises:
        LabelError: no label, one that is no class, or a name that cannot be one.

    >>> [(said.sample_id, said.action.value, said.label) for said in labels_of({"a": "cat", "b": None})]
    [('a', 'label', 'cat'), ('b', 'skip', None)]
    >>> labels_of("a", "cta", classes=["cat", "dog"])
    Traceback (most recent call last):
        ...
    siftstream.schemas.errors.LabelError: label 'cta' of a is no class; did you mean cat?
    """
    who = annotator or getuser()
    found: list[Label]
    if isinstance(what, Mapping):
        named = cast("Mapping[str, str | None]", what)
        found = [_label(sample_id, word, who, skip or word is None) for sample_id, word in named.items()]
    else:
        things = [what] if isinstance(what, str | Selected | Label) else list(what)
        found = [thing if isinstance(thing, Label) else _label(thing, label, who, skip) for thing in things]
    for said in found:
        if said.label is not None and classes and said.label not in classes:
            near = get_close_matches(said.label, classes, n=1)
            remedy = f"did you mean {near[0]}?" if near else f"the classes are {', '.join(classes)}"
            joint = ";" if near else ":"
            raise LabelError(f"label {said.label!r} of {said.sample_id} is no class{joint} {remedy}")
    return found


def _label(thing: str | Selected, word: str | None, who: str, skipped: bool) -> Label:
    sample_id = thing.sample_id if isinstance(thing, Selected) else thing
    if word is None and not skipped:
        raise LabelError(f"no label for {sample_id}: give one, or skip=True")
    try:
        if skipped:
            return Label(sample_id=sample_id, annotator=who, action=LabelAction.SKIP)
        return Label(sample_id=sample_id, annotator=who, label=word)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise LabelError(f"the label of {sample_id!r}: {field}: {first['msg']}") from None
