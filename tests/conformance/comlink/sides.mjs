// A side is one half of the suite in one language: "js", "py" (Pyodide) or "mpy" (MicroPython).
const isPython = (language) => language !== "js";

export async function exposingSide(language, files) {
  if (!isPython(language)) return (await import("./fixtures.mjs")).exposer();
  const { interpreter } = await import("./interpreters.mjs");
  return (await interpreter(language, files)).side("fixtures");
}

export async function drivingSide(language, files) {
  if (!isPython(language)) return (await import("./behaviours.mjs")).driver();
  const { interpreter } = await import("./interpreters.mjs");
  return (await interpreter(language, files)).side("behaviours");
}
