// Python sets window.startCall(operation, given as JSON, answer) when it is ready.
window.call = async (operation, given) => {
    while (!window.startCall) await new Promise((resolve) => setTimeout(resolve, 20));
    return new Promise((resolve) =>
        window.startCall(operation, JSON.stringify(given), (text) => resolve(JSON.parse(text))));
};
