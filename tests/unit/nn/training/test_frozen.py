"""Which variables are trained: those that were trainable at the model's own `compile`."""

from __future__ import annotations

from typing import Any

import nn
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

X, Y = np.ones((4, 3), np.float32), np.zeros((4, 2), np.float32)

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["compile", "train", "freeze", "thaw"]), st.sampled_from(["part", "whole"])
    ),
    max_size=14,
)


@settings(derandomize=True, deadline=None, max_examples=20, database=None)
@given(steps=STEPS)
def test_a_file_goes_on_training_what_was_trainable_at_compile(steps: Any) -> None:
    model = models()["whole"]
    layers = {"part": model.get_layer("before"), "whole": model}
    model.compile("adam", "mse")
    for action, name in steps:
        if action == "compile":
            model.compile("adam", "mse")
        elif action == "train":
            model.train_on_batch(X, Y)
        else:
            layers[name].trainable = action == "thaw"
    again = nn.io.load(nn.io.save(model, "npz"))
    assert [v.trainable for v in again.variables] == [v.trainable for v in model.variables]
    for trained in (model, again):
        trained.train_on_batch(X, Y)
    for one, other in zip(model.variables, again.variables, strict=True):
        assert np.array_equal(one.numpy(), other.numpy())


def models() -> dict[str, nn.Model]:
    nn.set_random_seed(0)
    part = nn.Sequential([nn.Input((3,)), nn.Dense(3, name="inner"), nn.Dense(2, name="outer")])
    x = nn.Input((3,))
    whole = nn.Model(x, part(nn.Dense(3, name="before")(x)))
    return {"part": part, "whole": whole}


@settings(derandomize=True, deadline=None, max_examples=40, database=None)
@given(steps=STEPS)
def test_a_model_trains_what_was_trainable_when_it_was_compiled(steps: Any) -> None:
    both = models()
    part = both["part"]
    trained: dict[str, Any] = {}
    for action, name in [("compile", "part"), ("compile", "whole"), *steps]:
        model = both[name]
        if action == "compile":
            model.compile("sgd", "mse")
            trained[name] = model.trainable_variables
        elif action == "train":
            before = {v: v.numpy() for v in both["whole"].variables}
            model.train_on_batch(X, Y)
            changed = {v for v, value in before.items() if not np.array_equal(value, v.numpy())}
            assert changed <= set(trained[name])
            assert changed or not trained[name]
        else:
            part.trainable = action == "thaw"


def test_a_discriminator_keeps_learning_after_it_is_frozen_in_another_model() -> None:
    both = models()
    discriminator, gan = both["part"], both["whole"]
    discriminator.compile("adam", "mse")
    gan.compile("adam", "mse")
    discriminator.trainable = False
    before = discriminator.get_weights()
    discriminator.train_on_batch(X, Y)
    assert not any(
        np.array_equal(a, b) for a, b in zip(before, discriminator.get_weights(), strict=True)
    )
