"""Pools, restarts, direct ports, trace, and every transport; leaves what each gave as JSON."""

import asyncio
import json

import farcall
import js
from farcall import comlink
from js import document, location

SOURCE = "./transports/member.py"
CONFIG = "./mpy.toml"
# How many times slower this machine is than a quiet one, as tests/support/limit.py measures.
SLOWNESS = js.slowness if hasattr(js, "slowness") else 1
PATIENCE = 20 * SLOWNESS  # seconds to connect


async def kind_of(awaitable):
    """Name of the exception, or the value."""
    try:
        return await awaitable
    except Exception as exc:
        return type(exc).__name__


async def remember(engine):
    """State that every start needs."""
    return await engine.note("made by setup")


async def started(condition):
    while not condition():
        await asyncio.sleep(0.01)


async def a_worker_restarts_with_its_state():
    worker = farcall.Worker(SOURCE, config=CONFIG, type="mpy", setup=remember)
    await worker.start()
    await worker.engine.note("lost with the restart")
    await worker.restart()
    result = [worker.state, await worker.engine.recall(), worker.starts]
    worker.terminate()
    return result + [worker.engine is None]


async def a_worker_that_died_starts_again():
    worker = farcall.Worker(SOURCE, config=CONFIG, type="mpy", setup=remember, restarts=1)
    await worker.start()
    pending = worker.engine.slowly(1)
    worker.engine.die()
    result = [await kind_of(pending)]
    await started(lambda: worker.engine is not None)
    result.append(await worker.engine.recall())
    worker.terminate()
    return result


async def living():
    """The locks that workers hold."""
    locks = (await js.navigator.locks.query()).held
    names = [str(locks[n].name) for n in range(locks.length)]
    return {name for name in names if name.startswith("farcall-")}


async def newcomers(before):
    """How many workers hold locks that were not held before."""
    return len(await living() - before)


async def a_worker_whose_session_ended_is_killed_by_a_restart():
    before = await living()
    worker = farcall.Worker(SOURCE, config=CONFIG, type="mpy")
    await worker.start()
    farcall.session(worker.engine).close()
    result = [worker.engine is None, await newcomers(before)]
    await worker.restart()
    while await newcomers(before) > 1:
        await asyncio.sleep(0.01)
    farcall.session(worker.engine).close()
    worker.terminate()
    while await newcomers(before):
        await asyncio.sleep(0.01)
    return result + [worker.starts]


async def a_worker_that_does_not_start_in_time_is_killed():
    before = await living()
    worker = farcall.Worker("./faults/late.py", config=CONFIG, type="mpy", timeout=3)
    result = [await kind_of(worker.start())]
    while await newcomers(before):
        await asyncio.sleep(0.01)
    return result


async def a_script_that_fails_before_it_imports_farcall_is_an_error():
    """The worker can no longer say it: farcall asks ten times, once a second."""
    try:
        await farcall.connect("early", timeout=20 * SLOWNESS)
    except farcall.WorkerBootError as exc:
        return [type(exc).__name__, "without importing farcall" in str(exc)]


async def python_that_never_gives_way_is_killed():
    worker = farcall.Worker(SOURCE, config=CONFIG, type="mpy")
    await worker.start()
    spinning = worker.engine.spin()
    late = await kind_of(farcall.options(worker.engine.square, timeout=0.1)(2))
    await worker.restart()
    result = [late, await kind_of(spinning), await worker.engine.square(3)]
    worker.terminate()
    return result


async def a_pool_maps_in_order_and_replaces_the_dead():
    pool = await farcall.Pool(2, SOURCE, config=CONFIG, type="mpy").start()
    squares = await pool.map(lambda engine, x: engine.square(x), range(20))
    streamed = []
    async with pool.imap(lambda engine, x: engine.slowly(x), range(7)) as results:
        async for value in results:
            streamed.append(value)
    for _ in range(4):
        await pool.run(lambda engine: engine.note("mine"), affinity="me")
    notes = []
    for worker in pool.workers:
        notes.append(len(await worker.engine.recall()))
    busy = asyncio.create_task(kind_of(pool.run(lambda engine: engine.slowly(1), affinity="me")))
    await pool.run(lambda engine: engine.die(), affinity="me")
    died = await busy
    await started(lambda: sum([w.starts for w in pool.workers]) == 3)
    again = await pool.map(lambda engine, x: engine.square(x), range(5))
    await started(lambda: None not in [w.engine for w in pool.workers])
    for worker in pool.workers:
        farcall.session(worker.engine).close()
    replaced = await pool.map(lambda engine, x: engine.square(x), range(4))
    # One died a moment ago: it pauses before it starts again, while the other does the map.
    await started(lambda: sum([w.starts for w in pool.workers]) == 5)
    pool.workers[0].terminate()
    alone = await pool.map(lambda engine, x: engine.square(x), range(3))
    pool.terminate()
    none = await kind_of(pool.run(lambda engine: engine.square(1)))
    starts = sum([w.starts for w in pool.workers])
    return [squares, streamed, sorted(notes), died, again, replaced, alone, none, starts]


async def jobs_that_run_jobs_on_their_pool_end():
    pool = await farcall.Pool(1, SOURCE, config=CONFIG, type="mpy", concurrency=1).start()

    async def deep(engine, how, depth):
        if not depth:
            return await engine.square(3)
        if how == "map":
            return (await pool.map(lambda e, d: deep(e, how, d), [depth - 1] * 2))[0]
        inner = pool.run(deep, how, depth - 1)
        return (await asyncio.gather(inner))[0] if how == "gather" else await inner

    runs = [pool.run(deep, how, 2) for how in ("run", "map", "gather")]
    results = await asyncio.gather(*runs)
    pool.terminate()
    return results


async def two_workers_talk_over_a_port_of_their_own():
    target = await farcall.connect("target")
    worker = farcall.Worker(SOURCE, config=CONFIG, type="mpy")
    await worker.start()
    messages = farcall.statistics(target)["messages_sent"]
    port = await farcall.port(target)
    count = await worker.engine.call_other(port, "from the other worker")
    notes = await target.recall()
    worker.terminate()
    return [count, notes, farcall.statistics(target)["messages_sent"] - messages]


async def a_worker_notices_that_the_worker_it_calls_is_gone():
    first = farcall.Worker(SOURCE, config=CONFIG, type="mpy")
    second = farcall.Worker(SOURCE, config=CONFIG, type="mpy")
    await first.start()
    await second.start()
    outcome = first.engine.wait_for_other(await farcall.port(second.engine), second.terminate)
    result = await outcome
    first.terminate()
    return result


async def a_worker_notices_that_the_worker_that_calls_it_is_gone():
    target = await farcall.connect("target")
    worker = farcall.Worker(SOURCE, config=CONFIG, type="mpy")
    await worker.start()
    pending = worker.engine.wait_for_other(await farcall.port(target), worker.terminate)
    result = [await kind_of(pending)]
    while "the caller is gone" not in await target.recall():
        await asyncio.sleep(0.01)
    return result


async def a_broadcast_channel_carries_calls_and_arrays():
    target = await farcall.connect("target")
    await target.meet("farcall-test")
    engine = await farcall.connect(farcall.endpoints.Broadcast("farcall-test"), timeout=PATIENCE)
    array = farcall.array(js.Float32Array.new(js.Array.of(1, 2, 3, 4)), (2, 2))
    result = [await engine.square(5), await engine.take(js.Int16Array.new(js.Array.of(7, 8)))]
    result.append((await engine.take(array))[:2])
    farcall.session(engine).close()
    return result


async def framed(source):
    frame = document.createElement("iframe")
    frame.src = source
    document.body.append(frame)
    return frame


async def a_frame_is_called_and_calls_back():
    frame = await framed("./frame.html")
    endpoint = farcall.endpoints.Window(frame.contentWindow, location.origin)
    engine = await farcall.connect(endpoint, timeout=PATIENCE)
    result = [await engine.greet("parent"), await engine.relay(lambda x: x + 1, 41)]
    farcall.session(engine).close()
    frame.remove()
    return result


async def a_frame_of_another_origin_is_not_heard():
    frame = await framed("./frame.html")
    other = location.origin.replace("127.0.0.1", "localhost")
    endpoint = farcall.endpoints.Window(frame.contentWindow, other)
    result = await kind_of(farcall.connect(endpoint, timeout=2))
    frame.remove()
    try:
        farcall.endpoints.Window(frame.contentWindow, "*")
    except ValueError:
        return [result, "* is refused"]
    return [result]


async def a_shared_worker_serves_every_page_that_connects():
    url = js.URL.new("./transports/shared.mjs", location.href).href
    options = js.JSON.parse('{"type": "module", "name": "farcall"}')
    first = await farcall.connect(js.SharedWorker.new(url, options).port, timeout=PATIENCE)
    second = await farcall.connect(js.SharedWorker.new(url, options).port, timeout=PATIENCE)
    await first.visit("one")
    result = await second.visit("two")
    farcall.session(first).close()
    farcall.session(second).close()
    return result


async def traceback_of(awaitable):
    """Of the ValueError that it must raise."""
    try:
        await awaitable
    except ValueError as exc:
        return exc.remote_traceback


def here():
    raise ValueError("asked, on the page")


async def tracebacks_stay_behind_a_boundary():
    frame = await framed("./frame.html")
    endpoint = farcall.endpoints.Window(frame.contentWindow, location.origin)
    framed_engine = await farcall.connect(endpoint, timeout=PATIENCE)
    url = js.URL.new("./transports/shared.mjs", location.href).href
    options = js.JSON.parse('{"type": "module", "name": "farcall"}')
    shared = await farcall.connect(js.SharedWorker.new(url, options), timeout=PATIENCE)
    result = [await traceback_of(framed_engine.fail()), await traceback_of(shared.fail())]
    relayed = await traceback_of(shared.relay(here))
    result += [relayed, "in fail" in await traceback_of((await farcall.connect("target")).fail())]
    farcall.session(framed_engine).close()
    farcall.session(shared).close()
    frame.remove()
    return result


async def a_shared_worker_forgets_a_page_that_is_gone():
    url = js.URL.new("./transports/shared.mjs", location.href).href
    options = js.JSON.parse('{"type": "module", "name": "farcall"}')
    engine = await farcall.connect(js.SharedWorker.new(url, options).port, timeout=PATIENCE)
    frame = await framed("./visitor.html")
    while "frame arrived" not in await engine.visits():
        await asyncio.sleep(0.01)
    frame.remove()
    while "frame left" not in await engine.visits():
        await asyncio.sleep(0.01)
    farcall.session(engine).close()
    return True


async def a_frame_that_is_removed_says_so():
    frame = await framed("./frame.html")
    endpoint = farcall.endpoints.Window(frame.contentWindow, location.origin)
    engine = await farcall.connect(endpoint, timeout=PATIENCE)
    pending = engine.relay(asyncio.Event().wait, None)
    await engine.greet("parent")
    frame.remove()
    return await kind_of(pending)


async def a_trace_shows_every_call():
    target = await farcall.connect("target")
    with farcall.trace(target) as log:
        await target.square(2)
    chrome = json.loads(log.chrome())["traceEvents"]
    spans = [e for e in chrome if e["ph"] == "X"]
    return [
        [c["label"] for c in log.calls],
        [e["kind"] + " " + e["direction"] for e in log.events],
        spans[0]["name"],
        spans[0]["dur"] > 0,
        log.events[0]["bytes"] > 10,
    ]


async def a_transferred_array_is_gone_here():
    target = await farcall.connect("target")
    array = js.Uint8Array.new(js.Array.of(1, 2, 3))
    result = [await target.take(farcall.transfer(array)), array.length]
    try:
        await target.take(array)
    except ValueError as exc:
        result.append("transferred before" in str(exc))
    return result


async def a_proxy_that_is_handed_on_is_asked_there_as_here():
    first = await farcall.connect("target", timeout=PATIENCE)
    worker = await farcall.Worker(SOURCE, config=CONFIG, type="mpy").start()
    result = await worker.engine.look_at(first.share())
    worker.terminate()
    return result


async def a_file_that_the_user_picked_reaches_the_worker():
    """As docs/how-to/files.md does; JavaScript picks the file, as a script may not ask."""
    js.eval("""{
        const picked = new DataTransfer();
        picked.items.add(new File(["a,1\\nb,2\\n"], "table.csv"));
        const input = Object.assign(document.createElement("input"), { type: "file" });
        input.files = picked.files;
        document.body.append(input);
    }""")
    engine = await farcall.connect("target")
    picked = document.querySelector("input").files.item(0)
    return [await engine.count_lines(picked), await engine.name_of(picked)]


async def comlink_speaks_on_the_workers_own_channel():
    engine = await farcall.connect("target", timeout=PATIENCE)
    await engine.speak_comlink()
    proxy = comlink.wrap(document.querySelector("script[name=target]").xworker)
    result = await proxy(7)
    comlink.close(proxy)
    return result


CASES = (
    a_worker_restarts_with_its_state,
    a_worker_that_died_starts_again,
    a_worker_whose_session_ended_is_killed_by_a_restart,
    a_worker_that_does_not_start_in_time_is_killed,
    a_script_that_fails_before_it_imports_farcall_is_an_error,
    python_that_never_gives_way_is_killed,
    a_pool_maps_in_order_and_replaces_the_dead,
    jobs_that_run_jobs_on_their_pool_end,
    two_workers_talk_over_a_port_of_their_own,
    a_worker_notices_that_the_worker_it_calls_is_gone,
    a_worker_notices_that_the_worker_that_calls_it_is_gone,
    a_broadcast_channel_carries_calls_and_arrays,
    a_frame_is_called_and_calls_back,
    a_frame_of_another_origin_is_not_heard,
    a_shared_worker_serves_every_page_that_connects,
    tracebacks_stay_behind_a_boundary,
    a_shared_worker_forgets_a_page_that_is_gone,
    a_frame_that_is_removed_says_so,
    a_trace_shows_every_call,
    a_transferred_array_is_gone_here,
    a_proxy_that_is_handed_on_is_asked_there_as_here,
    a_file_that_the_user_picked_reaches_the_worker,
    comlink_speaks_on_the_workers_own_channel,
)


async def main():
    results = {}
    only = location.hash[1:]
    for case in CASES:
        name = case.__name__
        if only and only != name:
            continue
        try:
            results[name] = await asyncio.wait_for(case(), 40 * SLOWNESS)
        except Exception as exc:
            text = farcall.platform.traceback_text(exc) + getattr(exc, "remote_traceback", "")
            results[name] = text or "timed out"
    document.getElementById("results").textContent = json.dumps(results)
    document.documentElement.dataset.phase = "done"


task = asyncio.create_task(main())
