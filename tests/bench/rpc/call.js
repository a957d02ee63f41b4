// Python sets window.startCall(operation, given as JSON, answer) when it is ready.
window.call = async (operation, given) => {
    for (let waited = 0; !window.startCall; waited += 20) {
        if (waited > 60_000) return { error: "Python did not start within a minute" };
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return new Promise((resolve) =>
        window.startCall(operation, JSON.stringify(given), (text) => resolve(JSON.parse(text))));
};
