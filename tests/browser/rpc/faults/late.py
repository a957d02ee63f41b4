"""Never gets as far as serving."""

import asyncio

import farcall  # noqa: F401

await asyncio.sleep(3600)  # noqa: F704
