"""The shared weights are the same in the layouts of Keras, PyTorch and ONNX."""

import numpy as np
import pytest

from tests.bench import networks


def test_every_call_gives_the_same_weights():
    first, second = networks.initial_weights("seed"), networks.initial_weights("seed")
    assert sum(a.size for a in first) == 53_866
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("network", networks.NETWORKS)
def test_no_weight_is_lost_in_another_layout(network):
    ours = np.sort(np.concatenate([a.ravel() for a in networks.initial_weights(network)]))
    theirs = np.concatenate([a.ravel() for _, a in networks.nchw_weights(network)])
    assert np.array_equal(ours, np.sort(theirs))


def test_a_dense_layer_after_channels_first_flattening_gives_the_same():
    network, weight = "lenet", "5.weight"
    kernel = networks.initial_weights(network)[4]
    turned = dict(networks.nchw_weights(network))[weight]
    x = np.random.default_rng(0).random((3, 5, 5, 16))
    flat, channels_first = x.reshape(3, -1), x.transpose(0, 3, 1, 2).reshape(3, -1)
    np.testing.assert_allclose(flat @ kernel, channels_first @ turned.T, rtol=1e-5)


def test_onnx_has_the_gates_of_an_lstm_in_its_own_order():
    keras = dict(networks.nchw_weights("lstm"))["1.lstm_ih"]
    onnx = dict(networks.onnx_weights("lstm"))["1.lstm_ih"]
    i, f, c, o = np.split(keras, 4)
    assert np.array_equal(onnx[0], np.concatenate([i, o, f, c]))
