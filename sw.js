// Service worker: serves an offline copy of this page.
//
// static/vendor/precache.js lists every file of one version with its sha256. Files are cached under their hash, so an
// update fetches only the changed files. Each version of this worker serves exactly the files of its own list, so old
// and new files never mix. If a file cannot be verified, it is not cached and the version is not installed.
"use strict";
importScripts("./static/vendor/precache.js"); // self.PRECACHE = { version, files, later: { path: [sha256 in base64, bytes, sha256 of what gzip packed] } }

const FILES = new Map(Object.entries(self.PRECACHE.files));
const LATER = new Map(Object.entries(self.PRECACHE.later)); // cached when a page first asks for them
const SCOPE = self.registration.scope;
const STORE = `farcall ${SCOPE}`; // one origin may host several copies of the page, each in its folder
const AT_ONCE = 4;
const ATTEMPTS = [["default", 0], ["reload", 1000], ["reload", 5000]]; // HTTP cache mode, pause before in ms

const key = (hash) => `${SCOPE}~sha256/${encodeURIComponent(hash)}`;
const pause = (duration) => new Promise((resolve) => setTimeout(resolve, duration));

addEventListener("install", (event) => event.waitUntil(install()));
addEventListener("activate", (event) => event.waitUntil(prune()));
addEventListener("fetch", (event) => {
  const path = ["GET", "HEAD"].includes(event.request.method) ? pathOf(event.request.url) : null;
  if (FILES.has(path)) event.respondWith(answer(event.request, path));
  else if (LATER.has(path)) event.respondWith(keep(event.request, path));
});
addEventListener("message", (event) => {
  if (event.data === "farcall:update") event.waitUntil(update(event.source));
});

function pathOf(address) {
  const url = new URL(address);
  const bare = url.origin + url.pathname;
  if (!bare.startsWith(SCOPE)) return null;
  return decodeURIComponent(bare.slice(SCOPE.length)) || "index.html";
}

async function install() {
  try {
    const store = await caches.open(STORE);
    const kept = new Set((await store.keys()).map((request) => request.url));
    const missing = [...FILES].filter(([, [hash]]) => !kept.has(key(hash)));
    const take = async () => {
      for (let file; (file = missing.shift());) await download(store, ...file);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, take));
  } catch (error) {
    await say({ type: "farcall:failed", reason: `${error.name}: ${error.message}` });
    throw error;
  }
}

async function download(store, path, entry) {
  let failure;
  for (const [cache, wait] of ATTEMPTS) {
    try {
      await pause(wait);
      return await store.put(key(entry[0]), await proved(path, entry, cache));
    } catch (error) {
      if (error.name === "QuotaExceededError") throw error;
      failure = new Error(`${path}: ${error.message}`);
    }
  }
  throw failure;
}

// Fetches the file, and rejects if the server's bytes are not those of this version. Some servers have browsers unpack .gz and .tgz.
async function proved(path, [hash, , unpacked], cache) {
  const integrity = `sha256-${hash}${unpacked ? ` sha256-${unpacked}` : ""}`;
  const response = await fetch(new URL(path, SCOPE), { cache, integrity });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  const headers = new Headers(response.headers);
  for (const name of ["content-encoding", "content-length", "vary"]) headers.delete(name); // these describe the transfer
  return new Response(response.body, { headers });
}

async function prune() {
  const store = await caches.open(STORE);
  const wanted = new Set([...FILES.values(), ...LATER.values()].map(([hash]) => key(hash)));
  const old = (await store.keys()).filter((request) => !wanted.has(request.url));
  await Promise.all(old.map((request) => store.delete(request)));
}

// PyScript asks for a worker's script by HEAD before it asks for it.
const asked = (request, kept) => (request.method === "HEAD" ? new Response(null, { headers: kept.headers }) : kept);

async function answer(request, path) {
  const entry = FILES.get(path);
  const store = await caches.open(STORE);
  const kept = await store.match(key(entry[0]));
  if (kept) return asked(request, kept);
  try {
    return await proved(path, entry, "no-cache"); // the browser evicted it
  } catch (error) {
    return navigator.onLine === false ? Response.error() : giveUp(request);
  }
}

// Answers with a file that few visits need, and keeps it for use offline.
async function keep(request, path) {
  const entry = LATER.get(path);
  try {
    const store = await caches.open(STORE);
    const kept = await store.match(key(entry[0]));
    if (kept) return asked(request, kept);
    if (request.method === "HEAD") return fetch(request);
    const response = await proved(path, entry, "default");
    await store.put(key(entry[0]), response.clone()).catch(() => {}); // no room: it is fetched again next time
    return response;
  } catch (error) {
    return fetch(request); // the server has another version; whoever asked checks it
  }
}

// A file of this version is neither cached nor on the server: load the whole page from the server next time.
async function giveUp(request) {
  await self.registration.unregister();
  await caches.delete(STORE);
  if (request.mode !== "navigate") return Response.error();
  const again = '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0"><title>Farcall</title>';
  return new Response(again, { headers: { "content-type": "text/html" } });
}

// Activates only if one page is open, because another page would mix old and new files.
async function update(page) {
  const open = (await pages()).length;
  if (open > 1) return page.postMessage({ type: "farcall:others", count: open - 1 });
  return self.skipWaiting();
}

async function say(message) {
  for (const page of await pages()) page.postMessage(message);
}

async function pages() {
  const all = await clients.matchAll({ type: "window", includeUncontrolled: true });
  return all.filter((page) => page.url.startsWith(SCOPE));
}
