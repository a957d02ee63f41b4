// What members of a team exchange below Python: bytes go from one worker's WebAssembly memory to
// another's. Evaluated once by line.py. `module` is Pyodide's.
"use strict";
(module) => {
  const SPARES = 4; // buffers that a line keeps
  const LARGE = 2 ** 23; // bytes of a message that is sent once, such as data: not kept
  const WORDS = 16; // of a counter: a cache line
  const SPINS = 2000; // about 0.1 ms, before the thread sleeps
  const rest = Atomics.pause ? () => Atomics.pause() : () => {};
  const here = (address, length) => module.HEAPU8.subarray(address, address + length);
  return {
    // A line to another member over a port: `hear` gets the text of each message, and `came` the
    // term of each array to sum, which is kept until it is fetched or dropped. The bytes of arrays
    // are one buffer, which goes back to the sender with a later message: a fresh one costs a page
    // fault for every 4 KiB of it.
    line(port, hear, came) {
      const owed = [], spares = [], arrays = [];
      let bytes = null;
      const take = (length) => {
        for (const kept of [spares, owed]) {
          const index = kept.findIndex((buffer) => buffer.byteLength === length);
          if (index >= 0) return kept.splice(index, 1)[0];
        }
        return new ArrayBuffer(length);
      };
      port.onmessage = ({ data: [text, body, ...back] }) => {
        spares.unshift(...back);
        spares.length = Math.min(spares.length, SPARES);
        if (typeof text === "number") {
          arrays.push(body);
          came(text);
          return;
        }
        bytes = body;
        // What hears reads first: the answer that it sends may take the buffer along.
        if (body instanceof ArrayBuffer && body.byteLength <= LARGE) owed.push(body);
        hear(text);
        bytes = null;
      };
      return {
        // Send a text, and `length` bytes: places are offset, address and length of each array.
        send(text, length, ...places) {
          const body = new Uint8Array(take(length));
          for (let i = 0; i < places.length; i += 3) {
            body.set(here(places[i + 1], places[i + 2]), places[i]);
          }
          const back = owed.splice(0);
          port.postMessage([text, body.buffer, ...back], [body.buffer, ...back]);
        },
        // Send an array to sum, of one term of the team.
        put(term, address, length) {
          const body = new Uint8Array(take(length));
          body.set(here(address, length));
          const back = owed.splice(0);
          port.postMessage([term, body.buffer, ...back], [body.buffer, ...back]);
        },
        // Forget the array that came first.
        drop() { owed.push(arrays.shift()); },
        // Copy the array that came first; false if it has another length.
        fetch(address, length) {
          const body = arrays.shift();
          if (body.byteLength !== length) return false;
          here(address, length).set(new Uint8Array(body));
          owed.push(body);
          return true;
        },
        // Copy an array of the message under way to an address; false if there are not so many bytes.
        read(offset, address, length) {
          if (!bytes || offset + length > bytes.byteLength) return false;
          here(address, length).set(new Uint8Array(bytes, offset, length));
          return true;
        },
        share(text, memory) { port.postMessage([text, memory]); },
        shared: () => bytes,
        close() { port.onmessage = null; port.close(); },
      };
    },
    canShare: () => Boolean(globalThis.crossOriginIsolated && globalThis.SharedArrayBuffer),
    // Memory of `count` members: a counter for each, and two places for an array of each. A member
    // that comes to an exchange has read all arrays of the one before: so two places are enough.
    reserve: (count, most) => new SharedArrayBuffer(count * (4 * WORDS + 2 * most)),
    meeting(memory, place, count, most) {
      const counters = new Int32Array(memory, 0, count * WORDS);
      const array = (member, turn, length) =>
        new Uint8Array(memory, 4 * WORDS * count + (2 * member + turn % 2) * most, length);
      const meeting = {
        // Leave an array, and say whether others have come within so many milliseconds; then copy
        // the array of the only other to `into`.
        meet(turn, address, length, into, milliseconds, ...others) {
          array(place, turn, length).set(here(address, length));
          Atomics.store(counters, WORDS * place, turn);
          Atomics.notify(counters, WORDS * place);
          if (!meeting.came(turn, milliseconds, ...others)) return false;
          if (others.length === 1) meeting.read(others[0], turn, into, length);
          return true;
        },
        // Whether others have come to an exchange within so many milliseconds. One that is further
        // than the next has formed the team again: its message says so.
        came(turn, milliseconds, ...others) {
          const until = performance.now() + milliseconds;
          for (const member of others) {
            const counter = WORDS * member;
            for (let i = 0; i < SPINS && Atomics.load(counters, counter) < turn; i++) rest();
            let seen;
            while ((seen = Atomics.load(counters, counter)) < turn) {
              const left = until - performance.now();
              if (left <= 0) return false;
              Atomics.wait(counters, counter, seen, left);
            }
            if (seen > turn + 1) return false;
          }
          return true;
        },
        read(member, turn, address, length) { here(address, length).set(array(member, turn, length)); },
      };
      return meeting;
    },
  };
};
