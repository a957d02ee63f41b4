"""The server app of examples/08-federation, which also writes what each round received and made.

It runs in Flower's own process, as a module of a copy of that app: see `tests.support.flower`.
"""

import os
import time
from pathlib import Path

import numpy as np
from learn import server_app

OUT = Path(os.environ["LEARN_OUT"])


class Recording(server_app.Shown):
    def configure_train(self, server_round, arrays, config, grid):
        messages = list(super().configure_train(server_round, arrays, config, grid))
        self.start = time.time()  # enough nodes are there
        return messages

    def aggregate_train(self, server_round, replies):
        replies, saved = list(replies), {"start": self.start, "end": time.time()}
        good = [reply for reply in replies if reply.has_content()]
        for number, reply in enumerate(good):
            saved[f"node-{number}"] = np.uint64(reply.metadata.src_node_id)
            saved[f"count-{number}"] = reply.content["metrics"]["num-examples"]
            arrays = reply.content["arrays"].to_numpy_ndarrays()
            saved |= {f"reply-{number}-{place}": array for place, array in enumerate(arrays)}
        saved |= {f"sent-{name}": array for name, array in self._sent.items()}
        arrays, metrics = super().aggregate_train(server_round, replies)
        made = arrays.to_numpy_ndarrays()
        saved |= {f"made-{place}": array for place, array in enumerate(made)}
        saved["dropped"] = [reason for number, _, reason in self.dropped if number == server_round]
        saved["errors"] = [reply.error.reason for reply in replies if reply.has_error()]
        np.savez(OUT / "unfinished.npz", **saved)
        (OUT / "unfinished.npz").rename(OUT / f"round-{server_round}.npz")
        return arrays, metrics

    def aggregate_evaluate(self, server_round, replies):
        metrics = super().aggregate_evaluate(server_round, replies)
        (OUT / f"evaluated-{server_round}").write_text(str(time.time()))
        return metrics


server_app.Shown = Recording
app = server_app.app
