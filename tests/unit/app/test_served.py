"""What the worker serves can be served."""

import types

import nn
from farcall.connection.namespace import namespace


def test_every_module_in_reach_of_the_page_names_what_it_serves() -> None:
    """A module without __all__ keeps the page from starting, or from what it holds."""
    found, queue = [nn], [nn]
    while queue:
        module = queue.pop()
        for name in module.__all__:
            value = getattr(module, name)  # imports what is imported on first use
            if isinstance(value, types.ModuleType) and value not in found:
                found.append(value)
                queue.append(value)
    served = namespace({"nn": nn}).modules
    assert {id(module) for module in found} == set(served)
    assert nn.datasets.mnist in found
