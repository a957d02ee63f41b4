import farcall  # first: its listener must be there before the page knocks
import js
import nn
import numpy as np

X = np.random.default_rng(0).standard_normal((90, 12), np.float32)
Y = np.random.default_rng(1).integers(0, 3, 90)


def network():
    nn.set_random_seed(1)
    layers = [nn.Dense(8), nn.BatchNormalization(), nn.ReLU(), nn.Dropout(0.2)]
    model = nn.Sequential([nn.Input((12,)), *layers, nn.Dense(3, activation="softmax")])
    model.compile(nn.SGD(0.1, 0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


async def train(shared, on_batch=None, keep=None):
    """Train from the same seed, in the team or alone; returns what came out."""
    nn.distribution.set_distribution(nn.distribution.DataParallel() if shared else None)
    checkpoints = []
    if keep is not None:
        checkpoints.append(nn.ModelCheckpoint(lambda data, epoch: keep(data), save_freq=1))
    return await fitted(network(), on_batch, callbacks=checkpoints, seed=2)


async def go_on(checkpoint):
    """Train on, in the team, from where a checkpoint was made."""
    nn.distribution.set_distribution(nn.distribution.DataParallel())
    return await fitted(nn.io.load(bytes(checkpoint)), resume=True)


async def fitted(model, on_batch=None, **options):
    losses = []

    async def batch(number, logs):
        losses.append(logs["batch_loss"])
        if on_batch is not None:
            await on_batch(len(losses))

    await model.fit(X, Y, batch_size=16, epochs=3, on_train_batch_end=batch, **options)
    weights = [float(w.sum()) for w in model.get_weights()]
    return {"losses": losses, "says": model.distribution, "weights": weights}


farcall.serve({"train": train, "go_on": go_on, "nn": nn, "name": js.self.name})
