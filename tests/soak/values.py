"""Programs that send values of the standard library's and of JavaScript's own types both ways."""

import random

import js
import standard
from counters import answered, expect, note
from farcall import platform

platform.evaluate("values.js")
MOVED = ("OffscreenCanvas", "ReadableStream")  # once sent they are there, and no longer here
DICTS = ("Map", "Set", "Object", "Array")  # over Comlink's wire they come back as Python's


async def fits(bank, recipe, value, what):
    """Require that the worker finds a value equal, in value and type, to what the recipe makes."""
    expect(await answered(bank.difference(recipe, value), what), "", what)


async def arrived(bank, recipe, value, what):
    """Require a value as the recipe says, or one that shows its text; sent back it is the same."""
    if standard.has(recipe, standard.ARRIVE):
        expect(standard.difference(recipe, value), "", what)
    elif recipe[0] in standard.SCALARS and recipe[0] != "Enum":
        shown = await answered(bank.shown(recipe), what)
        expect([value.type, str(value)], shown, what + ": its text")
    await fits(bank, recipe, value, what + ", sent back")


async def standard_result(bank):
    recipe = standard.draw()
    value = await answered(bank.make(recipe), "standard value")
    await arrived(bank, recipe, value, "standard value")


async def standard_argument(bank):
    recipe = standard.draw(among=standard.SENT)
    await fits(bank, recipe, standard.make(recipe), "standard argument")


async def standard_in_a_callback(bank):
    """It is a callback's argument, and the callback's result."""
    recipe = standard.draw()
    heard = []

    def hear(value):
        heard.append(value)
        return value

    wrong = await answered(bank.hand(hear, recipe), "standard value of a callback")
    expect(wrong, "", "standard value of a callback")
    await arrived(bank, recipe, heard[0], "standard argument of a callback")


async def standard_in_a_stream(bank):
    recipes = [standard.draw(2) for _ in range(random.randrange(6))]
    found = []

    async def consume():
        async for value in bank.make_all(recipes):
            found.append(value)

    await answered(consume(), "stream of standard values")
    expect(len(found), len(recipes), "stream of standard values")
    for recipe, value in zip(recipes, found):
        await arrived(bank, recipe, value, "standard item of a stream")


async def standard_in_an_exception(bank):
    recipe = standard.draw(2)
    try:
        await answered(bank.raise_with(recipe), "exception with a standard value")
    except ValueError as exc:
        await arrived(bank, recipe, exc.args[0], "standard argument of an exception")
        return
    note("wrong", "exception with a standard value: none came")


async def javascript_value(bank):
    name = str(random.choice(list(js.drawnValues.names)))
    value, holds = await drawn(name)
    if name not in MOVED:
        back = await answered(bank.echo([{"in": value}]), "JavaScript's " + name)
        expect(str(await js.drawnValues.held(back[0]["in"])), holds, f"JavaScript's {name} back")
    expect(await answered(bank.holds(value), "JavaScript's " + name), holds, "JavaScript's " + name)


async def drawn(name):
    """A value of a JavaScript class, and what it holds."""
    found = await js.drawnValues.draw(name)
    return found[0], str(found[1])


OPERATIONS = (
    standard_result,
    standard_argument,
    standard_in_a_callback,
    standard_in_a_stream,
    standard_in_an_exception,
    javascript_value,
)


# -- over Comlink's wire: what JavaScript has of a value


def plain(recipe):
    """What comes back from JavaScript for a value that is made from a recipe."""
    value = standard.make(recipe)
    kind = recipe[0]
    if kind == "plain":
        return value
    if kind in ("date", "time"):
        return value.isoformat()
    if kind == "Enum":
        held = value.value
        return list(held) if isinstance(held, tuple) else held
    if kind in ("Point", "list", "tuple", "deque"):
        return [plain(item) for item in recipe[1:] if isinstance(item, list)]
    return str(value)


NOT_PLAIN = ("datetime", "array", "memoryview", "timezone", "set") + standard.DICTS
COMLINK_KINDS = [k for k in standard.HERE if k not in NOT_PLAIN]


async def standard_over_comlink(api):
    recipe = standard.draw(2, COMLINK_KINDS)
    back = await answered(api.echo(standard.make(recipe)), "comlink standard", "comlink_calls")
    expect(back, plain(recipe), f"comlink: {recipe!r}")


async def moment_over_comlink(api):
    """A datetime is a Date there."""
    day, second, offset = random.randrange(2, 3_652_059), random.randrange(86_400), -725
    value = standard.make(["datetime", day, second, 125_000, offset])
    there = await answered(api.time(value), "comlink datetime", "comlink_calls")
    since = (day - 719_163) * 86_400 + second - 60 * offset
    expect(there, since * 1000 + 125, f"comlink {value!r}")


async def numbers_over_comlink(api):
    """An array.array is a typed array there."""
    code = random.choice("bBhHiIfd")
    numbers = standard.numbers_of(code)
    value = standard.make(["array", code, numbers])
    there = await answered(api.items(value), "comlink array", "comlink_calls")
    expect(there, numbers, f"comlink array of {code}")


async def javascript_over_comlink(api):
    name = str(random.choice(list(js.drawnValues.names)))
    value, holds = await drawn(name)
    if name not in MOVED + DICTS:
        back = await answered(api.echo(value), "comlink " + name, "comlink_calls")
        expect(str(await js.drawnValues.held(back)), holds, f"comlink {name} back")
    there = await answered(api.holds(value), "comlink " + name, "comlink_calls")
    expect(there, holds, "comlink " + name)


COMLINK_OPERATIONS = (
    standard_over_comlink,
    moment_over_comlink,
    numbers_over_comlink,
    javascript_over_comlink,
)
