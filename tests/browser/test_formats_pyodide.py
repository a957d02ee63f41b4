"""Files written on CPython are read under Pyodide, and artifacts come from their addresses."""

import hashlib
import io
import json
import re
import textwrap
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import nn
import numpy as np
import pyfive
import pytest
from nn.ort.artifacts import FILES, generate_artifacts
from PIL import Image

from tools.serve import ROOT

PAGE = """<!doctype html><meta charset="utf-8"><title>Formats</title>
<link rel="icon" href="data:,">
<script type="module">
import {loadPyodide} from "./static/vendor/pyodide/pyodide.mjs";
const pyodide = await loadPyodide();
await pyodide.loadPackage("numpy", {messageCallback() {}});
const archive = await (await fetch("modules.zip")).arrayBuffer();
pyodide.unpackArchive(archive, "zip");
window.run = code => pyodide.runPythonAsync(code);
</script>
"""

# Arguments: code. The result is text, or {error}.
RUN = """
const [code, done] = arguments;
run(code).then(done, error => done("Error: " + error.message));
"""

LOAD = """
import hashlib
import json
import numpy as np
import nn
from pyodide.http import pyfetch

async def content(name):
    return await (await pyfetch(name)).bytes()

x = np.frombuffer(await content("model/x.bin"), "<f4")
x = x.reshape(3, 8, 8, 1)
answers = {}
for name in ("npz", "safetensors", "tfjs", "keras", "onnx"):
    model = nn.io.load(await content("model/" + name))
    answers[name] = model.predict_on_batch(x).tolist()
resaved = nn.io.load(nn.io.save(nn.io.load(await content("model/npz"))))
answers["digest"] = hashlib.sha256(nn.federated.to_buffer(resaved.get_weights())).hexdigest()
json.dumps(answers)
"""

TRAIN = """
import json
import numpy as np
import nn

names = {names!r}
session = await nn.TrainingSession.create(**{{k: "model/" + v for k, v in names.items()}})
rng = np.random.default_rng(0)
feeds = {{"input": rng.random((8, 8, 8, 1), dtype="f4"), "labels": np.arange(8) % 3}}
losses = []
for _ in range(5):
    losses.append(session.run_train_step(feeds)["loss"])
    session.run_optimizer_step()
    session.lazy_reset_grad()
try:
    await nn.TrainingSession.create(**names | {{"train_model": "model/none.json"}})
except nn.io.FormatError as error:
    losses.append(str(error))
json.dumps(losses)
"""


def classifier():
    layers = [nn.Conv2D(4, 3, activation="relu"), nn.MaxPooling2D(), nn.Flatten()]
    model = nn.Sequential([nn.Input((8, 8, 1)), *layers, nn.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def modules():
    """Return a zip of the packages nn and pyfive, pure Python both, as wheels are."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for package in (nn, pyfive):
            folder = Path(package.__file__).parent
            for path in folder.rglob("*.py"):
                archive.write(path, path.relative_to(folder.parent))
        # pyfive asks for its own version when it is imported.
        metadata = distribution("pyfive").read_text("METADATA")
        archive.writestr("pyfive.dist-info/METADATA", metadata)
    return stream.getvalue()


@pytest.fixture(scope="module")
def page(module_site, open_module_page):
    module_site.replace("formats.html", PAGE)
    module_site.replace("modules.zip", modules())
    page = open_module_page(module_site.url + "formats.html")
    page.until("typeof window.run == 'function'", timeout=60)
    return page


def result(page, code):
    text = page.execute_async_script(RUN, code)
    assert not text.startswith("Error: "), text
    return json.loads(text)


def test_every_format_is_read_under_pyodide(page, module_site):
    model = classifier()
    x = np.random.default_rng(0).random((3, 8, 8, 1), dtype=np.float32)
    module_site.replace("model/x.bin", x.tobytes())
    for name in nn.io.FORMATS:
        module_site.replace(f"model/{name}", nn.io.save(model, name))
    answers = result(page, LOAD)
    weights = nn.federated.to_buffer(model.get_weights())
    assert answers.pop("digest") == hashlib.sha256(weights).hexdigest()
    assert set(answers) == set(nn.io.FORMATS)
    for name, predictions in answers.items():
        np.testing.assert_allclose(predictions, model.predict_on_batch(x), atol=1e-6, err_msg=name)


OPEN = """
import json
import numpy as np
import nn
from pyodide.http import pyfetch

model = nn.io.load(await (await pyfetch("model/full_heap.keras")).bytes())
kernel = model.get_layer("dense").kernel.numpy()
made = model.predict_on_batch(np.eye(3, dtype=np.float32))
json.dumps([kernel.shape, float(np.abs(made - np.maximum(kernel, 0)).max())])
"""


def test_a_keras_file_whose_names_fill_a_heap_is_read_under_pyodide(page, module_site):
    file = ROOT / "tests/unit/nn/io/hdf5/files/full_heap.keras"
    module_site.replace("model/full_heap.keras", file.read_bytes())
    shape, error = result(page, OPEN)
    assert shape == [3, 2]
    assert error < 1e-6


DECODE = """
import json
import js, numpy
import nn
from pyodide.ffi import to_js
from pyodide.http import pyfetch

{decoder}

packed = await (await pyfetch("model/pictures.zip")).bytes()
found = await nn.data.read_image_zip(packed, channels=3, decoder=decoder)
try:
    nn.data.parse_image_zip(packed)
except nn.errors.DataError as error:
    said = str(error)
json.dumps([found.x.tolist(), found.class_names, said])
"""


def test_the_guides_decoder_reads_photographs_in_the_browser(page, module_site):
    guide = (ROOT / "docs" / "nn.md").read_text()
    block = re.search(r"^( {4}async def decoder.*?)\n\n", guide, flags=re.M | re.S)
    y, x = np.mgrid[:24, :32]
    pixels = np.stack([4 * x + y, 255 - 5 * y, 100 + 2 * x + 2 * y], axis=-1).astype(np.uint8)
    picture, packed = io.BytesIO(), io.BytesIO()
    Image.fromarray(pixels).save(picture, "JPEG", quality=95)
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("cat/1.jpg", picture.getvalue())
    module_site.replace("model/pictures.zip", packed.getvalue())
    received, names, said = result(page, DECODE.format(decoder=textwrap.dedent(block[1])))
    assert np.abs(np.array(received)[0] - pixels).mean() < 3
    assert names == ["cat"]
    assert "cat/1.jpg" in said
    assert "decoder=" in said


@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "Four artifacts made offline, loaded from addresses or bytes",
)
def test_a_training_session_starts_from_addresses_in_the_browser(page, module_site):
    artifacts = generate_artifacts(classifier(), "adam")
    for part, name in FILES.items():
        module_site.replace(f"model/{name}", getattr(artifacts, part))
    names = {
        "checkpoint_state": FILES["checkpoint"],
        "train_model": FILES["training_model"],
        "optimizer_model": FILES["optimizer_model"],
    }
    page.expect_console("404")
    *losses, error = result(page, TRAIN.format(names=names))
    assert losses == sorted(losses, reverse=True)
    assert "404" in error or "none.json" in error
