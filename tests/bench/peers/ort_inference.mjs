// onnxruntime-web 1.19.2, its inference build, one thread.
import * as ort from "../node_modules/onnxruntime-web/dist/ort.wasm.min.mjs";
import { buffer, gunzipped, serve } from "./loop.mjs";

ort.env.wasm.numThreads = 1;

const create = async (network, folder) => {
    const graph = await gunzipped(new URL(`../data/ort/${network}.inference.onnx.gz`, import.meta.url));
    const path = `${network}.onnx.f32`;
    const data = new Uint8Array(await buffer(new URL(path, folder)));
    const session = await ort.InferenceSession.create(
        graph, { executionProviders: ["wasm"], externalData: [{ path, data }] });
    return {
        async predict(pixels, count) {
            const { logits } = await session.run({ x: new ort.Tensor("float32", pixels, [count, 1, 28, 28]) });
            return logits.data;
        },
    };
};

serve(create, { "onnxruntime-web": ort.env.versions.web, threads: 1 });
