"""The page: two workers in a team, or each by itself."""

import asyncio
import json

import farcall
from js import window
from pyscript.ffi import create_proxy


async def together(operation, given):
    """Ask the leader, who trains with the other."""
    return await getattr(team.leader.bench, operation)(**given)


async def apart(operation, given):
    """Ask both at once; sums their rates."""
    calls = [getattr(worker.engine.bench, operation)(**given) for worker in team.workers]
    tasks = [asyncio.create_task(answer(call)) for call in calls]
    rate = 0
    for task in tasks:
        rate += (await task).get("rate", 0)
    return {"rate": rate}


async def everyone(operation, given):
    """Ask all at once, who work together; gives what the leader found."""
    calls = [getattr(worker.engine.bench, operation)(**given) for worker in team.workers]
    tasks = [asyncio.create_task(answer(call)) for call in calls]
    found = []
    for task in tasks:
        found.append(await task)  # noqa: PERF401 - MicroPython has no comprehension that awaits
    return found[0]


async def answer(call):
    return await call


async def search(workers, count):
    """Search with so many workers; gives trials a second."""
    free = list(range(workers))

    async def run(values):
        number = free.pop()
        try:
            return await team.workers[number].engine.bench.trial(values)
        finally:
            free.append(number)

    return await team.leader.bench.search(run, workers, count)


async def operate(operation, given):
    global team
    if operation == "start":
        workers.append(farcall.Worker("./team_worker.py", config="./team_worker.toml"))
        await workers[-1].start()
        return {}
    if operation == "end":
        for worker in workers:
            worker.terminate()
        return {}
    if operation == "info":
        team = await farcall.Team(
            "./team_worker.py", config="./team_worker.toml", size=given.get("size", 2)
        )
        return {"size": team.size, "why": team.why}
    if operation == "search":
        return await search(**given)
    kind, _, name = operation.partition(".")
    return await {"together": together, "apart": apart, "all": everyone}[kind](name, given)


async def reply(text, done):
    try:
        found = {"result": await operate(*json.loads(text))}
    except Exception as error:
        found = {"error": f"{error!r}\n{getattr(error, 'remote_traceback', '')}"}
    done(json.dumps(found))


team, workers = None, []
window.operate = create_proxy(lambda text, done: asyncio.create_task(reply(text, done)))
