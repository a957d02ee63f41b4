"""Conversion of layers to ONNX nodes. `write` appends their activations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.io.errors import UnsupportedError
from nn.io.onnx import write_products
from nn.io.onnx.write_recurrent import both_directions
from nn.io.onnx.write_recurrent import export as recurrent
from nn.io.onnx.writer import Image, Shape, Writer

Array = NDArray[np.generic]
Export = Callable[[Writer, Any, list[Image], Shape], Any]


def _identity(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    return inputs[0]


def _dense(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    kernel = writer.constant(f"{layer.name}/kernel", layer.kernel.value)
    x = writer.last(inputs[0])
    bias = _bias(writer, layer)
    if len(shape) == 2:
        return Image(shape, last=writer.add("Gemm", [x, kernel, *bias]))
    y = writer.add("MatMul", [x, kernel])
    return Image(shape, last=writer.add("Add", [y, *bias]) if bias else y)


def _bias(writer: Writer, layer: Any) -> list[str]:
    if not layer.use_bias:
        return []
    return [writer.constant(f"{layer.name}/bias", layer.bias.value)]


# Convolutions and pools.


def _spatial(value: Any) -> list[int]:
    return [value] if isinstance(value, int) else [int(size) for size in value]


def _pads(
    layer: Any, image: Image, window: Sequence[int], strides: Sequence[int]
) -> dict[str, Any]:
    """Return the pads; an odd amount has the extra element at the end, as in SAME_UPPER."""
    if layer.padding == "valid":
        return {}
    if layer.padding == "causal":
        return {"pads": [window[0] - 1, 0]}
    sizes = image.shape[1:-1]
    before, after = [], []
    for size, extent, stride in zip(sizes, window, strides, strict=True):
        if size is None:
            return {"auto_pad": "SAME_UPPER"}
        total = max((-(-size // stride) - 1) * stride + extent - size, 0)
        before.append(total // 2)
        after.append(total - total // 2)
    return {"pads": [*before, *after]}


def _convolve(
    writer: Writer, layer: Any, image: Image, kernel: Array, groups: int, bias: list[str]
) -> str:
    """Append Conv for a kernel (*window, inputs / groups, outputs)."""
    rank = kernel.ndim - 2
    strides, dilations = _spatial(layer.strides), _spatial(layer.dilation_rate)
    window = [(k - 1) * d + 1 for k, d in zip(kernel.shape[:rank], dilations, strict=True)]
    turned = np.transpose(kernel, (rank + 1, rank, *range(rank)))
    return writer.add(
        "Conv",
        [writer.first(image), writer.constant(f"{layer.name}/kernel", turned), *bias],
        kernel_shape=list(kernel.shape[:rank]),
        strides=strides,
        dilations=dilations,
        group=groups,
        **_pads(layer, image, window, strides),
    )


def _conv(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    kernel = layer.kernel.value
    y = _convolve(writer, layer, inputs[0], kernel, layer.groups, _bias(writer, layer))
    return Image(shape, first=y)


def _depthwise(kernel: Array) -> Array:
    """(*window, inputs, multiplier) -> (*window, 1, inputs * multiplier)."""
    return kernel.reshape(*kernel.shape[:-2], 1, -1)


def _depthwise_conv(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    kernel = layer.kernel.value
    groups = kernel.shape[-2]
    turned = _depthwise(kernel)
    y = _convolve(writer, layer, inputs[0], turned, groups, _bias(writer, layer))
    return Image(shape, first=y)


def _separable_conv(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    depthwise, pointwise, *bias = (variable.value for variable in layer.variables)
    groups, rank = depthwise.shape[-2], depthwise.ndim - 2
    middle = _convolve(writer, layer, inputs[0], _depthwise(depthwise), groups, [])
    turned = np.transpose(pointwise, (rank + 1, rank, *range(rank)))
    names = [writer.constant(f"{layer.name}/pointwise", turned)]
    names += [writer.constant(f"{layer.name}/bias", array) for array in bias]
    return Image(shape, first=writer.add("Conv", [middle, *names]))


def _conv_transpose(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    kernel = layer.kernel.value  # (*window, outputs, inputs)
    rank = layer.rank
    # Amounts cut before and (negative) after; positive amounts after are added.
    places = [axis + (rank == 1) for axis in range(rank)]
    before, after = zip(*map(layer.edges, places), strict=True)
    turned = np.transpose(kernel, (rank + 1, rank, *range(rank)))
    y = writer.add(
        "ConvTranspose",
        [
            writer.first(inputs[0]),
            writer.constant(f"{layer.name}/kernel", turned),
            *_bias(writer, layer),
        ],
        kernel_shape=list(kernel.shape[:rank]),
        strides=_spatial(layer.strides),
        dilations=_spatial(layer.dilation_rate),
        pads=[*before, *(max(-extra, 0) for extra in after)],
        output_padding=[max(extra, 0) for extra in after],
    )
    return Image(shape, first=y)


def _pool(operator: str, **attributes: Any) -> Export:
    def export(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
        window, strides = _spatial(layer.pool_size), _spatial(layer.strides or layer.pool_size)
        pads = _pads(layer, inputs[0], window, strides)
        y = writer.add(
            operator,
            [writer.first(inputs[0])],
            kernel_shape=window,
            strides=strides,
            **pads,
            **attributes,
        )
        return Image(shape, first=y)

    return export


def _global_pool(operator: str) -> Export:
    def export(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
        y = writer.add(operator, [writer.first(inputs[0])])
        if len(shape) > 2:
            return Image(shape, first=y)
        return Image(shape, last=writer.add("Flatten", [y], axis=1))

    return export


# Shapes.


def _flatten(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    return Image(shape, last=writer.add("Flatten", [writer.last(inputs[0])], axis=1))


def _reshape(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    target = writer.constant(f"{layer.name}/shape", [0, *layer.target_shape], np.int64)
    return Image(shape, last=writer.add("Reshape", [writer.last(inputs[0]), target]))


def _permute(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    return Image(
        shape, last=writer.add("Transpose", [writer.last(inputs[0])], perm=[0, *layer.dims])
    )


def _sides(value: Any) -> Any:
    """Return the sizes before and after for each axis; a layer of one axis has only two."""
    return [value] if isinstance(value[0], int) else value


def _zero_padding(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    before, after = zip(*_sides(layer.padding), strict=True)
    numbers = [0, *before, 0, 0, *after, 0]
    pads = writer.constant(f"{layer.name}/pads", numbers, np.int64)
    return Image(shape, last=writer.add("Pad", [writer.last(inputs[0]), pads]))


def _cropping(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    before, after = zip(*_sides(layer.cropping), strict=True)
    most = np.iinfo(np.int64).max
    numbers = {
        "starts": before,
        "ends": [-size if size else most for size in after],
        "axes": range(1, len(shape) - 1),
    }
    kept = [writer.constant(f"{layer.name}/{k}", v, np.int64) for k, v in numbers.items()]
    return Image(shape, last=writer.add("Slice", [writer.last(inputs[0]), *kept]))


def _resizing(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    if not layer.plain:
        raise UnsupportedError(
            f"{layer.name}: ONNX export knows no {layer.interpolation!r}, crop, pad or antialias"
        )
    x = writer.first(inputs[0])
    # All four sizes: ONNX Runtime 1.31 reads two and their axes as none.
    front = writer.add("Shape", [x], start=0, end=2)
    back = writer.constant(f"{layer.name}/sizes", [layer.height, layer.width], np.int64)
    y = writer.add(
        "Resize",
        [x, "", "", writer.add("Concat", [front, back], axis=0)],
        mode="linear" if layer.interpolation == "bilinear" else "nearest",
        coordinate_transformation_mode="half_pixel",
        # The pixel in which the centre lies, the further one on a border: floor(x + 1/2).
        nearest_mode="round_prefer_ceil",
    )
    return Image(shape, first=y)


def _up_sampling(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    modes = {
        "nearest": ("nearest", "asymmetric", "floor"),
        "bilinear": ("linear", "half_pixel", "floor"),
    }
    if layer.interpolation not in modes:
        raise UnsupportedError(f"{layer.name}: ONNX export knows no {layer.interpolation!r}")
    mode, coordinates, rounding = modes[layer.interpolation]
    scales = writer.constant(f"{layer.name}/scales", [1, 1, *_spatial(layer.size)])
    y = writer.add(
        "Resize",
        [writer.first(inputs[0]), "", scales],
        mode=mode,
        coordinate_transformation_mode=coordinates,
        nearest_mode=rounding,
    )
    return Image(shape, first=y)


# Normalization, element-wise layers, several inputs.


def _batch_normalization(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    _check_axis(layer, shape)
    mean, variance = layer.moving_mean.value, layer.moving_variance.value
    gamma = layer.gamma.value if layer.scale else np.ones_like(mean)
    beta = layer.beta.value if layer.center else np.zeros_like(mean)
    names = ("gamma", "beta", "mean", "variance")
    arrays = (gamma, beta, mean, variance)
    kept = [writer.constant(f"{layer.name}/{n}", a) for n, a in zip(names, arrays, strict=True)]
    y = writer.add(
        "BatchNormalization", [writer.first(inputs[0]), *kept], epsilon=float(layer.epsilon)
    )
    return Image(shape, first=y) if len(shape) > 2 else Image(shape, last=y)


def _layer_normalization(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    _check_axis(layer, shape)
    size = shape[-1] or 0
    gamma = layer.gamma.value if layer.scale else np.ones(size)
    beta = layer.beta.value if layer.center else np.zeros(size)
    kept = [writer.constant(f"{layer.name}/{n}", a) for n, a in (("gamma", gamma), ("beta", beta))]
    y = writer.add(
        "LayerNormalization",
        [writer.last(inputs[0]), *kept],
        axis=-1,
        epsilon=float(layer.epsilon),
    )
    return Image(shape, last=y)


def _check_axis(layer: Any, shape: Shape) -> None:
    axes = _spatial(layer.axis)
    if axes not in ([-1], [len(shape) - 1]):
        raise UnsupportedError(f"{layer.name}: ONNX export expects the last axis, received {axes}")


def _embedding(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    table = layer.variables[0]
    indices = writer.add("Cast", [writer.last(inputs[0])], to=7)
    weights = writer.constant(f"{layer.name}/embeddings", table.value)
    return Image(shape, last=writer.add("Gather", [weights, indices]))


def _constant_array(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    """Return an array, which is repeated for each sample of the input's batch where it must be."""
    array = writer.constant(f"{layer.name}/value", layer.value)
    if shape[0] is not None and len(layer.value) == shape[0]:
        return Image(shape, last=array)
    return Image(shape, array=array, batch_of=inputs[0])


def _merge(operator: str) -> Export:
    def export(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
        if len({len(image.shape) for image in inputs}) > 1:
            raise UnsupportedError(
                f"layer {layer.name!r}: ONNX repeats inputs of fewer axes along other axes"
            )
        alone = all(image.array for image in inputs)
        names = [
            image.array if image.array and not alone else writer.last(image) for image in inputs
        ]
        if operator == "Mean":
            return Image(shape, last=writer.add(operator, names))
        total = names[0]
        for name in names[1:]:
            total = writer.add(operator, [total, name])
        return Image(shape, last=total)

    return export


def _concatenate(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    names = [writer.last(image) for image in inputs]
    return Image(shape, last=writer.add("Concat", names, axis=layer.axis))


def _part(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    """Append Slice, and Squeeze for each axis of which one element is taken."""
    most = np.iinfo(np.int64).max
    spans, single = [], []
    for axis, index in enumerate(layer.index, 1):
        if isinstance(index, int):
            single.append(axis)
        start, stop, step = index if isinstance(index, list) else (index, index + 1 or None, 1)
        step = 1 if step is None else step
        ends = (0, most) if step > 0 else (most, -most)
        start, stop = (e if n is None else n for n, e in zip((start, stop), ends, strict=True))
        spans.append((start, stop, axis, step))
    names = ("starts", "ends", "axes", "steps")
    numbers = zip(names, zip(*spans, strict=True), strict=False)
    kept = [writer.constant(f"{layer.name}/{name}", n, np.int64) for name, n in numbers]
    made = writer.add("Slice", [writer.last(inputs[0]), *kept])
    if single:
        made = writer.add(
            "Squeeze", [made, writer.constant(f"{layer.name}/gone", single, np.int64)]
        )
    return Image(shape, last=made)


def _power(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    exponent = writer.constant(f"{layer.name}/exponent", layer.exponent)
    return writer.like(inputs[0], lambda name: writer.add("Pow", [name, exponent]))


def _log(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    return writer.like(inputs[0], lambda name: writer.add("Log", [name]))


def _matmul(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    return Image(shape, last=writer.add("MatMul", [writer.last(image) for image in inputs]))


def _affine(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    factor, shift = layer.factors()
    scale = writer.constant(f"{layer.name}/scale", factor)
    offset = writer.constant(f"{layer.name}/offset", shift)
    scaled = writer.add("Mul", [writer.last(inputs[0]), scale])
    return Image(shape, last=writer.add("Add", [scaled, offset]))


def _softmax(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    axes = _spatial(layer.axis)
    if len(axes) > 1:
        raise UnsupportedError(f"{layer.name}: ONNX export expects one axis, received {axes}")
    return Image(shape, last=writer.add("Softmax", [writer.last(inputs[0])], axis=axes[0]))


def _leaky_relu(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    slope = float(layer.negative_slope)
    return writer.like(inputs[0], lambda name: writer.add("LeakyRelu", [name], alpha=slope))


def _elu(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    alpha = float(layer.alpha)
    return writer.like(inputs[0], lambda name: writer.add("Elu", [name], alpha=alpha))


def _parametric_relu(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    slope = writer.constant(f"{layer.name}/alpha", layer.alpha.value)
    return Image(shape, last=writer.add("PRelu", [writer.last(inputs[0]), slope]))


def _relu(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> Image:
    if layer.threshold or layer.negative_slope:
        raise UnsupportedError(f"{layer.name}: ONNX export knows no threshold or negative_slope")
    if layer.max_value is None:
        return writer.like(inputs[0], lambda name: writer.add("Relu", [name]))
    ends = [writer.constant("zero", 0.0), writer.constant("most", layer.max_value)]
    return writer.like(inputs[0], lambda name: writer.add("Clip", [name, *ends]))


EXPORTERS: dict[str, Export] = {
    "Activation": _identity,
    "ActivityRegularization": _identity,
    "Add": _merge("Add"),
    "AlphaDropout": _identity,
    "Average": _merge("Mean"),
    "AveragePooling1D": _pool("AveragePool", count_include_pad=0),
    "AveragePooling2D": _pool("AveragePool", count_include_pad=0),
    "AveragePooling3D": _pool("AveragePool", count_include_pad=0),
    "BatchNormalization": _batch_normalization,
    "Bidirectional": both_directions,
    "Concatenate": _concatenate,
    "ConstantArray": _constant_array,
    "Conv1D": _conv,
    "Conv1DTranspose": _conv_transpose,
    "Conv2D": _conv,
    "Conv2DTranspose": _conv_transpose,
    "Conv3D": _conv,
    "Conv3DTranspose": _conv_transpose,
    "Cropping1D": _cropping,
    "Cropping2D": _cropping,
    "Cropping3D": _cropping,
    "Dense": _dense,
    "DepthwiseConv1D": _depthwise_conv,
    "DepthwiseConv2D": _depthwise_conv,
    "Divide": _merge("Div"),
    "Dot": write_products.dot,
    "Dropout": _identity,
    "ELU": _elu,
    "Embedding": _embedding,
    "Flatten": _flatten,
    "GRU": recurrent,
    "GaussianDropout": _identity,
    "GaussianNoise": _identity,
    "GetItem": _part,
    "GlobalAveragePooling1D": _global_pool("GlobalAveragePool"),
    "GlobalAveragePooling2D": _global_pool("GlobalAveragePool"),
    "GlobalAveragePooling3D": _global_pool("GlobalAveragePool"),
    "GlobalMaxPooling1D": _global_pool("GlobalMaxPool"),
    "GlobalMaxPooling2D": _global_pool("GlobalMaxPool"),
    "GlobalMaxPooling3D": _global_pool("GlobalMaxPool"),
    "Identity": _identity,
    "GroupNormalization": write_products.group_normalization,
    "LSTM": recurrent,
    "LayerNormalization": _layer_normalization,
    "LeakyReLU": _leaky_relu,
    "Log": _log,
    "Matmul": _matmul,
    "MaxPooling1D": _pool("MaxPool"),
    "MaxPooling2D": _pool("MaxPool"),
    "MaxPooling3D": _pool("MaxPool"),
    "Maximum": _merge("Max"),
    "Minimum": _merge("Min"),
    "Multiply": _merge("Mul"),
    "Normalization": _affine,
    "PReLU": _parametric_relu,
    "Permute": _permute,
    "Power": _power,
    "ReLU": _relu,
    "RepeatVector": write_products.repeat_vector,
    "Rescaling": _affine,
    "Reshape": _reshape,
    "Resizing": _resizing,
    "SeparableConv1D": _separable_conv,
    "SeparableConv2D": _separable_conv,
    "SimpleRNN": recurrent,
    "Softmax": _softmax,
    "SpatialDropout1D": _identity,
    "SpatialDropout2D": _identity,
    "SpatialDropout3D": _identity,
    "Subtract": _merge("Sub"),
    "UnitNormalization": write_products.unit_normalization,
    "UpSampling1D": write_products.up_sampling,
    "UpSampling2D": _up_sampling,
    "UpSampling3D": write_products.up_sampling,
    "ZeroPadding1D": _zero_padding,
    "ZeroPadding2D": _zero_padding,
    "ZeroPadding3D": _zero_padding,
}
