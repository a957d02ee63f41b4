"""Checks that kernels agree with their NumPy references, on drawn shapes and layouts.

The reference runs in float64. If a kernel only adds and multiplies, its inputs are small integers,
so that every sum is exact in float32 and results must be equal; other kernels must agree up to
a few rounding errors. This is plain Python: the same checks run on CPython and in a browser.
"""

import math

import numpy as np
from nn import kernels
from nn.data.sampling import FILL_MODES, Sampled, Sampling
from nn.kernels import reference
from nn.kernels.binding import Binding
from nn.kernels.elementwise import CODES, ENDS, OF_INPUT
from nn.optimizers import RMSprop

F4 = np.float32
CUTS = (None, "relu", "relu6")  # exact on integers; the others have checks of their own
ROUNDING = 4 * 2.0**-24


class Draw:
    """A source of shapes, layouts and numbers; this one draws from a seed."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)

    def integer(self, low, high):
        return int(self.random.integers(low, high + 1))

    def pick(self, options):
        return options[self.integer(0, len(options) - 1)]

    def whole(self, *shape):
        """Return small integers in one of the layouts that callers may use."""
        return self._laid_out(self.random.integers(-4, 5, shape).astype(F4))

    def real(self, *shape):
        return self._laid_out((3 * self.random.standard_normal(shape)).astype(F4))

    def _laid_out(self, values):
        layout = self.pick(("plain", "plain", "reversed", "strided", "unaligned"))
        if layout == "reversed":
            return np.asfortranarray(values)
        if layout == "strided" and values.ndim:
            wide = np.zeros((*values.shape[:-1], 2 * values.shape[-1]), F4)
            wide[..., ::2] = values
            return wide[..., ::2]
        if layout == "unaligned":
            memory = np.zeros(values.nbytes + 1, np.uint8)[1:].view(F4).reshape(values.shape)
            memory[...] = values
            return memory
        return values

    def out(self, *shape):
        """Return None, or memory for a result, filled with values that must be overwritten."""
        layout = self.pick(("none", "plain", "strided"))
        if layout == "none":
            return None
        wide = np.full((*shape[:-1], 2 * shape[-1]), np.nan, F4)
        return wide[..., ::2] if layout == "strided" else np.ascontiguousarray(wide[..., ::2])


def doubled(*arrays):
    return [None if a is None else np.array(a, np.float64) for a in arrays]


def equal(got, want):
    np.testing.assert_array_equal(got, want)


def near(got, want, scale=1.0):
    np.testing.assert_allclose(got, want, rtol=ROUNDING * scale, atol=ROUNDING * scale)


def written(out, result):
    """Check that the result is in `out` if it was given."""
    assert out is None or result is out


def geometry(draw):
    """Return a convolution whose window fits its image: (x shape, w shape, options)."""
    kernel = draw.integer(1, 4), draw.integer(1, 4)
    strides, dilation = [(draw.integer(1, 3), draw.integer(1, 3)) for _ in range(2)]
    padding = _padding(draw)
    size = _room(draw, kernel, dilation, padding, 9)
    groups, inputs, filters = draw.pick((1, 1, 2, 3)), draw.integer(1, 9), draw.integer(1, 17)
    x = (draw.integer(0, 3), *size, inputs * groups)
    options = {"strides": strides, "padding": padding, "dilation": dilation, "groups": groups}
    return x, (*kernel, inputs, filters * groups), options


def _padding(draw):
    return tuple((draw.integer(0, 3), draw.integer(0, 3)) for _ in range(2))


def _room(draw, kernel, dilation, padding, more):
    """Return a height and a width that hold a window, and up to so many places more."""
    return [
        max(1, (k - 1) * d + 1 - sum(p)) + draw.integer(0, more)
        for k, d, p in zip(kernel, dilation, padding, strict=True)
    ]


def check_matmul(draw):
    m, n = (
        draw.pick((draw.integer(0, 20), draw.integer(60, 70), draw.integer(95, 104)))
        for _ in range(2)
    )
    k = draw.pick((0, 1, 5, 30, 300))
    a, b = draw.whole(m, k), draw.whole(k, n)
    if draw.pick((False, True)):
        a[:, draw.random.random(k) < 0.5] = 0  # steps that the packing leaves out
    bias = draw.pick((None, draw.whole(n)))
    activation, accumulate = draw.pick(CUTS), draw.pick((False, True))
    out = draw.whole(m, n) if accumulate else draw.out(m, n)
    a64, b64, bias64, out64 = doubled(a, b, bias, out)
    options = {"activation": activation, "accumulate": accumulate}
    want = reference.matmul(a64, b64, out64, bias=bias64, **options)
    got = kernels.matmul(a, b, out, bias=bias, **options)
    written(out, got)
    equal(got, want)


def check_batch_matmul(draw):
    n, g, m, k, w = (draw.integer(0, high) for high in (3, 3, 15, 5, 9))
    turned = draw.pick(((0, 1, 2, 3), (0, 2, 1, 3), (0, 1, 3, 2), (1, 0, 3, 2)))
    back = np.argsort(turned)
    a = draw.whole(*np.take((n, g, m, k), turned)).transpose(back)
    b = draw.whole(*np.take((n, g, k, w), turned)).transpose(back)
    out = draw.out(n, m, g, w)
    out = None if out is None else out.transpose(0, 2, 1, 3)
    if g and draw.pick((False, True)):  # one matrix for each n, or one for all
        a, b, out = (None if x is None else x[:, 0] for x in (a, b, out))
        if n and draw.pick((False, True)):
            a = np.broadcast_to(a[:1], a.shape)
    got = kernels.batch_matmul(a, b, out)
    written(out, got)
    equal(got, reference.batch_matmul(*doubled(a, b)))


def check_matmul_shows_what_is_not_finite(draw):
    m, n, k = draw.integer(1, 20), draw.integer(1, 20), draw.pick((1, 5, 300))
    a, b = draw.whole(m, k), draw.whole(k, n)
    a[:, draw.random.random(k) < 0.5] = 0  # zero times NaN or infinity is NaN, and must be kept
    b[draw.integer(0, k - 1), draw.integer(0, n - 1)] = draw.pick((np.nan, np.inf, -np.inf))
    with np.errstate(invalid="ignore"):
        equal(kernels.matmul(a, b), reference.matmul(*doubled(a, b)))


def check_matmul_rounds_little(draw):
    m, n, k = draw.integer(1, 20), draw.integer(1, 20), draw.integer(1, 600)
    a, b = draw.real(m, k), draw.real(k, n)
    magnitude = np.abs(a).astype(float) @ np.abs(b)
    error = np.abs(kernels.matmul(a, b) - np.matmul(*doubled(a, b)))
    assert (error <= 4 * np.sqrt(k) * 2.0**-24 * magnitude).all()


def check_conv2d(draw):
    shape, kernel, options = geometry(draw)
    x, w, bias = draw.whole(*shape), draw.whole(*kernel), draw.pick((None, draw.whole(kernel[3])))
    options["activation"] = draw.pick(CUTS)
    want = reference.conv2d(*doubled(x, w, bias), **options)
    out = draw.out(*want.shape)
    got = kernels.conv2d(x, w, bias, out=out, **options)
    written(out, got)
    equal(got, want)


def check_conv2d_packed(draw):
    shape, kernel, options = geometry(draw)
    x, w, bias = draw.whole(*shape), draw.whole(*kernel), draw.pick((None, draw.whole(kernel[3])))
    _check_packed(draw, x, w, bias, options, draw.pick((False, True)))


def check_depthwise(draw):
    """Check a filter for each channel: 3x3 and 5x5 at strides 1 and 2, and any other kernel."""
    kernel, strides, dilation = _taps(draw)
    if draw.pick((False, True)):
        kernel, strides, dilation = draw.pick((3, 5)), draw.pick((1, 2)), 1
        kernel, strides, dilation = ((size, size) for size in (kernel, strides, dilation))
    channels, padding = draw.integer(4, 21), _padding(draw)
    x = draw.whole(draw.integer(0, 3), *_room(draw, kernel, dilation, padding, 20), channels)
    w, bias = draw.whole(*kernel, 1, channels), draw.pick((None, draw.whole(channels)))
    options = {"strides": strides, "padding": padding, "dilation": dilation, "groups": channels}
    activation = draw.pick(CUTS)
    want = reference.conv2d(*doubled(x, w, bias), activation=activation, **options)
    out = draw.out(*want.shape)
    got = kernels.conv2d(x, w, bias, activation=activation, out=out, **options)
    written(out, got)
    equal(got, want)
    _check_packed(draw, x, w, bias, options, False)


def _taps(draw):
    """Return the sizes of a kernel, its strides and its dilations, down and across."""
    return [tuple(draw.integer(1, most) for _ in range(2)) for most in (8, 3, 2)]


def check_depthwise_of_many_channels(draw):
    """Check channels whose pixels would share a few sets of the cache, and are kept apart."""
    stride, padding = draw.pick((1, 2)), draw.pick((((0, 0), (0, 0)), ((1, 1), (1, 1))))
    x, w = draw.whole(1, draw.integer(3, 9), draw.integer(3, 9), 512), draw.whole(3, 3, 1, 512)
    options = {"strides": (stride, stride), "padding": padding, "groups": 512}
    equal(kernels.conv2d(x, w, **options), reference.conv2d(*doubled(x, w), **options))


def check_wide_convolution(draw):
    """Check convolutions of so many pixels and channels that they are done in several blocks."""
    size, inputs, filters = draw.pick((1, 2)), draw.pick((1, 40, 300)), draw.pick((3, 8, 24))
    shape = (draw.integer(1, 3), draw.integer(20, 40), draw.integer(20, 40), inputs)
    x, w, bias = draw.whole(*shape), draw.whole(size, size, inputs, filters), draw.whole(filters)
    _check_packed(draw, x, w, bias, {}, draw.pick((False, True)))


def _check_packed(draw, x, w, bias, options, with_residual):
    scale = draw.pick((None, draw.whole(w.shape[3])))
    activation = draw.pick((*CUTS, "hard_sigmoid", "hard_silu"))
    x64, w64, bias64, scale64 = doubled(x, w, bias, scale)
    shape = reference.conv2d(x64, w64, **options).shape
    residual = draw.whole(*shape) if with_residual else None
    (residual64,) = doubled(residual)
    kept = {k: v for k, v in options.items() if k != "padding"}
    packed = kernels.pack_conv2d(w, bias, scale=scale, **kept)
    again = kernels.pack_conv2d(w, bias, scale=scale, out=packed, **kept)
    assert again is packed
    packed64 = reference.pack_conv2d(w64, bias64, scale=scale64)
    options = {**options, "activation": activation}
    want = reference.conv2d_packed(x64, packed64, w.shape, residual=residual64, **options)
    out = draw.out(*shape)
    got = kernels.conv2d_packed(x, packed, w.shape, residual=residual, out=out, **options)
    written(out, got)
    (equal if activation in CUTS else near)(got, want)


def check_depthwise_gradients(draw):
    """Check those of a filter for each channel, with strides and dilations that differ."""
    (kernel, strides, dilation), padding = _taps(draw), _padding(draw)
    images, channels = draw.integer(0, 3), draw.integer(1, 13)
    shape = (images, *_room(draw, kernel, dilation, padding, 9), channels)
    options = {"strides": strides, "padding": padding, "dilation": dilation, "groups": channels}
    _check_gradients(draw, shape, (*kernel, 1, channels), options)


def check_conv2d_gradients(draw):
    _check_gradients(draw, *geometry(draw))


def _check_gradients(draw, shape, kernel, options):
    x, w = draw.whole(*shape), draw.whole(*kernel)
    dy = draw.whole(*reference.conv2d(x, w, **options).shape)
    x64, w64, dy64 = doubled(x, w, dy)
    bias, bias64, out = draw.out(kernel[3]), np.zeros(kernel[3]), draw.out(*kernel)
    got = kernels.conv2d_weight_gradient(x, dy, kernel, out=out, bias_out=bias, **options)
    written(out, got)
    equal(got, reference.conv2d_weight_gradient(x64, dy64, kernel, bias_out=bias64, **options))
    if bias is not None:
        equal(bias, bias64)
    out = draw.out(*shape)
    got = kernels.conv2d_input_gradient(dy, w, shape, out=out, **options)
    written(out, got)
    equal(got, reference.conv2d_input_gradient(dy64, w64, shape, **options))


def check_winograd(draw):
    """Check wide 3x3 convolutions, whose rounding errors are ten times those of a direct sum."""
    inputs, filters = draw.pick((16, 24, 32)), draw.pick((16, 24, 40))
    shape = (draw.integer(0, 7), draw.pick((4, 7, 8, 11)), draw.pick((4, 7, 8, 13)), inputs)
    padding = tuple((draw.integer(0, 2), draw.integer(0, 2)) for _ in range(2))
    options = {"padding": draw.pick((padding, ((1, 1), (1, 1))))}
    x, w, bias = draw.real(*shape), draw.real(3, 3, inputs, filters), draw.real(filters)
    x64, w64 = doubled(x, w)

    def close(got, function, a, b, *rest):
        want, size = function(a, b, *rest, **options), function(abs(a), abs(b), *rest, **options)
        limit = 128 * 2.0**-24 * size.max(initial=0)
        assert (np.abs(got - want) <= limit).all()
        return limit

    y = kernels.conv2d(x, w, **options)
    limit = close(y, reference.conv2d, x64, w64)
    fused = kernels.conv2d(x, w, bias, activation="relu", **options)
    assert (np.abs(fused - np.maximum(y + bias, 0)) <= limit).all()
    packed, residual = kernels.pack_conv2d(w, bias), draw.real(*y.shape)
    options |= {"residual": residual, "activation": "relu6"}
    both = kernels.conv2d_packed(x, packed, w.shape, **options)
    del options["residual"], options["activation"]
    assert (np.abs(both - np.clip(y + bias + residual, 0, 6)) <= limit).all()
    dy, bias_out = draw.real(*y.shape), draw.out(filters)
    dw = kernels.conv2d_weight_gradient(x, dy, w.shape, bias_out=bias_out, **options)
    dy64 = np.array(dy, float)
    close(dw, reference.conv2d_weight_gradient, x64, dy64, w.shape)
    dx = kernels.conv2d_input_gradient(dy, w, x.shape, **options)
    close(dx, reference.conv2d_input_gradient, dy64, w64, x.shape)
    if bias_out is not None:
        near(bias_out, dy64.sum(axis=(0, 1, 2)), 2**10)


def check_pooled_convolution(draw):
    shape, kernel, options = geometry(draw)
    inputs, filters = kernel[2], kernel[3]
    shape = (shape[0], shape[1] + 3, shape[2] + 3, inputs)
    options = {"strides": options["strides"], "padding": options["padding"]}
    options["activation"] = draw.pick((None, "relu"))
    x, w, bias = draw.whole(*shape), draw.whole(*kernel), draw.pick((None, draw.whole(filters)))
    want, index = reference.conv2d_max_pool2d(*doubled(x, w, bias), **options)
    out = draw.out(*want.shape)
    y, argmax = kernels.conv2d_max_pool2d(x, w, bias, out=out, **options)
    written(out, y)
    equal(y, want)
    cut = (y == 0) if options["activation"] else np.zeros(y.shape, bool)
    assert ((argmax == index) | cut).all()
    _check_pooled_gradient(draw, x, w, y, argmax, options)


def _check_pooled_gradient(draw, x, w, y, argmax, options):
    dy = draw.whole(*y.shape)
    outs = draw.out(*w.shape), draw.out(w.shape[3]), draw.out(*x.shape)
    wanted = [np.zeros(s) for s in (w.shape, w.shape[3:], x.shape)]
    x64, w64, dy64, y64 = doubled(x, w, dy, y)
    named = dict(zip(("out", "bias_out", "input_out"), outs, strict=True))
    named64 = dict(zip(named, wanted, strict=True))
    got = kernels.conv2d_max_pool2d_gradient(x, w, dy, y, argmax, **named, **options)
    reference.conv2d_max_pool2d_gradient(x64, w64, dy64, y64, argmax, **named64, **options)
    written(outs[0], got)
    equal(got, wanted[0])
    for out, want in zip(outs[1:], wanted[1:], strict=True):
        if out is not None:
            equal(out, want)


def check_max_pool2d(draw):
    size = draw.integer(1, 4), draw.integer(1, 4)
    strides = draw.pick((size, (draw.integer(1, 3), draw.integer(1, 3))))
    padding = tuple((draw.integer(0, k - 1), draw.integer(0, k - 1)) for k in size)
    channels = draw.pick((1, 3, 4, 8, 13))
    shape = (draw.integer(0, 3), *(k + draw.integer(0, 9) for k in size), channels)
    options = {"strides": strides, "padding": padding}
    x = draw.whole(*shape)
    want, index = reference.max_pool2d(*doubled(x), size, **options)
    out = draw.out(*want.shape)
    y, argmax = kernels.max_pool2d(x, size, out=out, **options)
    written(out, y)
    equal(y, want)
    equal(argmax, index)
    dy, relu = draw.whole(*y.shape), draw.pick((None, y))
    dy64, relu64 = doubled(dy, relu)
    options["relu_output"] = relu64
    want = reference.max_pool2d_gradient(dy64, argmax, shape, size, **options)
    out = draw.out(*shape)
    options["relu_output"] = relu
    got = kernels.max_pool2d_gradient(dy, argmax, shape, size, out=out, **options)
    written(out, got)
    equal(got, want)


def check_average_pool2d(draw):
    size = draw.integer(1, 4), draw.integer(1, 4)
    strides = draw.pick((size, (draw.integer(1, 3), draw.integer(1, 3))))
    padding = tuple((draw.integer(0, k // 2), draw.integer(0, k // 2)) for k in size)
    channels = draw.pick((1, 3, 4, 8, 13))
    shape = (draw.integer(0, 3), *(k + draw.integer(0, 9) for k in size), channels)
    options = {"strides": strides, "padding": padding, "summed": draw.pick((False, True))}
    x = draw.whole(*shape)
    want = reference.average_pool2d(*doubled(x), size, **options)
    out = draw.out(*want.shape)
    y = kernels.average_pool2d(x, size, out=out, **options)
    written(out, y)
    near(y, want, 4)
    dy, out = draw.whole(*y.shape), draw.out(*shape)
    want = reference.average_pool2d_gradient(*doubled(dy), shape, size, **options)
    got = kernels.average_pool2d_gradient(dy, shape, size, out=out, **options)
    written(out, got)
    near(got, want, 16)


def check_mean_places(draw):
    n, places, channels = draw.integer(0, 3), draw.integer(1, 50), draw.integer(1, 13)
    x, dy = draw.whole(n, places, channels), draw.whole(n, channels)
    out = draw.out(n, channels)
    got = kernels.mean_places(x, out)
    written(out, got)
    near(got, reference.mean_places(*doubled(x)), 4)
    out = draw.out(n, places, channels)
    got = kernels.mean_places_gradient(dy, places, out)
    written(out, got)
    near(got, reference.mean_places_gradient(*doubled(dy), places))


def check_layout(draw):
    lead = tuple(draw.integer(0, 4) for _ in range(draw.integer(1, 3)))
    parts = [draw.whole(*lead, draw.integer(1, 9)) for _ in range(draw.integer(1, 3))]
    want = reference.concatenate(parts)
    out = draw.out(*want.shape)
    got = kernels.concatenate(parts, out)
    written(out, got)
    equal(got, want)
    x = draw.whole(*(draw.integer(0, 5) for _ in range(4)))
    padding = _padding(draw)
    want = reference.pad2d(x, padding)
    out = draw.out(*want.shape)
    got = kernels.pad2d(x, padding, out)
    written(out, got)
    equal(got, want)


def check_copies(draw):
    x = draw.whole(*(draw.integer(0, 6) for _ in range(3)))
    turned = draw.pick((None, 0, 1))
    out = np.full((x.shape[1], x.shape[0], x.shape[2]), np.nan, F4)
    kernels.swap_axes(x, out, turned)
    equal(out, np.swapaxes(x if turned is None else np.flip(x, turned), 0, 1))
    rows = draw.whole(draw.integer(0, 6), draw.integer(0, 9))
    part = rows[:, draw.integer(0, 3) :]
    out = np.full(part.shape, np.nan, F4)
    kernels.copy(part, out)
    equal(out, part)
    kernels.clear(out)
    equal(out, np.zeros_like(out))


def check_sum(draw):
    shape = tuple(draw.integer(1, 7) for _ in range(draw.integer(1, 3)))
    a, b = draw.whole(*shape), draw.whole(*draw.pick((shape, shape[-1:])))
    out = draw.pick((draw.out(*shape), a))
    want = a + b
    got = kernels.add(a, b, out)
    written(out, got)
    equal(got, want)


def check_drop(draw):
    """Check that a part of a batch keeps what the whole batch keeps, and that NaN stays NaN."""
    n, width = draw.integer(0, 9), draw.integer(0, 9)
    begin, rate = draw.integer(0, n), draw.pick((0.0, 0.3, 0.5, 1.0))
    seed, first = draw.integer(0, 2**31 - 1), draw.pick((0, 3, 2**28))
    x = draw.real(n, width)
    x[:1] = draw.pick((0, np.nan))
    scale = 1 / (1 - rate) if rate < 1 else 0.0
    want = reference.drop(*doubled(x), seed, first, math.ceil(rate * 2**24), scale)
    out = draw.pick((draw.out(n - begin, width), x[begin:].copy()))
    got = kernels.drop(x[begin:], kernels.Draw(seed, first + begin * width), rate, out)
    written(out, got)
    near(got, want[begin:])


def check_sampling(draw):
    """Check images sampled by maps near the identity and far from it, whole ones among them."""
    shape = draw.integer(0, 3), *(draw.integer(1, 9) for _ in range(2)), draw.integer(1, 4)
    images, fill = draw.real(*shape), draw.pick((0.0, 0.5))
    maps = draw.random.normal(0, draw.pick((0.1, 2)), (shape[0], 6))
    maps += (1, 0, 0, 0, 1, 0)
    maps[:, 2::3] *= draw.pick((1, 10))
    maps = draw.pick((maps, maps.round(), maps.round() + 0.5))
    how = Sampling(maps, draw.pick(("nearest", "bilinear")), draw.pick(FILL_MODES))
    near(how.forward(images, fill), Sampled(shape, *how).forward(*doubled(images), fill), 4)


def check_activations(draw):
    shape = tuple(draw.integer(0, 7) for _ in range(draw.integer(1, 3)))
    name, numbers = draw.pick(tuple(CODES)), draw.pick(((0.2, 0.0), (1.0, 1.0), (1.7581, 1.0507)))
    x, dy, out = draw.real(*shape), draw.real(*shape), draw.out(*shape)
    x *= F4(draw.pick((1, 1, 1e-3, 5)))
    y = kernels.activate(x, name, out, *numbers)
    written(out, y)
    near(y, reference.activate(*doubled(x), name, None, *numbers))
    y = x if name in OF_INPUT else y
    out = draw.pick((None, dy))
    want = reference.activation_gradient(*doubled(dy, y), name, None, *numbers)
    got = kernels.activation_gradient(dy, y, name, out, *numbers)
    written(out, got)
    near(got, want, 4)


def check_softmax_cross_entropy(draw):
    n, classes = draw.integer(0, 9), draw.integer(1, 19)
    logits = draw.real(n, classes) * F4(draw.pick((1, 30)))
    kind = draw.pick(("u1", "i4", "i8"))
    weights, scale = draw.pick((None, draw.real(n))), draw.pick((1.0, 0.25))
    gradient, probabilities = draw.out(n, classes), draw.out(n, classes)
    binding = Binding()

    def labels():
        return draw.random.integers(0, classes, n).astype(kind)

    def check(labels, total):
        gradient64, probabilities64 = np.zeros((n, classes)), np.zeros((n, classes))
        logits64, weights64 = doubled(logits, weights)
        want, total64 = reference.softmax_cross_entropy(
            logits64, labels, sample_weight=weights64, scale=scale, gradient=gradient64,
            probabilities=probabilities64,
        )  # fmt: skip
        np.testing.assert_allclose(total, total64, rtol=1e-5, atol=1e-6 * (1 + np.abs(want).sum()))
        if gradient is not None:
            near(gradient, gradient64, 8)
        if probabilities is not None:
            near(probabilities, probabilities64, 4)
        return want

    first = labels()
    got, total = kernels.softmax_cross_entropy(
        logits, first, sample_weight=weights, scale=scale, gradient=gradient,
        probabilities=probabilities, binding=binding,
    )  # fmt: skip
    near(got, check(first, total), 4)
    if not binding.holds(logits, weights, gradient, probabilities):
        return
    others = labels()
    total = kernels.next_softmax_cross_entropy(others, binding)
    if kind == "u1":  # a type that the kernel does not read
        assert total is None
        return
    check(others, total)
    if n:
        wrong = others.copy()
        wrong[draw.integer(0, n - 1)] = draw.pick((-1, classes))
        assert kernels.next_softmax_cross_entropy(wrong, binding) is None
        check(others, total)  # nothing was written


def check_fused_loss(draw):
    n, classes, activation = draw.integer(0, 9), draw.integer(1, 19), draw.pick(tuple(ENDS))
    logits, scale = draw.real(n, classes) * F4(draw.pick((1, 30))), draw.pick((1.0, 0.25))
    weights, smoothing = draw.pick((None, draw.real(n))), draw.pick((0.0, 0.2))
    gradient, outputs, binding = draw.out(n, classes), draw.out(n, classes), Binding()
    for _ in range(2):  # the second time with what was settled
        targets = draw.pick((draw.real(n, classes), draw.random.integers(0, 2, (n, classes))))
        gradient64, outputs64 = np.zeros((n, classes)), np.zeros((n, classes))
        logits64, weights64, targets64 = doubled(logits, weights, targets)
        want = reference.fused_loss(
            activation, logits64, targets64, sample_weight=weights64, scale=scale,
            smoothing=smoothing, gradient=gradient64, outputs=outputs64,
        )  # fmt: skip
        got = kernels.fused_loss(
            activation, logits, targets, sample_weight=weights, scale=scale,
            smoothing=smoothing, gradient=gradient, outputs=outputs, binding=binding,
        )  # fmt: skip
        # What is added up, of which the sum may be much smaller.
        held = np.abs(targets64).sum(axis=-1).max(initial=1)
        most = np.abs(logits64).max(initial=1) + held
        weight = 1.0 if weights is None else np.abs(weights64).max(initial=1)
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=ROUNDING * n * weight * most**2)
        if gradient is not None:
            near(gradient, gradient64, 4 * weight * held)
        if outputs is not None:
            near(outputs, outputs64, 4)


def check_losses_show_what_is_not_finite(draw):
    n, classes = draw.integer(1, 9), draw.integer(1, 19)
    logits, weights = draw.real(n, classes), draw.pick((None, np.ones(n, F4)))
    row, column = draw.integer(0, n - 1), draw.integer(0, classes - 1)
    logits[row, column] = draw.pick((np.nan, np.inf, -np.inf))
    labels = draw.random.integers(0, classes, n)
    logits64, weights64 = doubled(logits, weights)
    with np.errstate(invalid="ignore"):
        got, total = kernels.softmax_cross_entropy(logits, labels, sample_weight=weights)
        want, total64 = reference.softmax_cross_entropy(logits64, labels, sample_weight=weights64)
        equal(np.isfinite(got), np.isfinite(want))
        assert np.isfinite(total) == np.isfinite(total64)
        for activation in ENDS:
            targets = np.eye(classes, dtype=F4)[labels]
            given = {"sample_weight": weights}
            total = kernels.fused_loss(activation, logits, targets, **given)
            total64 = reference.fused_loss(activation, logits64, targets, sample_weight=weights64)
            assert np.isfinite(total) == np.isfinite(total64)


def check_softmax(draw):
    lead = tuple(draw.integer(0, 5) for _ in range(draw.integer(1, 3)))
    shape, factor = (*lead, draw.integer(1, 19)), draw.pick((1.0, 0.25))
    x, dy = draw.real(*shape) * F4(draw.pick((1, 30))), draw.real(*shape)
    if draw.integer(0, 1):
        x[..., : draw.integer(0, shape[-1] - 1)] = -0.7 * np.finfo(F4).max  # scores left out
    want = reference.softmax(*doubled(x), factor=factor)
    out = draw.pick((draw.out(*shape), x))
    y = kernels.softmax(x, out, factor)
    written(out, y)
    near(y, want, 4)
    want = reference.softmax_gradient(*doubled(dy, y), factor=factor)
    out = draw.pick((draw.out(*shape), dy))
    dx = kernels.softmax_gradient(dy, y, out, factor)
    written(out, dx)
    near(dx, want, 16)


def check_optimizers(draw):
    size = draw.integer(0, 40)
    p, m, g = draw.real(size), draw.real(size), draw.real(size)
    v = np.abs(draw.real(size))
    wanted = doubled(p, m, v, g)
    options = {"step_size": 0.01, "beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-3}
    options["weight_decay"] = draw.pick((0.0, 0.1))
    reference.adam_update(*wanted, **options)
    kernels.adam_update(p, m, v, g, **options)
    for got, want in zip((p, m, v), wanted[:3], strict=True):
        near(got, want, 16)
    velocity = draw.pick((None, draw.real(size)))
    options = {"learning_rate": 0.1, "momentum": draw.pick((0.0, 0.9))}
    options["nesterov"] = draw.pick((False, True))
    p64, velocity64, g64 = doubled(p, velocity, g)
    reference.sgd_update(p64, velocity64, g64, **options)
    kernels.sgd_update(p, velocity, g, **options)
    near(p, p64, 16)
    if velocity is not None:
        near(velocity, velocity64, 16)


def check_rmsprop(draw):
    """Two steps, beside those of NumPy on doubles."""
    size = draw.integer(0, 40)
    options = {"centered": draw.pick((False, True)), "momentum": draw.pick((0.0, 0.5))}
    optimizer = RMSprop(0.1, epsilon=1e-2, **options)
    wide = RMSprop(0.1, epsilon=1e-2, **options)
    p = draw.real(size)
    optimizer.state = {slot: np.zeros(size, F4) for slot in optimizer.slots}
    wide.state = {slot: np.zeros(size) for slot in optimizer.slots}
    (p64,) = doubled(p)
    for _ in range(2):
        g = draw.real(size)
        optimizer.update(p, g, 0.1)
        wide.update(p64, g.astype(np.float64), 0.1)
    near(p, p64, 64)
    for slot, state in optimizer.state.items():
        near(state, wide.state[slot], 64)


def check_gather_scale(draw):
    images = draw.random.integers(0, 256, (9, draw.integer(1, 5), draw.integer(1, 7)), np.uint8)
    images = images[:: draw.pick((1, 2))]
    indices = draw.random.integers(0, len(images), draw.integer(0, 12))
    out = draw.out(len(indices), *images.shape[1:])
    got = kernels.gather_scale(images, indices, 1 / 255, -0.5, out)
    written(out, got)
    near(got, images[indices] / 255 - 0.5)


def check_add_rows(draw):
    count, width, n = draw.integer(1, 9), draw.integer(1, 19), draw.integer(0, 30)
    rows, table = draw.whole(n, width), draw.random.integers(-4, 5, (count, width)).astype(F4)
    indices = draw.random.integers(0, count, n)
    want = reference.add_rows(rows, indices, table.astype(np.float64))
    equal(kernels.add_rows(rows, indices, table), want)


def check_columns(draw):
    rows, columns = draw.integer(0, 20), draw.integer(1, 13)
    x, y = draw.whole(rows, columns), draw.whole(rows, columns)
    a, b, e = (draw.whole(columns) for _ in range(3))
    out = draw.out(columns)
    equal(kernels.column_sums(x, out), reference.column_sums(*doubled(x)))
    out = draw.out(rows, columns)
    equal(kernels.column_affine(x, a, b, out), reference.column_affine(*doubled(x, a, b)))
    x64, a64, b64, y64, e64 = doubled(x, a, b, y, e)
    want = reference.column_affine(x64, a64, b64, y=y64, e=e64)
    equal(kernels.column_affine(x, a, b, draw.pick((None, x, y)), y=y, e=e), want)


def check_columns_and_relu(draw):
    rows, columns = draw.integer(0, 20), draw.integer(1, 13)
    x, y, shown = (draw.whole(rows, columns) for _ in range(3))
    a, b, e = (draw.whole(columns) for _ in range(3))
    x64, a64, b64, y64, e64, shown64 = doubled(x, a, b, y, e, shown)
    options = {"activation": draw.pick(CUTS)}
    want = reference.column_affine(x64, a64, b64, **options)
    equal(kernels.column_affine(x, a, b, draw.out(rows, columns), **options), want)
    options = {"activation": draw.pick(("hard_sigmoid", "hard_silu"))}
    want = reference.column_affine(x64, a64, b64, **options)
    near(kernels.column_affine(x, a, b, **options), want, 4)
    options = {"activation": draw.pick(CUTS[1:])}
    want = reference.column_affine(x64, a64, b64, y=y64, e=e64, shown=shown64, **options)
    equal(kernels.column_affine(x, a, b, y=y, e=e, shown=shown, **options), want)


def check_batch_norm(draw):
    rows, columns = draw.integer(1, 30), draw.integer(1, 13)
    x, dy = draw.real(rows, columns), draw.real(rows, columns)
    gamma, beta = draw.real(columns), draw.real(columns)
    x64, dy64, gamma64, beta64 = doubled(x, dy, gamma, beta)
    moments = kernels.column_moments(x)
    moments64 = reference.column_moments(x64)
    near(moments[0], moments64[0], 16)
    near(moments[1], moments64[1], 64)
    near(
        kernels.batch_norm(x, *moments, gamma, beta, 0.1),
        kernels.batch_norm(x64, *moments64, gamma64, beta64, 0.1),
        256,
    )
    got = kernels.batch_norm_gradient(x, dy, *moments, gamma, 0.1)
    want = kernels.batch_norm_gradient(x64, dy64, *moments64, gamma64, 0.1)
    for one, other in zip(got, want, strict=True):
        near(one, other, 2048)
    options = {"activation": draw.pick(CUTS[1:])}
    y = kernels.batch_norm(x, *moments, gamma, beta, 0.1, **options)
    y64 = np.array(y, np.float64)  # the same ones are let through
    got = kernels.batch_norm_gradient(x, dy, *moments, gamma, 0.1, shown=y, **options)
    want = kernels.batch_norm_gradient(x64, dy64, *moments64, gamma64, 0.1, shown=y64, **options)
    for one, other in zip(got, want, strict=True):
        near(one, other, 2048)


def check_layer_norm(draw):
    rows, columns = draw.pick((draw.integer(1, 9), 70)), draw.integer(1, 19)
    x, dy = draw.real(rows, columns), draw.real(rows, columns)
    gamma, beta = (draw.pick((None, draw.real(columns))) for _ in range(2))
    x64, dy64, gamma64, beta64 = doubled(x, dy, gamma, beta)
    out, moments = draw.out(rows, columns), draw.out(rows, 2)
    y, moments = kernels.layer_norm(x, gamma, beta, 0.1, out, moments)
    written(out, y)
    want, moments64 = reference.layer_norm(x64, gamma64, beta64, 0.1)
    near(y, want, 64)
    near(moments, moments64, 64)
    out, dgamma, dbeta = draw.pick((draw.out(rows, columns), dy)), draw.out(columns), None
    got = kernels.layer_norm_gradient(x, dy, gamma, moments, out, dgamma=dgamma, dbeta=dbeta)
    written(out, got[0])
    written(dgamma, got[1])
    want = reference.layer_norm_gradient(x64, dy64, gamma64, moments64)
    for one, other in zip(got, want, strict=True):
        near(one, other, 1024)


def check_recurrent(draw):
    """All steps of a cell and their gradient, with everything that may be left out."""
    cell = draw.pick(tuple(kernels.GATES))
    n, steps = draw.pick((0, 1, 30, 150, 300, draw.integer(2, 40))), draw.integer(0, 4)
    features, units = draw.integer(1, 9), draw.pick((8, draw.integer(1, 19)))
    width = kernels.GATES[cell] * units
    rows = (2, width) if cell == "gru" else (width,)
    bias = draw.real(*rows) if draw.integer(0, 1) else None
    weights = draw.real(features, width), draw.real(units, width), bias
    weights[1][...] /= 8  # else each step enlarges the rounding of the one before
    first = [draw.pick((None, draw.real(n, units))) for _ in range(2 if cell == "lstm" else 1)]
    x, turned, every = draw.real(n, steps, features), draw.pick((False, True)), draw.integer(0, 1)
    if draw.integer(0, 1):
        # The border of an image, of some of them or all.
        x[: draw.pick((6, n)), :, draw.integer(0, features - 1) :] = 0
    mask = draw.pick((None, draw.random.random((n, steps)) < draw.pick((0.1, 0.7))))
    shapes = kernels.trace_shapes(cell, n, steps, features, units)
    trace = kernels.Trace(*(np.zeros(shape, F4) for shape in shapes))
    y = np.zeros((n, steps, units) if every else (n, units), F4)
    trace64 = kernels.Trace(*doubled(*trace))
    x64, y64, *weights64 = doubled(x, y, *weights)
    slope = draw.pick((0.0, 0.2, 1 / 6))
    kernels.recurrent_steps(
        cell, x, weights, first, trace, y, slope=slope, turned=turned, mask=mask
    )
    reference.recurrent_steps(cell, x64, weights64, first, trace64, y64, slope, turned, mask)
    for got, want in ((y, y64), *zip(trace, trace64, strict=True)):
        near(got, want, 512)
    dy = draw.real(n, steps, units) if every else None
    last = [np.ascontiguousarray(draw.real(n, units)) for _ in first]
    found = [None if w is None else np.full(w.shape, np.nan, F4) for w in weights]
    dx = draw.pick((None, np.full(x.shape, np.nan, F4)))
    last64, found64, dy64, dx64 = doubled(*last), doubled(*found), *doubled(dy, dx)
    first_too = draw.pick((False, True))
    kernels.recurrent_gradient(
        cell, weights, trace, dy, last, found, dx, slope=slope, turned=turned,
        first_too=first_too, mask=mask,
    )  # fmt: skip
    reference.recurrent_gradient(
        cell, weights64, trace64, dy64, last64, found64, dx64, slope, turned, mask
    )
    got_states, wanted_states = (last, last64) if first_too else ([], [])
    for got, want in zip((*got_states, *found, dx), (*wanted_states, *found64, dx64), strict=True):
        if got is not None:
            assert np.abs(got - want).max(initial=0) <= 2e-4 * (1 + np.abs(want).max(initial=0))


def check_recurrent_not_finite(draw):
    """Zeros of the input or the first state times weights that are not finite are NaN, as in
    NumPy."""
    cell, n, features, units = draw.pick(tuple(kernels.GATES)), 24, draw.integer(1, 9), 8
    width = kernels.GATES[cell] * units
    weights = draw.real(features, width), draw.real(units, width), None
    draw.pick(weights[:2])[0, draw.integer(0, width - 1)] = np.inf
    shapes = kernels.trace_shapes(cell, n, 1, features, units)
    trace = kernels.Trace(*(np.zeros(shape, F4) for shape in shapes))
    y = np.zeros((n, units), F4)
    first = [None] * (2 if cell == "lstm" else 1)
    with np.errstate(invalid="ignore"):
        kernels.recurrent_steps(cell, np.zeros((n, 1, features), F4), weights, first, trace, y)
    assert (np.isnan(y).sum(axis=1) == 1).all()


def check_recurrent_gradient_not_finite(draw):
    """Zeros of the input times gradients that are not finite are NaN, as in NumPy, though the sum
    of two such gradients is NaN and not infinite."""
    cell, n, features, units = draw.pick(tuple(kernels.GATES)), 24, draw.integer(1, 9), 8
    width = kernels.GATES[cell] * units
    weights = draw.real(features, width), draw.real(units, width), None
    trace = kernels.Trace(
        *(np.zeros(shape, F4) for shape in kernels.trace_shapes(cell, n, 1, features, units))
    )
    first = [None] * (2 if cell == "lstm" else 1)
    x, y = np.zeros((n, 1, features), F4), np.zeros((n, units), F4)
    kernels.recurrent_steps(cell, x, weights, first, trace, y)
    last = [np.ones((n, units), F4) for _ in first]
    unit = draw.integer(0, units - 1)
    last[0][draw.integer(0, n // 2 - 1), unit] = np.inf
    if draw.integer(0, 1):
        last[0][draw.integer(n // 2, n - 1), unit] = -np.inf
    found = [np.zeros_like(w) for w in weights[:2]]
    with np.errstate(invalid="ignore"):
        kernels.recurrent_gradient(cell, weights, trace, None, last, (*found, None))
    per_gate = np.isnan(found[0]).reshape(features, -1, units)
    assert per_gate[:, :, unit].any(axis=1).all()
    assert not np.delete(per_gate, unit, axis=2).any()


def check_gates(draw):
    """The logistic function and tanh of gates are wrong by at most 2e-7, and reach their limits."""
    count, scale = draw.integer(1, 70), draw.pick((1e-3, 1, 8, 30, 200))
    sums = np.ascontiguousarray(draw.real(1, count)[0] * F4(scale), F4)
    sums[: draw.integer(0, 4)] = draw.pick((0, np.inf, -np.inf, 1e30, -1e30))
    weights = np.tile(sums, 4)[None], np.zeros((count, 4 * count), F4), None
    trace = kernels.Trace(
        *(np.zeros(shape, F4) for shape in kernels.trace_shapes("lstm", 1, 1, 1, count))
    )
    y = np.zeros((1, count), F4)
    kernels.recurrent_steps("lstm", np.ones((1, 1, 1), F4), weights, [None, None], trace, y)
    parts = trace.z.reshape(4, count)
    with np.errstate(over="ignore"):
        logistic = 1 / (1 + np.exp(-sums.astype(np.float64)))
    for part in (0, 1, 3):
        assert np.abs(parts[part] - logistic).max() <= 2e-7
    assert np.abs(parts[2] - np.tanh(sums.astype(np.float64))).max() <= 2e-7
    assert (parts[2][sums == 0] == 0).all()
    assert (np.abs(parts) <= 1).all()


CHECKS = {name: check for name, check in globals().items() if name.startswith("check_")}
