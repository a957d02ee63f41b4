import farcall  # first: its listener must be there before the page knocks
import nn
import numpy as np
from nn.gpu import devices

X = np.random.default_rng(0).standard_normal((70, 8), np.float32)
Y = np.random.default_rng(1).integers(0, 3, 70)


def network(device):
    model = nn.Sequential(
        [nn.Input((8,)), nn.Dense(12, activation="relu"), nn.Dense(3, activation="softmax")]
    )
    rng = np.random.default_rng(2)
    model.set_weights([rng.normal(0, 0.3, w.shape) for w in model.get_weights()])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], device=device)
    return model


async def trained(device, **hooks):
    model = network(device)
    history = await model.fit(X, Y, batch_size=16, epochs=2, seed=3, **hooks)
    return model, history.history


def worst(one, two):
    pairs = zip(one.get_weights(), two.get_weights(), strict=True)
    return max(float(np.abs(a - b).max()) for a, b in pairs)


async def open_gpu():
    """Open a GPU; returns its name, or why there is none."""
    return await nn.gpu.open(emulated=True) or nn.gpu.reason()


async def train(times, reached):
    """Train twice: unbroken, and with waits in which the page's GPU process dies."""
    await open_gpu()
    whole, _ = await trained("gpu")
    batches = []
    waits = []

    async def wait(batch, logs):
        batches.append(batch)
        if len(waits) < times and (not waits or devices.opened() is not waits[-1]):
            waits.append(devices.opened())
            await reached(f"{len(waits)} of {times}")

    broken, _ = await trained("gpu", on_train_batch_end=wait)
    return {"device": broken.device, "off": worst(whole, broken), "batches": len(batches)}


async def compare():
    """Train on both, stop a run and resume it; returns what came out."""
    name = await nn.gpu.open(emulated=True)
    if name is None:
        model, _ = await trained("auto")
        return {"reason": nn.gpu.reason(), "device": model.device}
    here, history = await trained("cpu")
    there, other = await trained("gpu")
    devices.opened().emulated = False  # as on a card: workgroups compute products by tiles
    tiled, _ = await trained("gpu")
    devices.opened().emulated = True
    kept = {"by tiles": worst(here, tiled)}

    def stop(batch, logs):
        if logs["epoch"] == 0 and batch == 1:
            stopped.stop()

    stopped = network("gpu")
    await stopped.fit(X, Y, batch_size=16, epochs=2, seed=3, on_train_batch_end=stop)
    kept["batches"] = stopped.optimizer.iterations
    await stopped.fit(X, Y, batch_size=16, epochs=2, resume=True)

    async def ask(batch, logs):
        kept["while training"] = len(await predicting.predict(X[:2]))

    predicting = network("gpu")
    await predicting.fit(X, Y, batch_size=16, on_train_batch_end=ask)

    def lose(batch, logs):
        devices.opened()._device.destroy()

    losing, _ = await trained("gpu", on_train_batch_end=lose)
    kept["lost"] = losing.device
    return kept | {
        "device": there.device,
        "weights": worst(here, there),
        "resumed": worst(there, stopped),
        "after losses": worst(there, losing),
        "losses": [history["loss"], other["loss"]],
        "accuracies": [history["accuracy"], other["accuracy"]],
    }


farcall.serve({"compare": compare, "open_gpu": open_gpu, "train": train})
