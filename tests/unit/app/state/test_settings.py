"""The options in the URL hash."""

import pytest
from app.state import architectures, settings
from hypothesis import given
from hypothesis import strategies as st


def test_an_empty_hash_is_the_defaults() -> None:
    assert settings.from_hash("") == settings.from_hash("#") == settings.defaults()
    assert settings.to_hash(settings.defaults()) == ""


def test_keeps_only_what_differs() -> None:
    values = dict(settings.defaults(), lr=0.01, log=True, hide=("data", "code-panel"))
    assert settings.to_hash(values) == "lr=0.01&log=1&hide=data,code-panel"
    assert settings.from_hash("#lr=0.01&log=1&hide=data,code-panel") == values


def test_ignores_what_it_does_not_know() -> None:
    broken = "#lr=fast&batch=0&epochs=&epochs=1e9&optimizer=Magic&colour=red&preset=custom"
    broken += "&layers=Dense&log=yes&seed"
    assert settings.from_hash(broken) == settings.defaults()


def test_carries_a_network_of_ones_own() -> None:
    layers = [("Flatten", {}), ("Dense", {"units": 10, "activation": "softmax"})]
    values = dict(settings.defaults(), preset="custom", layers=layers)
    assert settings.from_hash(settings.to_hash(values)) == values


VALUES = st.fixed_dictionaries(
    {
        "preset": st.sampled_from(sorted(architectures.PRESETS)),
        "layers": st.none(),
        "subset": st.integers(1, 60000),
        "optimizer": st.sampled_from(settings.TABLE["optimizer"][3]),
        "lr": st.floats(0, 100).map(settings.learning_rate),
        "schedule": st.sampled_from(settings.TABLE["schedule"][3]),
        "batch": st.integers(1, 2048),
        "epochs": st.integers(1, 100),
        "l2": st.sampled_from([0.0, 1e-4, 0.01]),
        "patience": st.integers(0, 20),
        "shift": st.integers(0, 6),
        "rotate": st.integers(0, 45),
        "zoom": st.integers(0, 40),
        "noise": st.integers(0, 50),
        "seed": st.integers(0, 999999),
        "device": st.sampled_from(settings.TABLE["device"][3]),
        "cores": st.integers(1, 8),
        "smoothing": st.sampled_from([0.0, 0.5, 0.99]),
        "log": st.booleans(),
        "metric": st.sampled_from(settings.METRICS),
        "hide": st.lists(st.sampled_from(settings.PANELS), unique=True).map(tuple),
        "lesson": st.sampled_from(["", "learning-rate"]),
        "data": st.sampled_from(["mnist", "shortcut", "iris", "CIFAR-10", ""]),
        "target": st.sampled_from(["", "petal_width", "sex"]),
        "table-epochs": st.integers(1, 1000),
        "lang": st.sampled_from(settings.TABLE["lang"][3]),
    }
)


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "All options in the address, by one table; what makes no sense is ignored; a link is a curve",
)
@given(VALUES)
def test_every_choice_survives_the_url(values: dict[str, object]) -> None:
    assert settings.from_hash("#" + settings.to_hash(values)) == values


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "All options in the address, by one table; what makes no sense is ignored; a link is a curve",
)
@given(st.text(max_size=80))
def test_any_hash_gives_valid_options(text: str) -> None:
    values = settings.from_hash(text)
    assert settings.from_hash(settings.to_hash(values)) == values


def wrong(name: str) -> list[str]:
    """Texts that are no value of an option, from its row in the table."""
    kind, _, low, high = settings.TABLE[name]
    if kind in ("int", "float"):
        texts = ["", "x", "nan", "inf", "-inf", f"{low - 1}", f"{high + 1}"]
        return texts + ([f"{low + 0.5}", "1e3"] if kind == "int" else [])
    if kind == "layers":
        flat = "Flatten;Dense,activation:softmax,units:9"
        return ["", "Magic", "Dense", "Conv2D,filters:0,kernel_size:3", flat, flat[8:]]
    if kind == "name":
        return ["a b", "<b>", "ä", "a" * 41]
    return ["", "x", "2"]  # a choice, or yes and no


@pytest.mark.parametrize("name", [name for name in settings.TABLE if name != "hide"])
def test_a_wrong_value_of_any_option_is_refused_and_leaves_the_usual_one(name: str) -> None:
    for text in wrong(name):
        with pytest.raises(ValueError, match=r"expected|Layer \d+: |needs"):
            settings.read(name, text)
        assert settings.from_hash(f"#{name}={text}") == settings.defaults()


@given(VALUES)
def test_a_link_decides_a_curve_whatever_its_options(values: dict[str, object]) -> None:
    link = settings.to_link(values)
    assert settings.decides(link)
    assert settings.from_hash(link) == values


@given(VALUES)
def test_what_is_only_shown_decides_nothing(values: dict[str, object]) -> None:
    shown = {name: values[name] for name in settings.SHOWN}
    assert not settings.decides(settings.to_hash(settings.defaults() | shown))


@pytest.mark.parametrize(
    "text", ["", "#", "#lr=fast", "#colour=red", "#batch=0&hide=data", "#train"]
)
def test_nonsense_decides_nothing(text: str) -> None:
    assert not settings.decides(text)


@given(st.integers(0, 100))
def test_the_learning_rate_slider_goes_there_and_back(position: int) -> None:
    assert settings.slider(settings.learning_rate(position)) == pytest.approx(position, abs=0.5)
