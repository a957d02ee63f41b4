const functions = { add: (a, b) => a + b };

self.onmessage = ({ data }) => {
    const [id, name, given] = JSON.parse(data);
    self.postMessage(JSON.stringify([id, functions[name](...given)]));
};
