// Runs Comlink's test files by mocha, and leaves in window.outcomes what became of each test.
import { interpreter } from "../interpreters.mjs";

const query = new URLSearchParams(location.search);
const outcomes = {};

async function start() {
  const { python } = await interpreter("py", query.get("files").split(","));
  python.FS.writeFile("own.py", await (await fetch("own.py")).text());
  // What comlink.mjs here, and the frames' own, use instead of Comlink's `expose`.
  window.expose = python.pyimport("own").expose;
  window.expect = window.chai.expect;
  window.mocha.setup({ ui: "bdd", timeout: 20000, slow: 10000 });
  for (const file of query.get("tests").split(",")) await run(file);
  window.outcomes = outcomes;
}

async function run(file) {
  const found = outcomes[file] = {};
  window.mocha.suite.suites.length = 0;
  await import(`/base/tests/${file}`);
  await new Promise((resolve) => {
    window.mocha.cleanReferencesAfterRun(false).run(resolve)
      .on("pass", (test) => { found[test.title] = "passed"; })
      .on("fail", (test, error) => { found[test.title] = error.stack ?? String(error); })
      .on("pending", (test) => { found[test.title] = "left out by Comlink"; });
  });
}

start().catch((error) => { window.outcomes = { failed: String(error.stack ?? error) }; });
