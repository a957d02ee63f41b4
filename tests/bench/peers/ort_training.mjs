// onnxruntime-web 1.19.2, its training build, one thread, or ?threads=2 on an isolated page.
import * as ort from "../node_modules/onnxruntime-web/dist/ort.training.wasm.min.mjs";
import { buffer, gunzipped, serve } from "./loop.mjs";

const threads = Number(new URLSearchParams(location.search).get("threads") ?? 1);
ort.env.wasm.numThreads = threads;
const artifacts = new URL("../data/ort/", import.meta.url);
const part = (network, name) => gunzipped(new URL(`${network}.${name}.gz`, artifacts));

const create = async (network, folder) => {
    const [checkpointState, trainModel, evalModel, optimizerModel] = await Promise.all(
        ["checkpoint", "training_model.onnx", "eval_model.onnx", "optimizer_model.onnx"]
            .map((name) => part(network, name)));
    const session = await ort.TrainingSession.create(
        { checkpointState, trainModel, evalModel, optimizerModel }, { executionProviders: ["wasm"] });
    const weights = await buffer(new URL(`${network}.onnx.f32`, folder));
    await session.loadParametersBuffer(new Uint8Array(weights), true);
    const loss = session.trainingOutputNames[0];
    const images = (pixels, count) => new ort.Tensor("float32", pixels, [count, 1, 28, 28]);
    return {
        async step(pixels, labels) {
            const feeds = {
                x: images(pixels, labels.length),
                labels: new ort.Tensor("int64", BigInt64Array.from(labels, BigInt), [labels.length]),
            };
            const results = await session.runTrainStep(feeds);
            await session.runOptimizerStep();
            await session.lazyResetGrad();
            return Number(results[loss].data);
        },
    };
};

serve(create, { "onnxruntime-web": ort.env.versions.web, threads });
