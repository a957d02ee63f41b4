import * as Comlink from "../../../node_modules/comlink/dist/esm/comlink.mjs";

addEventListener("message", (event) => {
  if (!event.data?.raw) return;
  const port = event.ports[0];
  port.onmessage = (message) => port.postMessage(message.data);
});
Comlink.expose({ echo: (value) => value });
