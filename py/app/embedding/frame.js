// The link to the framing page. Evaluated by frame.py.
"use strict";
({
  framed: () => window.parent !== window,
  // A sandboxed document's own origin is "null"; the origin of its address is another one.
  origin: () => window.origin,
  post(message, origin) { window.parent.postMessage(message, origin); },
  hear(origin, heard) {
    addEventListener("message", ({ source, origin: sender, data }) => {
      if (source !== window.parent || sender !== origin) return;
      if (data?.type === "farcall-demo" && typeof data.theme === "string") heard(data.theme);
    });
  },
})
