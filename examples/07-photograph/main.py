import asyncio

from js import URL, Object, document, navigator
from pyscript import when, workers

names, said = document.getElementById("names"), document.getElementById("said")


async def show(picture):
    """List what a file or a Blob shows; the worker reads it at an address of its own."""
    address = URL.createObjectURL(picture)
    try:
        names.replaceChildren()
        for name, score in await photographs.classify(address):
            item = document.createElement("li")
            item.textContent = f"{name} {100 * score:.0f} %"
            names.append(item)
        said.textContent = ""
    except Exception as error:
        said.textContent = str(error)
    URL.revokeObjectURL(address)


@when("change", "#file")
async def chosen(event):
    await show(event.target.files[0])


@when("click", "#camera")
async def camera(event):
    video = document.getElementById("video")
    if video.hidden:  # the first click shows what the camera sees
        constraints = Object.new()
        constraints.video = True
        video.srcObject = await navigator.mediaDevices.getUserMedia(constraints)
        await video.play()
        video.hidden = False
    canvas = document.createElement("canvas")
    canvas.width, canvas.height = video.videoWidth, video.videoHeight
    canvas.getContext("2d").drawImage(video, 0, 0)
    canvas.toBlob(lambda blob: asyncio.create_task(show(blob)))


async def main():
    global photographs
    photographs = await workers["photographs"]  # PyScript's own calls: this page has no farcall
    await photographs.start(URL.new("../../static/vendor/", document.baseURI).href)
    document.documentElement.dataset.phase = "ready"


task = asyncio.create_task(main())
