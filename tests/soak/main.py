"""The soak's page: rounds of random programs, with and without faults, until the time is over.

Runs on MicroPython and on Pyodide. `window.soak` holds the counters as JSON after each round.
"""

import asyncio
import gc
import json
import random

import farcall
import js
from farcall import platform

PATIENCE = 60.0  # seconds after which an await counts as a hang; a worker starts in seconds
ACTORS = 4
PROGRAM = 60  # operations of an actor in a round

query = js.URLSearchParams.new(js.location.search)
SECONDS = float(str(query.get("seconds")))
random.seed(int(str(query.get("seed"))))

counters = {"calls": 0, "rounds": 0, "restarts": 0, "hangs": 0, "leaks": 0, "wrong": 0}
faults = {}
notes = []


def count(name):
    counters[name] += 1


def fault(name):
    faults[name] = faults.get(name, 0) + 1


def note(kind, text):
    count(kind)
    if len(notes) < 8 or (kind != "wrong" and len(notes) < 20):
        notes.append(kind + ": " + text)


def publish(state):
    found = dict(counters)
    found["faults"] = faults
    found["notes"] = notes
    found["state"] = state
    js.window.soak = json.dumps(found)


def expect(actual, expected, what):
    if actual != expected:
        note("wrong", f"{what}: expected {expected!r}, received {actual!r}"[:400])


async def answered(awaitable, what):
    """The result; an await that does not end is a hang."""

    async def wait():
        return await awaitable

    task = asyncio.create_task(wait())
    try:
        result = await asyncio.wait_for(task, PATIENCE)
    except platform.TimeoutError as exc:
        if isinstance(exc, farcall.FarcallError) or getattr(exc, "args", None):
            raise
        note("hangs", what)
        raise Hung(what)  # noqa: B904 - MicroPython has no `from`
    count("calls")
    return result


class Hung(Exception):
    """An await that did not end in time."""


def value(depth=3):
    kind = random.randrange(8 if depth else 5)
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
        return tuple([value(depth - 1) for _ in range(random.randrange(4))])
    if kind == 6:
        return [value(depth - 1) for _ in range(random.randrange(5))]
    return dict([("k" + str(n), value(depth - 1)) for n in range(random.randrange(5))])


# -- operations: each checks its result against what it must be


async def echo(bank):
    sent = value()
    expect(await answered(bank.echo(sent), "echo"), sent, "echo")


async def order(bank):
    """Calls that are not awaited take effect in the order they were made."""
    account = await answered(bank.accounts(0), "construction")
    amounts = [random.randrange(100) for _ in range(8)]
    calls = [account.add(amount) for amount in amounts]
    total = 0
    for call, amount in zip(calls, amounts):
        total += amount
        expect(await answered(call, "add"), total, "order of calls")


async def pipeline(bank):
    start = random.randrange(1000)
    call = bank.accounts(start).child(start + 1).add(2)
    expect(await answered(call, "pipeline"), start + 3, "pipeline")


async def callbacks(bank):
    heard = []
    n = random.randrange(1, 20)
    told = await answered(bank.tell(heard.append, n, random.randrange(2) == 1), "callbacks")
    expect(heard, list(range(told)), "callbacks before the result, in order")


async def stream(bank):
    n = random.randrange(600)
    heard = []

    async def consume():
        async for item in bank.numbers(n):
            heard.append(item)

    await answered(consume(), "stream")
    expect(heard, list(range(n)), "stream")


async def broken_off_stream(bank):
    n = random.randrange(1, 50)
    heard = []

    async def consume():
        async for item in bank.numbers(100_000):
            heard.append(item)
            if item == n:
                break

    await answered(consume(), "stream that is left")
    expect(heard, list(range(n + 1)), "stream that is left")


async def released(bank):
    """A release does not overtake the call made before it."""
    account = await answered(bank.accounts(5), "construction")
    call = account.add(1)
    farcall.release(account)
    expect(await answered(call, "call before release"), 6, "call before release")


OPERATIONS = (
    echo,
    echo,
    order,
    pipeline,
    callbacks,
    stream,
    broken_off_stream,
    released,
)


# -- faults of one call: the typed error is the right result


async def raised(awaitable, kinds, what):
    try:
        found = await answered(awaitable, what)
    except farcall.WorkerDiedError:
        raise
    except kinds:
        return
    note("wrong", f"{what}: expected an error, received {found!r}"[:400])


async def exception(bank):
    text = str(random.random())
    try:
        await answered(bank.refuse(text), "exception")
    except ValueError as exc:
        expect(str(exc), text, "text of an exception")
        return
    note("wrong", "exception: none came")


async def unencodable_result(bank):
    await raised(bank.unencodable(), (TypeError, AttributeError), "unencodable result")


async def unencodable_argument(bank):
    try:
        bank.echo(asyncio)
    except (TypeError, AttributeError):
        return
    note("wrong", "a module was sent")


async def private_name(bank):
    await raised(bank["__dict__"], (TypeError, AttributeError, KeyError), "item of no container")


def failing(n):
    raise ValueError("callback")


async def failing_callback(bank):
    await raised(bank.tell(failing, 3, True), ValueError, "callback that raises")


async def time_out(bank):
    call = farcall.options(bank.later, timeout=0.02)(1, 5)
    await raised(call, farcall.TimeoutError, "time-out")


async def cancelled(bank):
    async def wait():
        return await bank.later(1, 5)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0.01)
    task.cancel()
    try:
        await asyncio.wait_for(task, PATIENCE)
    except asyncio.CancelledError:
        return
    note("wrong", "a cancelled call gave a result")


CALL_FAULTS = (
    exception,
    unencodable_result,
    unencodable_argument,
    private_name,
    failing_callback,
    time_out,
    cancelled,
)


# -- faults of a whole worker or session: everything under way ends with a typed error


def terminate(session):
    farcall.terminate(session.root)


def terminate_behind_our_back(session):
    session.worker.worker.terminate()


def arrive(session, header):
    """As if the worker had sent it: messages come outside any task."""
    platform.Timer(0, lambda: session._receive(header, ()))


def frame_that_is_none(session):
    arrive(session, "{]")


def reply_never_asked_for(session):
    arrive(session, '[0,["ret",999999,1]]')


def frame_that_is_none_sent(session):
    session._endpoint.post("{]", [])


def closed(session):
    session.close()


SESSION_FAULTS = (
    terminate,
    terminate_behind_our_back,
    frame_that_is_none,
    reply_never_asked_for,
    frame_that_is_none_sent,
    closed,
)


async def actor(bank, state):
    """One program: random operations, one after the other."""
    for _ in range(PROGRAM):
        kind = random.choice(CALL_FAULTS if random.random() < 0.15 else OPERATIONS)
        if kind in CALL_FAULTS:
            fault(kind.__name__)
        try:
            await kind(bank)
        except Hung:
            return
        except farcall.FarcallError as exc:
            if not state["faulty"]:
                note("wrong", f"{kind.__name__}: {type(exc).__name__}: {exc}"[:400])
            return
        except Exception as exc:
            note("wrong", f"{kind.__name__}: {platform.traceback_text(exc)}"[-400:])
            return


async def saboteur(session, state):
    await asyncio.sleep(random.random() * 0.5)
    kind = random.choice(SESSION_FAULTS)
    state["faulty"] = True
    fault(kind.__name__)
    kind(session)


async def round_of(worker):
    """A round; True if the worker is to be replaced."""
    bank = worker.engine
    session = farcall.session(bank)
    state = {"faulty": False}
    tasks = [asyncio.create_task(actor(bank, state)) for _ in range(ACTORS)]
    sabotage = random.random() < 0.3
    if sabotage:
        tasks.append(asyncio.create_task(saboteur(session, state)))
    while tasks:
        await tasks.pop()
    bank = None
    scrub(40)
    if sabotage:
        await no_pending(session)
        return True
    await nothing_held(session)
    return False


def scrub(depth):
    """Overwrite what calls left on the stack: MicroPython's collector takes it for references."""
    return [0] * 20 if not depth else scrub(depth - 1)


def forget_failed_task():
    """MicroPython's asyncio keeps the last task that failed unawaited, with all it refers to."""
    context = getattr(getattr(asyncio, "core", None), "_exc_context", None)
    if context is not None:
        context["future"] = context["exception"] = None


async def no_pending(session):
    """The fault is known within 5 s (locks are told at once, a busy machine is slow)."""
    for _ in range(500):
        if session.error is not None and not session.statistics()["pending"]:
            return
        await asyncio.sleep(0.01)
    note("hangs", f"session: {session.error!r}, {session.statistics()!r}")


async def nothing_held(session):
    names = ("pending", "serving", "exports", "imports", "streams")
    for _ in range(200):
        scrub(40)
        forget_failed_task()
        gc.collect()
        if hasattr(js, "gc"):
            js.gc()
        await asyncio.sleep(0.02)
        far = await answered(session.root.held(), "statistics of the worker")
        near = session.statistics()
        found = [near[k] for k in names] + [far[k] for k in names if k != "serving"]
        found.append(far["running"])
        if not any(found):
            return
    held = sorted(session.tables.imports)
    note("leaks", f"page {[near[k] for k in names]}, worker {far!r}, objects {held}")


async def main():
    began = platform.clock()
    worker = farcall.Worker("./worker.py", config="./worker.toml", timeout=PATIENCE)
    worker._options["on_error"] = lambda exc, whence: None
    await worker.start()
    publish("running")
    while platform.clock() - began < SECONDS and not counters["hangs"]:
        if await round_of(worker):
            count("restarts")
            await worker.restart()
        count("rounds")
        publish("running")
    publish("done")


async def guarded():
    try:
        await main()
    except Exception as exc:
        note("wrong", platform.traceback_text(exc)[-1500:])
        publish("failed")


task = asyncio.create_task(guarded())
