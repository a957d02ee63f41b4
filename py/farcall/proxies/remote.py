"""Proxies: a path on an object of the peer, and a call that was sent.

`Remote` gathers a path without a message; calling it sends. The `Call` that a call returns is
awaitable, and is a Remote itself: it may be the target or an argument of later calls before its
result is here. What a proxy cannot do alone it asks of its `Connection`:

    Remote -- _farcall --> Reference -- connection --> Connection (a Session, or Comlink's Wrapped)
"""

from farcall import errors, messages, platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any, Generic, Protocol

    from typing_extensions import TypeVar

    T = TypeVar("T", default=Any)
    Step = str | list[Any]  # an attribute's name, or [key]
    Value = Any  # a value of the user's program
else:
    T, Generic, Protocol = 0, (object,), object  # Generic[T] is object where there is no typing


class Connection(Protocol):
    """What proxies ask of the connection they belong to: ten methods.

    Implemented by `Session` for farcall's own protocol and by Comlink's `Wrapped`.

    Attributes:
        name: of the peer, for texts.
        error: what ended the connection, or None.
    """

    name: "str"
    error: "BaseException | None"

    def foresee(self, ref: "Reference", name: "str") -> None:
        """Raise AttributeError for a name that is known not to exist."""

    def names(self, ref: "Reference") -> "list[str]":
        """Names for dir()."""

    def call(self, proxy: "Remote", args: "tuple[Value, ...]", kwargs: "dict[str, Value]") -> "Any":
        """Send a call; a Call, or None if it is one-way."""

    def read(self, proxy: "Remote") -> "Call":
        """Ask for the value at the end of the proxy's path."""

    def assign(self, proxy: "Remote", value: "Value") -> "Call":
        """Assign to the last step of the proxy's path."""

    def remove(self, proxy: "Remote") -> "Call":
        """Delete the last step of the proxy's path."""

    def operate(self, proxy: "Remote", name: "str", args: "tuple[Value, ...]") -> "Any":
        """Ask for an operation such as len(); awaitable."""

    def iterate(self, proxy: "Remote") -> "Any":
        """An async iterator over what the proxy leads to."""

    def release(self, ref: "Reference") -> "Any":
        """Give up the peer's object behind a proxy."""

    def drop(self, waiter: "Any") -> None:
        """The last reference to a Call is gone: report the error that no task got."""


class Reference:
    """What a proxy refers to.

    Attributes:
        connection: what the proxy belongs to.
        target: id of the peer's object, or minus the id of a call.
        path: steps from there, str or `[key]`.
        owner: the proxy whose life keeps the target's; None if it is this one.
        kind: one of messages.KIND_*, of the target.
        name: what the peer calls the target.
        named: whether all steps are names.
        wire: the path's wire form, built when first needed.
        place: JSON of target and path; built on second use.
        waiter: of a Call: settled by its reply.
        via: of a Call: the reference that was called, or that it asked for something.
        asked: of a Call: how what it asks for is written, `{}` for `via`.
        flow: of a stream: the items that have come.
        options: from `farcall.options`, or None.
        managed: True, or what `async with` releases.
        released: whether the peer's object was given up.
        token: on MicroPython: what JavaScript's FinalizationRegistry watches.
    """

    path: "tuple[Step, ...]" = ()
    owner: "Remote | None" = None
    kind = messages.KIND_OBJECT
    name = ""
    named = True
    wire: "list[Any] | None" = None
    place: "str | None" = None
    waiter: "Any" = None
    via: "Reference | None" = None
    asked = "{}()"
    flow: "Any" = None
    options: "dict[str, Any] | None" = None
    released = False
    managed: "Any" = True
    token: "object" = None

    def __init__(self, connection: "Connection", target: "int") -> None:
        # All else is set where it differs: an attribute of an instance costs MicroPython 0.5 us.
        self.connection = connection
        self.target = target

    def step(self, proxy: "Remote", step: "Step") -> "Reference":
        """The reference one step further than `proxy`, whose reference this is."""
        ref = Reference(self.connection, self.target)
        ref.path = self.path + (step,)
        ref.owner = proxy if self.owner is None else self.owner
        if self.name:
            ref.name = self.name
        if self.options is not None:
            ref.options = self.options
        if not self.named:
            ref.named = False
        return ref

    def text(self) -> str:
        """For people: name.path[key]."""
        if self.via is not None:
            return self.asked.format(self.via.text())
        name = self.name if self.owner is None else self.owner._farcall.text()
        steps = ["." + s if isinstance(s, str) else f"[{s[0]!r}]" for s in self.path]
        return (name + "".join(steps)).lstrip(".")


def holder(ref: "Reference") -> "Reference":
    """The reference of the proxy that keeps the target alive."""
    return ref if ref.owner is None else ref.owner._farcall


def _refused(what: "str", instead: "str") -> "Any":
    def refuse(self: "Remote", *args: "object", **more: "object") -> "Any":
        text = f"{what} cannot wait for the other side: write {instead}"
        if holder(self._farcall).kind == messages.KIND_CLASS:
            text += ". Of a dtype send the name, as 'int64'"
        if isinstance(self, Call):
            text += (
                f". It is what {self._farcall.text()} gives, which was not awaited: code that "
                "cannot await, such as sorted(), needs a function of its own side"
            )
        raise TypeError(text)

    return refuse


_no_loop = _refused(
    "a for loop", "`async for item in obj`, `{**await farcall.copy(obj)}`, or send a list"
)


def _looped(self: "Remote") -> "Any":
    """Refused at the first item: a TypeError of `__iter__` has another text for `{**obj}`."""
    yield _no_loop(self)


def _operator(name: "str") -> "Callable[..., Any]":
    def operate(self: "Remote", *args: "Value") -> "Any":
        return self._farcall.connection.operate(self, name, args)

    return operate


class Remote(Generic[T]):
    """A path on an object of the peer. Attributes and items extend it, calling it sends a call.

    `await` reads what it leads to. Awaiting an object itself gives the object. `Remote[T]` in an
    annotation says what is there; `python -m farcall.stubs` makes Protocols that know its members.
    """

    __slots__ = ("__weakref__", "_farcall")

    if TYPE_CHECKING:
        _farcall: "Reference"

    def __init__(self, ref: "Reference") -> None:
        object.__setattr__(self, "_farcall", ref)

    if not TYPE_CHECKING:

        def __class_getitem__(cls, kind):
            return cls

    def __getattr__(self, name: "str") -> "Any":
        if name[:1] == "_":
            raise AttributeError(f"{name!r} of a remote object is private")
        ref = self._farcall
        ref.connection.foresee(ref, name)
        return Remote(ref.step(self, name))

    def __getitem__(self, key: "Value") -> "Remote":
        ref = self._farcall.step(self, [key])
        ref.named = False
        return Remote(ref)

    def __call__(_self_, *args: "Value", **kwargs: "Value") -> "Call":  # noqa: N805
        # Not `self`: the other side may have a parameter of that name.
        call: "Call" = _self_._farcall.connection.call(_self_, args, kwargs)
        return call

    def __setattr__(self, name: "str", value: "Value") -> None:
        if name[:1] == "_":
            raise AttributeError(f"{name!r} of a remote object is private")
        self._farcall.connection.assign(getattr(self, name), value)

    def __delattr__(self, name: "str") -> None:
        self._farcall.connection.remove(getattr(self, name))

    def __setitem__(self, key: "Value", value: "Value") -> None:
        self._farcall.connection.assign(self[key], value)

    def __delitem__(self, key: "Value") -> None:
        self._farcall.connection.remove(self[key])

    def _await(self) -> "Generator[Any, None, Any]":
        ref = self._farcall
        if not ref.path:
            if ref.kind != messages.KIND_AWAITABLE:
                return self
            return (yield from ref.connection.operate(self, "await", ())._farcall.waiter.wait())
        return (yield from ref.connection.read(self)._farcall.waiter.wait())

    if platform.MICROPYTHON:
        __iter__ = _await
    else:
        __await__ = _await
        __iter__ = _looped
        __next__ = _refused("next()", "`await anext(obj)`, or send a list")

    # -- protocols that only exist as coroutines

    def __aiter__(self) -> "Any":
        return self._farcall.connection.iterate(self)

    async def __anext__(self) -> "Any":
        """The next item of a remote iterator."""
        return await advance(self, "next")

    async def __aenter__(self) -> "Any":
        """Enter the remote context manager; an object that is none is released at the end."""
        ref = self._farcall
        call = ref.connection.operate(self, "enter", ())
        try:
            managed, value = await call
        except platform.CancelledError as exc:
            # The answer was here already, or else the other side hears of the cancellation.
            waiter = call._farcall.waiter
            if waiter.done and waiter.error is None and waiter.value[0]:
                ref.connection.operate(self, "exit", (exc,))
            raise
        ref.managed = managed or value
        return value

    async def __aexit__(self, kind: "object", exc: "object", traceback: "object") -> "Any":
        ref = self._farcall
        if ref.managed is True:
            return await ref.connection.operate(self, "exit", (exc,))
        ref = ref.managed._farcall
        return ref.connection.release(ref)

    def __mro_entries__(self, bases: "object") -> "Any":
        raise TypeError("a class of the other side is no base here: derive there, and serve that")

    def __instancecheck__(self, other: "object") -> bool:
        raise TypeError("isinstance() takes no class of the other side: serve a function that asks")

    __subclasscheck__ = __instancecheck__
    __len__ = _refused("len()", "`await farcall.len(obj)`")
    __bool__ = _refused("truth", "`await farcall.bool(obj)`, or `obj is not None`")
    __contains__ = _refused("`in`", "`await farcall.contains(obj, item)`")
    __trunc__ = _refused("trunc()", "`await farcall.int(obj)`")
    __int__ = _refused("int()", "`await farcall.int(obj)`")
    __float__ = _refused("float()", "`await farcall.float(obj)`")
    __complex__ = _refused("complex()", "`complex(await farcall.copy(obj))`")
    __index__ = _refused("an index", "`await farcall.int(obj)`")
    __reversed__ = _refused("reversed()", "`async for item in obj` and reverse here")
    __enter__ = _refused("with", "`async with obj`")
    __exit__ = _refused("with", "`async with obj`")
    __bytes__ = _refused("bytes()", "`bytes(await farcall.copy(obj))`")
    __array__ = _refused("NumPy", "`numpy.asarray(await farcall.copy(obj))`")
    __reduce_ex__ = _refused("pickle", "`pickle.dumps(await farcall.copy(obj))`")

    def __format__(self, spec: "str") -> str:
        if spec:
            raise TypeError(
                f"the format {spec!r} cannot wait for the other side: "
                "format `await farcall.copy(obj)` or `await farcall.str(obj)`"
            )
        return repr(self)

    __add__ = _operator("add")
    __radd__ = _operator("radd")
    __sub__ = _operator("sub")
    __rsub__ = _operator("rsub")
    __mul__ = _operator("mul")
    __rmul__ = _operator("rmul")
    __truediv__ = _operator("truediv")
    __rtruediv__ = _operator("rtruediv")
    __floordiv__ = _operator("floordiv")
    __rfloordiv__ = _operator("rfloordiv")
    __mod__ = _operator("mod")
    __rmod__ = _operator("rmod")
    __pow__ = _operator("pow")
    __rpow__ = _operator("rpow")
    __matmul__ = _operator("matmul")
    __rmatmul__ = _operator("rmatmul")
    __and__ = _operator("and")
    __rand__ = _operator("rand")
    __or__ = _operator("or")
    __ror__ = _operator("ror")
    __xor__ = _operator("xor")
    __rxor__ = _operator("rxor")
    __lshift__ = _operator("lshift")
    __rlshift__ = _operator("rlshift")
    __rshift__ = _operator("rshift")
    __rrshift__ = _operator("rrshift")
    __divmod__ = _operator("divmod")
    __rdivmod__ = _operator("rdivmod")
    __neg__ = _operator("neg")
    __pos__ = _operator("pos")
    __abs__ = _operator("abs")
    __invert__ = _operator("invert")
    __round__ = _operator("round")
    __lt__ = _operator("lt")
    __le__ = _operator("le")
    __gt__ = _operator("gt")
    __ge__ = _operator("ge")
    __array_ufunc__ = None  # an ndarray leaves an operator to its other operand, a proxy

    # -- local by design: identity of the reference

    def __copy__(self) -> "Remote":
        """A copy of a reference refers to the same object; `farcall.copy` fetches its value."""
        return self

    def __deepcopy__(self, memo: "object") -> "Remote":
        return self

    def __eq__(self, other: "object") -> bool:
        if not isinstance(other, Remote):
            return False
        a, b = self._farcall, other._farcall
        return a.connection is b.connection and a.target == b.target and a.path == b.path

    def __hash__(self) -> int:
        ref = self._farcall
        return hash((id(ref.connection), ref.target, str(ref.path)))

    def __repr__(self) -> str:
        ref = self._farcall
        text = ref.text() or "root"
        state = " (released)" if ref.released else ""
        return f"<{type(self).__name__} {text} of {ref.connection.name or 'peer'}{state}>"

    def __dir__(self) -> "list[str]":
        ref = self._farcall
        return ref.connection.names(ref)


class Call(Remote):
    """A call that was sent. `await` gives its result, again and again if asked."""

    __slots__ = ()

    def _await(self) -> "Generator[Any, None, Any]":
        found: "Generator[Any, None, Any]" = self._farcall.waiter.wait()
        return found

    if platform.MICROPYTHON:
        __iter__ = _await
    else:
        __await__ = _await

        def __getattr__(self, name: "str") -> "Any":
            if name == "add_done_callback":  # asyncio.wait would wait for ever
                raise TypeError(f"expected a task, received {self!r}")
            return Remote.__getattr__(self, name)

        def __repr__(self) -> str:
            text = Remote.__repr__(self)
            if self._farcall.waiter.done:
                return text
            return text[:-1] + ": await it, or make a task of it by asyncio.ensure_future(call)>"

        def __del__(self) -> None:
            ref = self._farcall
            if not ref.waiter.retrieved:
                ref.connection.drop(ref.waiter)


platform.treat_as_awaitable(Remote)


async def advance(proxy: "Remote", name: "str", *args: "Value") -> "Value":
    """Ask for the next item by an operation; its end, which crosses as any error, is raised."""
    try:
        return await proxy._farcall.connection.operate(proxy, name, args)
    except errors.RemoteError as exc:
        if type(exc).__name__ == "StopAsyncIteration":
            raise StopAsyncIteration from None
        raise


def reference(proxy: "object", what: "str") -> "Reference":
    """The reference of a proxy.

    Raises:
        TypeError: it is no proxy.
    """
    if not isinstance(proxy, Remote):
        raise TypeError(f"{what}: expected a remote object, received {type(proxy).__name__}")
    return proxy._farcall


def usable(ref: "Reference") -> None:
    """Refuse a proxy that was released.

    Raises:
        ReleasedError: it was.
    """
    if (ref if ref.owner is None else ref.owner._farcall).released:
        raise errors.ReleasedError(f"{ref.text() or 'this proxy'} was released")
