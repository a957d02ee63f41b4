"""Modifiers and lifespans against Flower's own ClientApp: the same text, run by both."""

import asyncio
from types import SimpleNamespace

import federation
import flwr.app as flower
import flwr.clientapp
import flwr.clientapp.mod as flower_mods
import numpy as np
import pytest
from federation import awaited, mods
from flwr.app.message import make_message
from flwr.common.constant import ErrorCode
from nn.errors import ConfigError

ABOUT = {
    "run_id": 1, "message_id": "a", "src_node_id": 1, "dst_node_id": 2, "reply_to_message_id": "",
    "group_id": "1", "created_at": 4e9, "ttl": 3600.0, "message_type": "train",
}  # fmt: skip
SENT = {"w": np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3), "b": np.ones(2, np.float32)}
OURS = SimpleNamespace(
    names=federation, mods=mods, app=federation.ClientApp,
    message=lambda content: federation.Message(content, metadata=federation.Metadata(**ABOUT)),
    answer=lambda app, message: asyncio.run(app(message, None)),
)  # fmt: skip
FLOWERS = SimpleNamespace(
    names=flower, mods=flower_mods, app=flwr.clientapp.ClientApp,
    message=lambda content: make_message(flower.Metadata(**ABOUT), content),
    answer=lambda app, message: app(message, None),
)  # fmt: skip
BOTH = (OURS, FLOWERS)


def record(side, arrays):
    return side.names.ArrayRecord({name: side.names.Array(one) for name, one in arrays.items()})


def content(side, arrays=SENT, **config):
    records = {"arrays": record(side, arrays), "config": side.names.ConfigRecord(config)}
    return side.names.RecordDict(records)


def trained(side, message, arrays, **metrics):
    records = {"a": record(side, arrays), "m": side.names.MetricRecord({"loss": 0.5} | metrics)}
    return side.names.Message(side.names.RecordDict(records), reply_to=message)


def said(reply):
    """What a reply says, of either side; of an error the code."""
    if reply.has_error():
        return reply.error.code
    [arrays] = reply.content.array_records.values()
    [metrics] = reply.content.metric_records.values()
    return {name: array.numpy() for name, array in arrays.items()}, dict(metrics)


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("side", BOTH, ids=["ours", "flwr"])
def test_mods_of_the_app_are_outside_those_of_a_function_and_lifespans_outside_all(side, is_async):
    heard = []

    def mod(name):
        def plain(message, context, call_next):
            heard.append(name)
            reply = call_next(message, context)
            heard.append(-name)
            return reply

        async def other(message, context, call_next):
            heard.append(name)
            reply = await call_next(message, context)
            heard.append(-name)
            return reply

        return awaited(other) if is_async else plain

    app = side.app(mods=[mod(1), mod(2)])

    @app.lifespan()
    def lifespan(context):
        heard.append("begin")
        yield
        heard.append("end")

    def answer(message, context):
        heard.append("app")
        return side.names.Message(message.content, reply_to=message)

    async def later(message, context):
        return answer(message, context)

    handler = awaited(later) if is_async else answer
    assert app.train(mods=[mod(3), mod(4)])(handler) is handler
    app.evaluate()(handler)
    side.answer(app, side.message(content(side)))
    assert heard == ["begin", 1, 2, 3, 4, "app", -4, -3, -2, -1, "end"]
    heard.clear()
    evaluated = side.message(content(side))
    evaluated.metadata.message_type = "evaluate"
    side.answer(app, evaluated)
    assert heard == ["begin", 1, 2, "app", -2, -1, "end"]


PRIVATE = {
    "fixedclipping_mod": lambda side: side.mods.fixedclipping_mod,
    "adaptiveclipping_mod": lambda side: side.mods.adaptiveclipping_mod,
    "LocalDpMod": lambda side: side.mods.LocalDpMod(0.5, 0.0, 1.0, 1e-5),  # no noise
}


def answered(side, kind, message, answer, is_async=False):
    app = side.app(mods=[PRIVATE[kind](side)])

    def train(message, context):
        return answer(side, message)

    async def later(message, context):
        return answer(side, message)

    app.train()(awaited(later) if is_async else train)
    return said(side.answer(app, side.message(message(side))))


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("step", [1e-3, 0.1, 3.0])
@pytest.mark.parametrize("kind", PRIVATE)
def test_what_leaves_is_clipped_as_by_flowers_mod(kind, step, is_async):
    moved = {name: array + np.float32(step) for name, array in SENT.items()}
    (ours, our_metrics), (theirs, their_metrics) = (
        answered(
            side, kind, lambda side: content(side, clipping_norm=0.5),
            lambda side, message: trained(side, message, moved), is_async,
        )
        for side in BOTH
    )  # fmt: skip
    assert our_metrics == their_metrics
    assert ("norm_bit" in our_metrics) == (kind == "adaptiveclipping_mod")
    for name, array in theirs.items():
        np.testing.assert_allclose(ours[name], array, rtol=1e-6, atol=1e-7)
        assert ours[name].dtype == array.dtype
    length = np.sqrt(sum(np.square(ours[n] - a, dtype=np.float64).sum() for n, a in SENT.items()))
    assert length <= 0.5 + 1e-7


def two(side, kind):
    made = content(side, clipping_norm=0.5)
    made["again"] = made[kind]
    return made


def without(side, kind):
    made = content(side, clipping_norm=0.5)
    del made[kind]
    return made


MESSAGES = {
    "two of arrays": lambda side: two(side, "arrays"),
    "no arrays": lambda side: without(side, "arrays"),
    "two of settings": lambda side: two(side, "config"),
    "no settings": lambda side: without(side, "config"), "no norm": content,
}  # fmt: skip
ANSWERS = {
    "other names": lambda side, message: trained(side, message, {"v": SENT["w"], "b": SENT["b"]}),
    "another order": lambda side, message: trained(side, message, dict(reversed(SENT.items()))),
    "no arrays": lambda side, message: side.names.Message(
        side.names.RecordDict({"m": side.names.MetricRecord()}), reply_to=message
    ),
}


@pytest.mark.parametrize("kind", PRIVATE)
@pytest.mark.parametrize("case", [*MESSAGES, *ANSWERS])
def test_what_a_mod_cannot_protect_does_not_leave_and_the_error_has_flowers_code(kind, case):
    message = MESSAGES.get(case, lambda side: content(side, clipping_norm=0.5))
    answer = ANSWERS.get(
        case, lambda side, message: trained(side, message, {n: a + 1 for n, a in SENT.items()})
    )
    ours, theirs = (answered(side, kind, message, answer) for side in BOTH)
    if kind == "LocalDpMod" and case in ("two of settings", "no settings", "no norm"):
        assert type(ours) is type(theirs) is tuple  # it asks for none
    else:
        assert ours == theirs == ErrorCode.MOD_FAILED_PRECONDITION


@pytest.mark.parametrize("kind", PRIVATE)
def test_an_error_of_the_app_passes_a_mod(kind):
    def answer(side, message):
        return side.names.Message(side.names.Error(77, "none"), reply_to=message)

    found = [answered(s, kind, lambda s: content(s, clipping_norm=0.5), answer) for s in BOTH]
    assert found == [77, 77]


def test_local_noise_has_the_deviation_of_the_gaussian_mechanism_and_is_new_each_time():
    sent = {"w": np.zeros(10_000)}
    mod = mods.LocalDpMod(1.0, 2.0, 4.0, 1e-5)
    assert mod.deviation == pytest.approx(2 * np.sqrt(2 * np.log(1.25e5)) / 4)
    app = federation.ClientApp()
    app.train(mods=[mod])(lambda message, context: trained(OURS, message, sent))
    one, two = (said(OURS.answer(app, OURS.message(content(OURS, sent))))[0]["w"] for _ in "ab")
    assert np.std(one) == pytest.approx(mod.deviation, rel=0.05)
    assert np.std(one - two) == pytest.approx(2**0.5 * mod.deviation, rel=0.05)


@pytest.mark.parametrize(
    "wrong", [(0.0, 1, 1, 0.1), (1.0, -1, 1, 0.1), (1, 1, 0, 0.1), (1, 1, 1, 0)]
)
def test_noise_that_protects_nobody_is_refused(wrong):
    with pytest.raises(ConfigError):
        mods.LocalDpMod(*wrong)


def test_what_an_app_keeps_of_its_arrays_is_not_clipped():
    kept = record(OURS, {name: array + 9 for name, array in SENT.items()})

    def train(message, context):
        records = {"a": kept, "m": federation.MetricRecord()}
        return federation.Message(federation.RecordDict(records), reply_to=message)

    app = federation.ClientApp()
    app.train(mods=[mods.fixedclipping_mod])(train)
    OURS.answer(app, OURS.message(content(OURS, clipping_norm=0.5)))
    np.testing.assert_array_equal(kept["b"].numpy(), SENT["b"] + 9)


def test_flowers_older_client_fn_is_refused_with_what_is_there():
    with pytest.raises(TypeError, match=r"@app.train\(\), received a client_fn"):
        federation.ClientApp(lambda context: None)
