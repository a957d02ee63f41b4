"""What the worker serves can be served."""

import nn
from farcall.connection.namespace import namespace


def test_every_module_in_reach_of_the_page_names_what_it_serves() -> None:
    """A submodule without __all__ would keep the page from starting."""
    for name in nn.__all__:
        getattr(nn, name)  # imports what is imported on first use
    space = namespace({"nn": nn})
    assert id(nn.schedules) in space.modules
