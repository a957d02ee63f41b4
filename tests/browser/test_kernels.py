"""The kernels in the browser: both WebAssembly builds equal the twins, on NumPy's own memory."""

import json

import pytest

from tests.support import pyodide
from tests.unit.nn.kernels import agreement
from tools import build_kernels

SEEDS = 25

AGREE = """
import json, traceback
from nn import kernels
import agreement

outcomes = {{"backend": kernels.load("./{variant}.so").name}}
for name, check in agreement.CHECKS.items():
    try:
        for seed in range({seeds}):
            check(agreement.Draw(seed))
    except Exception:
        outcomes[name] = f"seed {{seed}}: " + traceback.format_exc()
    else:
        outcomes[name] = "equal"
print(json.dumps(outcomes))
"""

REFUSE = """
from nn import kernels

with open("broken.so", "wb") as file:
    file.write(open("simd.so", "rb").read()[:-100])
try:
    kernels.load("./broken.so")
except OSError as error:
    print(type(error).__name__, kernels.backend().name, error)
"""

BUILDS = {"relaxed": "relaxed-simd", "simd": "simd"}


@pytest.fixture(scope="module")
def page(module_site, open_module_page):
    assert build_kernels.main(["wasm"]) == 0
    page = open_module_page()
    pyodide.open_python(module_site, page)
    return page


@pytest.fixture(scope="module")
def files():
    return pyodide.engine_files() | {"agreement.py": pyodide.path_of(agreement.__file__)}


@pytest.fixture(scope="module")
def outcomes(page, files):
    """What every check of a build came to; each build runs once."""
    known = {}

    def of(variant):
        if variant not in known:
            text = AGREE.format(variant=variant, seeds=SEEDS)
            known[variant] = json.loads(pyodide.run(page, text, files, published=True))
        return known[variant]

    return of


@pytest.mark.parametrize("variant", sorted(BUILDS))
@pytest.mark.parametrize("name", sorted(agreement.CHECKS))
def test_a_build_equals_the_twins_in_chromium(variant, name, outcomes):
    found = outcomes(variant)
    assert found["backend"] == BUILDS[variant]
    assert found[name] == "equal", found[name]


def test_a_damaged_build_is_an_error_and_numpy_goes_on(page, files):
    said = pyodide.run(page, REFUSE, files)
    assert said.startswith("OSError numpy ")


@pytest.mark.promise(
    "Earlier work: models in production",
    "`memory()`: arrays, bytes, WebAssembly's memory",
)
def test_the_size_of_the_interpreters_memory_is_told(page, files):
    text = """
import numpy as np
from nn import kernels
kernels.load("./simd.so")
before = kernels.heap_bytes()
large = np.ones(before, np.uint8)
print(before > 2**20, kernels.heap_bytes() > before)
"""
    assert pyodide.run(page, text, files) == "True True"
