"""farcall alone: a call with a callback, and an error that keeps its class."""

import asyncio

import farcall
from farcall.endpoints import memory_pair


class Library:
    """What one side serves."""

    def search(self, word, on_progress):
        on_progress(0.5)
        return [book for book in ("Emma", "Persuasion") if word in book]

    def lose(self):
        raise LookupError("no such book")


async def main():
    near, far = memory_pair()
    farcall.Session(far, {"Library": Library}, name="served")
    served = await farcall.connect(near, timeout=5, name="checks")
    library = await served.Library()
    seen = []
    assert await library.search("mm", seen.append) == ["Emma"]
    assert seen == [0.5], seen
    try:
        await library.lose()
    except LookupError as error:
        assert "no such book" in str(error)
    else:
        raise AssertionError("the error did not arrive")
    farcall.session(served).close()
    print(f"farcall: a call, a callback, an error ({farcall.__file__})")


if __name__ == "__main__":
    asyncio.run(main())
