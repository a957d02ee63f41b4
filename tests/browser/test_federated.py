"""Three devices learn together: three workers, their own digits, parameters alone on the wire."""

import asyncio
import json

import nn
import numpy as np
import pytest
from nn import kernels
from nn.ort.artifacts import generate_artifacts
from nn.ort.session import TrainingSession

from tests.support import federation
from tools.serve import ROOT

MNIST = ROOT / "static" / "vendor" / "mnist"


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    """The four files, made on CPython, as a page ships them."""
    folder = tmp_path_factory.mktemp("artifacts")
    made = generate_artifacts(federation.network(), nn.SGD(0.1), metrics=["accuracy"])
    return made.write(folder)


async def on_cpython(artifacts):
    files = {path.name: path.read_bytes() for path in artifacts}
    sources = {name: files[file] for name, file in federation.PARTS}
    parts = [
        (MNIST / f"t10k-{part}-ubyte.gz").read_bytes() for part in ("images-idx3", "labels-idx1")
    ]
    data = nn.Dataset.from_idx(*parts)
    clients = [
        federation.Client(number, await TrainingSession.create(**sources), data)
        for number in range(federation.CLIENTS)
    ]
    parameters, losses = None, []
    for _ in range(federation.ROUNDS):
        results = [(client.train(parameters), client.examples) for client in clients]
        parameters = federation.combine(results)
        losses.append(clients[0].evaluate(parameters))
    return losses


@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "Three clients learn together, parameters alone on the wire",
)
def test_three_workers_learn_together_what_they_learn_on_cpython(
    packed, site, open_page, artifacts
):
    for path in artifacts:
        site.replace(f"tests/browser/federated/artifacts/{path.name}", path.read_bytes())
    page = open_page(site.url + "tests/browser/federated/index.html")
    page.until("document.documentElement.dataset.found", 60)
    found = json.loads(page.execute_script("return document.documentElement.dataset.found"))
    assert "error" not in found, found
    with kernels.use("numpy"):
        want = asyncio.run(on_cpython(artifacts))
    np.testing.assert_allclose(found["losses"], want, atol=1e-4, rtol=0)
    assert found["losses"][-1] < 0.6 * found["losses"][0]
    assert found["parameters"] == federation.network().count_params()
    assert found["examples"] == list(federation.EXAMPLES)
