"""The command `python -m nn.artifacts`; the code is in `nn.ort.artifacts`."""

import sys

from nn.ort.artifacts import *  # noqa: F403
from nn.ort.artifacts import main

if __name__ == "__main__":
    sys.exit(main())
