// The options in the address. Evaluated by options.py.
"use strict";
({
  isOwn: () => history.state?.farcallOwn === true,
  write(address) { history.replaceState({ ...history.state, farcallOwn: true }, "", address); },
  // static/boot.js hides what the address hides before the first paint, until Python does.
  showRest() { if (self.farcallHidden) self.farcallHidden.disabled = true; },
})
