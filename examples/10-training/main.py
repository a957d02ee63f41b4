import asyncio

import farcall
from js import document


def show(epoch, logs):
    if epoch % 10 == 0:
        item = document.createElement("li")
        item.textContent = f"epoch {epoch}: loss {logs['loss']:.3f}"
        document.getElementById("losses").append(item)


async def main():
    worker = await farcall.connect("trainer")
    nn = worker.nn
    await nn.set_random_seed(1)
    spirals = await worker.Spirals(200)
    model = await nn.Sequential(
        [
            nn.Input((2,)),
            nn.Dense(32, activation="tanh"),
            nn.Dense(32, activation="tanh"),
            nn.Dense(2, activation="softmax"),
        ]
    )
    await model.compile(nn.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    await model.fit(spirals.points, spirals.labels, epochs=100, batch_size=50, on_epoch_end=show)
    _, accuracy = await model.evaluate(spirals.points, spirals.labels)
    document.getElementById("accuracy").textContent = f"{accuracy:.0%}"
    document.documentElement.dataset.phase = "ready"


task = asyncio.create_task(main())
