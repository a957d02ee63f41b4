"""Fails after importing farcall, before serving."""

import farcall


def prepare():
    raise RuntimeError("the kettle is empty")


prepare()
farcall.serve({"never": prepare})
