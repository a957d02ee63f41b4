"""The command `python -m nn.artifacts`; the code is in `nn.ort.artifacts`."""

from nn.ort.artifacts import *  # noqa: F403
from nn.ort.artifacts import main

if __name__ == "__main__":
    main()
