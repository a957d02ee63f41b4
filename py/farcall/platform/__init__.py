"""The only package that knows which interpreter runs it: CPython, Pyodide or MicroPython.

    interpreter   which one it is, and what it prints of an exception
    javascript    the bridge; farcall.js, what JavaScript does for us
    timers        later, at the end of this turn
    tasks         tasks and what they wait for
    locks         Web Locks, by which a page or worker learns that another is gone
    buffers       memory that crosses

The other packages ask for what they need, seldom for the interpreter's name.
"""

from farcall.platform.interpreter import (
    BROWSER,
    CALLS_DEL,
    GENERATORS,
    MICROPYTHON,
    PYODIDE,
    CancelledError,
    TimeoutError,
    collect_garbage,
    exact,
    imported,
    is_module,
    last_exception_text,
    loaded,
    report,
    standard_module,
    traceback_text,
    weak,
)
from farcall.platform.javascript import (
    JsProxy,
    beside,
    callback,
    evaluate,
    finalizers,
    forget,
    from_array,
    in_worker,
    interruptible,
    is_null,
    javascript,
    js,
    on_page,
    pyodide_module,
    random_id,
    to_array,
)
from farcall.platform.locks import Watch, watch
from farcall.platform.tasks import (
    VALUES,
    Waiter,
    cancel,
    discard,
    drain,
    is_awaitable,
    is_over,
    refuse_unawaited,
    spawn,
    treat_as_awaitable,
)
from farcall.platform.timers import Ticker, Timer, clock, forget_later, pause, soon

__all__ = [
    "BROWSER",
    "CALLS_DEL",
    "GENERATORS",
    "MICROPYTHON",
    "PYODIDE",
    "VALUES",
    "CancelledError",
    "JsProxy",
    "Ticker",
    "TimeoutError",
    "Timer",
    "Waiter",
    "Watch",
    "beside",
    "callback",
    "cancel",
    "clock",
    "collect_garbage",
    "discard",
    "drain",
    "evaluate",
    "exact",
    "finalizers",
    "forget",
    "forget_later",
    "from_array",
    "imported",
    "in_worker",
    "interruptible",
    "is_awaitable",
    "is_module",
    "is_null",
    "is_over",
    "javascript",
    "js",
    "last_exception_text",
    "loaded",
    "on_page",
    "pause",
    "pyodide_module",
    "random_id",
    "refuse_unawaited",
    "report",
    "soon",
    "spawn",
    "standard_module",
    "to_array",
    "traceback_text",
    "treat_as_awaitable",
    "watch",
    "weak",
]
