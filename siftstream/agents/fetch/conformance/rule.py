"""How a rule speaks: an AssertionError that says in a sentence what it found."""


def must(holds: bool, sentence: str) -> None:
    """Raise AssertionError with the sentence unless it holds; `python -O` changes nothing."""
    if not holds:
        raise AssertionError(sentence)
