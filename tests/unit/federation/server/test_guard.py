"""The guard around Flower's own strategies: what they die of or swallow is dropped."""

import copy
import math

import flwr.app as flower
import flwr.serverapp.strategy as module
import numpy as np
import pytest
from federation.server.guard import Guard
from flwr.app.message import make_message
from flwr.serverapp.strategy import FedAdagrad, FedAdam, FedAvg, FedMedian, FedProx, FedYogi, Krum
from flwr.supercore.task_identity import TaskIdentity

SENT = np.zeros(20, np.float32)
GOOD = np.ones(20, np.float32)


def reply(node, content=None, error=None):
    metadata = flower.Metadata(
        run_id=1, message_id=str(node), src_node_id=node, dst_node_id=1, reply_to_message_id="x",
        group_id="", created_at=1.8e9, ttl=100.0, message_type="train",
    )  # fmt: skip
    content = copy.deepcopy(content)  # Flower's strategies empty the records that they average
    return make_message(metadata=metadata, content=content, error=error)


def content(array, **metrics):
    arrays = array if isinstance(array, flower.ArrayRecord) else flower.ArrayRecord([array])
    found = flower.MetricRecord({"num-examples": 10, "loss": 0.5} | metrics)
    return flower.RecordDict({"arrays": arrays, "metrics": found})


def damaged(stype, data):
    return flower.ArrayRecord({"0": flower.Array("float32", (20,), stype, data)})


def without(name):
    made = content(GOOD)
    del made[name]
    return made


UNWEIGHTED = without("metrics")
UNWEIGHTED["metrics"] = flower.MetricRecord({"loss": 0.5})
BAD = {
    "NaN": content(GOOD * np.nan),
    "infinite": content(GOOD * np.inf),
    "21 numbers": content(np.ones(21, np.float32)),
    "1 number": content(np.ones(1, np.float32) * 7),
    "another shape": content(np.ones((20, 1), np.float32)),
    "another dtype": content(GOOD.astype(np.float64)),
    "another name": content(flower.ArrayRecord({"w": flower.Array(GOOD)})),
    "two arrays": content(flower.ArrayRecord([GOOD, GOOD])),
    "no arrays": without("arrays"),
    "no metrics": without("metrics"),
    "nothing": flower.RecordDict(),
    "another metric": content(GOOD, hello=1),
    "a longer list": content(GOOD, loss=[0.5, 0.5]),
    "no weight": UNWEIGHTED,
    "weight 0": content(GOOD, **{"num-examples": 0}),
    "weight -19": content(GOOD, **{"num-examples": -19}),
    "weight NaN": content(GOOD, **{"num-examples": math.nan}),
    "weights": content(GOOD, **{"num-examples": [10, 10]}),
    "loss NaN": content(GOOD, loss=math.nan),
    "damaged bytes": content(damaged("numpy.ndarray", b"no npy file")),
    "a pickle": content(damaged("pickle", b"\x80\x04N.")),
    "moved far": content(GOOD * np.float32(1e30)),
}
STRATEGIES = {
    "FedAvg": lambda: FedAvg(),
    "FedProx": lambda: FedProx(proximal_mu=0.1),
    "FedMedian": lambda: FedMedian(),
    "Krum": lambda: Krum(num_malicious_nodes=0),
}
GIVEN = {
    "FedProx": {"proximal_mu": 0.1},
    "QFedAvg": {"client_learning_rate": 0.1},
    "FedAvgM": {"server_momentum": 0.9},
    "DifferentialPrivacyServerSideFixedClipping": {"clipping_norm": 1e3},
    "DifferentialPrivacyClientSideFixedClipping": {"clipping_norm": 1e3},
    "DifferentialPrivacyServerSideAdaptiveClipping": {"initial_clipping_norm": 1e3},
    "DifferentialPrivacyClientSideAdaptiveClipping": {"initial_clipping_norm": 1e3},
}
TREES = ("FedXgbBagging", "FedXgbCyclic")
EVERY = sorted({*module.__all__} - {*TREES, "Strategy", "Result"})
TYPES = {  # of a model's arrays, beside float32: a counter of batch normalization, a mask, half
    "float32": (np.float32, (3,)), "float64": (np.float64, (3,)), "float16": (np.float16, (2,)),
    "int64": (np.int64, ()), "uint8": (np.uint8, (2,)), "bool": (np.bool_, (2,)),
}  # fmt: skip
ADAPTIVE = {"FedAdam": FedAdam, "FedYogi": FedYogi, "FedAdagrad": FedAdagrad}


@pytest.fixture(autouse=True)
def in_a_server_app(monkeypatch):
    """Let this process be a server app's, as far as messages need it."""
    for name in ("_task_id", "_run_id", "_node_id"):
        monkeypatch.setattr(TaskIdentity, name, 1)


class Grid:
    """As many nodes as a strategy wants to see."""

    def get_node_ids(self):
        return [1, 2, 3]


def guarded(strategy, **options):
    """A guard in a round, with the arrays sent."""
    guard = Guard(strategy, **{"most_change": 100.0} | options)
    arrays = flower.ArrayRecord([SENT])
    messages = guard.configure_train(1, arrays, flower.ConfigRecord(), Grid())
    assert len(list(messages)) == 3
    return guard


def aggregate(strategy, *contents):
    replies = [reply(number, one) for number, one in enumerate(contents, 1)]
    arrays, metrics = strategy.aggregate_train(1, replies)
    return arrays and arrays.to_numpy_ndarrays()[0], metrics


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("fault", BAD)
def test_a_bad_reply_is_dropped_and_the_round_stands(name, fault):
    guard = guarded(STRATEGIES[name]())
    array, metrics = aggregate(guard, content(GOOD), content(GOOD), BAD[fault])
    np.testing.assert_allclose(array, GOOD, rtol=1e-6)
    assert metrics["loss"] == 0.5
    [(server_round, node, reason)] = guard.dropped
    assert (server_round, node) == (1, 3)
    assert reason


def test_flowers_own_average_dies_of_them_or_swallows_them():
    """If fewer do, flwr has mended some, and the guard may be smaller."""
    harmed = set()
    for fault, bad in BAD.items():
        try:
            array, metrics = aggregate(FedAvg(), content(GOOD), content(GOOD), bad)
            fine = np.array_equal(array, GOOD) and metrics["loss"] == 0.5
        except Exception:
            fine = False
        if not fine:
            harmed.add(fault)
    assert set(BAD) - harmed == {"another dtype", "weight 0", "weight -19"}


@pytest.mark.parametrize("name", ADAPTIVE)
def test_a_change_whose_square_is_no_number_does_not_stop_an_adaptive_strategy(name):
    guard = guarded(ADAPTIVE[name](), most_change=math.inf)
    found = [aggregate(guard, content(GOOD * np.float32(3e37)), content(GOOD))[0]]
    found += [aggregate(guard, content(GOOD), content(GOOD))[0] for _ in range(2)]
    assert [node for _, node, _ in guard.dropped] == [1]
    alone = guarded(ADAPTIVE[name](), most_change=math.inf)
    expected = [aggregate(alone, content(GOOD), content(GOOD))[0] for _ in range(3)]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "bounds", [{"most_examples": 0.5}, {"most_examples": math.nan}, {"most_change": 0}]
)
def test_bounds_that_no_reply_could_keep_are_refused(bounds):
    with pytest.raises(ValueError, match="expected most_examples of at least 1"):
        Guard(FedAvg(), **bounds)


def test_a_claim_of_very_many_examples_is_cut():
    guard = guarded(FedAvg(), most_examples=10)
    array, _ = aggregate(guard, content(GOOD), content(GOOD * 4, **{"num-examples": 10**12}))
    np.testing.assert_allclose(array, GOOD * 2.5)


def test_errors_of_clients_reach_the_strategy():
    guard = guarded(FedAvg())
    error = flower.Error(code=2, reason="out of memory")
    arrays, _ = guard.aggregate_train(1, [reply(1, content(GOOD)), reply(2, error=error)])
    np.testing.assert_array_equal(arrays.to_numpy_ndarrays()[0], GOOD)
    assert guard.dropped == []


def test_good_replies_give_what_the_strategy_gives_without_the_guard():
    rng = np.random.default_rng(1)
    contents = [
        content(rng.random(20, np.float32), **{"num-examples": int(n), "loss": float(n)})
        for n in (3, 5, 11)
    ]
    for make in STRATEGIES.values():
        ours, theirs = aggregate(guarded(make()), *contents), aggregate(make(), *contents)
        np.testing.assert_array_equal(ours[0], theirs[0])
        assert ours[1] == theirs[1]


def test_a_strategy_with_a_state_of_its_own_is_guarded_too():
    guard = guarded(FedAdam(eta=0.1))
    array, _ = aggregate(guard, content(GOOD), BAD["NaN"])
    assert np.isfinite(array).all()
    assert (array > 0).all()


def strategy_of(name, weighted_by_key):
    """A strategy of Flower's, those that wrap another around FedAvg."""
    if name.startswith("Differential"):
        inner = FedAvg(weighted_by_key=weighted_by_key)
        return getattr(module, name)(
            inner, noise_multiplier=0.0, num_sampled_clients=3, **GIVEN[name]
        )
    return getattr(module, name)(weighted_by_key=weighted_by_key, **GIVEN.get(name, {}))


def after_three_rounds(strategy, weighted_by_key, dtype, shape):
    """What clients make of it whose models have types of their own, as PyTorch's and nn's have."""
    types = (dtype, np.float32)
    arrays = flower.ArrayRecord([np.zeros(shape, one) for one in types])
    for server_round in (1, 2, 3):
        messages = list(
            strategy.configure_train(server_round, arrays, flower.ConfigRecord(), Grid())
        )
        replies = []
        for node, message in enumerate(messages, 1):
            sent = message.content["arrays"].to_numpy_ndarrays()
            trained = [np.asarray(a + node / 8).astype(t) for a, t in zip(sent, types, strict=True)]
            metrics = {weighted_by_key: node, "train_loss": 0.5, "norm_bit": 0}
            records = {"a": flower.ArrayRecord(trained), "m": flower.MetricRecord(metrics)}
            replies.append(reply(node, flower.RecordDict(records)))
        made, _ = strategy.aggregate_train(server_round, replies)
        assert made is not None
        arrays = made
    return arrays.to_numpy_ndarrays()


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("kind", TYPES)
def test_clients_that_keep_the_types_of_their_model_are_dropped_by_no_strategy(name, kind):
    """FedAdam makes float64 of float32, and every mean makes it of whole numbers."""
    strategy = strategy_of(name, "weight")
    try:
        expected = after_three_rounds(strategy, "weight", *TYPES[kind])
    except (TypeError, ValueError):  # numpy's, as Flower's own arithmetic does not take this type
        assert kind in ("int64", "uint8", "bool")
        return
    guard = Guard(strategy_of(name, "weight"))
    found = after_three_rounds(guard, "weight", *TYPES[kind])
    assert guard.dropped == []
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other, strict=True)


@pytest.mark.parametrize("name", EVERY)
def test_a_round_of_bad_replies_alone_leaves_the_model_as_it_is_and_the_next_stands(name, caplog):
    """Those that adapt their clipping divide by the number of replies."""
    caplog.set_level("WARNING", logger="flwr")  # whichever tests ran before
    guard = guarded(strategy_of(name, "num-examples"))
    error = reply(2, error=flower.Error(code=2, reason="out of memory"))
    assert guard.aggregate_train(1, [reply(1, BAD["NaN"]), error]) == (None, None)
    assert "error of node 2: out of memory" in caplog.text
    good = content(GOOD, norm_bit=0, train_loss=0.5)
    array, metrics = aggregate(guard, good, good, good)
    assert (np.isfinite(array).all(), metrics["loss"]) == (True, 0.5)


@pytest.mark.parametrize("name", TREES)
def test_strategies_whose_model_grows_are_refused(name):
    with pytest.raises(TypeError, match=f"expected a strategy .* received {name}"):
        Guard(getattr(module, name)())


def evaluated(**metrics):
    return flower.RecordDict({"metrics": content(GOOD, **metrics)["metrics"]})


def test_bad_metrics_of_an_evaluation_are_dropped():
    guard = guarded(FedAvg())
    replies = [evaluated(), evaluated(loss=math.nan), evaluated(other=1), evaluated()]
    found = guard.aggregate_evaluate(2, [reply(n, one) for n, one in enumerate(replies)])
    assert found["loss"] == 0.5
    assert [node for _, node, _ in guard.dropped] == [1, 2]


def also(made, **records):
    return flower.RecordDict({**records, **made})


HARMLESS = {
    "as asked": lambda made: made,
    "another order": lambda made: flower.RecordDict(dict(reversed(made.items()))),
    "a setting too": lambda made: also(made, about=flower.ConfigRecord({"version": "1"})),
}
IN_AN_EVALUATION = HARMLESS | {
    "arrays too, as quickstart-huggingface": lambda made: also(made, a=flower.ArrayRecord([GOOD]))
}


@pytest.mark.parametrize("kind", IN_AN_EVALUATION)
@pytest.mark.parametrize("part", ["train", "evaluate"])
def test_what_a_reply_has_beside_what_flower_reads_does_not_drop_it(part, kind):
    """Of the three replies two are as most are, and Flower's own strategy takes all."""
    if part == "train" and kind not in HARMLESS:
        return
    usual = content(GOOD) if part == "train" else evaluated()
    replies = [usual, usual, IN_AN_EVALUATION[kind](copy.deepcopy(usual))]
    guard = guarded(FedAvg())
    for strategy in (guard, FedAvg()):
        aggregated = getattr(strategy, f"aggregate_{part}")(
            1, [reply(n, one) for n, one in enumerate(replies)]
        )
        metrics = aggregated[1] if part == "train" else aggregated
        assert metrics == {"loss": 0.5}
    assert guard.dropped == []
