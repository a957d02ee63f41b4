// The options in the address. Evaluated by options.py.
"use strict";
({
  isOwn: () => history.state?.farcallOwn === true,
  write(address) { history.replaceState({ ...history.state, farcallOwn: true }, "", address); },
  // What the page set for the data in use, and what was there before: no address says that.
  lent: (panel) => history.state?.farcallLent?.[panel] ?? "{}",
  lend(panel, text) {
    history.replaceState({ ...history.state, farcallLent: { ...history.state?.farcallLent, [panel]: text } }, "");
  },
  // static/boot.js hides what the address hides before the first paint, until Python does.
  showRest() { if (self.farcallHidden) self.farcallHidden.disabled = true; },
})
