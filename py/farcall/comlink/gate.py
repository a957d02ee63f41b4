"""What a Comlink peer may touch: farcall's gate, for paths that are texts throughout."""

from farcall import errors, platform
from farcall.connection.policy import Policy, describe
from farcall.platform import is_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from farcall.proxies.remote import Value


class Gate(Policy):
    """The gate for Comlink's path steps: a peer says `list.0`, `list.length` and `dict.key`.

    Args:
        root: what is exposed.
        parent: the gate of what `root` was reached through; None for what `expose` was given.
    """

    def __init__(self, root: "Value", parent: "Gate | None" = None) -> None:
        if parent is not None:  # a dict by reference stays the very dict
            super().__init__(None)
            self.root = root
            self._modules = parent._modules
        elif is_module(root):
            super().__init__({root.__name__.replace(".", "_"): root})
            self.root = root
        else:
            super().__init__(root)

    def read(self, owner: "Value", name: "Any") -> "Value":
        """One step, gate passed."""
        if type(owner) in (list, tuple):
            return self._element(owner, name)
        if type(owner) is dict:
            self.check(owner, name)
            return self.item(owner, name) if name in owner else None
        return super().read(owner, name)

    def _element(self, owner: "list[Value] | tuple[Value, ...]", name: "str") -> "Value":
        if name == "length":
            return len(owner)
        index = _index(owner, name)
        return self.item(owner, index) if index < len(owner) else None

    def change(self, owner: "Value", name: "str", value: "Value") -> "Value":
        """Set an attribute that is declared writable, or an item of what was given by reference.

        Gives a call to be awaited if the owner is a proxy.

        Raises:
            PolicyError: it is neither.
        """
        if type(owner) not in (list, dict):
            return self.set(owner, name, value, no_items)
        if owner is not self.root:
            raise errors.PolicyError(f"{name!r} of {describe(owner)} is read-only")
        if type(owner) is list:
            owner[_index(owner, name)] = value
        else:
            self.check(owner, name)
            owner[name] = value
        return None


def _index(owner: "object", name: "str") -> int:
    if not name.isdigit() or len(name) > 15:
        raise AttributeError(f"a {type(owner).__name__} has indices and `length`, not {name!r}")
    return int(name)


def step(step: "object") -> str:
    if type(step) is not str:
        raise errors.PolicyError(f"expected a name as path step, received {step!r}")
    return step


def no_items(key: "object") -> "Value":
    raise errors.PolicyError(f"expected a name as path step, received {key!r}")


def takes_keywords(function: "Callable[..., Any]", args: "list[Value]") -> bool:
    """Whether a trailing plain object is keyword arguments, as JavaScript has none.

    It is if each of its keys names a parameter that the arguments before it leave open.
    MicroPython knows no signatures: there it never is.
    """
    if platform.MICROPYTHON or not args[-1]:
        return False
    import inspect

    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return False
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    names = {p.name for p in parameters[len(args) - 1 :] if p.kind in kinds}
    return all(key in names for key in args[-1])
