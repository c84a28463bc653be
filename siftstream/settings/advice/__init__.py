"""Which `select:` settings suit a task: questions, rules over their answers, the YAML with reasons."""

from siftstream.settings.advice.advise import Advice, Line, advised
from siftstream.settings.advice.questions import QUESTIONS, Answers, Question

__all__ = ["QUESTIONS", "Advice", "Answers", "Line", "Question", "advised"]
