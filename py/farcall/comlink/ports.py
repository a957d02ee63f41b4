"""What Comlink runs on: anything with postMessage in a browser, a pair of queues in tests.

A frame travels as JSON text in the codec's form, with buffers and, by number, the JavaScript
values that JSON cannot say (ports, dates, blobs). In a browser the text becomes the structure that
Comlink's wire wants, and back, in JavaScript: exact on both interpreters (MicroPython cuts
integers to 32 bits when it reads a property), and without a proxy for each value.
"""

from farcall import platform
from farcall.in_memory import Mailbox
from farcall.platform import buffers as memory
from farcall.values.arrays import DTYPES
from farcall.values.codec import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from farcall.platform.buffers import Buffer
    from farcall.platform.javascript import JavaScript

    OnFrame = Callable[[str, list[Buffer], list[JavaScript], str], object]
    OnBroken = Callable[..., object]

# A peer's message is counted before Python sees any of it.
MESSAGE_BYTES = 256 * 1024 * 1024
MESSAGE_VALUES = 1_000_000

_made = platform.evaluate(platform.beside(__file__, "comlink.js"))
javascript: "JavaScript" = None if _made is None else _made(dumps(DTYPES))


def _forget(callbacks: "list[JavaScript]") -> None:
    for callback in callbacks:
        platform.forget(callback)


class JavaScriptPort:
    """Anything with postMessage and addEventListener.

    Attributes:
        endpoint: the JavaScript object.
    """

    def __init__(self, endpoint: "JavaScript") -> None:
        self.endpoint = endpoint
        self._callbacks: "list[JavaScript]" = []
        self._stop: "JavaScript" = None

    def listen(
        self,
        kinds: "tuple[str, ...]",
        on_frame: "OnFrame",
        on_broken: "OnBroken",
        on_gone: "Callable[..., object]",
    ) -> None:
        """Call on_frame(text, buffers, references, origin) for each message of these kinds.

        on_broken(id, kind, why, memory) is for messages past the limits, undecodable, or without
        `memory` for them, on_gone(why) for a peer that is known to be gone.
        """

        def listed(text: "str", buffers: "JavaScript", refs: "JavaScript", origin: "str") -> None:
            on_frame(text, platform.from_array(buffers), platform.from_array(refs), origin)

        taken = (listed, on_broken, on_gone, memory.fits)
        self._callbacks = [platform.callback(f) for f in taken]
        limits = javascript.limits(MESSAGE_BYTES, MESSAGE_VALUES, self._callbacks[3])
        wanted = platform.to_array(kinds)
        self._stop = javascript.listen(self.endpoint, wanted, limits, *self._callbacks[:3])

    def post(
        self,
        text: "str",
        buffers: "list[Buffer]",
        refs: "list[JavaScript]",
        transfers: "list[JavaScript]",
    ) -> str:
        """Send; the text of what went wrong, or nothing."""
        lists = [platform.to_array(x) for x in (buffers, refs, transfers)]
        return str(javascript.post(self.endpoint, text, *lists))

    def close(self) -> None:
        """Stop listening; a MessagePort is closed, anything else is left as it is."""
        if self._stop is None:
            return
        self._stop()
        self._stop = None
        javascript.close(self.endpoint)
        callbacks, self._callbacks = self._callbacks, []
        platform.Timer(0, lambda: _forget(callbacks))

    def terminate(self) -> bool:
        """End the worker, if this is one."""
        return bool(javascript.terminate(self.endpoint))

    def channel(self) -> "tuple[JavaScriptPort, JavaScript]":
        """A new channel: this side's end, and the other as it travels."""
        channel = platform.js.MessageChannel.new()
        return JavaScriptPort(channel.port1), channel.port2


class MemoryPort:
    """One end of a pair in one process. Frames are copied, arrive in order and in later turns."""

    peer: "MemoryPort"

    def __init__(self) -> None:
        self.realm = 0
        self._inbox = Mailbox()
        self._on_gone: "Callable[..., object] | None" = None

    def listen(
        self,
        kinds: "tuple[str, ...]",
        on_frame: "OnFrame",
        on_broken: "OnBroken",
        on_gone: "Callable[..., object]",
    ) -> None:
        """As JavaScriptPort's; what came before is delivered now. All kinds are taken."""
        self._on_gone = on_gone
        self._inbox.listen(on_frame)

    def post(
        self,
        text: "str",
        buffers: "list[Buffer]",
        refs: "list[JavaScript]",
        transfers: "list[JavaScript]",
    ) -> str:
        """Send a copy, as JavaScriptPort's; a closed port swallows it, as a browser's does."""
        inbox = self.peer._inbox
        if not self._inbox.closed and not inbox.closed:
            inbox.put(text, [bytearray(b) for b in buffers], list(refs), "")
        return ""

    def close(self) -> None:
        """Stop listening, and report it to the other end."""
        if self._inbox.closed:
            return
        self._inbox.closed = True
        peer = self.peer
        if not peer._inbox.closed and peer._on_gone is not None:
            platform.soon(peer._on_gone, "the port was closed")

    def terminate(self) -> bool:
        """There is no worker behind it."""
        return False

    def channel(self) -> "tuple[MemoryPort, MemoryPort]":
        """A new pair."""
        return memory_pair()


if TYPE_CHECKING:
    Port = JavaScriptPort | MemoryPort


def memory_pair() -> "tuple[MemoryPort, MemoryPort]":
    """Two ends of a channel within this process, for tests and for programs without a browser."""
    one, two = MemoryPort(), MemoryPort()
    one.peer, two.peer = two, one
    return one, two


def port_of(endpoint: "object") -> "Port":
    """The port for what `expose` and `wrap` were given.

    Raises:
        TypeError: it can carry no messages.
    """
    if isinstance(endpoint, (JavaScriptPort, MemoryPort)):
        return endpoint
    if isinstance(endpoint, platform.JsProxy) and hasattr(endpoint, "postMessage"):
        return JavaScriptPort(endpoint)
    kind = type(endpoint).__name__
    raise TypeError(f"expected a worker, port, channel or window endpoint, received a {kind}")


def remember(port: "object", realm: "int") -> None:
    """Note which realm a port leads to, for `remembered`."""
    if isinstance(port, MemoryPort):
        port.realm = realm
    elif is_port(port):
        javascript.remember(port, realm)


def remembered(endpoint: "object") -> int:
    """The realm that a port leads to; 0 if it did not come from a peer."""
    if isinstance(endpoint, MemoryPort):
        return endpoint.realm
    return int(javascript.remembered(endpoint)) if is_port(endpoint) else 0


def is_port(value: "object") -> bool:
    """Whether a value that came from a peer is a port, as a value by reference must be."""
    return isinstance(value, MemoryPort) or memory.is_port(value)
