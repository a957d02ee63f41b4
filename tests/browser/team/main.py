import asyncio
import json

import farcall
from js import URL, document, location

query = URL.new(location.href).searchParams
SIZE, BATCH = int(query.get("size") or 2), int(query.get("batch") or 4)


async def run():
    team = await farcall.Team("./worker.py", config="./worker.toml", size=SIZE)
    found = {"size": team.size, "why": team.why}
    found["alone"] = await team.leader.train(False)
    found["shared"] = await team.leader.train(True)

    async def batch(number):
        if number == BATCH:
            team.workers[1].terminate()

    found["dying"] = await team.leader.train(True, batch)
    return found


async def main():
    try:
        found = await run()
    except Exception as error:
        found = {"error": str(error), "traceback": getattr(error, "remote_traceback", "")}
    document.documentElement.dataset.found = json.dumps(found)


task = asyncio.create_task(main())
