"""WGSL in packed modules: without needless spaces, and the shaders that the tests run."""

import io
import json
import re
import subprocess
import sys
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools import bundle
from tools.bundle import ROOT
from tools.shaders import closed, spaceless

SPACED = {
    '"let a = b + 1.0;"': '"let a=b+1.0;"',
    '"if (a < 3u && b >= -c) { return x; }"': '"if(a<3u&&b>= -c){return x;}"',
    'f"{a} * {b} ; {{ x [{i + 1}] = - y }}"': 'f"{a} * {b};{{x[{i + 1}]= -y}}"',
    'f"""\nlet a = {f(x , y)};\nreturn -  a;"""': 'f"""\nlet a= {f(x , y)};\nreturn-a;"""',
    "(' + ', ', ', 'id group')": "(' + ', ',', 'id group')",
    'f"var<storage, {x}> y: array<{k}>;"': 'f"var<storage,{x}>y:array<{k}>;"',
    "raise E(f'{a} = 1, or (b)')": "raise E(f'{a} = 1, or (b)')",
    "x = 'a = b' ; y = '''c\n = d'''": "x = 'a=b' ; y = '''c\n =d'''",
}


@pytest.mark.parametrize("source", SPACED)
def test_spaces_stay_between_two_words_and_two_signs_and_in_fields_and_messages(source):
    assert spaceless(source) == SPACED[source]


TOKENS = re.compile(
    r"[0-9][0-9.]*(?:e[-+]?[0-9]+)?[fhiu]?|\w+|&&|\|\||->|<<|>>|\+\+|--|[-+*/%&|^=<>!]=|\S"
)
PART = st.sampled_from(
    [*"+-*/%=<>!&|^.,:;(){}[]@", " ", "  ", "a", "b1", "let", "2.5", "3u", "<=", "&&", "->", "\n"]
)


@given(st.lists(PART, max_size=12).map("".join))
def test_a_text_without_needless_spaces_is_made_of_the_same_words_and_signs(text):
    assert TOKENS.findall(closed(text)) == TOKENS.findall(text)


# Writes the kernels of the networks that nn.gpu's tests train, made by a folder's modules if given.
WRITE = """
import json, sys
import nn
if sys.argv[1:]:
    nn.__path__.insert(0, sys.argv[1])
from nn.gpu.compiler import Source
from nn.gpu.session import Session
from nn.gpu import plan
from tests.unit.nn.gpu import test_steps as steps
assert plan.__file__.startswith(sys.argv[1] if sys.argv[1:] else "/")
made = [steps.sequential(*network) for network in steps.NETWORKS.values()]
dense = steps.NETWORKS["dense layers over the last axis"]
made += [steps.sequential(*dense, optimizer=o) for o in steps.OPTIMIZERS.values()]
for loss, activation, _ in steps.LOSSES.values():
    layers = lambda: [steps.nn.Dense(5, activation=activation)]
    made.append(steps.sequential((8,), layers, loss))
made.append(steps.sequential((7, 3), lambda: [steps.nn.Dense(4)], steps.nn.losses.CTC))
noise = steps.nn.Dropout, steps.nn.layers.AlphaDropout, steps.nn.layers.GaussianNoise
noise += steps.nn.layers.SpatialDropout1D, steps.nn.layers.GaussianDropout
drawing = lambda kind: lambda: [steps.nn.Dense(5), kind(0.5), steps.nn.Flatten(), steps.nn.Dense(5)]
made += [steps.sequential((4, 16), drawing(kind)) for kind in noise]
made += [steps.graph, steps.merged, steps.multiplied, steps.attention, steps.frozen]
kernels = {}
for build in made:
    for source in (Source(), Source(9, (None,) * 3, (False,), (True,))):
        for emulated in (False, True):
            for kernel in Session(build(), 6, source, emulated=emulated).plan.kernels:
                kernels.setdefault(kernel.name, []).append(kernel.code)
json.dump(kernels, sys.stdout)
"""


def kernels(*folder):
    run = subprocess.run(
        [sys.executable, "-c", WRITE, *folder],
        capture_output=True, text=True, check=False, cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT}/py", "PATH": ""},
    )  # fmt: skip
    assert not run.returncode, run.stderr[-2000:]
    return json.loads(run.stdout)


def test_the_packed_shaders_are_made_of_the_words_and_signs_of_those_that_the_tests_run(tmp_path):
    sources = bundle.modules(bundle.TARRED["gpu.tgz"], ROOT)
    with tarfile.open(fileobj=io.BytesIO(bundle.tarred(sources)), mode="r:") as archive:
        archive.extractall(tmp_path, filter="data")
    packed, own = kernels(str(tmp_path / "nn")), kernels()
    assert packed.keys() == own.keys()
    assert len(own) > 40
    assert packed != own
    for name, codes in own.items():
        for text, code in zip(packed[name], codes, strict=True):
            assert len(text) <= len(code)
            assert TOKENS.findall(text) == TOKENS.findall(code), name
