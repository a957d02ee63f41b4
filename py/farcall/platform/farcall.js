// What JavaScript does for farcall: each function that may throw catches here, since MicroPython cannot.
// Evaluated once by platform/javascript.py; nothing that a peer sent ever reaches it.
"use strict";
() => {
  const attempt = (f) => { try { f(); return ""; } catch (e) { return String(e); } };
  const scripts = () => [...document.querySelectorAll("script[worker][name]")];
  // Of workers that farcall starts: what has a `name` PyScript keeps for ever, its Worker too.
  const started = () => [...document.querySelectorAll("script[worker][data-farcall]")];
  // Memory that came back: a fresh ArrayBuffer costs a page fault for every 4 KiB of it.
  const spares = [];
  const SPARE = { least: 65536, most: 256 * 2 ** 20, count: 8 };
  let reused = 0;
  const take = (length) => {
    const index = spares.findIndex((view) => view.byteLength === length);
    if (index < 0) return new Uint8Array(length);
    reused += 1;
    return spares.splice(index, 1)[0];
  };
  const bare = (value) => value instanceof ArrayBuffer ? new Uint8Array(value)
    : new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  // What the platform only moves, what it clones without a copy worth avoiding, and what to move.
  const MOVED = /^(MessagePort|OffscreenCanvas|(Readable|Writable|Transform)Stream|RTCDataChannel)$/;
  const CLONED = /^(File|Blob|FileList|ImageData|ImageBitmap|VideoFrame|AudioData|Date|RegExp)$/;
  const marked = new WeakSet();
  const nameOf = (value) => Object.prototype.toString.call(value).slice(8, -1);
  const movable = (item) => ArrayBuffer.isView(item) ? item.buffer
    : marked.has(item) || MOVED.test(nameOf(item)) ? item : null;
  const transferred = (list) => [...new Set(list.map(movable).filter((item) => item))];
  // Memory can be transferred once: the second view of it in a message is a copy. So are all views
  // beside a port: where that is refused, Chromium has taken the memory already.
  const distinct = (list) => {
    const moved = new Set();
    const risky = list.some((item) => !ArrayBuffer.isView(item) && movable(item));
    return list.map((item) => {
      if (!ArrayBuffer.isView(item)) return item;
      if (risky) return item.slice();
      const again = moved.has(item.buffer);
      moved.add(item.buffer);
      return again ? item.slice() : item;
    });
  };
  // One plain result, the commonest message, costs MicroPython less as numbers than as a text.
  const REPLY = /^\[(\d{1,9}), ?\["ret", ?(\d{1,9}), ?(-?\d{1,9}|true|false)\]\]$/;
  const plain = (text) => text === "true" ? true : text === "false" ? false : +text;
  // JSON's escapes for lone surrogates: MicroPython's strings have too little room for them.
  const whole = (text) => text.isWellFormed?.() ? text
    : text.replace(/\p{Surrogate}/gu, (half) => `\\u${half.charCodeAt().toString(16)}`);
  // Where the frames of a header begin and end in its text.
  const framesIn = (text, start) => {
    const found = [], mark = /["[\]{},\\]/g;
    let depth = 0, quoted = false, from = start + 1;
    mark.lastIndex = start;
    for (let at = mark.exec(text); at; at = mark.exec(text)) {
      const sign = at[0];
      if (sign === "\\") mark.lastIndex += 1;
      else if (sign === '"') quoted = !quoted;
      else if (quoted) continue;
      else if (sign === "[" || sign === "{") depth += 1;
      else if (sign !== ",") depth -= 1;
      if (!quoted && (sign === "," ? depth === 1 : depth === 0)) {
        found.push([from, at.index]);
        from = at.index + 1;
      }
    }
    return found;
  };
  // Forms of objects of the sender in a frame; none are in arrays, exceptions and nodes of graphs.
  const objectsIn = (frame) => {
    const found = [], todo = [frame];
    while (todo.length) {
      const wire = todo.pop();
      if (wire === null || typeof wire !== "object") continue;
      if (wire[0] === "o") found.push(wire);
      else if (!["a", "e", "@"].includes(wire[0])) for (const x of Object.values(wire)) todo.push(x);
    }
    return found;
  };
  const large = (text) => {
    const head = /^\s*\["(\w+)",\s*(-?\d+)/.exec(text);
    return head && JSON.stringify(["large", head[1], +head[2], text.length, objectsIn(JSON.parse(text))]);
  };
  return {
    // The bytes of a header without its longest frames, until `most` are left; none where that fails.
    // In the place of each is a `large` frame.
    reduced(source, most) {
      try {
        const text = typeof source === "string" ? source : new TextDecoder().decode(source);
        const start = text.indexOf("[");
        const frames = framesIn(text, start).map(([from, to]) => text.slice(from, to));
        const order = frames.map((_, n) => n).sort((a, b) => frames[b].length - frames[a].length);
        let left = text.length;
        for (const n of order) {
          if (left <= most) break;
          left -= frames[n].length;
          frames[n] = large(frames[n]) ?? frames[n];
        }
        return new TextEncoder().encode(`${text.slice(0, start)}[${frames.join(",")}]`);
      } catch { return new Uint8Array(); }
    },
    // About how many bytes MicroPython takes for a header, its wire forms and their values.
    needs(bytes) {
      const cost = new Uint8Array(256);
      for (const [sign, most] of [['"', 16], [",", 16], ["[", 128], ["{", 192]]) cost[sign.charCodeAt()] = most;
      return bytes.reduce((sum, byte) => sum + cost[byte], bytes.length);
    },
    open(target, onText, onBuffers, onBroken, onReply, source, origin) {
      const onString = (text) => {
        const reply = onReply && text.length < 50 && REPLY.exec(text);
        if (reply) onReply(+reply[1], +reply[2], plain(reply[3]), text.length);
        else onText(whole(text));
      };
      const listener = (event) => {
        // What a window says as it goes arrives in Firefox and WebKit without a source.
        const from = event.source ?? (source?.closed ? source : null);
        if (source && (from !== source || event.origin !== origin)) return;
        const data = event.data;
        if (typeof data === "string") onString(data);
        else if (!Array.isArray(data) || typeof data[0] !== "string") onBroken(String(typeof data));
        else if (data.length === 1) onText(whole(data[0]));
        else onBuffers(whole(data[0]), data);
      };
      const broken = () => onBroken("a message that could not be deserialised");
      target.addEventListener("message", listener);
      target.addEventListener("messageerror", broken);
      // A window has no such method, but an element with the id "start" as a property of this name.
      if (typeof target.start === "function") target.start();
      return () => {
        target.removeEventListener("message", listener);
        target.removeEventListener("messageerror", broken);
      };
    },
    poster(target, origin) {
      const post = (message, list) => attempt(() =>
        origin ? target.postMessage(message, origin, list) : target.postMessage(message, list));
      return {
        text: (header) => post(header, []),
        // Gives the length of the header, or what went wrong.
        call(received, number, place, ...args) {
          const header = `[${received},["call",${number},${place},${JSON.stringify(args)},{}]]`;
          return post(header, []) || header.length;
        },
        buffers(header, list) {
          const moved = distinct(list);
          return post([header, ...moved], transferred(moved));
        },
        copies: (header, list) => attempt(() =>
          target.postMessage(list.length ? [header, ...list] : header)),
      };
    },
    // Whether a message moves several things, of which the browser may take one and refuse another.
    risky: (list) => list.filter((item) => !ArrayBuffer.isView(item) && movable(item)).length > 1,
    take,
    spare(view) {
      if (!(view instanceof Uint8Array) || view.byteLength < SPARE.least) return;
      if (view.byteLength !== view.buffer.byteLength) return;
      spares.unshift(view);
      let bytes = 0;
      const kept = spares.filter((v) => (bytes += v.byteLength) <= SPARE.most).slice(0, SPARE.count);
      spares.splice(0, spares.length, ...kept);
    },
    reused: () => reused,
    spares: () => spares.length,
    byteLength: (item) => ArrayBuffer.isView(item) ? item.byteLength : 0,
    nameOf,
    mark(value) { marked.add(value); },
    // Why a value cannot cross as what it is; "" if it can.
    refusal(value) {
      const name = nameOf(value);
      if (MOVED.test(name)) return value.locked ? "it is locked" : "";
      if (CLONED.test(name) || marked.has(value)) return "";
      return attempt(() => structuredClone(value));
    },
    isPort: (value) => value instanceof MessagePort,
    addWorker(type, name, source, config) {
      const script = document.createElement("script");
      script.type = type; script.src = source;
      script.setAttribute("worker", ""); script.dataset.farcall = name;
      if (config) script.setAttribute("config", config);
      document.body.append(script);
    },
    removeWorker(name) {
      started().filter((s) => s.dataset.farcall === name).forEach((s) => s.remove());
    },
    // Browsers make a timer that a timer sets wait for 4 ms.
    pause(callback) {
      if (globalThis.scheduler?.postTask) scheduler.postTask(() => callback());
      else setTimeout(callback);
    },
    ticker(callback) { return () => queueMicrotask(callback); },
    // A page that may come back from the back/forward cache is not gone; node has no events.
    onLeave(callback) {
      globalThis.addEventListener?.("pagehide", (e) => { if (!e.persisted) callback(); });
    },
    holdLock(name, done) {
      if (!globalThis.navigator?.locks) { done(false); return; }
      navigator.locks.request(name, () => { done(true); return new Promise(() => {}); })
        .catch(() => done(false));
    },
    watchLock(name, callback) {
      if (!globalThis.navigator?.locks) return () => {};
      const stop = new AbortController();
      navigator.locks.request(name, { signal: stop.signal }, () => callback()).catch(() => {});
      return () => stop.abort();
    },
    // A lock that is not held here is of another origin: it says nothing.
    isHeld(name, answer) {
      if (!globalThis.navigator?.locks) { answer(false); return; }
      navigator.locks.query()
        .then((all) => answer(all.held.some((lock) => lock.name === name)), () => answer(false));
    },
    registry(callback) { return new FinalizationRegistry((held) => callback(held[0], held[1])); },
    token(registry, id, generation) {
      const token = {}; registry.register(token, [id, generation]); return token;
    },
    status(url, callback) {
      fetch(url, { method: "HEAD" }).then((r) => callback(r.status), () => callback(0));
    },
    listenControl(target, callback) {
      const listener = (event) => {
        const data = event.data;
        if (data && typeof data === "object" && typeof data.farcall === "string")
          callback(data.farcall, String(data.detail ?? ""), event.ports[0] ?? data.thing ?? null);
      };
      target.addEventListener("message", listener);
      return () => target.removeEventListener("message", listener);
    },
    sendControl(target, kind, detail, thing) {
      const moved = thing instanceof MessagePort ? [thing] : [];
      return attempt(() => target.postMessage(
        { farcall: kind, detail, thing: moved.length ? null : thing }, moved));
    },
    signal() {
      // WebKitGTK has none, though it says that it is isolated.
      const shared = globalThis.crossOriginIsolated && globalThis.SharedArrayBuffer;
      return shared ? new Uint8Array(new shared(1)) : null;
    },
    interrupt(signal) { Atomics.store(signal, 0, 2); },  // SIGINT
    broadcast(kind, detail) {
      const channel = new BroadcastChannel("farcall");
      channel.postMessage({ farcall: kind, detail }); channel.close();
    },
    broadcasts: () => new BroadcastChannel("farcall"),
    named: (name) => scripts().find((s) => s.getAttribute("name") === name)
      ?? started().find((s) => s.dataset.farcall === name) ?? null,
    // URL of its configuration; "" where the attribute holds the text itself.
    config(script) {
      const text = (script.getAttribute("config") ?? "").trim();
      return /^[^{\s]+\.(json|toml)([?#]\S*)?$/.test(text) ? new URL(text, document.baseURI).href : "";
    },
    names: () => scripts().map((s) => s.getAttribute("name")).join(", "),
    // Under cross-origin isolation PyScript puts a `document` into workers too.
    isWorker: typeof WorkerGlobalScope !== "undefined" && globalThis instanceof WorkerGlobalScope,
    isView: (value) => ArrayBuffer.isView(value) || value instanceof ArrayBuffer,
    bytesOf(value, move) {
      const view = bare(value);
      if (move && view.byteLength === view.buffer.byteLength) return view;
      const copy = take(view.byteLength);
      copy.set(view);
      return copy;
    },
    fromText: (text) => new TextEncoder().encode(text),
    toText(bytes) {
      const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
      try { return decoder.decode(bytes); } catch { return null; }
    },
    fromHex: (text) => Uint8Array.fromHex ? Uint8Array.fromHex(text)
      : Uint8Array.from(text.match(/../g) ?? [], (byte) => parseInt(byte, 16)),
    toHex(value) {
      const view = bare(value);
      return view.toHex ? view.toHex()
        : Array.from(view, (byte) => byte.toString(16).padStart(2, "0")).join("");
    },
    typed(bytes, kind) {
      const whole = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
      const type = globalThis[kind];
      return new type(whole.buffer, whole.byteOffset, whole.byteLength / type.BYTES_PER_ELEMENT);
    },
    isDetached: (value) => (value instanceof ArrayBuffer ? value : value.buffer).detached === true,
    kindOf: (value) => value instanceof ArrayBuffer ? "ArrayBuffer" : value.constructor.name,
    isFunction: (value) => typeof value === "function",
    random() { return crypto.getRandomValues(new Uint32Array(4)).join("-"); },
    now: () => performance.now() / 1000,
    mendStack(module) {
      const apply = module.promisingApply;
      if (!apply || !module.stackRestore) return;
      let live = 0, top = 0;
      // In a microtask after the last call's own: no frame of WebAssembly is left then.
      const lift = () => { if (!live && module.stackSave() < top) module.stackRestore(top); };
      const over = () => { live -= 1; queueMicrotask(lift); };
      module.promisingApply = (...args) => {
        if (!live) top = Math.max(top, module.stackSave());
        live += 1;
        const ended = apply(...args);
        ended.then(over, over);
        return ended;
      };
    },
  };
};
