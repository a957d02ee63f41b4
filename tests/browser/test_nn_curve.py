"""A seeded run has one loss curve: in Chromium with each build, on CPython with the kernels and
with their NumPy twins."""

import asyncio
import json

import numpy as np
import pytest
from nn import kernels

from tests.support import curve, pyodide
from tools import build_kernels
from tools.serve import ROOT

MNIST = ROOT / "static" / "vendor" / "mnist"

TRAIN = """
import json
from nn import kernels
import curve

kernels.load("./{build}.so")
losses = {{name: await run("mnist") for name, run in curve.RUNS.items()}}
print(json.dumps([kernels.backend().name, losses]))
"""

BUILDS = {"relaxed": "relaxed-simd", "simd": "simd"}

# Adam's steps have the size of the learning rate however small the gradient: where that is as small
# as its rounding, sums that round otherwise give other steps. Chromium's build (relaxed) and the
# native one round alike, both by fused multiply-adds; plain SIMD and NumPy's BLAS do not, which is
# 2e-3 after these 32 steps, and 2e-6 with epsilon=1e-3 in place of 1e-7.
LIMIT = 1e-4
ROUNDS_ALIKE = {("relaxed", "native")}
LIMIT_OF_ADAM_OTHERWISE = 1e-2


@pytest.fixture(scope="module")
def chromium(module_site, open_module_page):
    """The losses of every run with one of the builds, in Chromium."""
    assert build_kernels.main(["wasm"]) == 0
    page = open_module_page()
    pyodide.open_python(module_site, page)
    files = pyodide.engine_files() | {"curve.py": pyodide.path_of(curve.__file__)}
    for name in (curve.IMAGES, curve.LABELS):
        files[f"mnist/{name}"] = f"static/vendor/mnist/{name}"

    def losses(build):
        text = pyodide.run(page, TRAIN.format(build=build), files, timeout=100)
        backend, found = json.loads(text)
        assert backend == BUILDS[build]
        return found

    return losses


@pytest.fixture(scope="module")
def cpython():
    """The losses of every run with the native kernels, and with the twins."""
    assert build_kernels.main(["native"]) == 0
    kernels.load()
    return {backend: _with(backend) for backend in ("native", "numpy")}


def _with(backend):
    with kernels.use(backend):
        assert kernels.backend().name == backend
        return {name: asyncio.run(run(str(MNIST))) for name, run in curve.RUNS.items()}


def limit(name, build, backend):
    alike = (build, backend) in ROUNDS_ALIKE or name != "digits by Adam"
    return LIMIT if alike else LIMIT_OF_ADAM_OTHERWISE


@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "`fit(batch_size, epochs)`, shuffled by a seed, the same wherever it runs",
)
@pytest.mark.parametrize("build", ["relaxed", pytest.param("simd", marks=pytest.mark.soak)])
def test_a_seeded_run_has_the_same_losses_in_chromium_and_on_cpython(build, chromium, cpython):
    here = chromium(build)
    assert len(here["digits by SGD"]) == 34
    for backend, there in cpython.items():
        for name, losses in there.items():
            np.testing.assert_allclose(
                here[name],
                losses,
                atol=limit(name, build, backend),
                rtol=0,
                err_msg=f"{name}: {build} and {backend}",
            )
    assert here["digits by SGD"][-1] < 0.5 * here["digits by SGD"][0]
