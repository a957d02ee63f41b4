"""The example's server app, which also writes what each round received and made of it."""

import os
from pathlib import Path

import numpy as np
from learn import server_app

OUT = Path(os.environ["LEARN_OUT"])


class Recording(server_app.Shown):
    def aggregate_train(self, server_round, replies):
        replies, saved = list(replies), {}
        for number, reply in enumerate(replies):
            saved[f"count-{number}"] = reply.content["metrics"]["num-examples"]
            arrays = reply.content["arrays"].to_numpy_ndarrays()
            saved |= {f"reply-{number}-{place}": array for place, array in enumerate(arrays)}
        saved |= {f"sent-{name}": array for name, array in self._sent.items()}
        arrays, metrics = super().aggregate_train(server_round, replies)
        made = arrays.to_numpy_ndarrays()
        saved |= {f"made-{place}": array for place, array in enumerate(made)}
        np.savez(OUT / "unfinished.npz", **saved)
        (OUT / "unfinished.npz").rename(OUT / f"round-{server_round}.npz")
        return arrays, metrics


server_app.Shown = Recording
app = server_app.app
