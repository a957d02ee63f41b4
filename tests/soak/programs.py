"""Programs over farcall's own protocol, each checked against a model, and their faults."""

import asyncio
import random

import drawn
import farcall
import values
from counters import Hung, answered, expect, fault, note, raised
from farcall import platform

PROGRAM = 60  # operations of an actor in a round


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


async def echo_bytes(bank):
    sent = bytes([random.randrange(256) for _ in range(random.randrange(2000))])
    received = await answered(bank.echo(sent), "echo of bytes")
    expect(bytes(received), sent, "echo of bytes")


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
    echo_bytes,
    order,
    pipeline,
    callbacks,
    stream,
    broken_off_stream,
    released,
) + values.OPERATIONS


# -- faults of one call: the typed error is the right result


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
        await answered(task, "cancelled call")
    except asyncio.CancelledError:
        return
    note("wrong", "a cancelled call gave a result")


async def unencodable_exception(bank):
    await raised(bank.unprintable(), Exception, "exception that cannot cross")


async def never_awaited(bank):
    bank.refuse("never awaited")


async def uncaught_error(bank):
    """In a timer of the worker; the worker lives on."""
    await answered(bank.crash_later(), "uncaught error")


CALL_FAULTS = (
    exception,
    unencodable_result,
    unencodable_argument,
    unencodable_exception,
    private_name,
    failing_callback,
    time_out,
    cancelled,
    never_awaited,
    uncaught_error,
) + drawn.FAULTS


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


def reply_twice(session):
    """To a call that was answered long ago: the connection's first."""
    arrive(session, '[0,["ret",1,1]]')


def release_of_what_is_not_held(session):
    arrive(session, '[0,["free",999999,1]]')


def frame_that_is_none_sent(session):
    session._endpoint.post("{]", [])


def closed(session):
    session.close()


SESSION_FAULTS = (
    terminate,
    terminate_behind_our_back,
    frame_that_is_none,
    reply_never_asked_for,
    reply_twice,
    release_of_what_is_not_held,
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
