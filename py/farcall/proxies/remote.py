"""The proxies: a path on an object of the peer, and a call on its way.

`Remote` gathers a path without a message; calling it sends. The `Call` that a call returns is
awaitable, and is a Remote itself: it may be the target or an argument of later calls before its
result is here.
"""

from farcall import errors, platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Generic

    from typing_extensions import TypeVar

    T = TypeVar("T", default=Any)
else:
    T, Generic = 0, (object,)  # Generic[T] is object where there is no typing


class Reference:
    """What a proxy stands for.

    Attributes:
        session: the Session it belongs to.
        target: id of the peer's object, or minus the id of a call.
        path: steps from there, str or `[key]`.
        owner: the proxy whose life keeps the target's; None if it is this one.
        kind: one of messages.KIND_*, of the target.
        name: what the peer calls the target.
        wire: the path's wire form, once it was needed.
        place: target and path as JSON text, once they were needed twice.
        waiter: of a Call: settled by its reply.
        via: of a Call: the reference that was called.
        flow: of a stream: what has come.
        options: from `farcall.options`, or None.
        managed: inside `async with`: whether the object has a protocol of its own for that.
        token: on MicroPython: what JavaScript's FinalizationRegistry watches.
    """

    wire: "Any" = None
    place: "str | None" = None
    waiter: "Any" = None
    via: "Reference | None" = None
    flow: "Any" = None
    options: "dict[str, Any] | None" = None
    released = False
    managed = True
    token: "Any" = None

    def __init__(
        self,
        session: "Any",
        target: "int",
        path: "tuple[Any, ...]" = (),
        owner: "Any" = None,
        kind: "str" = "o",
        name: "str" = "",
    ) -> None:
        self.session = session
        self.target = target
        self.path = path
        self.owner = owner
        self.kind = kind
        self.name = name

    def step(self, proxy: "Any", step: "Any") -> "Reference":
        """The reference one step further than `proxy`, whose reference this is."""
        path = self.path + (step,)
        owner = proxy if self.owner is None else self.owner
        ref = Reference(self.session, self.target, path, owner, self.kind, self.name)
        ref.options = self.options
        return ref

    def text(self) -> str:
        """For people: name.path[key]."""
        if self.via is not None:
            return self.via.text() + "()"
        name = self.name if self.owner is None else self.owner._farcall.text()
        steps = ["." + s if isinstance(s, str) else f"[{s[0]!r}]" for s in self.path]
        return (name + "".join(steps)).lstrip(".")


def holder(ref: "Reference") -> "Reference":
    """The reference of the proxy that keeps the target alive."""
    found: "Reference" = ref if ref.owner is None else ref.owner._farcall
    return found


def _refused(what: "str", instead: "str") -> "Any":
    def refuse(self: "Any", *args: "Any") -> "Any":
        raise TypeError(f"{what} cannot wait for the other side: write {instead}")

    return refuse


def _operator(name: "str") -> "Any":
    def operate(self: "Any", *args: "Any") -> "Any":
        ref = self._farcall
        return ref.session.calls.operate(self, name, args)

    return operate


class Remote(Generic[T]):
    """A path on an object of the peer. Attributes and items extend it, calling it sends a call.

    `await` reads what it leads to. Awaiting an object itself gives the object. `Remote[T]` in an
    annotation says what is there; `python -m farcall.stubs` makes Protocols that know its members.
    """

    __slots__ = ("__weakref__", "_farcall")

    if TYPE_CHECKING:
        _farcall: "Any"  # a Reference

    def __init__(self, ref: "Reference") -> None:
        object.__setattr__(self, "_farcall", ref)

    if not TYPE_CHECKING:

        def __class_getitem__(cls, kind):
            return cls

    def __getattr__(self, name: "str") -> "Any":
        if name[:1] == "_":
            raise AttributeError(f"{name!r} of a remote object is private")
        ref = self._farcall
        ref.session.directory.foresee(ref, name)
        return Remote(ref.step(self, name))

    def __getitem__(self, key: "Any") -> "Remote":
        return Remote(self._farcall.step(self, [key]))

    def __call__(self, *args: "Any", **kwargs: "Any") -> "Call":
        call: "Call" = self._farcall.session.calls.call(self, args, kwargs)
        return call

    def __setattr__(self, name: "str", value: "Any") -> None:
        if name[:1] == "_":
            raise AttributeError(f"{name!r} of a remote object is private")
        self._farcall.session.calls.assign(getattr(self, name), value)

    def __delattr__(self, name: "str") -> None:
        self._farcall.session.calls.remove(getattr(self, name))

    def __setitem__(self, key: "Any", value: "Any") -> None:
        self._farcall.session.calls.assign(self[key], value)

    def __delitem__(self, key: "Any") -> None:
        self._farcall.session.calls.remove(self[key])

    def _await(self) -> "Any":
        ref = self._farcall
        if not ref.path:
            return self
        return (yield from ref.session.calls.read(self)._farcall.waiter.wait())

    if platform.MICROPYTHON:
        __iter__ = _await
    else:
        __await__ = _await
        __iter__ = _refused("a for loop", "`async for item in obj`")

    # -- protocols that only exist as coroutines

    def __aiter__(self) -> "Any":
        return self._farcall.session.streams.iterate(self)

    async def __aenter__(self) -> "Any":
        """Enter the remote context manager; an object that is none is released at the end."""
        ref = self._farcall
        ref.managed, value = await ref.session.calls.operate(self, "enter", ())
        return value

    async def __aexit__(self, kind: "Any", exc: "Any", traceback: "Any") -> "Any":
        ref = self._farcall
        if ref.managed:
            return await ref.session.calls.operate(self, "exit", (exc,))
        value = await self
        value._farcall.session.tables.release(value._farcall)
        return None

    __len__ = _refused("len()", "`await farcall.len(obj)`")
    __bool__ = _refused("truth", "`await farcall.bool(obj)`, or `obj is not None`")
    __contains__ = _refused("`in`", "`await farcall.contains(obj, item)`")
    __int__ = _refused("int()", "`await farcall.int(obj)`")
    __float__ = _refused("float()", "`await farcall.float(obj)`")
    __index__ = _refused("an index", "`await farcall.int(obj)`")
    __reversed__ = _refused("reversed()", "`async for item in obj` and reverse here")
    __enter__ = _refused("with", "`async with obj`")
    __exit__ = _refused("with", "`async with obj`")

    __add__ = _operator("add")
    __radd__ = _operator("radd")
    __sub__ = _operator("sub")
    __rsub__ = _operator("rsub")
    __mul__ = _operator("mul")
    __rmul__ = _operator("rmul")
    __truediv__ = _operator("truediv")
    __rtruediv__ = _operator("rtruediv")
    __floordiv__ = _operator("floordiv")
    __mod__ = _operator("mod")
    __pow__ = _operator("pow")
    __matmul__ = _operator("matmul")
    __neg__ = _operator("neg")
    __abs__ = _operator("abs")
    __lt__ = _operator("lt")
    __le__ = _operator("le")
    __gt__ = _operator("gt")
    __ge__ = _operator("ge")

    # -- local by design: identity of the reference

    def __eq__(self, other: "Any") -> bool:
        if not isinstance(other, Remote):
            return False
        a, b = self._farcall, other._farcall
        return a.session is b.session and a.target == b.target and a.path == b.path

    def __hash__(self) -> int:
        ref = self._farcall
        return hash((id(ref.session), ref.target, str(ref.path)))

    def __repr__(self) -> str:
        ref = self._farcall
        text = ref.text() or "root"
        state = " (released)" if ref.released else ""
        return f"<{type(self).__name__} {text} of {ref.session.name or 'peer'}{state}>"

    def __dir__(self) -> "list[str]":
        ref = self._farcall
        return list(ref.session.directory.names(ref))


class Call(Remote):
    """A call that was sent. `await` gives its result, again and again if asked."""

    __slots__ = ()

    def _await(self) -> "Any":
        return self._farcall.waiter.wait()

    if platform.MICROPYTHON:
        __iter__ = _await
    else:
        __await__ = _await

        def __del__(self) -> None:
            ref = self._farcall
            if not ref.waiter.retrieved:
                ref.session.calls.drop(ref.waiter)


platform.proxies = Remote


def reference(proxy: "Any", what: "str") -> "Reference":
    """What a proxy stands for.

    Raises:
        TypeError: it is no proxy.
    """
    if not isinstance(proxy, Remote):
        raise TypeError(f"{what}: expected a remote object, received {type(proxy).__name__}")
    ref: "Reference" = proxy._farcall
    return ref


def usable(ref: "Reference") -> None:
    """Refuse a proxy that was released.

    Raises:
        ReleasedError: it was.
    """
    if (ref if ref.owner is None else ref.owner._farcall).released:
        raise errors.ReleasedError(f"{ref.text() or 'this proxy'} was released")
