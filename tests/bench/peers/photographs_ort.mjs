// onnxruntime-web as it is now (photographs need no training), one thread. Graph optimizations fold batch norm.
import * as ort from "../node_modules/onnxruntime-web-now/dist/ort.wasm.min.mjs";
import { photographs } from "./photographs.mjs";

ort.env.wasm.numThreads = 1;

photographs(async (network, { bytes, images }) => {
    const session = await ort.InferenceSession.create(
        await bytes(`${network}.onnx`), { executionProviders: ["wasm"], graphOptimizationLevel: "all" });
    const [input] = session.inputNames, [output] = session.outputNames;
    return async (batch) => {
        const x = new ort.Tensor("float32", await images(batch), [batch, 224, 224, 3]);
        return (await session.run({ [input]: x }))[output].data;
    };
}, { "onnxruntime-web": ort.env.versions.web, threads: 1 });
