"""Push what is named, choose the most useful of it, label the first: `python examples/query.py FOLDER ...`.

Needs a running pipeline: `siftstream up` in the same folder, or KAFKA_BOOTSTRAP_SERVERS.
"""

import sys

from siftstream import Client


def main(sources: list[str], budget: int = 3) -> None:
    """Show what is chosen, best first, and ask for the label of the first."""
    with Client() as client:
        pushed = client.push_data(sources, asynchronous=True)
        answer = client.query(budget)
        print(pushed.told)
        print(answer.told)
        for sample in answer:
            print(f"{sample.rank + 1}  {sample.score:.3f}  {sample.prediction}  {sample.uri}")
        if answer and sys.stdin.isatty() and (word := input(f"What is {answer[0].uri}? ")):
            client.label(answer[0], word)


if __name__ == "__main__":
    main(sys.argv[1:] or sys.exit(__doc__))
