"""The playground's half in the worker: its points, its features, its planes, its curve."""

import asyncio
from itertools import product
from typing import Any

import nn
import numpy as np
import pytest
from app.lab.inside import reporting
from app.lab.inside.colours import LIGHT, coloured, table
from app.lab.playground import features, network, points
from app.lab.playground.planes import SIDE, SMALL, STRIDE, Planes, grid
from app.lab.playground.session import DENSE, LIMIT, Playground
from app.state import toys
from hypothesis import given
from hypothesis import strategies as st

KINDS = [*points.TOYS]


def options(**changes: Any) -> dict[str, Any]:
    return toys.for_worker(toys.defaults() | changes)


# -- points -----------------------------------------------------------------------------------


@pytest.mark.promise(
    "The page: playground", "Circle, moons, xor, spiral, slope: with noise, a test part, a seed"
)
@pytest.mark.parametrize("toy", KINDS)
@given(seed=st.integers(0, 999), noise=st.floats(0, 0.5), test=st.integers(0, 90))
def test_every_toy_lies_in_the_plane_and_comes_from_its_seed(
    toy: str, seed: int, noise: float, test: int
) -> None:
    made, again = (points.make(toy, noise, test / 100, seed) for _ in range(2))
    assert made.places.shape == (points.COUNT, 2)
    assert np.abs(made.places).max() <= points.REACH
    for one, other in zip(made, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert made.test.sum() == round(test / 100 * points.COUNT)
    if toy in points.REGRESSIONS:
        assert np.abs(made.targets).max() <= 1
    else:
        assert set(made.targets) == {0, 1}
        deviation = 0.5 / points.COUNT**0.5  # of a fair coin's: xor draws each point's class
        assert abs(made.targets.mean() - 0.5) < 5 * deviation


def right(toy: str, rule: Any) -> float:
    made = points.make(toy, 0, 0, 3)
    return float((rule(*made.places.T) == made.targets).mean())


def arm(x: Any, y: Any) -> Any:
    """The arm of the spiral on whose turn a place lies."""
    along = (np.hypot(x, y) - 0.4) / 4.6
    off = np.arctan2(x, y) - 3.25 * np.pi * along
    return np.cos(off) < 0


def test_without_noise_the_shapes_are_what_their_names_say() -> None:
    assert right("circle", lambda x, y: np.hypot(x, y) < 3) == 1
    assert right("xor", lambda x, y: x * y > 0) == 1
    assert right("spiral", arm) == 1
    moons = points.make("moons", 0, 0, 3)
    up = np.where(moons.targets, 1, -1)
    off = moons.places - up[:, None] * (-1.5, -0.8)
    assert np.abs(np.hypot(*off.T) - 3).max() < 0.43, "each is on the circle of its own moon"
    assert (off[:, 1] * up).min() > -0.31, "in its upper or lower half"
    made = points.make("slope", 0, 0, 3)
    assert np.corrcoef(made.places.sum(axis=1), made.targets)[0, 1] == pytest.approx(1)


def test_noise_puts_points_where_the_others_are() -> None:
    calm, noisy = (points.make("xor", noise, 0, 1) for noise in (0, 0.5))
    wrong = (noisy.places.prod(axis=1) > 0) != noisy.targets
    assert 0.05 < wrong.mean() < 0.5
    assert not ((calm.places.prod(axis=1) > 0) != calm.targets).any()


def test_points_of_ones_own_keep_one_to_learn_from() -> None:
    made = points.make("own", 0.5, 0.9, 1, [[1, 2, 1]])
    np.testing.assert_array_equal(made.places, [[1, 2]])
    assert made.targets.tolist() == [1]
    assert not made.test.any()
    assert len(points.make("own", 0, 0.5, 1).places) == 0


# -- features and planes ----------------------------------------------------------------------


def test_the_features_are_those_that_the_page_names() -> None:
    assert tuple(features.FEATURES) == toys.FEATURES
    assert {*points.TOYS, "own"} == set(toys.TOYS)
    assert points.REGRESSIONS == toys.REGRESSIONS
    x, y = 1.5, -2.0
    found = features.values(np.array([[x, y]]), toys.FEATURES)
    expected = [x, y, x * x, y * y, x * y, np.sin(x), np.sin(y)]
    np.testing.assert_allclose(found, [expected], rtol=1e-6)
    assert found.dtype == np.float32


@pytest.mark.promise("The page: playground", "Every plane is what the engine predicts there")
@pytest.mark.parametrize("toy", ["circle", "slope"])
@pytest.mark.parametrize("activation", toys.TABLE["activation"][3])
def test_each_units_plane_is_what_the_engine_predicts_there(activation: str, toy: str) -> None:
    chosen = options(hidden=("5", "3"), activation=activation, features=("x", "xy", "siny"))
    regression = toy in points.REGRESSIONS
    model = network.build(chosen, regression)
    planes = Planes(model, chosen["features"])
    planes.refresh()
    inputs = features.values(grid(), chosen["features"])
    for index, layer in enumerate(model.layers):
        part = nn.Model(model.inputs, layer.output)
        seen = asyncio.run(part.predict(inputs))
        if layer.last_activation == "sigmoid":
            seen = 2 * seen - 1
        for unit in range(seen.shape[1]):
            plane = planes.plane((index, unit))
            np.testing.assert_allclose(plane.ravel(), seen[:, unit], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(planes.answer, planes.plane((len(model.layers) - 1, 0)))


def test_the_top_left_of_the_plane_is_where_x_is_least_and_y_greatest() -> None:
    first, last = grid()[0], grid()[-1]
    assert first[0] < -5.8 < 5.8 < first[1]
    assert last[1] < -5.8 < 5.8 < last[0]


def test_the_pixels_are_the_features_the_units_and_the_plane_looked_at() -> None:
    chosen = options(hidden=("4", "2"))
    planes = Planes(network.build(chosen, False), chosen["features"])
    planes.refresh()
    shades = table(LIGHT)
    tiles = len(toys.FEATURES) + 4 + 2
    for place in (None, (0, 3)):
        pixels = planes.pixels(shades, place)
        assert pixels.shape == (tiles * SMALL**2 + SIDE**2, 4)
        assert pixels.dtype == np.uint8
        shown = planes.plane(place)
        large = pixels[tiles * SMALL**2 :].reshape(SIDE, SIDE, 4)
        np.testing.assert_array_equal(large, coloured(shown / max(1, abs(shown).max()), 1, shades))
    small = grid().reshape(SIDE, SIDE, 2)[::STRIDE, ::STRIDE].reshape(-1, 2)
    for index, column in enumerate(features.values(small, toys.FEATURES).T):
        tile = pixels[index * SMALL**2 : (index + 1) * SMALL**2]
        np.testing.assert_array_equal(tile, coloured(column / max(1, abs(column).max()), 1, shades))
    unit = pixels[10 * SMALL**2 : 11 * SMALL**2].reshape(SMALL, SMALL, 4)
    np.testing.assert_array_equal(unit, large[::STRIDE, ::STRIDE])


@pytest.mark.promise("The page: playground", "The plane in words, for those who do not see it")
def test_the_words_for_the_plane_say_where_which_colour_is() -> None:
    chosen = options(features=("x", "y"), hidden=())
    model = network.build(chosen, False)
    model.set_weights([np.array([[40.0], [0.0]]), np.zeros(1)])
    planes = Planes(model, chosen["features"])
    planes.refresh()
    row = "from left to right: rust, undecided, blue"
    assert planes.words() == f"50 % of the plane is blue. Top {row}; middle {row}; bottom {row}."


def test_a_wire_is_as_thick_as_its_weight_and_below_zero_where_it_takes_away() -> None:
    model = network.build(options(hidden=("2",)), False)
    kernel = np.array([[1.0, -2.0], [0.0, 0.5]])
    model.set_weights([kernel, np.zeros(2), np.zeros((2, 1)), np.zeros(1)])
    least, most = network.THINNEST, network.THICKEST
    middle = (least + most) / 2
    quarter = least + (most - least) / 4
    # unit by unit, and those of a unit in the order of what it reads
    expected = [middle, least, -most, quarter, least, least]
    np.testing.assert_allclose(network.widths(model), expected, rtol=1e-6)


# -- sessions ---------------------------------------------------------------------------------


async def trained(
    play: Playground, chosen: dict[str, Any], *epochs: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What begin returned, and the reports of training so many epochs, part by part."""
    reports: list[dict[str, Any]] = []

    async def note(report: dict[str, Any]) -> None:
        reports.append(report)

    about = await play.begin(chosen)
    for part in epochs:
        await play.train(note, part)
    return about, reports


def rows(reports: list[dict[str, Any]]) -> list[list[float]]:
    return [row for report in reports for row in report["rows"]]


def test_the_same_options_give_the_same_curve_in_one_go_and_step_by_step() -> None:
    chosen = options(toy="moons", noise=10, hidden=("3",))
    _, whole = asyncio.run(trained(Playground(), chosen, 12))
    play = Playground()
    asyncio.run(trained(play, options(toy="xor", seed=9), 3))
    _, parts = asyncio.run(trained(play, chosen, 1, 1, 4, 6))
    assert rows(whole) == rows(parts)
    assert [row[0] for row in rows(whole)] == [*range(1, 13)]
    np.testing.assert_array_equal(whole[-1]["pixels"], parts[-1]["pixels"])
    _, other = asyncio.run(trained(Playground(), chosen | {"seed": 2}, 12))
    assert rows(other) != rows(whole)


def test_the_figures_are_those_of_the_engine() -> None:
    chosen = options(toy="circle", test=50, hidden=("4",))
    play = Playground()
    about, reports = asyncio.run(trained(play, chosen, 5))
    assert (about["train"], about["test"], about["params"]) == (120, 120, 17)
    model = network.build(chosen, False)
    made = points.make("circle", 0, 0.5, 1)
    inputs, targets = features.values(made.places, chosen["features"]), made.targets[:, None]
    held = inputs[made.test], targets[made.test]
    history = asyncio.run(
        model.fit(
            inputs[~made.test],
            targets[~made.test],
            batch_size=10,
            epochs=5,
            seed=1,
            validation_data=held,
            validation_batch_size=120,
        )
    ).history
    names = ("loss", "val_loss", "accuracy", "val_accuracy")
    for epoch, row in enumerate(rows(reports)):
        assert row == [epoch + 1, *(history[name][epoch] for name in names)]


@pytest.mark.parametrize(
    ("changes", "epochs"),
    [
        ({"toy": "xor", "hidden": (), "features": ("xy",), "lr": 0.1}, 10),
        ({"toy": "circle", "activation": "relu", "hidden": ("6",), "optimizer": "Adam"}, 20),
        ({"toy": "moons", "optimizer": "Adam", "hidden": ("8", "4"), "penalty": "L2"}, 30),
        (
            {
                "toy": "spiral",
                "optimizer": "Adam",
                "features": ("x", "y", "sinx", "siny"),
                "hidden": ("8",),
            },
            50,
        ),
    ],
    ids=["xor", "circle", "moons", "spiral"],
)
def test_each_toy_can_be_learned(changes: dict[str, Any], epochs: int) -> None:
    _, reports = asyncio.run(trained(Playground(), options(**changes), epochs))
    assert reports[-1]["last"][4] >= 0.95


def test_a_regression_learns_the_slope_and_has_no_accuracy() -> None:
    _, reports = asyncio.run(trained(Playground(), options(toy="slope"), 40))
    _, loss, val_loss, accuracy, val_accuracy = reports[-1]["last"]
    assert max(loss, val_loss) < 0.01
    assert accuracy is None
    assert val_accuracy is None


def test_a_long_run_has_fewer_points_the_longer_it_is() -> None:
    play = Playground()
    asyncio.run(play.begin(options()))
    for epoch in range(LIMIT):
        play._note(epoch, {"loss": 1.0})
    epochs = [row[0] for row in play._rows]
    assert epochs[:DENSE] == [*range(1, DENSE + 1)]
    assert len(epochs) < 1300
    gaps = np.diff(epochs)
    assert (gaps >= 1).all()
    assert epochs[-1] > 0.99 * LIMIT


def test_a_new_network_ends_the_run_of_the_last_and_follows_no_more() -> None:
    async def changed() -> list[dict[str, Any]]:
        play, seen = Playground(), []
        began = asyncio.Event()

        async def note(report: dict[str, Any]) -> None:
            seen.append(report)
            began.set()

        await play.begin(options())
        running = asyncio.ensure_future(play.train(note))
        await began.wait()
        about = await play.begin(options(toy="xor"))
        assert await running is False
        count = len(seen)
        assert (about["run"], about["report"]["epoch"], about["report"]["rows"]) == (2, 0, [])
        assert {report["run"] for report in seen} == {1}
        await play.train(note, 1)
        assert {report["epoch"] for report in seen[count:]} == {1}  # two, of a slow epoch
        return seen

    assert asyncio.run(changed())


@pytest.mark.parametrize("asked", [*product(("begin", "train", "rest"), repeat=4)])
def test_what_is_asked_before_the_last_is_done_comes_one_after_another(asked: Any) -> None:
    async def note(report: Any) -> None:
        pass

    async def whole() -> Any:
        play = Playground()
        await play.begin(options(test=0))
        calls = {
            "begin": lambda: play.begin(options(test=0)),
            "train": lambda: play.train(note, 1),
            "rest": play.rest,
        }
        await asyncio.gather(*[calls[name]() for name in asked])
        return play.look(None)

    report = asyncio.run(whole())
    alone = "".join(name[0] for name in asked).rpartition("b")[2].count("t")
    assert report["epoch"] == alone, "the network of the last begin had the epochs asked after it"
    assert report["run"] == 1 + asked.count("begin")


def test_a_run_is_reported_at_its_pace_and_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting.time, "perf_counter", lambda: 1000.0)  # one moment for all
    _, reports = asyncio.run(trained(Playground(), options(), 9))
    assert [report["epoch"] for report in reports] == [1, 9]
    assert [row[0] for row in rows(reports)] == [*range(1, 10)]


def test_nothing_is_reported_while_nobody_looks_and_the_run_goes_on() -> None:
    async def hidden() -> None:
        play, seen = Playground(), []

        async def note(report: dict[str, Any]) -> None:
            seen.append(report)

        await play.begin(options())
        running = asyncio.ensure_future(play.train(note, 30))
        await asyncio.sleep(0)
        play.follow(None)
        await running
        assert seen == []
        report = play.follow(note)
        assert report["epoch"] == 30
        assert [row[0] for row in report["rows"]] == [*range(1, 31)], "no epoch is lost"

    asyncio.run(hidden())


@pytest.mark.parametrize(
    ("own", "trains"),
    [((), False), (((10, 10, 1),), False), (((10, 10, 1), (90, 90, 0)), True)],
)
def test_points_of_two_colours_are_needed_to_train(own: Any, trains: bool) -> None:
    about = asyncio.run(Playground().begin(options(toy="own", own=own, test=0)))
    assert about["trains"] is trains


def test_a_unit_that_is_looked_at_is_the_large_plane_of_every_report() -> None:
    play = Playground()
    asyncio.run(play.begin(options(hidden=("4",))))
    size = SIDE**2
    answer = play.look(None)["pixels"][-size:]
    unit = play.look([0, 2])["pixels"][-size:]
    assert (unit != answer).any()
    _, reports = asyncio.run(trained(play, options(hidden=("4",)), 1))
    np.testing.assert_array_equal(reports[-1]["pixels"][-size:], play.look(None)["pixels"][-size:])


@pytest.mark.parametrize("place", [None, [0, 2]])
def test_two_colours_are_those_of_the_two_answers_and_the_network_is_the_same(place: Any) -> None:
    play = Playground()
    asyncio.run(play.begin(options(hidden=("4",))))
    shaded = play.look(place)["pixels"]
    report = play.discretise(True)
    size = SIDE**2
    np.testing.assert_array_equal(report["pixels"][:-size], shaded[:-size])
    colours = np.unique(report["pixels"][-size:], axis=0)
    shades = table(LIGHT)
    both = coloured(np.array([[-1.0], [1.0]]), 1.0, shades).reshape(-1, 4)
    assert {tuple(colour) for colour in colours} <= {tuple(colour) for colour in both}
    assert len(colours) == 2
    np.testing.assert_array_equal(play.discretise(False)["pixels"], shaded)


def test_the_small_pictures_are_those_of_the_toys() -> None:
    made = Playground().toys()
    assert set(made) == set(points.TOYS)
    assert all(picture.count("h0") == 2 * 90 for picture in made.values())
