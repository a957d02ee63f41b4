"""A page that only predicts: it is sent the part of the engine that does, and no more."""

import json
import re

import nn
import numpy as np
import pytest

from tools.serve import ROOT

FOLDER = "tests/browser/predicting/"
MNIST = ROOT / "static" / "vendor" / "mnist"
PACKS = "static/vendor/python/"
PARTS = ("images-idx3", "labels-idx1")


@pytest.fixture(scope="module")
def digits():
    """Real digits, (10,000, 28, 28) of uint8, with their labels."""
    files = [(MNIST / f"t10k-{part}-ubyte.gz").read_bytes() for part in PARTS]
    return [nn.parse_idx(file) for file in files]


@pytest.fixture(scope="module")
def model(digits):
    """A small network that was trained a little, on CPython."""
    nn.set_random_seed(1)
    layers = [nn.Conv2D(4, 3, activation="relu"), nn.MaxPooling2D(), nn.Flatten()]
    network = nn.Sequential(
        [nn.Input((28, 28, 1)), nn.Rescaling(1 / 255), *layers, nn.Dense(10, activation="softmax")]
    )
    network.compile("adam", "sparse_categorical_crossentropy")
    images, labels = digits
    for start in range(0, 3200, 64):
        some = slice(start, start + 64)
        network.train_on_batch(images[some, :, :, None], labels[some])
    return network


def opened(site, open_page, model, image):
    """What the page found, and the bytes it moved by path."""
    site.replace(f"{FOLDER}model.npz", nn.io.save(model))
    site.replace(f"{FOLDER}picture.bin", image.tobytes())
    page = open_page(f"{site.url}{FOLDER}index.html")
    page.wait_for_phase("ready")
    data = page.execute_script("return {...document.documentElement.dataset}")
    assert page.execute_script("return document.getElementById('digit').textContent")
    return data, {request.path: request.sent for request in site.requests}


@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "A page that only predicts is sent, and imports, no training: 488 kB of Python, not 1,017",
)
def test_a_page_that_only_predicts_moves_no_training(site, open_page, digits, model):
    image = digits[0][9000]
    want = model.predict_on_batch(image[None, :, :, None])[0]
    assert want.argmax() == digits[1][9000]

    data, moved = opened(site, open_page, model, image)
    np.testing.assert_allclose(json.loads(data["found"]), want, atol=1e-5, rtol=0)
    assert data["training"].startswith(
        "nn.training.step: expected the whole engine, received the part"
    )
    assert (ROOT / PACKS / "predict.zip").stat().st_size <= 500_000
    assert f"{PACKS}predict.zip" in moved
    assert not {f"{PACKS}training.zip", f"{PACKS}formats.zip"} & set(moved)

    site.requests.clear()
    packs = f'"../../../{PACKS}predict.zip" = "./*"\n'
    both = packs + packs.replace("predict", "training")
    site.replace(f"{FOLDER}worker.toml", lambda text: text.replace(packs, both))
    data, whole = opened(site, open_page, model, image)
    np.testing.assert_allclose(json.loads(data["found"]), want, atol=1e-5, rtol=0)
    assert data["training"] == "here"
    more = sum(whole.values()) - sum(moved.values())
    rest = (ROOT / PACKS / "training.zip").stat().st_size
    assert rest <= more < rest + 1000  # the configuration is a line longer too
    assert moved[f"{PACKS}predict.zip"] < 0.65 * (moved[f"{PACKS}predict.zip"] + rest)


def test_the_docs_state_the_parts_sizes(packed):
    """Within 3 %: kB of what a page loads that only predicts, and of all parts."""
    stated = re.search(r"(\d+) kB \(zip\) in place of (\d+)", (ROOT / "docs/nn.md").read_text())
    sizes = [
        (ROOT / PACKS / f"{name}.zip").stat().st_size for name in ("predict", "training", "formats")
    ]
    assert [int(n) for n in stated.groups()] == pytest.approx(
        [sizes[0] / 1000, sum(sizes) / 1000], rel=0.03
    )
