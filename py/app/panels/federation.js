// Say goodbye with a request that the worker has signed before: a page that is closed has no time to wait.
(farewell) => {
  const { url, body, headers } = JSON.parse(farewell);
  const bytes = Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0));
  fetch(url, { method: "POST", keepalive: true, headers, body: bytes });
}
