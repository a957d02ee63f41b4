import farcall  # first: its listener must be there before the page knocks
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


async def train(shared, on_batch=None):
    """Train from the same seed, in the team or alone; returns what came out."""
    nn.distribution.set_distribution(nn.distribution.DataParallel() if shared else None)
    model = network()
    losses = []

    async def batch(number, logs):
        losses.append(logs["batch_loss"])
        if on_batch is not None:
            await on_batch(len(losses))

    await model.fit(X, Y, batch_size=16, epochs=3, seed=2, on_train_batch_end=batch)
    weights = [float(w.sum()) for w in model.get_weights()]
    return {"losses": losses, "says": model.distribution, "weights": weights}


farcall.serve({"train": train, "nn": nn})
