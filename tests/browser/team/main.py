import asyncio
import json

import farcall
from js import URL, document, location

query = URL.new(location.href).searchParams
SIZE, BATCH = int(query.get("size") or 2), int(query.get("batch") or 4)
LEADER = query.get("leader")  # it dies, and not another


async def start():
    return await farcall.Team("./worker.py", config="./worker.toml", size=SIZE)


async def run():
    team = await start()
    found = {"size": team.size, "why": team.why}
    found["names"] = await asyncio.gather(*[worker.engine.name for worker in team.workers])
    found["alone"] = await team.leader.train(False)
    found["shared"] = await team.leader.train(True)
    found["dying"] = found["alone"] if LEADER else await without_another(team)
    kept = []
    found["leader"] = await without_leader(team, kept)
    team.terminate()
    if LEADER:
        team = await start()
        found["dying"] = await team.leader.go_on(kept[-1])
    return found


async def without_another(team):
    async def batch(number):
        if number == BATCH:
            team.workers[1].terminate()

    return await team.leader.train(True, batch)


async def without_leader(team, kept):
    """Which error tells of the leader's end; the latest checkpoint is the last that is kept."""

    async def batch(number):
        if number == BATCH:
            team.workers[0].terminate()

    try:
        await team.leader.train(True, batch, kept.append)
    except farcall.WorkerDiedError:
        return "WorkerDiedError"


async def main():
    try:
        found = await run()
    except Exception as error:
        found = {"error": repr(error), "traceback": getattr(error, "remote_traceback", "")}
    document.documentElement.dataset.found = json.dumps(found)


task = asyncio.create_task(main())
