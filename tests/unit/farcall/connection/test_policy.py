"""Which names are private: those of the interpreter's own types, on those types only."""

from typing import Any

import farcall
import pytest
from farcall.connection.namespace import namespace

from tests.unit.farcall.connection.test_session import connected

TEMPLATE = "{0.__class__}"


class Format:
    """A class whose public methods are named as some of str, type and BaseException."""

    template = TEMPLATE
    error = ValueError("x")

    def format(self, text: str) -> str:
        return text

    def format_map(self, text: str) -> str:
        return text

    def mro(self, text: str) -> str:
        return text

    def with_traceback(self, text: str) -> str:
        return text


NAMES = ("format", "format_map", "mro", "with_traceback")


@pytest.mark.asyncio
@pytest.mark.parametrize("name", NAMES)
async def test_a_class_may_have_a_method_of_that_name(name: str) -> None:
    async with connected({"it": Format(), name: len}) as (engine, _):
        assert name in dir(engine.it)
        assert await getattr(engine.it, name)("text") == "text"
        assert await getattr(engine, name)([1]) == 1


@pytest.mark.asyncio
async def test_on_the_type_whose_name_it_is_it_is_private() -> None:
    async with connected({"it": Format(), "Format": Format, "text": TEMPLATE}) as (engine, _):
        paths = (engine.it.template.format, engine.text.format_map, engine.Format.mro)
        for path in (*paths, engine.it.error.with_traceback):
            with pytest.raises(farcall.PolicyError, match="is private"):
                await path(None)


@pytest.mark.parametrize("name", ["gi_frame", "f_globals", "tb_next"])
def test_the_interpreters_own_names_are_not_served(name: str) -> None:
    served: dict[str, Any] = {name: len}
    with pytest.raises(TypeError, match=f"'{name}' is a name of the interpreter's own"):
        namespace(served)
