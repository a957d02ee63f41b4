"""Two processes of `mpirun` train one network."""

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tools import browser

LACKING = [
    what
    for what, there in (
        ("mpirun: apt-get install openmpi-bin", shutil.which("mpirun")),
        ("mpi4py: make setup", find_spec("mpi4py")),
    )
    if not there
]


@pytest.mark.skipif(
    bool(LACKING) and not (os.environ.get("CI") and browser.can_install()),
    reason=f"not installed: {', '.join(LACKING)}",
)
def test_two_processes_train_the_network_of_one():
    member = Path(__file__).with_name("mpi_member.py")
    command = ["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "2"]
    run = subprocess.run(
        [*command, sys.executable, str(member)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sys.path))},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert not run.returncode, run.stderr
    found = json.loads(run.stdout)
    assert found["says"] == "2 workers"
    assert found["equal"]
    assert len(found["losses"]) == 18
    np.testing.assert_allclose(found["losses"], found["alone"], rtol=0, atol=1e-5)
