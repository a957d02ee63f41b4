"""TensorFlow.js from npm, in Node: an oracle for layers-models without a browser."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
const tf = require('@tensorflow/tfjs');
const bytes = text => new Uint8Array(Buffer.from(text, 'base64'));
const joined = parts => new Uint8Array(Buffer.concat(parts)).buffer;
const plain = y => ({values: Array.from(y.dataSync()), shape: y.shape});
async function load(files) {
  const document = JSON.parse(Buffer.from(files['model.json'], 'base64'));
  const {modelTopology, trainingConfig, weightsManifest} = document;
  const shards = weightsManifest.flatMap(group => group.paths);
  return tf.loadLayersModel(tf.io.fromMemory({
    modelTopology,
    trainingConfig,
    weightSpecs: weightsManifest.flatMap(group => group.weights),
    weightData: joined(shards.map(path => bytes(files[path]))),
  }));
}
const run = (model, inputs) => {
  const tensors = inputs.map(({values, shape}) => tf.tensor(values, shape));
  return [model.predict(tensors.length > 1 ? tensors : tensors[0])].flat().map(plain);
};
async function saved(model, includeOptimizer) {
  let found;
  const handler = tf.io.withSaveHandler(async artifacts => { found = artifacts; return {}; });
  await model.save(handler, {includeOptimizer});
  const {modelTopology, weightSpecs, trainingConfig, weightData} = found;
  const weights = Buffer.from(new Uint8Array(weightData)).toString('base64');
  return {modelTopology, weightSpecs, trainingConfig, weights};
}
async function predict({files, inputs}) {
  const model = await load(files);
  return {outputs: run(model, inputs), ...await saved(model, false)};
}
async function train(model, {inputs, targets}, steps) {
  const made = list => list.map(({values, shape}) => tf.tensor(values, shape));
  const [x, y] = [made(inputs), made(targets)].map(list => list.length > 1 ? list : list[0]);
  const losses = [];
  for (let step = 0; step < steps; step++) losses.push([await model.trainOnBatch(x, y)].flat());
  return losses;
}
async function trainOn(task) {
  return {losses: await train(await load(task.files), task, task.steps)};
}
async function write(task) {
  const model = await new Function('tf', task.code)(tf);
  if (task.targets) await train(model, task, task.steps);
  const file = await saved(model, Boolean(task.targets));
  const outputs = run(model, task.inputs);
  const losses = task.targets ? await train(model, task, task.steps) : [];
  return {...file, outputs, losses};
}
(async () => {
  await tf.setBackend('cpu');
  const answers = [];
  for (const task of JSON.parse(require('fs').readFileSync(0))) {
    try {
      answers.push(await (task.code ? write : task.steps ? trainOn : predict)(task));
    } catch (error) {
      answers.push({error: String(error.message ?? error)});
    }
  }
  process.stdout.write(JSON.stringify(answers, (key, v) => Number.isNaN(v) ? 'NaN' : v));
})();
"""

Array = np.ndarray[Any, Any]


def _sent(arrays: Sequence[Array]) -> list[dict[str, Any]]:
    return [{"values": a.ravel().tolist(), "shape": list(a.shape)} for a in arrays]


def _received(outputs: list[dict[str, Any]]) -> list[Array]:
    return [np.array(y["values"], np.float32).reshape(y["shape"]) for y in outputs]


def ask(tasks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Do all tasks in one process; see `predictions` and `written`."""
    done = subprocess.run(
        ["node", "-e", SCRIPT],
        input=json.dumps(list(tasks)),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    answers: list[dict[str, Any]] = json.loads(done.stdout[done.stdout.index("[{") :])
    for answer in answers:
        if "outputs" in answer:
            answer["outputs"] = _received(answer["outputs"])
    return answers


def task(files: Mapping[str, bytes], *inputs: Array) -> dict[str, Any]:
    """Load a model of these files, predict and save it again: as of `writing`, or {"error"}."""
    sent = {name: base64.b64encode(data).decode() for name, data in files.items()}
    return {"files": sent, "inputs": _sent(inputs)}


def files(answer: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files of a model that TensorFlow.js saved."""
    manifest = [{"paths": ["weights.bin"], "weights": answer["weightSpecs"]}]
    document = {"modelTopology": answer["modelTopology"], "weightsManifest": manifest}
    return {
        "model.json": json.dumps(document).encode(),
        "weights.bin": base64.b64decode(answer["weights"]),
    }


def writing(code: str, *inputs: Array) -> dict[str, Any]:
    """Save and run the model that JavaScript returns: the parts of the file, and {"outputs"}."""
    return {"code": code, "inputs": _sent(inputs)}


def training(
    code: str, inputs: Sequence[Array], targets: Sequence[Array], steps: int
) -> dict[str, Any]:
    """Train the model that JavaScript returns, save it with its optimizer, and train on.

    The answer is that of `writing`, with "trainingConfig" and the "losses", with the metrics, of
    the later steps; there are as many of these as before the model was saved.
    """
    return {**writing(code, *inputs), "targets": _sent(targets), "steps": steps}


def training_on(
    files: Mapping[str, bytes], inputs: Sequence[Array], targets: Sequence[Array], steps: int
) -> dict[str, Any]:
    """Load a model of these files with its optimizer and train: {"losses"}, as of `training`."""
    return {**task(files, *inputs), "targets": _sent(targets), "steps": steps}
