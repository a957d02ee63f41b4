"""What a step needs is known before it is tried."""

from app.state import architectures, memory_budget


def rows(layers: list[object]) -> list[tuple[object, ...]]:
    return [("", kind, (None, *shape), count) for kind, shape, count in architectures.plan(layers)]


def test_counts_what_a_dense_layer_holds() -> None:
    # 10 outputs and their gradients for each of 32 images; 4 numbers for each of 7,850 parameters.
    assert memory_budget.step_bytes([("", "Dense", (None, 10), 7850)], 32) == 4 * (
        2 * 10 * 32 + 4 * 7850
    )


def test_every_preset_fits_at_every_batch_size_on_offer() -> None:
    for name in architectures.PRESETS:
        assert (
            memory_budget.step_bytes(rows(architectures.layers_of(name)), 512) < memory_budget.LIMIT
        )


def test_a_network_of_wide_convolutions_does_not() -> None:
    conv = ("Conv2D", {"filters": 256, "kernel_size": 3, "padding": "same", "activation": "relu"})
    layers = [conv, conv, ("Flatten", {}), ("Dense", {"units": 10, "activation": "softmax"})]
    assert memory_budget.step_bytes(rows(layers), 2048) > memory_budget.LIMIT
