"""A process that answers as `siftstream.experiment.child` does, and trains nothing.

The accuracy is a hundredth of the number of labels, the rows chosen are the next ones; 50 labels are refused.
"""

import json
import sys


def main() -> None:
    """Answer until stdin ends."""
    for line in sys.stdin:
        request = json.loads(line)
        labels, count = len(request["labelled"]), request["count"]
        answer = {"accuracy": labels / 100 if labels else None, "chosen": list(range(labels, labels + count))}
        if labels >= 50:
            answer = {"error": "too many labels"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
