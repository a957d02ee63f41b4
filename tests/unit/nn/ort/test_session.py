"""Training sessions: the rules of ONNX Runtime's TypeScript, and large batches as reference."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import nn
import numpy as np
import pytest
from nn.io import errors
from nn.io.fetch import FetchError
from nn.ort import artifacts as offline
from nn.ort.artifacts import generate_artifacts
from nn.ort.session import MissingArtifactError, TrainingSession

RNG = np.random.default_rng(0)
X = RNG.random((12, 6), dtype=np.float32)
Y = RNG.integers(0, 3, 12)
PARTS = {
    "checkpoint_state": "checkpoint",
    "train_model": "training_model",
    "optimizer_model": "optimizer_model",
    "eval_model": "eval_model",
}


def classifier():
    layers = [nn.Dense(5, activation="tanh"), nn.Dense(3, activation="softmax")]
    return nn.Sequential([nn.Input((6,)), *layers])


def feeds(x=X, y=Y):
    return {"input": x, "labels": y}


@pytest.fixture(scope="module")
def artifacts():
    return generate_artifacts(classifier(), "adam", metrics=["accuracy"])


async def created(artifacts, *without, **changed):
    parts = {name: getattr(artifacts, part) for name, part in PARTS.items() if name not in without}
    return await TrainingSession.create(**parts | changed)


@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "Train step, optimizer step, lazy reset; gradients add up until reset",
)
@pytest.mark.asyncio
async def test_trains_as_train_on_batch_does(artifacts):
    session = await created(artifacts)
    model = nn.io.load(nn.io.save(session.model))
    for _ in range(5):
        loss = session.run_train_step(feeds())["loss"]
        session.run_optimizer_step()
        session.lazy_reset_grad()
        model.reset_metrics()
        assert loss == pytest.approx(model.train_on_batch(X, Y)[0], rel=1e-6)
    for ours, theirs in zip(session.model.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "Train step, optimizer step, lazy reset; gradients add up until reset",
)
@pytest.mark.asyncio
@pytest.mark.parametrize("cuts", [[4, 8], [1, 2, 11], [6]])
async def test_micro_batches_and_one_step_are_one_big_batch(artifacts, cuts):
    big, small = await created(artifacts), await created(artifacts)
    for _ in range(3):
        big.run_train_step(feeds())
        for x, y in zip(np.split(X, cuts), np.split(Y, cuts), strict=True):
            small.run_train_step(feeds(x, y))
        for session in (big, small):
            session.run_optimizer_step()
            session.lazy_reset_grad()
    np.testing.assert_allclose(
        small.get_contiguous_parameters(), big.get_contiguous_parameters(), atol=1e-5
    )


@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "Train step, optimizer step, lazy reset; gradients add up until reset",
)
@pytest.mark.asyncio
async def test_gradients_stay_until_they_are_reset(artifacts):
    kept, reset = await created(artifacts), await created(artifacts)
    for session in (kept, reset):
        session.run_train_step(feeds(X[:6], Y[:6]))
    reset.lazy_reset_grad()
    whole = await created(artifacts)
    second = await created(artifacts)
    second.run_train_step(feeds(X[6:], Y[6:]))
    whole.run_train_step(feeds())
    for session in (kept, reset):
        session.run_train_step(feeds(X[6:], Y[6:]))
    for session in (kept, reset, whole, second):
        session.run_optimizer_step()
    np.testing.assert_allclose(
        kept.get_contiguous_parameters(), whole.get_contiguous_parameters(), atol=1e-6
    )
    np.testing.assert_array_equal(
        reset.get_contiguous_parameters(), second.get_contiguous_parameters()
    )


@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "Eval step that changes nothing",
)
@pytest.mark.asyncio
async def test_evaluation_gives_loss_metrics_and_outputs_and_changes_nothing(artifacts):
    session = await created(artifacts)
    before = session.get_contiguous_parameters()
    result = session.run_eval_step(feeds())
    probabilities = result["dense_1"]
    np.testing.assert_allclose(probabilities, session.model.predict_on_batch(X), rtol=1e-6)
    expected = -np.log(probabilities[np.arange(12), Y]).mean()
    assert result["loss"] == pytest.approx(expected, rel=1e-5)
    assert result["accuracy"] == pytest.approx((probabilities.argmax(1) == Y).mean())
    np.testing.assert_array_equal(session.get_contiguous_parameters(), before)
    assert session.eval_output_names == ["loss", "dense_1"]
    assert session.eval_input_names == session.training_input_names == ["input", "labels"]
    assert session.training_output_names == ["loss"]


@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "Contiguous parameters, out and in; their size; wrong lengths refused",
)
@pytest.mark.asyncio
async def test_parameters_go_out_and_come_back(artifacts):
    session, other = await created(artifacts), await created(artifacts)
    session.run_train_step(feeds())
    session.run_optimizer_step()
    parameters = session.get_contiguous_parameters()
    assert parameters.dtype == np.float32
    assert len(parameters) == session.get_parameters_size() == 6 * 5 + 5 + 5 * 3 + 3
    for buffer in (parameters, parameters.tobytes(), np.frombuffer(parameters.tobytes(), "u1")):
        other.load_parameters_buffer(buffer)
        np.testing.assert_array_equal(other.get_contiguous_parameters(), parameters)
    for buffer in (parameters[:-1], parameters.tobytes()[:-4], parameters.tobytes()[:-1]):
        with pytest.raises(errors.MismatchError, match="parameters: expected"):
            other.load_parameters_buffer(buffer)
    ours, theirs = (s.model.predict_on_batch(X) for s in (other, session))
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "Frozen and trainable parameters; AdamW and cross-entropy",
)
@pytest.mark.asyncio
@pytest.mark.parametrize(
    "choice", [{"frozen_params": ["dense/*"]}, {"requires_grad": ["dense_1/*"]}]
)
async def test_frozen_weights_stay_and_are_left_out(choice):
    session = await created(generate_artifacts(classifier(), "sgd", **choice))
    before = session.model.get_weights()
    session.run_train_step(feeds())
    session.run_optimizer_step()
    after = session.model.get_weights()
    changed = [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
    assert changed == [False, False, True, True]
    assert session.get_parameters_size() == 5 * 3 + 3
    assert session.get_parameters_size(trainable_only=False) == 6 * 5 + 5 + 5 * 3 + 3
    whole = session.get_contiguous_parameters(trainable_only=False)
    np.testing.assert_array_equal(whole[:18], session.get_contiguous_parameters())
    session.load_parameters_buffer(whole * 0, trainable_only=False)
    assert not any(weights.any() for weights in session.model.get_weights())


@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "Three clients learn together, parameters alone on the wire",
)
@pytest.mark.asyncio
async def test_clients_averages_are_their_weighted_mean(artifacts):
    clients = [await created(artifacts) for _ in range(3)]
    results = []
    for client, x, y in zip(clients, np.split(X, 3), np.split(Y, 3), strict=True):
        client.run_train_step(feeds(x, y))
        client.run_optimizer_step()
        results.append(([client.get_contiguous_parameters()], len(x)))
    (average,) = nn.federated.fedavg(results)
    server = await created(artifacts)
    server.load_parameters_buffer(average)
    expected = np.mean([parameters for (parameters,), _ in results], axis=0)
    np.testing.assert_allclose(server.get_contiguous_parameters(), expected, atol=1e-7)


@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "The optional ones are missed when they are needed, by name",
)
@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["checkpoint_state", "train_model"])
async def test_without_a_required_artifact_there_is_no_session(artifacts, name):
    with pytest.raises(MissingArtifactError, match=name):
        await created(artifacts, name)


@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "The optional ones are missed when they are needed, by name",
)
@pytest.mark.asyncio
async def test_the_other_artifacts_are_missed_when_they_are_needed(artifacts):
    session = await created(artifacts, "optimizer_model", "eval_model")
    session.run_train_step(feeds())
    with pytest.raises(MissingArtifactError, match="optimizer_model"):
        session.run_optimizer_step()
    with pytest.raises(MissingArtifactError, match="eval_model"):
        session.run_eval_step(feeds())
    with pytest.raises(MissingArtifactError, match="eval_model"):
        _ = session.eval_output_names


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"train_model": b""}, errors.CorruptError, "nn-training: expected JSON"),
        ({"train_model": b"{}"}, errors.UnsupportedError, "'nn-training'"),
        ({"optimizer_model": b"{}"}, errors.UnsupportedError, "'nn-optimizer'"),
        ({"eval_model": b'{"format": "nn-eval"}'}, errors.UnsupportedError, "version 1"),
        ({"checkpoint_state": b"PK"}, errors.UnknownFormatError, "zip file"),
        ({"checkpoint_state": "file:///etc/passwd"}, FetchError, "http"),
    ],
)
async def test_a_damaged_artifact_is_named(artifacts, changed, error, message):
    with pytest.raises(error, match=message):
        await created(artifacts, **changed)


@pytest.mark.asyncio
async def test_missing_feeds_and_gradients_are_named(artifacts):
    session = await created(artifacts)
    with pytest.raises(errors.MissingEntryError, match="run_train_step before"):
        session.run_optimizer_step()
    with pytest.raises(errors.MissingEntryError, match=r"expected \['labels'\]"):
        session.run_train_step({"input": X})
    with pytest.raises(nn.errors.ShapeError, match=r"\(12, 5\)"):
        session.run_train_step(feeds(X[:, :5]))


@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "After an error the session can be used again",
)
@pytest.mark.asyncio
async def test_after_release_everything_is_refused(artifacts):
    session = await created(artifacts)
    session.release()
    session.release()
    calls = [
        lambda: session.run_train_step(feeds()),
        session.run_optimizer_step,
        session.lazy_reset_grad,
        lambda: session.run_eval_step(feeds()),
        session.get_contiguous_parameters,
        session.get_parameters_size,
    ]
    for call in calls:
        with pytest.raises(nn.errors.DisposedError, match="released"):
            call()


@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "Frozen and trainable parameters; AdamW and cross-entropy",
)
def test_a_glob_that_matches_nothing_is_named():
    with pytest.raises(errors.MissingEntryError, match=r"'conv\*' matches none"):
        generate_artifacts(classifier(), "sgd", frozen_params=["conv*"])


@pytest.mark.parametrize(
    "choice",
    [
        {"frozen_params": ["*"]},
        {"frozen_params": ["dense/*", "dense_1/*"]},
        {"requires_grad": []},
        {"requires_grad": ["dense/*"], "frozen_params": ["dense/*"]},
    ],
)
def test_artifacts_that_leave_nothing_to_train_are_refused(choice):
    with pytest.raises(nn.errors.ConfigError, match="expected weights to train, received none"):
        generate_artifacts(classifier(), "sgd", **choice)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["gone.npz", "made"], "No such file"),
        ([".", "made"], "Is a directory"),
        (["no_model.npz", "made"], "expected one of npz, "),
        (["damaged.npz", "made"], "archive"),
        (["model.npz", "model.npz"], "File exists"),
        (["model.npz", "model.npz/sub"], "Not a directory"),
        (["model.npz", "made", "--optimizer", "best"], "optimizer: expected one of"),
        (["model.npz", "made", "--loss", "best"], "loss: expected one of"),
        (["model.npz", "made", "--metric", "best"], "metric: expected one of"),
        (["model.npz", "made", "--frozen", "conv*"], "'conv*' matches none of the weights"),
        (["model.npz", "made", "--frozen", "*"], "expected weights to train, received none"),
    ],
)
def test_what_makes_no_artifacts_is_said_in_a_line_with_status_1(
    tmp_path, words, says, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    whole = nn.io.save(classifier())
    contents = {"model.npz": whole, "no_model.npz": b"hello", "damaged.npz": whole[:500]}
    for name, octets in contents.items():
        (tmp_path / name).write_bytes(octets)
    assert offline.main(words) == 1
    said = capsys.readouterr()
    assert said.err.startswith(f"{words[0]} -> {words[1]}: ")
    assert said.err.count("\n") == 1
    assert says in said.err
    assert not said.out
    assert {path.name for path in tmp_path.iterdir()} == set(contents)


@pytest.mark.parametrize("name", ["acc", "accuracy", "mae", "top_k_categorical_accuracy"])
def test_every_metric_that_compile_knows_may_be_named(name):
    assert name in generate_artifacts(classifier(), metrics=[name]).eval_model.decode()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format, *arguments):
        """Say nothing."""


@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "Four artifacts made offline, loaded from addresses or bytes",
)
@pytest.mark.asyncio
async def test_the_command_writes_artifacts_that_load_from_addresses(tmp_path):
    source = tmp_path / "model.npz"
    source.write_bytes(nn.io.save(classifier()))
    folder = tmp_path / "artifacts"
    words = [str(source), str(folder), "--optimizer", "adam", "--frozen", "dense/bias"]
    assert offline.main(words) == 0
    assert sorted(path.name for path in folder.iterdir()) == sorted(offline.FILES.values())
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        base = f"http://127.0.0.1:{server.server_port}/"
        files = {name: base + offline.FILES[part] for name, part in PARTS.items()}
        session = await TrainingSession.create(**files)
        assert session.get_parameters_size() == 6 * 5 + 5 * 3 + 3
        with pytest.raises(FetchError, match=r"missing\.json.*404"):
            await TrainingSession.create(**files | {"train_model": base + "missing.json"})
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def ends(kind):
    x = nn.Input((6,))
    h = nn.Dense(5, activation="tanh")(x)
    made = {
        "logits": lambda: nn.Dense(3)(h),
        "added": lambda: nn.Add()([nn.Dense(3)(h), nn.Dense(3)(h)]),
        "reshaped": lambda: nn.Reshape((3,))(nn.Activation("linear")(nn.Dense(3)(h))),
        "nested": lambda: nn.Sequential([nn.Input((5,)), nn.Dense(3)])(h),
        "softmax": lambda: nn.Dense(3, activation="softmax")(h),
        "softmax apart": lambda: nn.Softmax()(nn.Dense(3)(h)),
        "averaged": lambda: nn.Average()([nn.Dense(3, "softmax")(h), nn.Dense(3, "softmax")(h)]),
        "nested softmax": lambda: nn.Sequential([nn.Input((5,)), nn.Dense(3, "softmax")])(h),
    }
    return nn.Model(x, made[kind]())


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("kind", "logits"),
    [("logits", True), ("added", True), ("reshaped", True), ("nested", True), ("softmax", False),
     ("softmax apart", False), ("averaged", False), ("nested softmax", False)],
)  # fmt: skip
async def test_a_classifier_has_the_loss_of_what_it_gives(kind, logits):
    model = ends(kind)
    session = await created(generate_artifacts(model, "sgd"))
    model.compile("sgd", nn.losses.SparseCategoricalCrossentropy(from_logits=logits))
    expected = model.test_on_batch(X, Y)
    assert session.run_train_step(feeds())["loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.asyncio
@pytest.mark.parametrize("from_logits", [True, False])
async def test_a_loss_that_is_an_object_stays_as_it_is(from_logits):
    loss = nn.losses.SparseCategoricalCrossentropy(from_logits=from_logits, reduction="sum")
    model = ends("softmax")
    session = await created(generate_artifacts(model, "sgd", loss))
    model.compile("sgd", loss)
    expected = model.test_on_batch(X, Y)
    assert session.run_train_step(feeds())["loss"] == pytest.approx(expected, rel=1e-5)


def test_a_loss_of_functions_is_refused():
    loss = nn.losses.FunctionLoss(lambda t, p: p[:, 0], lambda t, p: p)
    with pytest.raises(errors.UnsupportedError, match="artifacts: expected a loss by Keras"):
        generate_artifacts(classifier(), "sgd", loss)
