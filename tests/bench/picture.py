"""What one report of the network's picture costs the page's main thread.

All its tasks are timed between a press of "A test image" and the picture's last pixels: the press,
the messages with MicroPython's decoding, and the frame in which wires, bars and canvases change.
"""

from __future__ import annotations

from statistics import median

from tests.support.chromium import Page

# Runs before anything of the page: times each message, frame and press that its scripts handle.
WATCH = """
globalThis.spent = 0;
globalThis.painted = 0;
let depth = 0;
const timed = (handle) => typeof handle !== "function" ? handle : function (...given) {
    const start = performance.now();
    depth++;
    try { return handle.apply(this, given); }
    finally { if (!--depth) globalThis.spent += performance.now() - start; }
};
const frame = globalThis.requestAnimationFrame.bind(globalThis);
globalThis.requestAnimationFrame = (handle) => frame(timed(handle));
for (const kind of [MessagePort, Worker]) {
    const { get, set } = Object.getOwnPropertyDescriptor(kind.prototype, "onmessage");
    const own = { get, set(handle) { set.call(this, timed(handle)); } };
    Object.defineProperty(kind.prototype, "onmessage", own);
}
const wrapped = new WeakMap();
const listen = EventTarget.prototype.addEventListener;
EventTarget.prototype.addEventListener = function (name, handle, options) {
    if (!["message", "click"].includes(name) || typeof handle !== "function")
        return listen.call(this, name, handle, options);
    if (!wrapped.has(handle)) wrapped.set(handle, timed(handle));
    return listen.call(this, name, wrapped.get(handle), options);
};
const put = CanvasRenderingContext2D.prototype.putImageData;
CanvasRenderingContext2D.prototype.putImageData = function (...given) {
    if (this.canvas.closest("#picture")) globalThis.painted++;
    return put.apply(this, given);
};
"""
PRESS = """
const done = arguments[0];
const [spent, painted] = [globalThis.spent, globalThis.painted];
document.getElementById("try-test").click();
const still = (before) => setTimeout(() => {
    if (globalThis.painted === painted || globalThis.painted !== before)
        return still(globalThis.painted);
    done(globalThis.spent - spent);
}, 100);
still(-1);
"""
READY = "!document.getElementById('train').disabled && globalThis.painted > 0"
LIMIT = 60
PRESSES = 20


def measure(site: str) -> dict[str, float]:
    """Return `page.picture_ms`: the median over presses, after some that warm up."""
    page = Page()
    try:
        page.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
        page.get(site)
        page.until(READY, LIMIT)
        page.set_script_timeout(LIMIT)
        spent = [float(page.execute_async_script(PRESS)) for _ in range(PRESSES + 5)]
    finally:
        page.quit()
    return {"page.picture_ms": median(spent[5:])}
