"""ConvLSTM2DCell: one step of ConvLSTM2D."""

from __future__ import annotations

from nn.layers.cells import Cell, cell_of
from nn.layers.conv_lstm import ConvLSTM2D


@cell_of(ConvLSTM2D)
class ConvLSTM2DCell(Cell):
    """One step of ConvLSTM2D, with its arguments and weights: `cell(x, [h, c])` -> [h, h, c].

    x is (n, h, w, channels); the states have the output's shape. ConvLSTM2D itself runs it over
    sequences; RNN does not, as in TensorFlow.js. Keras has no such class.
    """
