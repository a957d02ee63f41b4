"""Tasks, and what they wait for: one class that every interpreter's event loop steps at once."""

import asyncio

from farcall.platform.interpreter import MICROPYTHON, CancelledError, report, traceback_text
from farcall.platform.javascript import JsProxy, js
from farcall.platform.timers import Timer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any


def spawn(coroutine: "Any") -> "asyncio.Task[Any]":
    """Run a coroutine as a new task."""
    return asyncio.create_task(coroutine)


if MICROPYTHON:
    _marked: "dict[int, tuple[object, ...]]" = {}  # by the task's id

    def spawn_marked(coroutine: "Any") -> "tuple[object, asyncio.Task[Any]]":
        """Run a coroutine as a new task; gives the mark that `marks` has while it runs, and it."""
        mark = object()
        return mark, _create_task(_marked_run(coroutine, marks() + (mark,)))

    def marks() -> "tuple[object, ...]":
        """The marks of the task that runs; what it spawns has them too."""
        return _marked.get(id(_core.cur_task), ())

    def set_marks(marks: "tuple[object, ...]") -> None:
        """Give the task that runs other marks; none outside any, where event handlers run."""
        task = _core.cur_task
        if marks and task is not _core._top_level_task:
            _marked[id(task)] = marks
        else:
            _marked.pop(id(task), None)

    async def _marked_run(awaitable: "Any", marks: "tuple[object, ...]") -> "Any":
        set_marks(marks)
        try:
            return await awaitable
        finally:
            set_marks(())

else:
    import contextvars

    _marks: "contextvars.ContextVar[tuple[object, ...]]" = contextvars.ContextVar("_marks")

    def spawn_marked(coroutine: "Any") -> "tuple[object, asyncio.Task[Any]]":
        """As on MicroPython."""
        mark, before = object(), marks()
        set_marks(before + (mark,))
        task = asyncio.create_task(coroutine)
        set_marks(before)
        return mark, task

    def marks() -> "tuple[object, ...]":
        """As on MicroPython."""
        return _marks.get(())

    def set_marks(marks: "tuple[object, ...]") -> None:
        """As on MicroPython."""
        _marks.set(marks)


class Variables:
    """One copy of the context variables for all steps of what runs in several.

    In another copy the token that `ContextVar.set` gave to a step is of no use. MicroPython has
    none.

    Attributes:
        entered: whether what runs now has these variables.
    """

    def __init__(self) -> None:
        self.entered = MICROPYTHON
        if not MICROPYTHON:
            self._run = contextvars.copy_context().run

    def run(self, function: "Callable[..., Any]", *args: "Any") -> "Any":
        """Call a function with these variables."""
        if self.entered:
            return function(*args)
        self.entered = True
        try:
            return self._run(function, *args)
        finally:
            self.entered = False

    async def wait(self, awaitable: "Any") -> "Any":
        """Await something with these variables; a task would have a copy."""
        return await (awaitable if MICROPYTHON else _steps(self.run, awaitable.__await__()))


def _steps(run: "Callable[..., Any]", steps: "Any") -> "Any":
    """Run each step of an awaitable by `run`."""
    step, value = steps.send, None
    while True:
        try:
            found = run(step, value)
        except StopIteration as end:
            return end.value
        try:
            step, value = steps.send, (yield found)
        except BaseException as exc:
            step, value = steps.throw, exc


if not MICROPYTHON:
    import types

    _steps = types.coroutine(_steps)


def cancel(task: "asyncio.Task[Any]") -> None:
    """Cancel a task. MicroPython can't cancel the one that runs, such as a callback that ends the
    worker that called it: that one goes on."""
    try:
        task.cancel()
    except RuntimeError:
        if not MICROPYTHON:
            raise


def current_task() -> "Any":
    """The task that runs."""
    return _core.cur_task if MICROPYTHON else asyncio.current_task()


def being_cancelled(task: "Any") -> bool:
    """Whether a task that has not ended was cancelled. MicroPython's do not say."""
    return not MICROPYTHON and task.cancelling() > 0


# Types of nearly all results, none of which is to be awaited.
VALUES = (int, str, float, type(None), bool, list, dict, tuple)
_COROUTINE = "generator" if MICROPYTHON else "coroutine"


def is_awaitable(value: "object") -> bool:
    """Whether a function's result must be awaited before it is a value."""
    if type(value) in VALUES:
        return False
    if MICROPYTHON:
        return hasattr(value, "send") or (isinstance(value, JsProxy) and hasattr(value, "then"))
    return hasattr(type(value), "__await__")


def refuse_unawaited(value: "Any") -> None:
    """Refuse to send a coroutine, task or future: what it gives is meant.

    MicroPython's coroutines are generators: only its tasks can be known there.

    Raises:
        TypeError: it is one.
    """
    name = type(value).__name__
    if MICROPYTHON:
        found = isinstance(value, _core.Task)
    else:
        coroutine = name == "coroutine" or name.startswith("async_generator_a")
        found = coroutine or asyncio.isfuture(value)
        if coroutine:
            name = f"{name} {getattr(value, '__name__', '')}()"
    if found:
        raise TypeError(f"a {name} cannot cross: write `await` before it, to send what it gives")


def discard(awaitable: "Any") -> None:
    """Close a coroutine that will never be awaited; leave any other awaitable as it is."""
    if type(awaitable).__name__ != _COROUTINE:
        return  # its `close` is its class's own, or a remote call
    try:
        awaitable.close()
    except BaseException as exc:  # of its `finally`: no caller can get it
        report(f"farcall: a coroutine that was never awaited failed: {traceback_text(exc)}")


def is_over(exc: "BaseException") -> bool:
    """Whether a coroutine gets this exception because its event loop is gone: nothing can run."""
    if MICROPYTHON or not issubclass(type(exc), GeneratorExit):
        return False
    return asyncio._get_running_loop() is None


class Waiter:
    """Settled once with a value or an error; any number of tasks may wait for it.

    asyncio.Future would do, but wakes its task through the event loop: one more turn a call.
    Here the task is stepped by `wake`, right where the reply came in. A task that waits and is
    cancelled cancels the waiter (and calls its `cancelled`), as with asyncio.Future.
    """

    _asyncio_future_blocking = False
    done = False
    value: "Any" = None
    error: "BaseException | None" = None
    retrieved = False  # whether the error was raised to a task
    _waiting: "tuple[Any, ...]" = ()

    def settle(self, value: "object", error: "BaseException | None" = None) -> bool:
        """Keep the outcome; True when somebody waits for it and `wake` must follow."""
        if self.done:
            return False
        self.done = True
        self.value = value
        if error is not None:
            self.error = error
        return bool(self._waiting)

    def settle_now(self, value: "object", error: "BaseException | None" = None) -> None:
        """Settle and wake: in an event handler, outside any task."""
        if self.settle(value, error):
            self.wake()
            drain()

    def settle_soon(self, value: "object", error: "BaseException | None" = None) -> None:
        """Settle now, wake in a separate turn: safe inside a task."""
        if self.settle(value, error):
            self.wake_soon()

    def wake_soon(self) -> None:
        """Wake in a separate turn: safe inside a task."""
        Timer(0, self._wake_alone)

    def _wake_alone(self) -> None:
        self.wake()
        drain()

    def result(self) -> "Any":
        """The value; raises the error."""
        if self.error is not None:
            self.retrieved = True
            raise self.error
        return self.value

    def cancelled(self) -> None:
        """The task that waited was cancelled."""

    def cancel(self, msg: "object" = None) -> bool:
        """Called by a task that waits and is being cancelled; False when already settled."""
        if self.done:
            return False
        self.settle(None, CancelledError())
        self.retrieved = True
        self.cancelled()
        if not MICROPYTHON:  # the canceller's own step is still running: not from within it
            self._loop().call_soon(self.wake)
        return True

    def _loop(self) -> "asyncio.AbstractEventLoop":
        """The loop of the task that waits: asyncio.run cancels tasks while no loop runs."""
        loop: "asyncio.AbstractEventLoop" = self._waiting[0][0].__self__.get_loop()
        return loop

    def wake(self) -> None:
        """Step the tasks that wait. Only outside any task, and `drain` must follow."""
        waiting, self._waiting = self._waiting, ()
        if MICROPYTHON:
            for task in waiting:
                _step(task)
            return
        for function, context in waiting:
            try:
                context.run(function, self)
            except BaseException as exc:  # SystemExit of a task is the event loop's to raise
                asyncio.get_running_loop().call_soon(_raise, exc)

    def wait(self) -> "Generator[Any, None, Any]":
        """Yield to the event loop until settled."""
        if not self.done:
            if MICROPYTHON:
                task = _core.cur_task
                self._waiting = self._waiting + (task,)
                task.data = self
                try:
                    yield
                except CancelledError:
                    self.cancel()
                    raise
            else:
                self._asyncio_future_blocking = True
                yield self
        if self.error is not None:
            self.retrieved = True
            raise self.error
        return self.value

    if MICROPYTHON:
        __iter__ = wait
    else:
        __await__ = wait

    # -- what asyncio's Task asks of a future (CPython, Pyodide)

    def get_loop(self) -> "asyncio.AbstractEventLoop":
        return asyncio.get_running_loop()

    def add_done_callback(
        self, function: "Callable[..., object]", *, context: "object" = None
    ) -> None:
        self._waiting = self._waiting + ((function, context),)

    def remove_done_callback(self, function: "Callable[..., object]") -> int:
        before = len(self._waiting)
        self._waiting = tuple(pair for pair in self._waiting if pair[0] != function)
        return before - len(self._waiting)

    # -- what MicroPython's Task asks of a queue it waits in

    def remove(self, task: "object") -> None:
        self._waiting = tuple([t for t in self._waiting if t is not task])


class Shared(Waiter):
    """An outcome that many tasks wait for, each by a waiter of its own.

    A task that is cancelled, or waits no longer, ends its own wait and no other's.
    """

    _asyncio_future_blocking = None  # type: ignore[assignment]  # no future: no task may cancel it

    def __init__(self) -> None:
        self._each: "list[Waiter]" = []

    def each(self) -> "Waiter":
        """A waiter of its own for one who waits."""
        waiter = Waiter()
        if self.done:
            waiter.settle(self.value, self.error)
        else:
            self._each = [w for w in self._each if not w.done] + [waiter]
        return waiter

    def settle(self, value: "object", error: "BaseException | None" = None) -> bool:
        """As a Waiter's; those who wait are woken by `wake`."""
        if self.done:
            return False
        Waiter.settle(self, value, error)
        self._each = [w for w in self._each if w.settle(value, error)]
        return bool(self._each)

    def wake(self) -> None:
        """As a Waiter's."""
        each, self._each = self._each, []
        for waiter in each:
            waiter.wake()

    def wait(self) -> "Generator[Any, None, Any]":
        """As a Waiter's."""
        return self.each().wait()

    if MICROPYTHON:
        __iter__ = wait
    else:
        __await__ = wait


def _raise(exc: "BaseException") -> None:
    raise exc


def drain() -> None:
    """Run the tasks that `wake` made ready now instead of after a timer (MicroPython only).

    MicroPython resumes tasks from setTimeout, clamped to 4 ms when nested; we are already in an
    event of our own.
    """
    if MICROPYTHON:
        first = _core._task_queue.peek()
        if first and _core.ticks_diff(first.ph_key, _core.ticks()) <= 0:
            _core._run_iter()


def _step(task: "Any") -> None:
    """Resume a task of MicroPython's at once: its queue and loop cost 5 microseconds.

    Task.state: True while it runs and no task waits for it, a function or a queue of the waiting
    ones; afterwards None until one of them has taken what `data` keeps, then False.
    """
    before = _core.cur_task
    _core.cur_task = task
    task.data = None
    try:
        task.coro.send(None)
    except BaseException as exc:
        _ended(task, exc)
    finally:
        _core.cur_task = before


def _ended(task: "Any", exc: "Any") -> None:
    state = task.state
    heard = state is not True
    task.state = False if heard else None
    if callable(state):
        state(task, exc)
    elif heard:
        _Now.draining = True
        heard = bool(state.peek())
        while state.peek():
            _core._task_queue.push(state.pop())
        _Now.draining = False
    if not heard and not isinstance(exc, (CancelledError, StopIteration)):
        _core._task_queue.push(task)  # its turn there reports the exception, if no task takes it
    task.data = exc


_core: "Any" = getattr(asyncio, "core", None)
_awaitables: "tuple[type, ...]" = ()


def treat_as_awaitable(cls: "type") -> None:
    """Let create_task, gather and wait_for await a class whose objects have every attribute.

    MicroPython's take what has a `send` for a coroutine.
    """
    global _awaitables
    _awaitables = (cls,)


if MICROPYTHON:

    class _Now:
        """asyncio's view of `js`: sets no timer for tasks that `drain` is about to run.

        A timer set and cleared each way costs 8 of a call's 60 microseconds.
        """

        draining = False

        @staticmethod
        def setTimeout(function, milliseconds):  # type: ignore[no-untyped-def]
            return None if _Now.draining else js.setTimeout(function, milliseconds)

        @staticmethod
        def clearTimeout(handle):  # type: ignore[no-untyped-def]
            js.clearTimeout(handle)

    _core.js = _Now
    _create_task = _core.create_task

    async def _awaited(value: "Any") -> "Any":
        return await value

    def _task_of(value: "Any") -> "Any":
        inherited = marks()
        if inherited:
            value = _marked_run(value, inherited)
        elif isinstance(value, _awaitables):
            value = _awaited(value)
        return _create_task(value)

    _modules: "Any" = (_core, asyncio)  # gather and wait_for ask the first
    for _module in _modules:
        _module.create_task = _task_of
