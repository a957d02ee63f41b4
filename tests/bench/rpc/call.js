// Python sets window.startCall(operation, given as JSON, answer) when it is ready.
window.call = async (operation, given) => {
    for (let waited = 0; !window.startCall; waited += 20) {
        if (waited > 60_000) return { error: "Python did not start within a minute" };
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return new Promise((resolve) =>
        window.startCall(operation, JSON.stringify(given), (text) => resolve(JSON.parse(text))));
};

// Beats every few milliseconds; the longest time without a beat is how long the page was blocked.
window.beats = () => {
    let last = performance.now(), longest = 0, on = true;
    const note = () => {
        const now = performance.now();
        longest = Math.max(longest, now - last);
        last = now;
    };
    const beat = () => { note(); if (on) setTimeout(beat); };
    setTimeout(beat);
    return () => { on = false; note(); return longest; };
};
