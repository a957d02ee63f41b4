"""A host page in Python drives the demo in its frame through farcall; runs on both interpreters."""

import asyncio
import json

import farcall
import js
from farcall import platform
from pyscript import document

ELEMENT = document.querySelector("farcall-demo")
ORIGIN = js.URL.new(ELEMENT.src).origin
# Seconds to connect or for one case; tests/support/limit.py measures how slow the machine is.
PATIENCE = 60 * (js.slowness if hasattr(js, "slowness") else 1)


async def refusal(awaitable):
    try:
        await awaitable
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "nothing was refused"


def bar():
    """RGBA of a canvas of 140 x 140 with an upright bar of ink: a one."""
    pixels = js.Uint8Array.new(140 * 140 * 4)
    for row in range(20, 120):
        for column in range(64, 76):
            pixels[(row * 140 + column) * 4 + 3] = 255
    return pixels


async def until(states, phase):
    while not states or states[-1]["phase"] != phase:
        await asyncio.sleep(0.01)


async def options(demo):
    wrong = [await refusal(demo.configure({"speed": 1})), await refusal(demo.configure(epochs=0))]
    await demo.configure({"epochs": 1, "subset": 2500, "batch": 125}, lr=0.002)
    values = await demo.options()
    return wrong + [values[name] for name in ("epochs", "subset", "batch", "lr", "seed")]


async def training(demo):
    states = []

    async def slowly(state):  # the run's end waits for it
        await asyncio.sleep(0.05)
        states.append(state)

    epochs = await demo.train(slowly)
    return [
        len(epochs),
        epochs[0]["val_accuracy"] > 0.5,
        states[-1]["batch"],
        states[-1]["phase"],
        len(states) > 1,
    ]


async def steering(demo):
    states = []
    await demo.configure(epochs=100)
    await demo.follow(states.append)
    run = asyncio.create_task(_run(demo))
    await until(states, "training")
    again = await refusal(demo.train())
    await demo.pause()
    await until(states, "paused")
    await demo.resume()
    await until(states, "training")
    await demo.stop()
    await run
    await demo.unfollow()
    seen = len(states)
    await demo.step()
    await demo.reset()
    return [again, (await demo.state())["phase"], len(states) - seen]


async def _run(demo):
    return await demo.train()


async def predicting(demo):
    answer = await demo.predict([0] * 784)
    drawn = await demo.read(bar(), 140)
    return [
        len(answer["probabilities"]),
        round(sum(answer["probabilities"]), 3),
        drawn["digit"],
        await refusal(demo.predict([0] * 783)),
        await refusal(demo.predict([300] * 784)),
        await demo.read(js.Uint8Array.new(400), 10),
    ]


async def files(demo):
    octets = bytes(await demo.model("npz"))
    return [str(octets[:2], "ascii"), len(octets) > 100_000, await refusal(demo.model("magic"))]


async def refused(demo):
    texts = []
    for name in ("forget", "tell"):  # public in Python, but not served
        try:
            await getattr(demo, name)()
        except AttributeError as error:
            texts.append(str(error))
    return texts


async def main():
    results = {}
    try:
        endpoint = farcall.endpoints.Window(ELEMENT.frame.contentWindow, ORIGIN)
        page = await farcall.connect(endpoint, timeout=PATIENCE)
        for case in (options, training, predicting, files, steering, refused):
            results[case.__name__] = await asyncio.wait_for(case(page.demo), PATIENCE)
        farcall.session(page).close()
        again = farcall.endpoints.Window(ELEMENT.frame.contentWindow, ORIGIN)
        page = await farcall.connect(again, timeout=PATIENCE)
        results["again"] = (await page.demo.state())["phase"]
    except Exception as error:
        results["failed"] = platform.traceback_text(error)
    js.globalThis.results = json.dumps(results)


ELEMENT.load()
task = asyncio.create_task(main())
