"""Write the files beside this one: recurrent networks of PyTorch, by both of its exporters.

pip install torch==2.13.0 onnx==1.23.2 onnxscript==0.7.2 && python write.py

Notes of the exporter are taken out of the files: they name folders of the machine.
"""

from pathlib import Path

import onnx
import torch
from torch import nn

HERE = Path(__file__).resolve().parent


class Tagger(nn.Module):
    """A number of each word: two layers of both directions."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(11, 4)
        self.rnn = nn.LSTM(4, 3, num_layers=2, batch_first=True, bidirectional=True, dropout=0.1)
        self.dense = nn.Linear(6, 5)

    def forward(self, x):
        return self.dense(self.rnn(self.words(x))[0])


class Last(nn.Module):
    """The output of the last step."""

    def __init__(self, kind, **options):
        super().__init__()
        self.rnn = kind(4, 3, batch_first=True, **options)
        self.dense = nn.Linear(6 if options else 3, 2)

    def forward(self, x):
        return self.dense(self.rnn(x)[0][:, -1])


class Hidden(nn.Module):
    """The last states of both directions."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(4, 3, batch_first=True, bidirectional=True)
        self.dense = nn.Linear(6, 2)

    def forward(self, x):
        _, (h, _) = self.rnn(x)
        return self.dense(torch.cat((h[-2], h[-1]), 1))


class Steps(nn.Module):
    """The batch as the second axis, PyTorch's default."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(4, 3, num_layers=2)
        self.dense = nn.Linear(3, 2)

    def forward(self, x):
        return torch.relu(self.dense(self.rnn(x)[0]))


class Words(nn.Module):
    """The next word of a text, as in PyTorch's own example: the batch is the second axis."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(11, 4)
        self.rnn = nn.RNN(4, 3, nonlinearity="relu")
        self.dense = nn.Linear(3, 11)

    def forward(self, x):
        return self.dense(self.rnn(self.words(x))[0])


class States(nn.Module):
    """Initial states as inputs, last states as outputs."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(4, 3)

    def forward(self, x, h, c):
        y, (h, c) = self.rnn(x, (h, c))
        return y, h, c


def numbers(*shape):
    return torch.randint(0, 11, shape)


torch.manual_seed(0)
rows, turned = torch.randn(2, 5, 4), torch.randn(5, 2, 4)
networks = {
    "tagger": (Tagger(), (numbers(2, 5),), {0: "n"}),
    "lstm_last": (Last(nn.LSTM), (rows,), {0: "n"}),
    "gru_last": (Last(nn.GRU, bidirectional=True), (rows,), {0: "n", 1: "steps"}),
    "rnn_last": (Last(nn.RNN), (rows,), {0: "n"}),
    "hidden": (Hidden(), (rows,), {0: "n"}),
    "steps": (Steps(), (turned,), {1: "n"}),
    "words": (Words(), (numbers(5, 2),), {0: "steps", 1: "n"}),
    "states": (States(), (turned, torch.randn(1, 2, 3), torch.randn(1, 2, 3)), {1: "n"}),
}


def write(name, network, arrays, free, dynamo):
    path = HERE / f"{name}_{'dynamo' if dynamo else 'script'}.onnx"
    inputs = [f"x{i}" for i in range(len(arrays))]
    axes = [free, *[{1: "n"}] * (len(arrays) - 1)]
    if dynamo:
        dynamic = tuple(dict.fromkeys(named, torch.export.Dim.DYNAMIC) for named in axes)
        options = {"dynamic_shapes": dynamic, "external_data": False}
    else:
        options = {"dynamic_axes": dict(zip(inputs, axes, strict=True))}
    torch.onnx.export(network, arrays, path, input_names=inputs, dynamo=dynamo, **options)
    model = onnx.load(path)
    del model.metadata_props[:]
    for part in (model.graph, *model.graph.node, *model.graph.input, *model.graph.output,
                 *model.graph.value_info, *model.graph.initializer):  # fmt: skip
        del part.metadata_props[:]
        part.ClearField("doc_string")
    onnx.save(model, path)


for name, (network, arrays, free) in networks.items():
    write(name, network.eval(), arrays, free, dynamo=False)
    # The newer exporter takes the RNN apart, step by step, and no embedding of unknown length.
    if name not in ("words", "rnn_last"):
        write(name, network, arrays, free, dynamo=True)
