"""A table that the user brings: a small dense network learns one column from the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import nn
import numpy as np
from nn.callbacks import Callback

from app.lab.images.import_data import OwnDataError
from app.lab.tabular.columns import FEWEST, Column, Encoding, read, spread, standard
from app.language import tr

UNITS = 16
BATCH, RATE = 16, 0.01
ASIDE = 5  # every fifth row is for the test
TARGETS = ("species", "variety", "class", "label", "target")


class Table:
    """Served as `lab.table`.

    Args:
        download: coroutine function that returns the bytes at an address.
    """

    def __init__(self, download: Callable[[str], Awaitable[bytes]]) -> None:
        self._download = download
        self._columns: list[Column] = []
        self._target: Column | None = None
        self._encoding: Encoding | None = None
        self._scale = (0.0, 1.0)  # mean and deviation of a target of numbers
        self._model: Any = None

    async def open(self, name: str, url: str) -> dict[str, Any]:
        """Read a CSV file; return {rows, columns, left, target}.

        Raises:
            OwnDataError: it is no table.
        """
        columns, left = read(name, await self._download(url))
        self._columns, self._model = columns, None
        texts = [n for n, column in enumerate(columns) if column.values is not None]
        usual = [n for n, column in enumerate(columns) if column.name.lower() in TARGETS]
        return {
            "rows": len(columns[0].cells),
            "columns": [column.described() for column in columns],
            "left": left,
            "target": [*usual, *texts[::-1], len(columns) - 1][0],
        }

    async def train(
        self,
        target: int,
        epochs: int,
        seed: int,
        on_epoch: Callable[[int, dict[str, float]], Any],
    ) -> dict[str, Any]:
        """Train a new network to tell one column from the others, and test it.

        Args:
            target: which column.
            epochs: of the training.
            seed: of the first weights and of the order of rows.
            on_epoch: called with the number of each epoch, from 1, and {loss, val_loss}, with
                {accuracy, val_accuracy} for classes or {error, val_error} for numbers: mean
                absolute errors, in the column's unit.

        Returns:
            {classes, right, guess, tested, without}: names, shares of test rows that the network
            and the most frequent class have right, rows tested, rows without a target; for a
            column of numbers classes is None, and right and guess are mean absolute errors, of the
            network and of the mean.

        Raises:
            OwnDataError: too few rows have a value in that column.
        """
        column = self._columns[target].as_classes()
        others = [c for place, c in enumerate(self._columns) if place != target]
        given = np.array([n for n, cell in enumerate(column.cells) if cell is not None])
        if len(given) < FEWEST:
            raise OwnDataError(
                tr(
                    "{name}: expected a value in {fewest} rows, got it in {count}",
                    name=column.name,
                    count=len(given),
                    fewest=FEWEST,
                )
            )
        order = np.random.default_rng(seed).permutation(given)
        test, train = order[::ASIDE], np.delete(order, slice(None, None, ASIDE))
        encoding = Encoding(others, train)
        self._target, self._encoding = column, encoding
        truth = self._truth(column, train)
        model = self._network(column, encoding.width, seed)
        self._model = model
        x, y = encoding.rows(train), truth(train)
        await model.fit(
            x, y, epochs=epochs, batch_size=BATCH, seed=seed, verbose=0,
            validation_data=(encoding.rows(test), truth(test)),
            callbacks=[_Epochs(on_epoch, None if column.values else self._scale[1])],
        )  # fmt: skip
        answers = await model.predict(encoding.rows(test))
        return {
            "classes": column.values,
            "tested": len(test),
            "without": column.missing,
            **self._score(column, answers, train, test),
        }

    def _network(self, column: Column, width: int, seed: int) -> Any:
        nn.set_random_seed(seed)
        classes = column.values
        last = nn.Dense(len(classes), activation="softmax") if classes else nn.Dense(1)
        hidden = [nn.Dense(UNITS, activation="relu"), nn.Dense(UNITS, activation="relu")]
        model = nn.Sequential([nn.Input((width,)), *hidden, last])
        loss = "sparse_categorical_crossentropy" if classes else "mse"
        metric = "accuracy" if classes else "mae"
        model.compile(nn.Adam(learning_rate=RATE), loss, metrics=[metric])
        return model

    def _truth(self, column: Column, train: Any) -> Callable[[Any], Any]:
        """Return what makes of row numbers the target as a network learns it."""
        values = column.values
        if values is not None:
            return lambda rows: np.array([values.index(column.cells[n]) for n in rows], np.int32)
        self._scale = spread([column.cells[n] for n in train])
        return lambda rows: np.array(
            [[standard(column.cells[n], *self._scale)] for n in rows], np.float32
        )

    def _score(self, column: Column, answers: Any, train: Any, test: Any) -> dict[str, float]:
        truth = [column.cells[n] for n in test]
        if column.values is None:
            mean, deviation = self._scale
            off = np.array(truth) - mean
            wrong = np.abs(answers[:, 0].astype(np.float64) * deviation - off)
            return {"right": float(wrong.mean()), "guess": float(np.abs(off).mean())}
        named = [column.values[place] for place in answers.argmax(axis=1)]
        most = Counter(column.cells[n] for n in train).most_common(1)[0][0]
        return {
            "right": float(np.mean([a == b for a, b in zip(named, truth, strict=True)])),
            "guess": truth.count(most) / len(truth),
        }

    async def answer(self, cells: list[Any]) -> dict[str, Any]:
        """Return what the network makes of a row without its target: {classes, shares, value}.

        Args:
            cells: numbers, texts or None, one for each column but the target.

        Raises:
            OwnDataError: no network is trained, or there are not as many cells as columns.
        """
        if self._model is None or self._encoding is None or self._target is None:
            raise OwnDataError("expected a trained network")
        if len(cells) != len(self._encoding.columns):
            raise OwnDataError(f"expected {len(self._encoding.columns)} cells, got {len(cells)}")
        row = np.array([self._encoding.row(cells)], np.float32)
        [found] = await self._model.predict(row)
        if self._target.values is None:
            mean, deviation = self._scale
            return {"classes": None, "shares": [], "value": float(found[0]) * deviation + mean}
        return {
            "classes": self._target.values,
            "shares": [float(share) for share in found],
            "value": self._target.values[int(found.argmax())],
        }


class _Epochs(Callback):
    """Reports each epoch; a column of numbers has a deviation, in which its errors are counted."""

    def __init__(
        self, on_epoch: Callable[[int, dict[str, float]], Any], deviation: float | None
    ) -> None:
        super().__init__()
        self._on_epoch, self._deviation = on_epoch, deviation

    def on_epoch_end(self, epoch: int, logs: Any = None) -> Any:
        figures = {name: float(logs[name]) for name in ("loss", "val_loss")}
        for part in ("", "val_"):
            if self._deviation is None:
                figures[part + "accuracy"] = float(logs[part + "accuracy"])
            else:
                figures[part + "error"] = float(logs[part + "mae"]) * self._deviation
        return self._on_epoch(epoch + 1, figures)
