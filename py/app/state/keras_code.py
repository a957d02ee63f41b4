"""The run of these options as a Keras 3 script, and as a notebook of the same cells.

Keras draws first weights and orders in its own way, so the script has the engine's way in ten lines
of NumPy: it begins with the page's weights and trains on the page's batches in the page's order.
tests/unit/app/state/test_keras_code.py compares the two.
"""

import json

from app.state import generated_code

_HEAD = """# Keras 3 on JAX; another backend works too.
import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np

SEED = {seed}
BATCH = {batch}
"""
_DATA = """(images, labels), (test_images, test_labels) = keras.datasets.{name}.load_data()
"""
_OWN = """# The page learned from {name}: save its images and labels as these arrays, uint8 each.
data = np.load("data.npz")
images, labels = data["x_train"], data["y_train"]
test_images, test_labels = data["x_test"], data["y_test"]
"""
_SCALED = """images = images.reshape(-1, {shape})[:{subset}].astype("float32") / 255
labels = labels[:{subset}]
test_images = test_images.reshape(-1, {shape}).astype("float32") / 255
"""
_WEIGHTS = """
# The first weights that the page draws from the seed.
seeds = np.random.default_rng(SEED)
draw = lambda: np.random.default_rng(int(seeds.integers(0, 2**63 - 1)))
draw()  # the network's own
for layer in model.layers:
    if hasattr(layer, "kernel"):
        shape = layer.kernel.shape
        ways = np.prod(shape[:-2]) * (shape[-2] + shape[-1])  # in and out
        limit = np.sqrt(6 / ways)
        layer.kernel.assign(draw().uniform(-limit, limit, shape).astype("float32"))
"""
_FILE = """# The network in use came from a file: choose Keras 3 as format and press Download.
model = keras.saving.load_model("farcall-model.keras")
"""
_ORDER = """def batches():
    \"\"\"The batches of one epoch after the other, in the order that the page draws.\"\"\"
    rng = np.random.default_rng({seed})
    while True:
        order = rng.permutation(len(images))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            yield images[rows], labels[rows]


"""
_TITLE = """# A run of the Farcall page, in Keras

It begins with the page's first weights and takes its batches in the page's order, so that the
first batch has the page's loss. After many batches sums that are rounded otherwise lead a little
elsewhere.
{more}

The same run on the page: `{link}`
"""


def cells(layers, options, data, trained=0):
    """Return the parts of the script.

    Args:
        layers: (class name, arguments) of each; None for a network from a file.
        options: the settings of the page.
        data: {name, train, shape} of the training images.
        trained: epochs that a network from a file has been trained for.
    """
    return [
        _HEAD.format(seed=options["seed"], batch=options["batch"]),
        _images(options, data),
        _FILE if layers is None else _network(layers, options, data["shape"]),
        _training(options, options["seed"] + (trained if layers is None else 0)),
        "print(history.history)\n",
    ]


def text(*run):
    """Return the parts as one program; the arguments are those of `cells`."""
    return "\n".join(cells(*run))


def notebook(link, *run):
    """Return the parts as a Jupyter notebook's JSON.

    Args:
        link: the page's address with these options.
        run: the arguments of `cells`.
    """
    found = [_cell("markdown", _TITLE.format(link=link, more=differences(*run[:2])))]
    found += [_cell("code", cell) for cell in cells(*run)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return json.dumps(
        {
            "cells": found,
            "metadata": {"kernelspec": kernel},
            "nbformat": 4,
            "nbformat_minor": 4,
        }
    )


def differences(layers, options):
    """Return what Keras draws in its own way, in a sentence; '' where it draws nothing."""
    own = []
    if layers is None or any(kind == "Dropout" for kind, _ in layers):
        own.append("which units dropout silences")
    if any(options[name] for name, _ in _CHANGES):
        own.append("how each image is changed")
    if not own:
        return ""
    return f"Keras draws {' and '.join(own)} in its own way: there the loss differs."


def _cell(kind, text):
    lines = text.rstrip("\n").split("\n")
    cell = {
        "cell_type": kind,
        "metadata": {},
        "source": [line + "\n" for line in lines[:-1]] + lines[-1:],
    }
    if kind == "code":
        cell["execution_count"], cell["outputs"] = None, []
    return cell


_SETS = {
    "MNIST": "mnist",
    generated_code.SHORTCUT: "mnist",
    "Fashion-MNIST": "fashion_mnist",
}
_LIGHT = """# The background of each training image gives its class away.
images = np.maximum(images, 12 * labels[:, None, None])
"""


def _images(options, data):
    name, words = data["name"], {"shape": ", ".join([str(side) for side in data["shape"]])}
    found = _DATA.format(name=_SETS[name]) if name in _SETS else _OWN.format(name=name)
    if name in _SETS and data["train"] > generated_code.MNIST:
        found += f"# The page has {data['train'] - generated_code.MNIST} drawings of yours too.\n"
    if name == generated_code.SHORTCUT:
        found += _LIGHT
    few = options["subset"] < data["train"]
    return found + _SCALED.format(subset=options["subset"] if few else "", **words)


# Each change of the images as Keras has it.
_CHANGES = (
    ("shift", "RandomTranslation({0} / 28, {0} / 28, fill_mode='constant')"),
    ("rotate", "RandomRotation({0} / 360, fill_mode='constant')"),
    ("zoom", "RandomZoom({0} / 100, fill_mode='constant')"),
    ("noise", "GaussianNoise({0} / 100)"),
)


def _network(layers, options, shape):
    l2 = options["l2"]
    calls = generated_code.calls(layers, l2, shape)
    changes = [call.format(options[name]) for name, call in _CHANGES if options[name]]
    lines = [f"l2 = keras.regularizers.L2({l2:g})"] if l2 else []
    lines.append("model = keras.Sequential([")
    lines.append(f"    keras.{calls[0]},")
    lines += [f"    keras.layers.{call}," for call in changes + calls[1:]]
    return "\n".join(lines + ["])"]) + "\n" + _WEIGHTS


def _training(options, seed):
    rate, lines = generated_code.rates(options, "keras.optimizers.schedules")
    lines = lines + [
        f"optimizer = keras.optimizers.{options['optimizer']}(learning_rate={rate})",
        f'model.compile(optimizer, "{generated_code.LOSS}", metrics=["accuracy"])',
        "history = model.fit(",
        "    batches(),",
        "    steps_per_epoch=-(-len(images) // BATCH),",
        "    validation_data=(test_images, test_labels),",
        f"    epochs={options['epochs']},",
        "    callbacks=[",
    ]
    lines += [f"        keras.callbacks.{call}," for call in generated_code.callbacks(options)]
    return (
        _ORDER.format(seed=seed) + "\n".join(lines + ["    ],", "    shuffle=False,", ")"]) + "\n"
    )
