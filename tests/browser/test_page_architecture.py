"""Step 2: presets, the layer editor, errors where they belong, the same network as Python."""

import nn
import pytest
from app.state import architectures

pytestmark = pytest.mark.light

WRONG = "document.querySelector('#layers li[data-wrong] .wrong')?.innerText"


@pytest.fixture(scope="module")
def page(module_site, open_module_page):
    page = open_module_page(module_site.url + "#subset=1000&epochs=1")
    page.wait_for_phase("ready")
    page.execute_script("for (const d of document.querySelectorAll('#network details')) d.open = 1")
    page.until("document.getElementById('code').textContent")
    return page


@pytest.fixture(autouse=True)
def seed_network(page):
    choose(page, "preset", "seed")
    page.until("!/preset=|layers=/.test(location.hash)")  # other layers may have as many parameters
    page.until(lambda: total(page) == "53,866")


def choose(page, identifier, value):
    page.execute_script(
        "const c = document.getElementById(arguments[0]); c.value = arguments[1];"
        "c.dispatchEvent(new Event('change'))",
        identifier,
        value,
    )


def total(page):
    return page.execute_script("return document.getElementById('total-params').innerText")


def layers(page):
    script = "return [...document.querySelectorAll('#layers li b')].map((b) => b.innerText)"
    return page.execute_script(script)


def summary(page):
    script = "return [...document.querySelectorAll('#summary tbody tr')].map((r) => r.innerText)"
    return page.execute_script(script)


def edit(page, index, name, value):
    """Type a value into a field of the layer with this index."""
    page.execute_script(
        """const [index, name, value] = arguments;
        const item = document.querySelectorAll("#layers li")[index];
        const label = [...item.querySelectorAll("label")].find((l) => l.firstChild.data === name);
        const control = label.querySelector("input, select");
        control.value = value;
        control.dispatchEvent(new Event("change"));""",
        index,
        name,
        value,
    )


def code(page):
    return page.execute_script("return document.getElementById('code').textContent")


def built(preset):
    layers = [getattr(nn, kind)(**given) for kind, given in architectures.layers_of(preset)]
    return nn.Sequential([nn.Input((28, 28, 1)), *layers])


@pytest.mark.promise(
    "The page: architecture",
    "Presets, one with what its publisher trains it with",
)
@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "The demo's perceptron of 397,510 parameters, with its 6,400 images, batches of 64,"
    " AdamW and normalization",
)
@pytest.mark.parametrize("preset", list(architectures.PRESETS))
def test_a_preset_has_the_parameters_that_the_engine_counts(page, preset):
    choose(page, "preset", preset)
    page.until(lambda: total(page) == f"{built(preset).count_params():,}")
    # Two presets have the same number of parameters: the total may be there before the rest.
    page.until(lambda: len(summary(page)) == len(architectures.layers_of(preset)))


@pytest.mark.promise(
    "The page: architecture",
    "Presets, one with what its publisher trains it with",
)
@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "The demo's perceptron of 397,510 parameters, with its 6,400 images, batches of 64,"
    " AdamW and normalization",
)
def test_a_published_demo_comes_with_what_it_is_trained_with(page):
    """Batches of 64, 6,400 images, AdamW, pixels less their mean, over their deviation."""
    choose(page, "preset", "ort")
    page.until(lambda: total(page) == "397,510")
    link = "return decodeURIComponent(location.hash).slice(1).split('&').sort()"
    chosen = ["batch=64", "optimizer=AdamW", "preset=ort", "subset=6400"]
    page.until(lambda: page.execute_script(link) == chosen)
    page.until(lambda: "nn.Rescaling(3.2457, offset=-0.4242)" in code(page))
    assert 'read("train").take(6400)' in code(page)
    page.execute_script("location.hash = 'subset=1000&epochs=1'")
    page.until(lambda: total(page) == "53,866")


@pytest.mark.promise(
    "The page: architecture",
    "Layers added, moved, removed, edited; summary, parameters and code follow",
)
def test_an_edit_changes_the_summary_the_parameters_and_the_code_at_once(page):
    edit(page, 0, "filters", "16")
    page.until("document.querySelector('#summary tbody td').innerText === '26 × 26 × 16'")
    assert total(page) == "55,098"
    assert "Conv2D(16, 3" in code(page)
    assert "layers=Conv2D,activation:relu,filters:16" in page.current_url


def test_another_network_is_refused_while_one_trains_and_the_page_shows_the_one_that_trains(page):
    page.execute_script("location.hash = 'subset=20000&epochs=100'")
    page.until(lambda: "epochs=100" in page.execute_script("return location.hash"))
    link, rows = page.execute_script("return location.hash"), summary(page)
    page.click("Train")
    page.wait_for_phase("training")
    page.hear()
    choose(page, "preset", "mlp")
    page.until("heard.includes('Stop the training first.')")
    page.until("document.getElementById('preset').value === 'seed'")
    edit(page, 0, "filters", "16")
    page.until("document.querySelector('#layers li input').value === '8'")
    assert page.phase == "training"
    assert page.execute_script("return location.hash") == link
    assert summary(page) == rows
    page.click("Stop")
    page.wait_for_phase("ready")
    choose(page, "preset", "mlp")
    page.until(lambda: total(page) == "397,510")
    page.execute_script("location.hash = 'subset=1000&epochs=1'")
    page.until(lambda: total(page) == "53,866")


def test_what_a_published_demo_came_with_goes_with_it(page):
    link = "return decodeURIComponent(location.hash).slice(1).split('&').sort()"
    before = page.execute_script(link)
    choose(page, "preset", "ort")
    page.until(lambda: "optimizer=AdamW" in page.execute_script(link))
    choose(page, "preset", "seed")
    page.until(lambda: "optimizer=AdamW" not in page.execute_script(link))
    defaults = ("subset=", "batch=", "epochs=", "lr=")
    kept = [item for item in before if not item.startswith(defaults)]
    assert page.execute_script(link) == (kept or [""])
    page.execute_script("location.hash = 'subset=1000&epochs=1'")
    page.until(lambda: "subset=1000" in page.execute_script(link))


def test_an_answer_for_layers_that_have_changed_meanwhile_is_not_shown(page):
    page.wait_for_phase("ready")
    page.execute_script(
        """const preset = document.getElementById("preset"), shown = [];
        const total = document.getElementById("total-params");
        globalThis.totals = shown;
        new MutationObserver(() => shown.push(total.innerText))
            .observe(total, { childList: true, characterData: true, subtree: true });
        return (async () => {
            for (const name of ["mlp", "ort", "seed"]) {
                preset.value = name;
                preset.dispatchEvent(new Event("change"));
                await new Promise((begun) => setTimeout(begun));
            }
        })();"""
    )
    named = "document.querySelector('#summary tbody th[title]')"  # as the engine alone does
    page.until(lambda: total(page) == "53,866" and page.execute_script(f"return !!{named}"))
    shown = page.execute_script("return globalThis.totals")
    assert shown[shown.index("53,866") :] == ["53,866"]


@pytest.mark.promise(
    "The page: architecture",
    "Layers added, moved, removed, edited; summary, parameters and code follow",
)
def test_layers_are_added_moved_and_removed(page):
    choose(page, "new-layer", "Dropout")
    page.click("Add layer")
    page.until(lambda: layers(page)[-2] == "Dropout")
    page.click("Move layer 7 up")
    page.until(lambda: layers(page)[-3:] == ["Dropout", "Dense", "Dense"])
    page.click("Remove layer 6")
    page.until(lambda: layers(page).count("Dropout") == 0)
    assert total(page) == "53,866"


@pytest.mark.promise("The page: architecture", "Errors at the layer that causes them")
def test_a_value_out_of_range_is_refused_at_its_layer(page):
    edit(page, 2, "filters", "1000")
    page.until(f"({WRONG}) === 'filters: expected 1 to 256, got 1000'")
    assert (
        page.execute_script("return document.querySelectorAll('#layers [data-wrong]').length") == 1
    )
    assert total(page) == "53,866"


@pytest.mark.promise("The page: architecture", "Errors at the layer that causes them")
def test_a_layer_that_does_not_fit_is_named_and_nothing_is_built(page):
    edit(page, 3, "pool size", "8")  # on images of 11 x 11
    edit(page, 2, "strides", "4")
    page.until(f"({WRONG} ?? '') !== ''")
    assert page.execute_script("return document.documentElement.dataset.network") == "wrong"
    place = "[...document.querySelectorAll('#layers li')].findIndex((l) => 'wrong' in l.dataset)"
    assert page.execute_script(f"return {place}") == 3
    edit(page, 2, "strides", "1")
    page.until("document.documentElement.dataset.network === 'right'")


@pytest.mark.promise(
    "The page: architecture",
    "Layers added, moved, removed, edited; summary, parameters and code follow",
)
def test_the_edited_network_is_the_one_that_trains(page):
    page.execute_script("location.hash = 'subset=1000&epochs=1'")  # a preset may have changed them
    page.until("document.getElementById('option-epochs').value === '1'")
    edit(page, 5, "units", "32")
    page.until(lambda: total(page) != "53,866")
    page.click("Train")
    page.wait_for_phase("training")
    page.wait_for_phase("ready")
    assert "32" in summary(page)[5]


@pytest.mark.promise("The page: architecture", "A word on every layer and option")
def test_every_layer_and_every_option_is_explained_beside_it(page):
    terms = (
        "return [...document.querySelectorAll(arguments[0] + ' .words dt')].map((t) => t.innerText"
        " || t.textContent)"
    )
    layers = page.execute_script(terms, "#network")
    unexplained = [k for k in architectures.FIELDS if not any(term in k for term in layers)]
    assert unexplained == []
    labels = page.execute_script(
        "const fields = '#options .field:not([for=preset], #search *) > span';"
        "return [...document.querySelectorAll(fields)].map((span) => span.firstChild.data)"
    )
    assert len(labels) == 10
    assert page.execute_script(terms, "#options") == [*labels, "Search"]


@pytest.mark.promise(
    "The page: architecture",
    "The program that does the same elsewhere: to copy, complete, and with the page's "
    "curve on CPython",
)
def test_the_code_can_be_copied(page, module_site):
    page.execute_cdp_cmd(
        "Browser.grantPermissions",
        {
            "origin": module_site.url.rstrip("/"),
            "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"],
        },
    )
    page.click("Copy")
    page.until("document.getElementById('status').innerText === 'The code is copied.'")
    read = "const done = arguments[0]; navigator.clipboard.readText().then(done)"
    assert page.execute_async_script(read) == code(page)
