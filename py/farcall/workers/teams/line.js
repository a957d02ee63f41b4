// What members of a team exchange below Python: bytes go from one worker's WebAssembly memory to
// another's. Evaluated once by line.py. `module` is Pyodide's, `pool` is farcall.js.
"use strict";
(module, pool) => {
  const WORDS = 16; // of a counter: a cache line
  const SPINS = 2000; // about 0.1 ms, before the thread sleeps
  const rest = Atomics.pause ? () => Atomics.pause() : () => {};
  const here = (address, length) => module.HEAPU8.subarray(address, address + length);
  return {
    // A line to another member over a port: `hear` gets the text of each message.
    line(port, hear) {
      let arrays = [];
      port.onmessage = ({ data }) => {
        const [text, ...others] = data;
        arrays = others;
        hear(text);
        arrays.forEach(pool.spare);
        arrays = [];
      };
      return {
        // Send a text, and copies of arrays: of each the address and the length in bytes.
        send(text, ...places) {
          const copies = [];
          for (let i = 0; i < places.length; i += 2) {
            const copy = pool.take(places[i + 1]);
            copy.set(here(places[i], places[i + 1]));
            copies.push(copy);
          }
          port.postMessage([text, ...copies], copies.map((copy) => copy.buffer));
        },
        // Copy an array of the message under way to an address, if it has that length.
        read(index, address, length) {
          if (arrays[index]?.byteLength !== length) return false;
          here(address, length).set(arrays[index]);
          return true;
        },
        share(text, memory) { port.postMessage([text, memory]); },
        shared: () => arrays[0],
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
      return {
        leave(turn, address, length) {
          array(place, turn, length).set(here(address, length));
          Atomics.store(counters, WORDS * place, turn);
          Atomics.notify(counters, WORDS * place);
        },
        // Whether others have come to an exchange within so many milliseconds.
        came(turn, milliseconds, ...others) {
          const until = performance.now() + milliseconds;
          for (const member of others) {
            const counter = WORDS * member;
            for (let i = 0; i < SPINS && Atomics.load(counters, counter) < turn; i++) rest();
            for (let seen; (seen = Atomics.load(counters, counter)) < turn;) {
              const left = until - performance.now();
              if (left <= 0) return false;
              Atomics.wait(counters, counter, seen, left);
            }
          }
          return true;
        },
        read(member, turn, address, length) { here(address, length).set(array(member, turn, length)); },
      };
    },
  };
};
