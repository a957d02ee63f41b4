"""Drawn faults of one call: each ends, and the calls beside it in the message are answered.

Exceptions of every builtin class with odd arguments, operators between any two operands, promises
in any place, values around the limits, and what the browser refuses. MicroPython and Pyodide.
"""

import asyncio
import random

import farcall
import js
from bank import Account, kinds, made, operators
from counters import Hung, answered, expect, note
from farcall import platform

# Of the page's sessions; the worker learns them.
LIMITS = {"header": 20_000, "buffers": 20_000}
KINDS = kinds()
OPERATORS = operators()


async def ends(awaitable, what):
    """What it gives, or the error that it raises: either is right, as long as it ends."""
    try:
        return await answered(awaitable, what)
    except (Hung, farcall.WorkerDiedError, farcall.SessionClosedError, farcall.ProtocolError):
        raise  # the session ended, so nothing can be said of this call
    except Exception as exc:
        return exc


async def between(bank, what, start):
    """Start calls with others before and after them, all in one turn, and await all."""
    first = random.random()
    before = bank.echo(first)
    calls = start()
    after = bank.echo([first])
    expect(await answered(before, what), first, what + ": the call before it")
    found = []
    for call in calls:
        found.append(await ends(call, what))
    expect(await answered(after, what), [first], what + ": the call behind it")
    return found


def drawn_args():
    odd = (None, 7, "text", b"bytes", {"a": b"x"}, [1, (2,)], 1.5, "x" * 300)
    return [random.choice(odd) for _ in range(random.randrange(4))]


async def exhausted(stream):
    async for _ in stream:
        pass


async def any_exception_there(bank):
    index, args = random.randrange(1000), drawn_args()

    def start():
        calls = [bank.raises(index, args), bank.raises_later(index, args)]
        return calls + [exhausted(bank.streams(index, args))]

    for found in await between(bank, "exception of any class", start):
        if not isinstance(found, Exception):
            note("wrong", f"exception of any class: expected one, received {found!r}"[:400])


async def any_exception_of_a_callback(bank):
    kind, args = random.choice(KINDS), drawn_args()

    def now(n):
        raise made(kind, args)

    async def later(n):
        await asyncio.sleep(0)
        raise made(kind, args)

    def start():
        return [bank.tell(now, 2, True), bank.tell(later, 2, True)]

    for found in await between(bank, "callback that raises anything", start):
        if not isinstance(found, Exception):
            note("wrong", f"callback that raises anything: received {found!r}"[:400])


async def any_operator(bank):
    index = random.randrange(len(OPERATORS))
    account = await answered(bank.accounts(3), "construction")
    operands = (account, Account(5), 3, "text", [1], farcall.ref([1, 2]), None)
    a, b = random.choice(operands), random.choice(operands)

    async def here():
        result = OPERATORS[index](a, b)
        return await result if isinstance(result, farcall.Remote) else result

    await between(bank, "operator", lambda: [bank.operate(index, a, b), here()])


async def promise_in_any_place(bank):
    sources = (
        lambda: bank.accounts(1),
        lambda: bank.later(2, 0),
        lambda: bank.echo([1]),
        lambda: bank.refuse("as asked"),
    )
    uses = (
        lambda p: bank.echo(p),
        lambda p: bank.echo([p, (p, {"k": p})]),
        lambda p: bank.echo({p: 1}),
        lambda p: bank.echo({p}),
        lambda p: bank.echo(slice(p, 3)),
        lambda p: p.add(1),
        lambda p: p[0],
        lambda p: p + p,
    )
    source, use = random.choice(sources), random.choice(uses)

    async def used():
        return await use(source())

    await between(bank, "promise", lambda: [used(), used()])


def around_the_limit():
    return random.choice((0, 1, 9_000, 19_950, 20_000, 20_050, 60_000)) + random.randrange(40)


async def sizes_around_the_limits(bank):
    size, sizes = around_the_limit(), [around_the_limit() for _ in range(random.randrange(6))]
    heard = []

    async def stream():
        async for text in bank.texts(sizes):
            heard.append(len(text))

    def start():
        calls = [bank.text(size), bank.echo("x" * size), bank.echo(b"x" * size)]
        return calls + [bank.tell(lambda n: "x" * size, 1, True), stream()]

    found = await between(bank, "size around a limit", start)
    for value in found[:2]:
        if not isinstance(value, farcall.LimitError):
            expect(len(value), size, "size around a limit")
    expect(heard, sizes[: len(heard)], "items around a limit")
    if len(heard) < len(sizes) and not isinstance(found[4], farcall.LimitError):
        note("wrong", f"items around a limit: {found[4]!r}"[:400])


async def refused_by_the_browser(bank):
    """A port that was transferred before."""
    port = js.MessageChannel.new().port1
    js.MessageChannel.new().port1.postMessage(0, platform.to_array([port]))
    found = await between(bank, "refused", lambda: [bank.echo([port, Account(1)])])
    if not isinstance(found[0], TypeError):
        note("wrong", f"refused: expected TypeError, received {found[0]!r}"[:400])


async def task_as_argument(bank):
    async def give():
        return 1

    task = asyncio.create_task(give())
    try:
        bank.echo([task])
    except TypeError:
        expect(await task, 1, "task as argument")
        return
    note("wrong", "a task was sent")


async def shared_stream(bank):
    count = random.randrange(600)
    stream = await answered(bank.numbers(count), "shared stream")
    heard = []

    async def work():
        async for item in stream:
            heard.append(item)

    async def both():
        await asyncio.gather(work(), work())

    await answered(both(), "shared stream")
    expect(sorted(heard), list(range(count)), "shared stream")


FAULTS = (
    any_exception_there,
    any_exception_of_a_callback,
    any_operator,
    promise_in_any_place,
    sizes_around_the_limits,
    refused_by_the_browser,
    task_as_argument,
    shared_stream,
)
