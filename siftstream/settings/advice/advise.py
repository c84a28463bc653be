"""From answers to settings: the rules applied in order, and what they set put where it belongs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from siftstream.settings.advice.questions import Answers, shown
from siftstream.settings.advice.rules import RULES


@dataclass(frozen=True)
class Line:
    """One setting of the `select:` section, its value and the sentences that say why.

    `on` names the answers that these rest on.
    """

    path: tuple[str, ...]
    value: Any
    because: str
    on: tuple[str, ...] = ()

    def at(self, *path: str) -> "Line":
        """Return the same at another place."""
        return replace(self, path=path)

    def and_also(self, other: "Line") -> "Line":
        """Return this with the other's reason behind its own."""
        return replace(self, because=f"{self.because} {other.because}", on=self.on + other.on)


@dataclass(frozen=True)
class Advice:
    """The settings to change, in the order they are read."""

    lines: tuple[Line, ...]

    @property
    def select(self) -> dict[str, Any]:
        """The `select:` section as nested mappings."""
        section: dict[str, Any] = {}
        for line in self.lines:
            inner = section
            for part in line.path[:-1]:
                inner = inner.setdefault(part, {})
            inner[line.path[-1]] = line.value
        return section


NAME: Final = ("strategy", "name")
PARAMETERS: Final = ("strategy", "parameters")
SIZES: Final = ("budget.per_round", "budget.total", "trigger.every", "window.size", "audit.fraction")


def advised(answers: Answers, figures: Mapping[str, str] | None = None) -> Advice:
    """Return the settings that suit the answers.

    Args:
        answers: What is known of the task.
        figures: What a labelled file said of an answer, by its name: named where a rule first rests on it.

    >>> advised(Answers(explain=True)).select["strategy"]
    {'name': 'margin', 'cold_start': 'typiclust'}
    """
    said = _said(answers)
    lines = [*_strategy(said, answers), said["cold_start"].at("strategy", "cold_start")]
    lines += [said[path].at(*path.split(".")) for path in SIZES if path in said]
    left = dict(figures or {})
    return Advice(tuple(_with_figures(line, left) for line in lines))


def _said(answers: Answers) -> dict[str, Line]:
    """Return what the rules set; a later one overrides an earlier one."""
    words = {name: shown(value) for name, value in answers}
    said: dict[str, Line] = {}
    for rule in RULES:
        if rule.when(answers):
            value = rule.to(answers) if callable(rule.to) else rule.to
            said[rule.sets] = Line((), value, rule.because.format(**words), (rule.on,))
    return said


def _strategy(said: Mapping[str, Line], answers: Answers) -> list[Line]:
    """Return the lines of the strategy's name and parameters."""
    way, doubt, weight = said["strategy"], said["doubt"], said.get("class_weight")
    if way.value == "doubt":
        name = replace(way.and_also(doubt), value=doubt.value).at(*NAME)
        return [name, weight.at(*PARAMETERS, "class_weight")] if weight else [name]
    lines = [way.at(*NAME)]
    if way.value == "two_stage":
        if weight:
            weighted = {"name": doubt.value, "class_weight": weight.value}
            doubt = replace(doubt.and_also(weight), value=weighted)
        lines += [doubt.at(*PARAMETERS, "uncertainty"), said["spread"].at(*PARAMETERS, "diversity")]
    if way.value == "score_column":
        because = "The number's name; every sample must carry it."
        lines.append(Line((*PARAMETERS, "column"), answers.column, because))
    return lines


def _with_figures(line: Line, figures: dict[str, str]) -> Line:
    """Return a line that names the figures it rests on, each of which is taken out."""
    found = [f" In your file: {figures.pop(name)}." for name in line.on if name in figures]
    return replace(line, because=line.because + "".join(found))
