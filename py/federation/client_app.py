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
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from federation.message import Context, Message

__all__ = ["ClientApp", "awaited"]

Handler = Callable[[Message, Context], Message | Awaitable[Message]]


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
    """Functions by kind of message and action. Called by a node with a message and its context."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    def train(self, action: str = "default") -> Callable[[Handler], Handler]:
        """Decorator: the function trains and returns arrays and metrics."""
        return self._register("train", action)

    def evaluate(self, action: str = "default") -> Callable[[Handler], Handler]:
        """Decorator: the function evaluates and returns metrics."""
        return self._register("evaluate", action)

    def query(self, action: str = "default") -> Callable[[Handler], Handler]:
        """Decorator: the function answers a question."""
        return self._register("query", action)

    def _register(self, kind: str, action: str) -> Callable[[Handler], Handler]:
        if not action.isidentifier():
            raise ValueError(f"{kind}: expected an action that is a name, received {action!r}")
        name = f"{kind}.{action}"

        def decorate(function: Handler) -> Handler:
            if name in self._handlers:
                raise ValueError(f"{name}: expected one function, received a second")
            self._handlers[name] = function
            return function

        return decorate

    async def __call__(self, message: Message, context: Context) -> Message:
        """Return the answer.

        Raises:
            ValueError: no function is there for messages of this type.
            TypeError: the function returned something else than a Message.
        """
        kind = message.metadata.message_type
        handler = self._handlers.get(kind if "." in kind else f"{kind}.default")
        if handler is None:
            raise ValueError(f"expected a message of {sorted(self._handlers)}, received {kind!r}")
        reply = handler(message, context)
        if inspect.isawaitable(reply):
            reply = await reply
        if not isinstance(reply, Message):
            raise TypeError(f"{kind}: expected a Message, received {type(reply).__name__}")
        return reply
