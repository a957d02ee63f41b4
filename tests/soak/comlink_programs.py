"""Programs over Comlink's wire with real Comlink in a JavaScript worker, both ways, and faults."""

import asyncio
import json
import random

import bank
import farcall
import js
import values
from counters import Hung, answered, count, ended, expect, fault, note, raised
from farcall import comlink, platform

PROGRAM = 40  # operations of an actor in a round
DRIVEN = 40  # steps that JavaScript does with this page's object in a round
SOURCE = "./comlink_worker.mjs"


def start():
    """The proxy of a fresh worker's object."""
    worker = js.Worker.new(SOURCE, js.JSON.parse('{"type": "module"}'))
    return comlink.wrap(worker, on_error=lambda exc: None)


async def call(awaitable, what):
    return await answered(awaitable, "comlink " + what, "comlink_calls")


async def refused(awaitable, kinds, what):
    await raised(awaitable, kinds, "comlink " + what, "comlink_calls")


def value(depth=3):
    """What JavaScript has a type for."""
    kind = random.randrange(7 if depth else 5)
    if kind == 0:
        return random.randrange(-(2**20), 2**20) * 2 ** random.randrange(90)
    if kind == 1:
        return random.random()
    if kind == 2:
        return "".join([chr(random.randrange(32, 0x2FF)) for _ in range(random.randrange(20))])
    if kind == 3:
        return None
    if kind == 4:
        return random.randrange(2) == 1
    if kind == 5:
        return [value(depth - 1) for _ in range(random.randrange(5))]
    return dict([("k" + str(n), value(depth - 1)) for n in range(random.randrange(5))])


# -- operations: each checks its result against what it must be


async def echo(api):
    sent = value()
    expect(await call(api.echo(sent), "echo"), sent, "comlink echo")


async def echo_bytes(api):
    sent = bytes([random.randrange(256) for _ in range(random.randrange(2000))])
    expect(bytes(await call(api.echo(sent), "bytes")), sent, "comlink bytes")


async def long_text(api):
    sent = random.choice(("x", "é\0", "\ufeff")) * random.randrange(6000)
    expect(await call(api.echo(sent), "long text"), sent, "comlink long text")


async def long_containers(api):
    """As long as those are that go in buffers over farcall's own protocol."""
    count = random.choice((60, 127, 128, 300))
    item = random.choice((1, "x", None, {"k": 1.5}, [2], value()))
    for sent in ([item] * count, dict([("k" + str(n), item) for n in range(count)])):
        expect(await call(api.echo(sent), "long container"), sent, "comlink long container")


async def order(api):
    account = await call(comlink.new(api.Account, 0), "construction")
    amounts = [random.randrange(100) for _ in range(8)]
    calls = [account.add(amount) for amount in amounts]
    total = 0
    for pending, amount in zip(calls, amounts):
        total += amount
        expect(await call(pending, "add"), total, "comlink order of calls")
    expect(await call(account.total, "total"), total, "comlink property")
    comlink.release(account)


async def assignment(api):
    account = await call(comlink.new(api.Account, 0), "construction")
    amount = random.randrange(1000)
    await call(comlink.set(account.total, amount), "assignment")
    child = await call(account.child(amount), "child")
    expect(await call(child.add(1), "add"), amount + 1, "comlink assignment")
    comlink.release(child)
    comlink.release(account)


async def dropped(api):
    """It is not released: it goes when it is collected."""
    account = await call(comlink.new(api.Account, 1), "construction")
    expect(await call(account.add(1), "add"), 2, "comlink dropped")


async def callbacks(api):
    heard = []
    n = random.randrange(20)

    def hear(item):
        heard.append(item)

    expect(await call(api.tell(hear, n), "callbacks"), n, "comlink callbacks")
    expect(heard, list(range(n)), "comlink callbacks in order")


async def second_endpoint(api):
    twin = comlink.wrap(await call(comlink.create_endpoint(api), "endpoint"))
    expect(await call(twin.echo(5), "echo of a twin"), 5, "comlink second endpoint")
    comlink.release(twin)


OPERATIONS = (
    echo,
    echo_bytes,
    long_text,
    long_containers,
    order,
    assignment,
    dropped,
    callbacks,
    second_endpoint,
)
OPERATIONS += values.COMLINK_OPERATIONS


# -- faults of one call: the typed error is the right result


async def exception(api):
    text = str(random.random())
    try:
        await call(api.refuse(text), "exception")
    except ValueError as exc:
        expect(str(exc), text, "comlink text of an exception")
        return
    note("wrong", "comlink exception: none came")


async def missing_method(api):
    await refused(api.there_is_none(), (TypeError, farcall.RemoteError), "missing method")


async def unencodable_result(api):
    await refused(api.unencodable(), TypeError, "unencodable result")


async def unencodable_argument(api):
    try:
        api.echo([lambda: 1])
    except TypeError:
        return
    note("wrong", "comlink: a function in a list was sent")


async def failing_callback(api):
    """Whatever it raises reaches JavaScript, and comes back from there."""
    kind = random.choice(bank.kinds())

    def failing(n):
        raise bank.made(kind, ["callback"])

    async def failing_later(n):
        await asyncio.sleep(0)
        raise bank.made(kind, ["callback"])

    function = random.choice((failing, failing_later))
    await refused(api.tell(function, 3), Exception, "callback that raises")


async def released_under_way(api):
    account = await call(comlink.new(api.Account, 5), "construction")
    pending = account.add(1)
    comlink.release(account)
    await refused(pending, farcall.ReleasedError, "call of a released proxy")


async def silent_peer(api):
    channel = js.MessageChannel.new()
    dead = comlink.wrap(channel.port1, timeout=0.02)
    await refused(dead.echo(1), farcall.TimeoutError, "silent peer")
    comlink.close(dead)


async def cancelled(api):
    async def wait():
        return await api.later(1, 500)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0.01)
    task.cancel()
    try:
        await call(task, "cancelled call")
    except asyncio.CancelledError:
        return
    note("wrong", "comlink: a cancelled call gave a result")


async def forged_replies(api):
    expect(await call(api.babble(), "forged replies"), "said", "comlink forged replies")


CALL_FAULTS = (
    exception,
    missing_method,
    unencodable_result,
    unencodable_argument,
    failing_callback,
    released_under_way,
    silent_peer,
    cancelled,
    forged_replies,
)


# -- faults of the worker or the connection: everything under way ends with a typed error


def terminate(api):
    comlink.terminate(api)


def uncaught_error(api):
    """Comlink's worker lives on, but nothing says what still comes."""
    api.crash()


def closed(api):
    comlink.close(api)


def released(api):
    comlink.release(api)


SESSION_FAULTS = (terminate, uncaught_error, closed, released)


async def actor(api, state):
    """One program: random operations, one after the other."""
    for _ in range(PROGRAM):
        kind = random.choice(CALL_FAULTS if random.random() < 0.15 else OPERATIONS)
        if kind in CALL_FAULTS:
            fault("comlink_" + kind.__name__)
        await guarded(kind, api, state)
        if state["faulty"]:
            return


async def guarded(kind, api, state):
    try:
        await kind(api)
    except Hung:
        return
    except farcall.FarcallError as exc:
        if not state["faulty"]:
            note("wrong", f"comlink {kind.__name__}: {type(exc).__name__}: {exc}"[:400])
    except Exception as exc:
        note("wrong", f"comlink {kind.__name__}: {platform.traceback_text(exc)}"[-400:])


class Served:
    """What JavaScript drives; `Bank` of worker.py knows the same."""

    def __init__(self, bank):
        self.accounts = bank.accounts
        self.echo = bank.echo
        self.later = bank.later
        self.raises = bank.raises
        self.raises_later = bank.raises_later
        self.refuse = bank.refuse
        self.unencodable = bank.unencodable

    async def tell(self, callback, number):
        for n in range(number):
            await callback(n)
        return number


async def driven(api, state, bank):
    """JavaScript runs random steps against an object of this page."""
    channel = js.MessageChannel.new()
    served = comlink.expose(
        Served(bank), channel.port1, on_error=lambda exc: note("wrong", f"comlink served: {exc!r}")
    )

    async def drive(api):
        try:
            text = await call(api.drive(channel.port2, DRIVEN), "steps of JavaScript")
        except Hung:
            note("wrong", "comlink: JavaScript hangs in " + await call(api.doing(), "doing"))
            raise
        done = json.loads(text)
        count("comlink_calls", done["calls"])
        for name, number in done["faults"].items():
            for _ in range(number):
                fault("comlink_from_javascript_" + name)
        for wrong in done["wrong"]:
            note("wrong", "comlink from JavaScript: " + wrong[:400])

    await guarded(drive, api, state)
    if state["faulty"]:
        served.close()
    elif not await ended(lambda: not served.is_open()):
        note("leaks", "comlink: what JavaScript released is still served")


async def saboteur(api, state):
    await asyncio.sleep(random.random() * 0.3)
    kind = random.choice(SESSION_FAULTS)
    state["faulty"] = True
    fault("comlink_session_" + kind.__name__)
    kind(api)
