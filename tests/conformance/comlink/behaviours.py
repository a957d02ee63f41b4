"""The driving half in Python: farcall.comlink using what fixtures.mjs or fixtures.py expose.

BEHAVIOURS[n](context) is behaviour n of behaviours.json, as in behaviours.mjs.
"""

import asyncio
import gc

import farcall
import fixtures
import js
from farcall import comlink, platform
from fixtures import Temperature


def same(actual, expected):
    if actual != expected:
        raise AssertionError(f"expected {expected!r}, received {actual!r}")


async def thrown(awaitable):
    try:
        value = await awaitable
    except Exception as exc:
        return exc
    raise AssertionError(f"expected an exception, received {value!r}")


class Local:
    def __init__(self, count):
        self.count = count

    def increment(self, by):
        self.count += by
        return self.count


class Heard:
    """A JavaScript listener that remembers."""

    def __init__(self, port):
        self.messages = []
        self.port = port
        port.onmessage = platform.callback(self.hear)

    def hear(self, event):
        self.messages.append(event.data)


async def until(condition):
    while not await condition():
        await asyncio.sleep(0.002)


def wrapped(fixture):
    def decorate(check):
        async def run(context):
            await check(comlink.wrap(await context.open(fixture)))

        return run

    return decorate


@wrapped("record")
async def value_of_an_object(api):
    same(await api.value, 4)


@wrapped("record")
async def function_of_an_object(api):
    same(await api.double(4), 8)


@wrapped("add")
async def function(api):
    same(await api(1, 3), 4)


@wrapped("record")
async def nothing(api):
    same(await api.missing, None)


@wrapped("fail")
async def error(api):
    exc = await thrown(api())
    same(str(exc), "kaput")
    same("fail" in exc.remote_traceback and "kaput" in exc.remote_traceback, True)


@wrapped("reject")
async def asynchronous_error(api):
    same(str(await thrown(api("not today"))), "not today")


async def tossed(api, kind):
    exc = await thrown(api(kind))
    same(isinstance(exc, comlink.Thrown), True)
    return exc.value


@wrapped("toss")
async def thrown_object(api):
    same(await tossed(api, "object"), {"test": True})


@wrapped("toss")
async def thrown_scalar(api):
    same(await tossed(api, "number"), 42)
    same(await tossed(api, "text"), "oops")


@wrapped("toss")
async def thrown_nothing(api):
    same(await tossed(api, "nothing"), None)


@wrapped("add")
async def parameters(api):
    same(await api("a", "b"), "ab")


@wrapped("later")
async def later(api):
    same(await api(2, 3), 5)


@wrapped("Sample")
async def construction(api):
    same(await (await comlink.new(api)).count, 1)


@wrapped("Sample")
async def construction_with_parameters(api):
    same(await (await comlink.new(api, 23)).count, 23)


@wrapped("members")
async def member_class(api):
    same(await (await comlink.new(api.Sample, 3)).increment(), 4)


@wrapped("instance")
async def instance_property(api):
    same(await api.count, 1)


@wrapped("instance")
async def assignment(api):
    await comlink.set(api.count, 12)
    same(await api.count, 12)
    api.count = 13
    same(await api.count, 13)


@wrapped("instance")
async def method(api):
    same(await api.increment(), 2)


@wrapped("instance")
async def error_of_a_method(api):
    exc = await thrown(api.fail())
    same(str(exc), "out of samples")
    same(isinstance(exc, ValueError), True)


@wrapped("instance")
async def many_calls(api):
    for n in range(2, 12):
        same(await api.increment(), n)


@wrapped("instance")
async def later_method(api):
    same(await api.later(), 5)


@wrapped("instance")
async def promise(api):
    same(await api.promised, 8)


@wrapped("instance")
async def getter_of_a_promise(api):
    same(await api.soon, 6)


@wrapped("Sample")
async def class_property(api):
    same(await api.size, 4)


@wrapped("Sample")
async def class_method(api):
    same(await api.make(), 77)


@wrapped("instance")
async def bound_method(api):
    increment = api.increment
    same([await increment(), await increment(2)], [2, 4])


@wrapped("instance")
async def getter(api):
    same(await api.half, 0.5)


@wrapped("instance")
async def setter(api):
    await comlink.set(api.half, 6)
    same(await api.count, 12)


async def broadcast(context):
    api = comlink.wrap(await context.broadcast("add"))
    same(await api(20, 3), 23)


@wrapped("size")
async def transfer(api):
    buffer = js.Uint8Array.new(3).buffer
    same(await api(comlink.transfer(buffer, [buffer])), 3)
    same(buffer.byteLength, 0)


@wrapped("echo")
async def typed_array(api):
    array = js.Uint8Array.new(3)
    array.fill(7)
    back = await api(array)
    same(list(back), [7, 7, 7])
    same(array.byteLength, 3)


@wrapped("echo")
async def nested_typed_array(api):
    array = js.Float32Array.new(2)
    array.fill(2.5)
    back = await api({"v": array})
    same([float(n) for n in back["v"]], [2.5, 2.5])
    same(array.byteLength, 8)


@wrapped("deepSize")
async def deep_transfer(api):
    buffer = js.Uint8Array.new(7).buffer
    same(await api(comlink.transfer({"v": {"b": buffer}}, [buffer])), 7)
    same(buffer.byteLength, 0)


@wrapped("ring")
async def message_port(api):
    channel = js.MessageChannel.new()
    heard = Heard(channel.port1)
    same(await api(channel.port2), "sent")

    async def rang():
        return heard.messages == ["ring"]

    await until(rang)


@wrapped("make")
async def marked_result(api):
    made = await api()
    same(isinstance(made, farcall.Remote), True)
    same([await made.increment(), await made.count], [21, 21])


@wrapped("instance")
async def marked_result_of_a_method(api):
    child = await api.child()
    same([await child.increment(), await child.count, await api.count], [41, 41, 1])


@wrapped("pokes")
async def marked_parameter(api):
    local = Local(5)
    same(await api(local), 7)
    same(local.count, 7)


@wrapped("record")
async def marked_assignment(api):
    heard = []

    def callback(n):
        heard.append(n)
        return len(heard)

    await comlink.set(api.callback, callback)
    same(await api.ring(9), 1)
    same(heard, [9])


@wrapped("calls")
async def callback(api):
    same(await api(lambda n: n * 10), 31)


@wrapped("sums")
async def callbacks(api):
    same(await api(lambda n: n, lambda n: 10 * n, lambda n: 100 * n), 321)


@wrapped("nested")
async def nested_reference(api):
    inner = await api.a.b
    same(await inner.increment(), 10)
    same(await api.a.b.count, 10)


@wrapped("nothings")
async def nothing_as_parameter(api):
    same(await api(3, None, 4), [3, True, 4])


@wrapped("options")
async def options(api):
    same(await api({"a": 2, "b": 5}), 7)


@wrapped("warmer")
async def handlers(api):
    warmer = await api(Temperature(215))
    same(isinstance(warmer, Temperature), True)
    same(warmer.tenths, 220)


async def shares_its_state(api):
    same(await api.increment(), 2)
    twin = comlink.wrap(await comlink.create_endpoint(api))
    same(await twin.increment(), 3)
    same(await api.count, 3)
    await comlink.release(twin)


@wrapped("instance")
async def second_endpoint(api):
    await shares_its_state(api)


@wrapped("instance")
async def released(api):
    same(await api.count, 1)
    comlink.release(api)
    try:
        api.increment()
    except farcall.ReleasedError as exc:
        same("released" in str(exc), True)
        return
    raise AssertionError("a released proxy was used")


async def finalizer(context):
    before = await context.flag("finalized")
    api = comlink.wrap(await context.open("tracked"))
    same(await api.value, 1)
    await comlink.release(api)

    async def finalized():
        return await context.flag("finalized") == before + 1

    await until(finalized)


async def collected(context):
    before = await context.flag("finalized")

    async def use():
        same(await comlink.wrap(await context.open("tracked")).value, 1)

    await use()

    async def finalized():
        gc.collect()
        await context.collectHere()
        return await context.flag("finalized") == before + 1

    await until(finalized)


async def target(context):
    api = comlink.wrap(await context.open("record"), fixtures.Record)
    same(["double" in dir(api), "increment" in dir(api)], [True, False])
    try:
        api.increment
    except AttributeError as exc:
        same("increment" in str(exc), True)
    else:
        raise AssertionError("the target has no `increment`")
    same(await api.double(21), 42)


@wrapped("stuck")
async def stuck(api):
    exc = await thrown(api())
    same(isinstance(exc, TypeError), True)
    same(str(exc).startswith("Unserializable return value"), True)


async def iframe(context):
    far = await context.window("add")
    api = comlink.wrap(comlink.window_endpoint(far.peer, far.origin))
    same(await api(1, 3), 4)


class Joiner:
    def join(self, a, b):
        return a + "+" + b


async def two_way_iframe(context):
    far = await context.window("relay")
    endpoint = comlink.window_endpoint(far.peer, far.origin)
    exposed = comlink.expose(Joiner(), endpoint)
    api = comlink.wrap(endpoint)
    same(await api("x", "y"), "relayed x+y")
    exposed.close()
    await comlink.release(api)


async def other_origin(context):
    same(
        await context.intruderIsAnswered("record", js.JSON.parse('["https://example.com"]')), False
    )


async def allowed_origin(context):
    same(await context.intruderIsAnswered("record", None), True)


async def uses(api):
    same([await api.increment(), await api.count], [2, 2])


async def is_deaf(port, api):
    """Whether a request past the wrapper gets no answer in twenty round trips of another port."""
    heard = []

    def hear(event):
        if event.data.id == "probe":
            heard.append(True)

    listener = platform.callback(hear)
    port.addEventListener("message", listener)
    port.postMessage(js.JSON.parse('{"id": "probe", "type": "GET", "path": ["count"]}'))
    for _ in range(20):
        await api.count
    port.removeEventListener("message", listener)
    return not heard


async def closes_on_release(api):
    port = await comlink.create_endpoint(api)
    twin = comlink.wrap(port)
    same(await twin.count, 1)
    same(await is_deaf(port, api), False)
    await comlink.release(twin)

    async def deaf():
        return await is_deaf(port, api)

    await until(deaf)
    same(await api.count, 1)


def over(endpoint, check):
    async def run(context):
        api = comlink.wrap(await endpoint(context))
        await check(api)
        await comlink.release(api)

    return run


async def worker(context):
    return await context.whole("instance")


async def emitter(context):
    return comlink.node_endpoint(await context.emitter("instance"))


BEHAVIOURS = [
    None,
    value_of_an_object,
    function_of_an_object,
    function,
    nothing,
    error,
    asynchronous_error,
    thrown_object,
    thrown_scalar,
    thrown_nothing,
    parameters,
    later,
    construction,
    construction_with_parameters,
    member_class,
    instance_property,
    assignment,
    method,
    error_of_a_method,
    many_calls,
    later_method,
    promise,
    getter_of_a_promise,
    class_property,
    class_method,
    bound_method,
    getter,
    setter,
    broadcast,
    transfer,
    typed_array,
    nested_typed_array,
    deep_transfer,
    message_port,
    marked_result,
    marked_result_of_a_method,
    marked_parameter,
    marked_assignment,
    callback,
    callbacks,
    nested_reference,
    nothing_as_parameter,
    options,
    handlers,
    second_endpoint,
    released,
    finalizer,
    collected,
    target,
    stuck,
    iframe,
    two_way_iframe,
    other_origin,
    allowed_origin,
    over(worker, uses),
    over(worker, shares_its_state),
    over(worker, closes_on_release),
    over(emitter, uses),
    over(emitter, shares_its_state),
    over(emitter, closes_on_release),
]


async def run(number, context, done):
    try:
        await BEHAVIOURS[number](context)
    except Exception as exc:
        done(platform.traceback_text(exc), None)
        return
    done(None, True)


tasks = []


def call(name, values, done):
    if name == "leaks":
        done(None, fixtures.leaks())
        return
    tasks.append(asyncio.create_task(run(values[0], values[1], done)))
    if len(tasks) > 100:
        del tasks[:50]
