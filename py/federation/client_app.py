"""A client app: a function for each kind of message, with the names of `flwr.clientapp`.

>>> app = ClientApp()
>>> @app.train()
... @awaited
... async def train(message, context):
...     await model.fit(...)
...     return Message(RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=message)

The same text runs in a `flower-supernode`, whose functions are plain ones, and in a tab, where a
function must let others have their turn: heartbeats, the page. `awaited` makes both of one.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from federation.message import Context, Message

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    Lifespan = Callable[[Context], Generator[None]]
    Whole = Callable[[Context], AbstractContextManager[None]]

__all__ = ["ClientApp", "awaited"]

Reply = Message | Awaitable[Message]
Handler = Callable[[Message, Context], Reply]
Mod = Callable[[Message, Context, Handler], Reply]
"""A modifier: it gets the message and what answers it, and may change both."""


def awaited(function: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
    """Decorator of async functions: where no event loop runs, as in flwr, a call waits for its end.

    In a tab the caller gets the coroutine and awaits it.
    """

    @functools.wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        coroutine = function(*args, **options)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(coroutine)
        return coroutine

    return call


class ClientApp:
    """Functions by kind of message and action. Called by a node with a message and its context.

    Args:
        client_fn: Flower's older way, which is not there.
        mods: modifiers of all functions, the first of them outermost; those of one function are
            inside these. One of an async function is async itself, and awaits what it calls.

    Raises:
        TypeError: a client_fn was given.
    """

    def __init__(self, client_fn: None = None, mods: Sequence[Mod] | None = None) -> None:
        if client_fn is not None:
            raise TypeError("ClientApp: expected functions by @app.train(), received a client_fn")
        self._mods = tuple(mods or ())
        self._handlers: dict[str, Handler] = {}
        self._lifespan: Whole = lambda context: nullcontext()

    def train(
        self, action: str = "default", *, mods: Sequence[Mod] | None = None
    ) -> Callable[[Handler], Handler]:
        """Decorator: the function trains and returns arrays and metrics."""
        return self._register("train", action, mods)

    def evaluate(
        self, action: str = "default", *, mods: Sequence[Mod] | None = None
    ) -> Callable[[Handler], Handler]:
        """Decorator: the function evaluates and returns metrics."""
        return self._register("evaluate", action, mods)

    def query(
        self, action: str = "default", *, mods: Sequence[Mod] | None = None
    ) -> Callable[[Handler], Handler]:
        """Decorator: the function answers a question."""
        return self._register("query", action, mods)

    def lifespan(self) -> Callable[[Lifespan], Lifespan]:
        """Decorator: a generator function, which yields where a message is answered."""

        def decorate(function: Lifespan) -> Lifespan:
            self._lifespan = contextmanager(function)
            return function

        return decorate

    def _register(
        self, kind: str, action: str, mods: Sequence[Mod] | None
    ) -> Callable[[Handler], Handler]:
        if not action.isidentifier():
            raise ValueError(f"{kind}: expected an action that is a name, received {action!r}")
        name = f"{kind}.{action}"

        def decorate(function: Handler) -> Handler:
            if name in self._handlers:
                raise ValueError(f"{name}: expected one function, received a second")
            self._handlers[name] = functools.reduce(
                _inside, reversed((*self._mods, *(mods or ()))), function
            )
            return function

        return decorate

    async def __call__(self, message: Message, context: Context) -> Message:
        """Return the answer.

        Raises:
            ValueError: no function is there for messages of this type, or its reply is to another.
            TypeError: the function returned something else than a Message.
        """
        kind = message.metadata.message_type
        handler = self._handlers.get(kind if "." in kind else f"{kind}.default")
        if handler is None:
            raise ValueError(f"expected a message of {sorted(self._handlers)}, received {kind!r}")
        with self._lifespan(context):
            reply = handler(message, context)
            if inspect.isawaitable(reply):
                reply = await reply
        if not isinstance(reply, Message):
            raise TypeError(f"{kind}: expected a Message, received {type(reply).__name__}")
        answered = reply.metadata.reply_to_message_id
        if answered != message.metadata.message_id:  # a server app would wait for another
            raise ValueError(
                f"{kind}: expected Message(..., reply_to=) with the message received, "
                f"received {'a reply to another' if answered else 'no reply'}"
            )
        return reply


def _inside(handler: Handler, mod: Mod) -> Handler:
    return lambda message, context: mod(message, context, handler)
