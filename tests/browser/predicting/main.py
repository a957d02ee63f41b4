import asyncio
import json

import farcall
from js import URL, Uint8Array, document, fetch


async def picture(address):
    """The 28 x 28 bytes of a file, as an array for the worker."""
    response = await fetch(address)
    return farcall.array(Uint8Array.new(await response.arrayBuffer()), (28, 28, 1))


async def main():
    digits = await farcall.connect("digits")
    address = URL.new("./model.npz", document.baseURI).href
    model = await digits.nn.io.load(digits.fetch(address), compile=False)
    await model.warm_up()
    found = list(await model.predict(await picture("./picture.bin")))
    document.getElementById("digit").textContent = str(found.index(max(found)))
    document.documentElement.dataset.found = json.dumps(found)
    try:
        await model.compile("adam", "sparse_categorical_crossentropy")
        document.documentElement.dataset.training = "here"
    except Exception as error:
        document.documentElement.dataset.training = str(error)
    document.documentElement.dataset.phase = "ready"


task = asyncio.create_task(main())
