"""Lets the page's JavaScript call an async function by name, one call at a time."""

import asyncio
import json
import sys

import js
from pyscript import ffi

pending = []


def serve(operations):
    """Answer window.call: JSON in, JSON out."""

    def start(name, text, answer):
        pending.append(asyncio.create_task(finish(name, json.loads(text), answer)))
        del pending[:-8]

    async def finish(name, given, answer):
        try:
            reply = {"result": await operations[name](**given)}
        except Exception as exc:
            reply = {"error": described(exc)}
        answer(json.dumps(reply))

    js.window.startCall = ffi.create_proxy(start)


def described(exc):
    """Return the traceback's text on either interpreter."""
    if sys.implementation.name == "micropython":
        import io

        text = io.StringIO()
        sys.print_exception(exc, text)
        return text.getvalue() + getattr(exc, "remote_traceback", "")
    import traceback

    return "".join(traceback.format_exception(exc)) + getattr(exc, "remote_traceback", "")
