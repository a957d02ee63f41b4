"""Every state of a session meets every fault, in one page; MicroPython and Pyodide.

Three kinds of faults: of one call (the session lives on), of a session (a cell each, over one
worker), of a worker (all states at once, each in a session of its own). Leaves a list of cells as
JSON in the page: what each await ended with, how long after the fault was known here, and what
both sides hold afterwards.
"""

import asyncio
import json
import sys

import farcall
import js
from farcall import platform
from farcall.endpoints import Port

# Seconds for anything to come about; tests/support/limit.py measures how slow the machine is.
LIMIT = 10.0 * (js.slowness if hasattr(js, "slowness") else 1)
AT_MOST = 100  # ms from the moment the fault is known to the end of the last await
SHORT = 0.05  # seconds: the time-out where a peer never answers
NEAR = ("pending", "serving", "answers", "exports", "imports", "streams")


class Cell:
    """A session in a state; its awaits, and how they end."""

    def __init__(self, state, fault, engine, session, control):
        self.state = state
        self.fault = fault
        self.engine = engine
        self.session = session
        self.control = control
        self.ends = []  # [name of the error, when]
        self.tasks = []
        self.known = None
        self.meanwhile = None  # what happens in the very turn of the fault
        session.on_close.append(self.closed)

    def closed(self, error):
        self.known = platform.clock()

    def watch(self, awaitable):
        """Await it beside everything else."""
        task = asyncio.create_task(self.ended(awaitable))
        self.tasks.append(task)
        return task

    async def ended(self, awaitable):
        try:
            await awaitable
            name = "value"
        except asyncio.CancelledError:
            name = "CancelledError"
        except Exception as exc:
            name = type(exc).__name__
        self.ends.append([name, platform.clock()])

    def attempt(self, function):
        """Name of the error that a call raises at once; what it gives is watched."""
        try:
            self.watch(function())
        except Exception as exc:
            self.ends.append([type(exc).__name__, platform.clock()])

    def use(self):
        """A call like any other."""
        self.attempt(lambda: self.engine.far.echo(2))

    async def all_ended(self, count):
        return await came(lambda: len(self.ends) >= count)

    def report(self, begun, unaffected):
        """What the test judges; times in milliseconds after the fault was known here."""
        known = self.known or begun
        held = self.session.statistics()
        return {
            "state": self.state.__name__,
            "fault": self.fault,
            "ends": [end[0] for end in self.ends],
            "awaited": len(self.tasks),
            "unaffected": unaffected,
            "noticed": (known - begun) * 1000,
            "late": max([(end[1] - max(known, begun)) * 1000 for end in self.ends] + [0]),
            "session": type(self.session.error).__name__,
            "near": [held[name] for name in NEAR],
        }


async def came(condition):
    """Whether it came about in time."""
    end = platform.clock() + LIMIT
    while not condition():
        if platform.clock() > end:
            return False
        await asyncio.sleep(0.002)
    return True


# -- states: put a cell into it; the number of coroutines that then wait on the far side


async def idle(cell):
    await cell.engine.far.echo(1)
    return 0


async def connecting(cell):
    """The peer has not said hello; `connect` waits for this."""
    cell.watch(cell.session.ready)
    return 0


async def calling(cell):
    for _ in range(3):
        cell.watch(cell.engine.far.forever())
    return 3


async def in_a_callback(cell):
    async def forever():
        await asyncio.sleep(3600)

    cell.watch(cell.engine.far.calls_back(forever))
    return 1


async def streaming(cell):
    async def consume():
        async for _ in cell.engine.far.ticks():
            pass

    cell.watch(consume())
    return 1


async def cancelling(cell):
    """A task is cancelled in the very turn of the fault."""
    cell.meanwhile = cell.watch(cell.engine.far.forever()).cancel
    return 1


async def closing(cell):
    """Closed in the very turn of the fault, with a call under way."""
    cell.watch(cell.engine.far.forever())
    cell.meanwhile = cell.session.close
    return 1


async def closed(cell):
    cell.session.close()
    return 0


STATES = (idle, connecting, calling, in_a_callback, streaming, cancelling, closing, closed)


# -- faults of a session


async def closed_here(cell):
    cell.session.close()


async def closed_there(cell):
    await said(cell, lambda control: control.close(), '[0,["bye","no"]]')


async def frame_that_is_none(cell):
    await said(cell, lambda control: control.say("{]"), "{]")


async def message_of_the_wrong_kind(cell):
    await said(cell, lambda control: control.say_no_message(), 7)


async def unknown_message(cell):
    text = '[0,["nonsense",1]]'
    await said(cell, lambda control: control.say(text), text)


async def forged_reply(cell):
    text = '[0,["ret",999999,1]]'
    await said(cell, lambda control: control.say(text), text)


async def forged_plain_reply(cell):
    text = '[0,["ret",999998,"x"]]'
    await said(cell, lambda control: control.say(text), text)


async def repeated_reply(cell):
    """To the session's first call, which was answered."""
    text = '[0,["ret",1,null]]'
    await said(cell, lambda control: control.say(text), text)


async def forged_release(cell):
    text = '[0,["free",999999,1]]'
    await said(cell, lambda control: control.say(text), text)


async def undecodable_frame_sent(cell):
    """The far side refuses it, and says so; a peer that is not there yet does not."""
    cell.session._endpoint.post("{]", [])
    if cell.control is None:
        cell.port.postMessage(js_array('[0,["bye","ProtocolError"]]'))


async def message_that_cannot_be_deserialised(cell):
    cell.session._endpoint._port.dispatchEvent(js.MessageEvent.new("messageerror"))


async def said(cell, ask, text):
    """The far side says it, or the test in its place where there is none yet."""
    if cell.control is None:
        cell.port.postMessage(js_array(text))
        return
    try:
        await ask(cell.control)
    except LookupError:  # the session closed itself before this came
        return


def js_array(text):
    if text == 7:
        return text
    array = js.Array.new()
    array.push(text)
    return array


SESSION_FAULTS = (
    closed_here,
    closed_there,
    frame_that_is_none,
    message_of_the_wrong_kind,
    unknown_message,
    forged_reply,
    forged_plain_reply,
    repeated_reply,
    forged_release,
    undecodable_frame_sent,
    message_that_cannot_be_deserialised,
)


# -- faults of one call, or of a connection beside it: the session must live on


async def unencodable_argument(cell):
    cell.attempt(lambda: cell.engine.far.echo(sys))


async def unencodable_result(cell):
    cell.attempt(lambda: cell.engine.far.unencodable())


async def unencodable_exception(cell):
    cell.attempt(lambda: cell.engine.far.unprintable())


async def failing_callback(cell):
    async def fail():
        raise ZeroDivisionError("callback")

    cell.attempt(lambda: cell.engine.far.calls_back(fail))


async def no_answer(cell):
    cell.attempt(lambda: farcall.options(cell.engine.far.forever, timeout=SHORT)())


async def release_under_way(cell):
    """The call made before the release is answered, one made after it refused."""

    async def race():
        box = await cell.engine.far.box()
        call = box.echo(1)
        farcall.release(box)
        if await call != 1:
            raise AssertionError("a release overtook a call")
        box.echo(2)

    cell.attempt(race)


async def error_in_the_worker(cell):
    """Uncaught, in a timer: the worker and its sessions live on."""
    if cell.control is not None:
        await cell.control.crash()


async def wrong_name(cell):
    cell.watch(farcall.connect("nobody", timeout=LIMIT))


async def missing_source(cell):
    cell.watch(farcall.connect("missing", timeout=LIMIT))


async def import_error(cell):
    cell.watch(farcall.connect("unimportable", timeout=60))


CALL_FAULTS = (
    unencodable_argument,
    unencodable_result,
    unencodable_exception,
    failing_callback,
    no_answer,
    release_under_way,
    error_in_the_worker,
    wrong_name,
    missing_source,
    import_error,
)


# -- faults of a worker


def terminated(name):
    farcall.terminate(workers[name])


def terminated_behind_our_back(name):
    farcall.session(workers[name]).worker.worker.terminate()


def ended_by_itself(name):
    workers[name].far.die()


WORKER_FAULTS = (terminated, terminated_behind_our_back, ended_by_itself)


# -- running


workers = {}  # proxies by the worker's name


async def opened(state, fault, name):
    """A cell over a new session with a worker; `connecting` is with a port that says nothing."""
    if state is connecting:
        channel = js.MessageChannel.new()
        channel.port2.start()
        session = farcall.Session(Port(channel.port1), on_error=ignore)
        cell = Cell(state, fault, session.root, session, None)
        cell.port = channel.port2
        return cell
    engine = await farcall.connect(name, on_error=ignore)
    cell = Cell(state, fault, engine, farcall.session(engine), workers[name].control)
    await engine.far.echo(None)  # call 1, which `repeated_reply` answers again
    return cell


def ignore(exc, whence):
    """Errors that are never awaited are not tested here."""


async def entered(cell):
    """Put the cell into its state."""
    waiting = await cell.state(cell)
    if cell.control is not None:
        while await cell.control.inside() < waiting:
            await asyncio.sleep(0.002)


async def strike(cell, fault):
    """The fault, and what happens in the same turn."""
    if cell.meanwhile is not None:
        cell.meanwhile()
    await fault(cell)


async def session_cell(state, fault):
    """A fault that ends the session."""
    cell = await opened(state, fault.__name__, "far")
    await entered(cell)
    begun = platform.clock()
    await strike(cell, fault)
    await came(lambda: cell.session.error is not None)
    await cell.all_ended(len(cell.tasks))
    cell.use()
    found = cell.report(begun, False)
    found["far"] = await settled_there()
    return found


async def call_cell(state, fault):
    """A fault that the session survives: it ends its own call only; then the session is closed."""
    cell = await opened(state, fault.__name__, "far")
    await entered(cell)
    before = len(cell.tasks)
    ended = len(cell.ends)
    begun = platform.clock()
    await strike(cell, fault)
    own = len(cell.tasks) - before
    alive = cell.session.error is None
    silent = cell.state is connecting and fault not in (wrong_name, missing_source, import_error)
    if not silent:
        await came(lambda: len([t for t in cell.tasks[before:] if not t.done()]) == 0)
    unaffected = (cell.session.error is None) == alive and not [
        end for end in cell.ends[:ended] if end[0] == "value"
    ]
    if alive and cell.control is not None:
        unaffected = unaffected and await cell.engine.far.echo(3) == 3
    cell.session.close()
    await cell.all_ended(len(cell.tasks))
    found = cell.report(begun, unaffected)
    found["own"] = own
    found["far"] = await settled_there()
    return found


async def best_of_three(run, state, fault):
    """On a busy machine the whole page may stand still for longer than a cell may take."""
    found = await run(state, fault)
    for _ in range(2):
        if found["late"] < AT_MOST:
            break
        found = await run(state, fault)
    return found


async def settled_there():
    """What the worker still runs and has open for closed sessions; the control session is one."""
    control = workers["far"].control
    end = platform.clock() + LIMIT
    while True:
        found = [await control.inside(), await control.sessions()]
        if found == [0, 1] or platform.clock() > end:
            return found
        await asyncio.sleep(0.002)


async def worker_cells(fault):
    """All states at once, each in a session of its own with the worker that is to die."""
    name = fault.__name__
    cells = []
    for state in STATES:
        if state is not connecting:
            cells.append(await opened(state, name, name))
    waiting = 0
    for cell in cells:
        waiting += await cell.state(cell)
    while await workers[name].control.inside() < waiting:
        await asyncio.sleep(0.002)
    begun = platform.clock()
    ended = []
    joining = asyncio.create_task(joins(farcall.session(workers[name]).worker.port(), ended))
    for cell in cells:
        if cell.meanwhile is not None:
            cell.meanwhile()
    fault(name)
    await came(lambda: not [c for c in cells if c.session.error is None])
    found = []
    for cell in cells:
        await cell.all_ended(len(cell.tasks))
        cell.use()
        found.append(cell.report(begun, False))
    await joining
    known = min([cell.known for cell in cells])
    found.append(joined(name, ended, max(known, begun)))
    return found


async def joins(waiting, ended):
    """The state `connecting`: what `connect` waits for; how it ends, and when."""
    try:
        await waiting
        name = "value"
    except Exception as exc:
        name = type(exc).__name__
    ended[:] = [name, platform.clock()]


def joined(fault, ended, known):
    """The cell of `connecting`; `known` is when the fault was known here."""
    return {
        "state": "connecting",
        "fault": fault,
        "ends": ended[:1],
        "awaited": 1,
        "unaffected": False,
        "noticed": 0,
        "late": (ended[1] - known) * 1000,
        "session": ended[0],
        "near": [0] * len(NEAR),
    }


async def silent_cells():
    """A far port that was closed without a word: this browser has no sign, only time tells."""
    found = []
    for state in STATES:
        if state not in (closing, closed):  # their own end is what they wait for, and get
            run = silent_connect if state is connecting else silent_cell
            found.append(await best_of_three(run, state, "port_closed"))
    return found


async def silent_cell(state, fault):
    """Known when the time is over: of the last call, which begins after the others."""
    cell = await opened(state, fault, "far")
    cell.session.timeout = SHORT
    await entered(cell)
    await strike(cell, lambda cell: cell.control.close_port())
    cell.use()
    known = platform.clock() + SHORT
    await cell.all_ended(len(cell.tasks))
    report = cell.report(known, False)
    cell.session.close()
    report["near"] = [cell.session.statistics()[name] for name in NEAR]
    await cell.control.close()
    report["far"] = await settled_there()
    return report


async def silent_connect(state, fault):
    channel = js.MessageChannel.new()
    channel.port2.close()
    known = platform.clock() + SHORT
    ended = []
    await joins(farcall.connect(channel.port1, timeout=SHORT), ended)
    return joined(fault, ended, known)


async def main():
    found = []
    for name in ["far"] + [fault.__name__ for fault in WORKER_FAULTS]:
        workers[name] = await farcall.connect(name, timeout=120, on_error=ignore)
    began = platform.clock()
    for state in STATES:
        for fault in SESSION_FAULTS:
            doing(state, fault)
            found.append(await best_of_three(session_cell, state, fault))
        for fault in CALL_FAULTS:
            doing(state, fault)
            found.append(await best_of_three(call_cell, state, fault))
    found += await silent_cells()
    for fault in WORKER_FAULTS:
        doing(fault, fault)
        found += await worker_cells(fault)
    return {"cells": found, "seconds": platform.clock() - began}


def doing(state, fault):
    js.document.title = state.__name__ + " " + fault.__name__


async def guarded():
    try:
        results = await main()
    except Exception as exc:
        text = platform.traceback_text(exc) + getattr(exc, "remote_traceback", "")
        results = {"failed": js.document.title + ": " + text}
    js.window.matrix = json.dumps(results)


task = asyncio.create_task(guarded())
