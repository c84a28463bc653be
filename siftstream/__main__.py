"""`python -m siftstream` is the command `siftstream`."""

from siftstream.cli import main

if __name__ == "__main__":
    main()
