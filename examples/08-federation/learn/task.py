"""The network, a device's images, and its training: the same on CPython and in a browser."""

import nn
import numpy as np
from federation import expect_network
from nn import federated

IMAGES = 2000  # of each device
HELD_OUT = 200  # of them, never trained on
BATCH = 50
CLASSES = list("0123456789")
MOST = float(np.finfo(np.float32).max)
SETTINGS = {  # of a round: type, least, most, and the default; None where it must be given
    "learning-rate": (float, 0.0, MOST, None),
    "epochs": (int, 1, 1000, None),
    "server-round": (int, 0, 2**64, None),
    "proximal-mu": (float, 0.0, MOST, 0.0),
    "clipping-norm": (float, 0.0, MOST, 0.0),
    "noise-multiplier": (float, 0.0, MOST, 0.0),
}


def network():
    """Return the network of this federation, 53,866 parameters: what the page begins with."""
    nn.set_random_seed(11)
    layers = [
        nn.Conv2D(8, 3, activation="relu"), nn.MaxPooling2D(),
        nn.Conv2D(16, 3, activation="relu"), nn.MaxPooling2D(),
        nn.Flatten(), nn.Dense(128, activation="relu"), nn.Dense(10, activation="softmax"),
    ]  # fmt: skip
    return nn.Sequential([nn.Input((28, 28, 1)), *layers])


def share(data, number):
    """Return training and test images of one device, Datasets of 2,000 images of its own.

    Args:
        data: all images; 60,000 are enough for 30 devices.
        number: of the device; that of a node of Flower will do.
    """
    own = data.take(IMAGES, start=number * IMAGES % len(data))
    return own.take(IMAGES - HELD_OUT), own.take(HELD_OUT, start=IMAGES - HELD_OUT)


class Proximal(nn.Callback):
    """FedProx's term: pull each step back to the weights that were received (arXiv:1812.06127)."""

    def __init__(self, mu, rate, received):
        super().__init__()
        self.factor, self.received, self.before = np.float32(mu * rate), received, []

    def on_train_batch_begin(self, batch, logs=None):
        self.before = self.model.get_weights()

    def on_train_batch_end(self, batch, logs=None):
        parts = zip(self.model.get_weights(), self.before, self.received, strict=True)
        self.model.set_weights([new - self.factor * (old - sent) for new, old, sent in parts])


class Device:
    """One participant.

    Args:
        model: the network that learns.
        train: Dataset of images that never leave the device.
        test: Dataset of images that it never trains on.
    """

    def __init__(self, model, train, test):
        self.model, self.train_set, self.test_set = model, train, test
        self.compile(0.1)

    def compile(self, rate):
        loss = "sparse_categorical_crossentropy"
        self.model.compile(nn.SGD(rate), loss, metrics=["accuracy"])

    def take(self, received):
        """Use the federation's weights; raises NetworkMismatchError if they are of another."""
        expect_network(received, self.model.get_weights())
        self.model.set_weights(received)

    async def train(self, received, config):
        """Train from these weights; returns what may leave the device, and metrics."""
        expect_classes(self.train_set.class_names, config.get("classes"))
        asked = settings(config)
        self.take(received)
        rate, mu = asked["learning-rate"], asked["proximal-mu"]
        self.compile(rate)
        history = await self.model.fit(
            self.train_set, batch_size=BATCH, epochs=asked["epochs"],
            seed=asked["server-round"], callbacks=[Proximal(mu, rate, received)] if mu else [],
        )  # fmt: skip
        metrics = {"loss": history.history["loss"][-1], "num-examples": len(self.train_set)}
        return private(self.model.get_weights(), received, asked), metrics

    async def evaluate(self, received):
        """Return loss and accuracy of these weights on this device's held-out images."""
        self.take(received)
        found = await self.model.evaluate(self.test_set, return_dict=True)
        return found | {"num-examples": len(self.test_set)}


def settings(config):
    """Return the numbers of `SETTINGS`, each checked before anything is changed.

    Raises:
        MissingRecordError: one without a default is missing.
        ValueError: one is of another type, or not within its bounds; the message names it.
    """
    asked = {}
    for name, (kind, least, most, usual) in SETTINGS.items():
        value = config[name] if usual is None else config.get(name, usual)
        kinds = (int,) if kind is int else (int, float)
        if type(value) not in kinds or not least <= value <= most:
            raise ValueError(
                f"{name}: expected a{' whole' if kind is int else ''} number from {least} to "
                f"{most:.6g}, received {value!r}"
            )
        asked[name] = value
    if asked["noise-multiplier"] and not asked["clipping-norm"]:
        raise ValueError("expected a clipping-norm with a noise-multiplier, received none")
    return asked


def expect_classes(own, wanted):
    """Raises ValueError if the images' classes have names, and not those of the federation."""
    if own and wanted and list(own) != wanted:
        names = ", ".join(map(str, wanted if isinstance(wanted, list) else [wanted]))
        raise ValueError(
            f"expected images of the classes {names}, this device has {', '.join(own)}"
        )


def private(trained, received, asked):
    """Clip the update and add noise, if the federation asks for it, before anything leaves.

    `clipping-norm` bounds the L2 norm of the update; `noise-multiplier` times that norm is the
    standard deviation of the noise of each number.
    """
    norm, multiplier = asked["clipping-norm"], asked["noise-multiplier"]
    if norm:
        trained = federated.clip_update(trained, received, norm)
    if multiplier:
        rng = np.random.default_rng()  # seeded by the operating system or the browser
        trained = federated.add_gaussian_noise(trained, multiplier * norm, rng)
    return trained
