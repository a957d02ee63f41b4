"""A user's own data in place of MNIST, and back."""

import base64
import gzip
import io
import re
import struct
import zipfile
import zlib

import nn
import numpy as np
import pytest
from nn.data import write_idx
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from tests.support import screen
from tests.support.drop import drop_paths
from tools.serve import ROOT

pytestmark = pytest.mark.light(60_000, 10_000)

# A picture of 1 x 1, light grey: the smallest that a browser decodes.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)

TABLE_LINK = "#data=penguins&target=body_mass_g&table-epochs=20&seed=3"


@pytest.fixture(scope="module")
def page(module_site, open_module_page):
    page = open_module_page(module_site.url + TABLE_LINK)
    page.wait_for_phase("ready")
    page.execute_script("document.getElementById('drop').closest('details').open = true")
    return page


def give(page, *paths):
    page.find_element(By.ID, "data-files").send_keys("\n".join(map(str, paths)))


def column(page):
    """The column that is learned, as its field says."""
    return page.execute_script(
        "return document.getElementById('table-target').selectedOptions[0]?.text"
    )


def epochs(page):
    return page.find_element(By.ID, "option-table-epochs").get_attribute("value")


def read(page, chart, key, step):
    """What a chart says of a step when a key leads there."""
    page.execute_script(
        "document.getElementById(arguments[0])"
        ".dispatchEvent(new KeyboardEvent('keydown', {key: arguments[1]}))",
        chart,
        key,
    )
    page.until(lambda: inner(page, "point").startswith(f"Step {step},"))
    return inner(page, "point")


def taught(page):
    """Train on the table; what is said of it, and what the curves say where they begin and end."""
    page.click("Train on the table")
    page.until(lambda: "test rows" in inner(page, "table-result"))
    page.until("document.querySelectorAll('#table-curves .uplot').length === 2")
    places = ("error", "End", 20), ("loss", "Home", 1), ("loss", "End", 20), ("error", "Home", 1)
    points = [read(page, f"table-{chart}-chart", key, step) for chart, key, step in places]
    return inner(page, "table-result"), points


@pytest.mark.promise("The page: data", "A table has its own curves, and its link gives them again")
def test_the_link_of_a_table_is_a_curve(page):
    page.until(lambda: column(page) == "body_mass_g")
    assert epochs(page) == "20"
    first = taught(page)
    assert inner(page, "table-error-caption") == "Mean error"
    off = re.search(r"off by ([0-9.]+) on average", first[0])[1]
    shown = re.search(r"Test ([0-9.]+)$", first[1][0])[1]
    assert float(off) == pytest.approx(float(shown), rel=1e-3), "the curve ends where it is said"
    page.execute_script("location.hash = 'data=penguins&target=wings'")
    wrong = "There is no column “wings”: species is learned."
    page.until(lambda: inner(page, "table-target-wrong") == wrong)
    assert (column(page), epochs(page)) == ("species", "60")
    assert not page.find_element(By.ID, "table-curves").is_displayed(), "of another network"
    page.execute_script("location.hash = arguments[0]", TABLE_LINK)
    page.until(lambda: (column(page), epochs(page)) == ("body_mass_g", "20"))
    assert taught(page) == first
    write = (
        "const field = document.getElementById('option-table-epochs'); field.value = arguments[0];"
        "field.dispatchEvent(new Event('change'))"
    )
    wrong = "Epochs: a whole number from 1 to 1000. 20 is used."
    for text, words in (("0", wrong), ("1", "")):
        page.execute_script(write, text)
        page.until(lambda words=words: inner(page, "option-table-epochs-wrong") == words)
    Select(page.find_element(By.ID, "table-target")).select_by_visible_text("sex")
    page.until("location.hash === '#data=penguins&target=sex&table-epochs=1&seed=3'")
    page.execute_script("document.getElementById('copy-link').click()")
    page.until("document.getElementById('link').textContent === location.href")
    page.execute_script("location.hash = 'data=penguins'")
    page.until(lambda: (column(page), epochs(page)) == ("species", "60"))


@pytest.mark.promise(
    "The page: data", "A link names its data; what is unknown or absent is said plainly"
)
def test_a_link_may_name_a_table(page):
    page.execute_script("location.hash = 'data=penguins'")
    page.until(lambda: column(page) == "species")
    words = inner(page, "table-words")
    assert words.startswith("344 rows, 8 columns. Texts become categories: species, island, sex.")
    assert "bill_length_mm 2" in words
    assert count(page).startswith("MNIST: 60,000")
    menu = Select(page.find_element(By.ID, "data-set"))
    assert menu.first_selected_option.text == "Penguins"
    menu.select_by_visible_text("Iris")
    page.until(lambda: inner(page, "table-words").startswith("150 rows, 5 columns."))
    assert page.execute_script("return location.hash") == "#data=iris"
    menu.select_by_visible_text("MNIST")
    page.until("location.hash === ''")


def count(page):
    return page.execute_script("return document.getElementById('data-count').textContent")


@pytest.mark.promise(
    "The page: data",
    "Custom data: IDX, CSV, folders of pictures, also zipped, opened or dropped, and back",
)
def test_a_csv_takes_the_place_of_mnist_and_gives_it_back(page, tmp_path):
    rows = np.random.default_rng(0).integers(0, 256, (70, 785))
    rows[:, 0] = np.arange(70) % 10
    np.savetxt(tmp_path / "own.csv", rows, fmt="%d", delimiter=",")
    give(page, tmp_path / "own.csv")
    page.until(lambda: count(page) == "own.csv: 60 + 10 images")
    page.until(lambda: taken(page, "own.csv", 10))
    menu = Select(page.find_element(By.ID, "data-set"))
    assert menu.first_selected_option.text == "Your own data"
    page.button("Back to MNIST").click()
    page.until(lambda: said(page) == "The data are MNIST again.")
    assert count(page) == "MNIST: 60,000 + 10,000 images"
    assert menu.first_selected_option.text == "MNIST"


@pytest.mark.promise(
    "The page: data",
    "Custom data: IDX, CSV, folders of pictures, also zipped, opened or dropped, and back",
)
def test_a_zip_of_folders_names_the_classes(page, tmp_path):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for index in range(14):
            archive.writestr(f"{'cat' if index % 2 else 'bee'}/{index}.png", PNG)
    (tmp_path / "pets.zip").write_bytes(target.getvalue())
    give(page, tmp_path / "pets.zip")
    page.until(lambda: count(page) == "pets.zip: 12 + 2 images")
    assert "bee" in page.execute_script("return document.getElementById('classes').innerText")
    restored(page)


@pytest.mark.promise(
    "The page: data",
    "Custom data: IDX, CSV, folders of pictures, also zipped, opened or dropped, and back",
)
def test_folders_are_dropped_or_opened_and_read_again_in_another_form(page, tmp_path):
    for path in [*(f"{kind}/{n}.png" for kind in ("bee", "cat") for n in range(7)), "cat/a.tif",
                 "cat/.DS_Store", "cat/Thumbs.db", ".git/1.png", "bee/__MACOSX/1.png"]:  # fmt: skip
        (tmp_path / "pets" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pets" / path).write_bytes(PNG if path[-5].isdecimal() else b"")
    (tmp_path / "empty").mkdir()
    zone = page.find_element(By.ID, "drop")
    drop_paths(page, zone, tmp_path / "pets" / "cat", tmp_path / "pets" / "bee")
    page.until(lambda: count(page) == "cat, bee: 12 + 2 images")
    page.until(lambda: "A file was left out: 1 .tif." in " ".join(hints(page)))
    Select(page.find_element(By.ID, "data-form")).select_by_value("32 3")
    page.until(lambda: said(page) == "The pictures are 32 × 32, colour now.")
    drop_paths(page, zone, tmp_path / "empty")
    page.until(lambda: said(page) == "There is no file in it.")
    page.find_element(By.ID, "data-folder").send_keys(str(tmp_path / "pets"))
    page.until(lambda: count(page) == "pets: 12 + 2 images")
    assert len(page.execute_script("return [...document.querySelectorAll('#classes b')]")) == 2
    restored(page)


# What the status line says from now on; arguments[0]: Stop is pressed as soon as it can be.
FOLLOW = """
const [line, stop] = ["status", "stop"].map((id) => document.getElementById(id));
const all = { attributes: true, childList: true, characterData: true, subtree: true };
globalThis.lines = [];
globalThis.follower?.disconnect();
globalThis.follower = new MutationObserver(() => {
    lines.push(line.textContent);
    if (arguments[0] && !stop.disabled) stop.click();
});
for (const element of [line, stop]) follower.observe(element, all);
"""


@pytest.mark.promise(
    "The page: data", "How many pictures of how many are read is said, and Stop ends it"
)
def test_how_many_pictures_are_read_is_said_and_stop_leaves_the_data_as_they_were(page, tmp_path):
    for path in (f"{kind}/{n}.png" for kind in ("bee", "cat") for n in range(7)):
        (tmp_path / "pets" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pets" / path).write_bytes(PNG)
    before = count(page)
    for stopped in (True, False):
        page.execute_script(FOLLOW, stopped)
        page.find_element(By.ID, "data-folder").send_keys(str(tmp_path / "pets"))
        kept = before if stopped else "pets: 12 + 2 images"
        ended = "The data are as they were." if stopped else "network"  # not what stood before
        page.until(lambda words=ended: words in said(page))
        assert count(page) == kept
        assert "Reading pets, pictures: 0 of 14…" in page.execute_script("return lines")
        assert not page.find_element(By.ID, "stop").is_enabled()
    form = "return document.getElementById('data-form').value"
    before = page.execute_script(form)
    page.execute_script(FOLLOW, True)
    Select(page.find_element(By.ID, "data-form")).select_by_value("32 3")
    page.until(lambda: said(page) == "The data are as they were.")
    assert page.execute_script(form) == before != "32 3"
    page.execute_script("follower.disconnect()")
    restored(page)


def taken(page, name, classes):
    """Whether the data of this name are in use; other data have as many classes."""
    return re.match(rf"{re.escape(name)}: .* a new network for {classes} classes", said(page))


def said(page):
    return page.execute_script("return document.getElementById('status').textContent")


def hints(page):
    script = "return [...document.querySelectorAll('#data-hints li')].map((h) => h.innerText)"
    return page.execute_script(script)


@pytest.mark.promise("The page: data", "Hints on what is uneven or double")
@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "Class counts, samples, hints on what is uneven or double",
)
def test_what_is_double_or_uneven_in_own_data_is_said(page, tmp_path):
    rows = np.random.default_rng(0).integers(0, 256, (70, 785))
    rows[:, 0] = np.where(np.arange(70) % 10 == 0, 1, 0)
    rows[1::2] = rows[1]  # every other line is one and the same
    np.savetxt(tmp_path / "uneven.csv", rows, fmt="%d", delimiter=",")
    give(page, tmp_path / "uneven.csv")
    page.until(lambda: len(hints(page)) == 3)
    uneven, copies, shared = hints(page)
    assert uneven.startswith("Class 0 has ")
    assert "times the images of class 1" in uneven
    assert "Training images that are copies of others" in copies
    assert "Test images that are among the training images" in shared
    restored(page)
    assert hints(page) == []


def drop(page, files, place="drop"):
    """Drag files (bytes by name) over the drop zone and let go; whether it lit up meanwhile."""
    packed = {name: base64.b64encode(body).decode() for name, body in files.items()}
    return page.execute_script(
        """const data = new DataTransfer(), zone = document.getElementById(arguments[1]);
        for (const [name, body] of Object.entries(arguments[0]))
          data.items.add(new File([Uint8Array.from(atob(body), (c) => c.charCodeAt(0))], name));
        const send = (kind) =>
          zone.dispatchEvent(new DragEvent(kind, {dataTransfer: data, cancelable: 1, bubbles: 1}));
        const accepted = !send("dragover"), lit = zone.classList.contains("over");
        const taken = !send("drop");  // else the browser goes to the file
        return accepted && taken && (lit || zone.id !== "drop") && !zone.classList.contains("over");
        """,
        packed,
        place,
    )


def form(page):
    return page.execute_script("return document.getElementById('data-form').value")


def restored(page):
    """Go back to MNIST, and wait until the page has a new network for it too."""
    page.click("Back to MNIST")
    page.until("document.getElementById('status').textContent === 'The data are MNIST again.'")
    assert count(page).startswith("MNIST: 60,000")


def csv():
    rows = np.random.default_rng(1).integers(0, 256, (70, 785))
    rows[:, 0] = np.arange(70) % 10
    return "\n".join(",".join(map(str, row)) for row in rows).encode()


def idx(images=70, labels=70):
    rng = np.random.default_rng(2)
    pixels = rng.integers(0, 256, (images, 28, 28)).astype(np.uint8)
    return {
        "own-images.idx": write_idx(pixels),
        "own-labels.idx": write_idx((np.arange(labels) % 10).astype(np.uint8)),
    }


def folders(**pictures):
    """A zip with two folders of eight pictures each, by ending."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for index in range(16):
            ending = list(pictures)[index % len(pictures)]
            folder = "cat" if index < 8 else "bee"
            archive.writestr(f"pets/{folder}/{index}.{ending}", pictures[ending])
    return target.getvalue()


def added(packed, *names):
    """A zip with some empty files more."""
    target = io.BytesIO(packed)
    with zipfile.ZipFile(target, "a") as archive:
        for name in names:
            archive.writestr(name, b"")
    return target.getvalue()


def picture(page, kind):
    """A picture as the browser itself writes it: a dark bar on white paper."""
    address = page.execute_script(
        """const canvas = document.createElement("canvas"), ink = canvas.getContext("2d");
        canvas.width = canvas.height = 56;
        ink.fillStyle = "white"; ink.fillRect(0, 0, 56, 56);
        ink.fillStyle = "black"; ink.fillRect(20, 8, 16, 40);
        return canvas.toDataURL("image/" + arguments[0])""",
        kind,
    )
    assert address.startswith(f"data:image/{kind};base64,")
    return base64.b64decode(address.split(",")[1])


def birds():
    """Penguins of two species by a number, a sex and an island; some cells are missing."""
    rng = np.random.default_rng(3)
    rows = ["species,island,flipper_mm,sex,notes"]
    for n in range(90):
        kind = n % 2
        flipper = "NA" if n % 20 == 7 else f"{rng.normal(190 + 25 * kind, 5):.1f}"
        species = ("Adelie", "Gentoo")[kind]
        sex = "" if n % 30 == 4 else ("male", "female")[n // 2 % 2]
        rows.append(f"{species},{'Dream' if n % 3 else 'Biscoe'},{flipper},{sex},bird {n}")
    return "\n".join(rows).encode()


def inner(page, identifier):
    return page.execute_script("return document.getElementById(arguments[0]).innerText", identifier)


@pytest.mark.promise(
    "The page: data", "A table: a column is learned, classes or a number, and asked"
)
def test_a_column_of_a_table_is_learned_from_the_others(page):
    drop(page, {"birds.csv": birds()})
    page.until(lambda: "birds.csv is a table of 90 rows" in said(page))
    assert count(page).startswith("MNIST: 60,000"), "the pictures stay"
    words = inner(page, "table-words")
    assert "Texts become categories: species, island, sex." in words
    assert "Values are missing: flipper_mm 5, sex 3;" in words
    assert "Left out: notes (90 different texts)." in words
    page.click("Train on the table")
    page.until(lambda: "of the 18 test rows are right" in inner(page, "table-result"))
    field = page.find_element(By.CSS_SELECTOR, "#table-fields input")
    for flipper, species in (("221", "Gentoo"), ("186", "Adelie")):
        field.clear()
        field.send_keys(flipper)
        page.until(lambda: inner(page, "table-answer") == species)  # noqa: B023
    Select(page.find_element(By.ID, "table-target")).select_by_visible_text("flipper_mm")
    page.click("Train on the table")
    page.until(lambda: "of the 17 test rows is off by" in inner(page, "table-result"))
    assert "Rows without flipper_mm, left out: 5." in inner(page, "table-result")
    assert "target" not in page.execute_script("return location.hash"), "no link holds this table"
    number = page.until("parseFloat(document.getElementById('table-answer').textContent)")
    assert 150 < number < 250
    assert page.phase == "ready"


# What the answer says whenever its part of the panel comes into view.
ANSWERS = """
globalThis.answers = [];
const ask = document.getElementById("table-ask");
new MutationObserver(() => {
    if (!ask.hidden) answers.push(document.getElementById("table-answer").textContent);
}).observe(ask, { attributeFilter: ["hidden"] });
"""


def test_what_one_network_of_a_table_answered_is_not_shown_as_the_next_one_s(page):
    drop(page, {"more-birds.csv": birds()})
    page.until(lambda: "more-birds.csv is a table of 90 rows" in said(page))
    page.click("Train on the table")
    page.until(lambda: inner(page, "table-answer") in ("Adelie", "Gentoo"))
    page.execute_script(ANSWERS)
    Select(page.find_element(By.ID, "table-target")).select_by_visible_text("flipper_mm")
    page.click("Train on the table")
    page.until("parseFloat(document.getElementById('table-answer').textContent)")
    assert page.execute_script("return answers") == [""]


@pytest.mark.promise(
    "The page: data",
    "Custom data: IDX, CSV, folders of pictures, also zipped, opened or dropped, and back",
)
def test_what_misses_the_drop_zone_is_taken_as_well_and_a_model_is_a_model(page):
    assert drop(page, {"dropped.csv": csv()}, "training")
    page.until(lambda: count(page) == "dropped.csv: 60 + 10 images")
    restored(page)
    model = nn.Sequential([nn.Input((28, 28, 1)), nn.Flatten(), nn.Dense(10, activation="softmax")])
    assert drop(page, {"mine.npz": nn.io.save(model)}, "data")
    page.until(lambda: "“mine.npz” is the network in use now" in page.text)
    assert count(page).startswith("MNIST: 60,000")
    for name in ("none.h5", "none.HDF5"):
        assert drop(page, {name: b"no model"}, "data")
        page.until(lambda: "This file is no model" in page.text)
        page.button("Dismiss").click()
    page.execute_script("location.hash = 'preset=mlp'; location.hash = ''")


def another_worker(page):
    page.execute_script("document.querySelector('script[name=engine]').xworker.terminate()")
    page.wait_for_phase("error")
    page.click("Restart the worker")
    page.wait_for_phase("ready")


def test_a_table_that_was_in_a_worker_that_died_is_not_shown_any_more(module_site, open_page):
    page = open_page(module_site.url)
    page.wait_for_phase("ready")
    page.execute_script("document.getElementById('drop').closest('details').open = true")
    drop(page, {"birds.csv": birds()})
    page.until(lambda: "birds.csv is a table of 90 rows" in said(page))
    page.execute_script(
        "const field = document.getElementById('option-table-epochs'); field.value = '1000';"
        "field.dispatchEvent(new Event('change'))"
    )
    page.click("Train on the table")
    page.until("document.getElementById('table-progress').value > 0")
    another_worker(page)
    page.until(lambda: said(page) == "birds.csv is gone with the worker: open it again.")
    assert not page.find_element(By.ID, "table").is_displayed()


def test_another_worker_has_not_the_options_of_data_that_died_with_the_last(
    module_site, open_page, tmp_path
):
    page = open_page(module_site.url)
    page.wait_for_phase("ready")
    lines = "".join(f"{number % 3}," + ",".join(["9"] * 784) + "\n" for number in range(40))
    (tmp_path / "few.csv").write_text(lines)
    give(page, tmp_path / "few.csv")
    page.until("location.hash.includes('batch=32&epochs=20')")
    page.until(lambda: taken(page, "few.csv", 3))
    another_worker(page)
    assert count(page).startswith("MNIST: 60,000")
    page.until("!location.hash.includes('batch') && !location.hash.includes('epochs')")


@pytest.mark.promise(
    "The page: data",
    "Custom data: IDX, CSV, folders of pictures, also zipped, opened or dropped, and back",
)
@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
def test_a_pair_of_idx_files_may_be_dropped(page, zipped):
    files = {f"{name}.gz": gzip.compress(body) for name, body in idx().items()} if zipped else idx()
    assert drop(page, files)
    page.until(
        lambda: count(page).endswith(".gz: 60 + 10 images" if zipped else ": 60 + 10 images")
    )
    assert count(page).startswith("own-images.idx")
    restored(page)


@pytest.mark.promise(
    "The page: data",
    "Custom data: IDX, CSV, folders of pictures, also zipped, opened or dropped, and back",
)
def test_a_zip_of_folders_may_be_dropped_with_pictures_of_any_kind(page):
    pictures = {kind: picture(page, kind) for kind in ("png", "jpeg", "webp")}
    packed = folders(**pictures, jpg=pictures["jpeg"], jfif=pictures["jpeg"])
    others = ("pets/cat/17.tif", "pets/cat/18.png", "pets/notes.txt")
    assert drop(page, {"pets.zip": added(packed, *others)})
    page.until(lambda: count(page) == "pets.zip: 13 + 3 images")
    page.until(lambda: len(hints(page)) > 1)
    assert "A file was left out: 1 .tif." in hints(page)[0]
    assert "A picture cannot be read and was left out: cat/18.png. " in hints(page)[1]
    names = page.execute_script("return document.getElementById('classes').innerText").split()
    assert names == ["bee", "cat"]
    assert form(page) == "64 1", "grey pictures of 56 x 56"
    inked = page.execute_script(
        "const c = document.getElementById('samples').getContext('2d');"
        "const at = (x, y) => c.getImageData(x, y, 1, 1).data[3];"
        "return [at(32, 32), at(4, 4)]"
    )
    assert inked[0] > 200, "dark on white is ink"
    assert inked[1] < 40, "white is paper"
    restored(page)


BAD = {
    "diary.txt": ({"diary.txt": b"Dear diary"}, "diary.txt: expected lines of a label and 784"),
    "one IDX": ({"a.idx": idx()["own-images.idx"]}, "a.idx: expected an IDX file of images and"),
    "cut IDX": (idx() | {"own-images.idx": idx()["own-images.idx"][:999]}, "own-images.idx: "),
    "two tables": (
        {"a.csv": birds(), "b.csv": birds()},
        "a.csv, b.csv: expected one table at a time, got 2",
    ),
    "counts": (idx(70, 60), "labels as images, 70, got 60"),
    "no zip": ({"pets.zip": b"PK not really"}, "pets.zip: "),
    "no picture": (
        {"pets.zip": folders(png=b"not a picture")},
        "folder bee: expected pictures that can be read, got none. bee/8.png: ",
    ),
    "a class of TIFF": (
        {"pets.zip": added(folders(png=PNG), "pets/fox/1.tif")},
        "pets.zip: folder pets/fox: expected pictures (.png, ",
    ),
    **{
        f"a {ending} alone": (
            {f"cat.{ending}": b'<svg xmlns="http://www.w3.org/2000/svg"/>'},
            f"cat.{ending}: expected pictures (.png, ",
        )
        for ending in ("svg", "SVG", "tiff", "heic")
    },
    "a class of SVG": (
        {"pets.zip": added(folders(png=PNG), "pets/fox/1.svg")},
        "pets.zip: folder pets/fox: expected pictures (.png, ",
    ),
    "one folder": ({"pets.zip": folders(txt=b"hello")}, "pets.zip: expected 2 to 10 folders"),
    "gzip": (
        {"own-images.gz": b"\x1f\x8b broken", "b.gz": b"\x1f\x8b"},
        "gz: gzip: the stream ends early",
    ),
}


@pytest.mark.promise("The page: data", "Bad files are named and change nothing")
@pytest.mark.parametrize("name", BAD)
def test_dropped_files_that_are_no_data_set_are_named_and_change_nothing(page, name):
    files, words = BAD[name]
    before = label(page, "classes")
    drop(page, files)
    page.until("!document.getElementById('failure').hidden")
    assert words in page.execute_script("return document.getElementById('failure-what').innerText")
    assert page.phase == "ready"
    assert count(page).startswith("MNIST: 60,000")
    assert label(page, "classes") == before
    page.button("Dismiss").click()


def label(page, identifier):
    return page.execute_script(
        "return document.getElementById(arguments[0]).getAttribute('aria-label')", identifier
    )


@pytest.mark.promise(
    "The page: data",
    "MNIST with its class counts, a grid of samples, a slider for fewer images",
)
@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "Class counts, samples, hints on what is uneven or double",
)
def test_the_classes_are_counted(page):
    words = label(page, "classes")
    assert words.startswith("Images of each class: 0: 5923, 1: 6742, 2: 5958")
    assert words.endswith("9: 5949")


@pytest.mark.promise(
    "The page: data",
    "MNIST with its class counts, a grid of samples, a slider for fewer images",
)
def test_a_table_says_the_counts_too(page):
    rows = page.execute_script(
        "return [...document.querySelectorAll('#counts tr')].map((row) => row.textContent)"
    )
    assert rows == ["05,923", "16,742", "25,958", "36,131", "45,842", "55,421", "65,918", "76,265",
                    "85,851", "95,949"]  # fmt: skip


@pytest.mark.promise(
    "The page: data",
    "MNIST with its class counts, a grid of samples, a slider for fewer images",
)
@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "Class counts, samples, hints on what is uneven or double",
)
def test_other_samples_are_others(page):
    before = label(page, "samples")
    page.button("Other samples").click()
    page.until(lambda: label(page, "samples") != before)
    assert len(label(page, "samples").split("classes ")[1].split()) == 60


@pytest.mark.promise(
    "The page: data",
    "MNIST with its class counts, a grid of samples, a slider for fewer images",
)
def test_the_subset_slider_says_how_many_images_train(page):
    slide = (
        "const s = document.getElementById('subset'); s.value = arguments[0];"
        "s.dispatchEvent(new Event('input'))"
    )
    page.execute_script(slide, "0")
    page.until("document.getElementById('subset-value').innerText !== '60,000'")
    few = page.execute_script("return document.getElementById('subset-value').innerText")
    assert f"subset={few.replace(',', '')}" in page.current_url
    page.execute_script(slide, "6")
    page.until("document.getElementById('subset-value').innerText === '60,000'")


@pytest.mark.promise(
    "The page: data",
    "Custom data: IDX, CSV, folders of pictures, also zipped, opened or dropped, and back",
)
def test_the_published_idx_files_are_read(page):
    folder = ROOT / "static" / "vendor" / "mnist"
    give(page, folder / "t10k-images-idx3-ubyte.gz", folder / "t10k-labels-idx1-ubyte.gz")
    page.until(lambda: count(page).endswith("8,571 + 1,429 images"))
    restored(page)


@pytest.mark.promise("The page: data", "Bad files are named and change nothing")
def test_a_file_that_is_no_data_set_is_named_and_changes_nothing(page, tmp_path):
    (tmp_path / "notes.csv").write_text("1,2,3\n")
    give(page, tmp_path / "notes.csv")
    page.until("!document.getElementById('failure').hidden")
    assert "expected 785 columns, a label and 784 numbers, got 3" in page.text
    assert said(page) == "The data are as they were."
    assert page.phase == "ready"
    assert count(page).startswith("MNIST: 60,000")
    page.button("Dismiss").click()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "a,b\n" + "1,2\n" * 12 + "1,2,3\n",
            "As a table: wrong.csv: line 14: expected as many cells as in the first, 2, got 3",
        ),
        ("a,b\n1,2\n", "As a table: wrong.csv: expected 10 to 200,000 rows"),
    ],
)
def test_what_keeps_a_csv_from_being_a_table_is_said_and_forgotten_with_the_next(
    page, tmp_path, text, words
):
    (tmp_path / "wrong.csv").write_text(text)
    give(page, tmp_path / "wrong.csv")
    page.until("!document.getElementById('failure').hidden")
    assert words in page.text
    table = "a,b\n" + "".join(f"{number * number},{number % 3}\n" for number in range(40))
    (tmp_path / "table.csv").write_text(table)
    give(page, tmp_path / "table.csv")
    page.until("document.getElementById('failure').hidden")
    give(page, tmp_path / "wrong.csv")
    page.until("!document.getElementById('failure').hidden")
    lines = "".join(f"{number % 3}," + ",".join(["9"] * 784) + "\n" for number in range(40))
    (tmp_path / "right.csv").write_text(lines)
    give(page, tmp_path / "right.csv")
    page.until("document.getElementById('failure').hidden")
    restored(page)


@pytest.mark.parametrize(
    ("option", "kept"),
    [("", "128 5"), ("epochs 7", "128 7"), ("batch 64", "64 5"), ("link", "32 20")],
)
def test_going_back_gives_back_the_options_that_few_images_have_changed(
    page, tmp_path, option, kept
):
    def options():
        return page.execute_script(
            "return ['batch', 'epochs'].map((n) => document.getElementById(`option-${n}`).value)"
            ".join(' ')"
        )

    page.execute_script("location.hash = ''")
    page.until(lambda: options() == "128 5")
    lines = "".join(f"{number % 3}," + ",".join(["9"] * 784) + "\n" for number in range(40))
    (tmp_path / "few.csv").write_text(lines)
    give(page, tmp_path / "few.csv")
    page.until(lambda: options() == "32 20")
    page.until(lambda: taken(page, "few.csv", 3))
    if option == "link":
        page.execute_script("location.hash = 'batch=32&epochs=20&data=mnist'")
    else:
        name, _, value = option.partition(" ")
        page.execute_script(
            "const field = document.getElementById(`option-${arguments[0]}`);"
            "if (field) { field.value = arguments[1]; field.dispatchEvent(new Event('change')); }",
            name,
            value,
        )
        page.click("Back to MNIST")
    page.until(lambda: "MNIST again" in said(page) or "60,000 images to train on" in said(page))
    assert count(page).startswith("MNIST: 60,000")
    assert options() == kept


def learned(page, changes):
    """The test loss after an epoch of 500 images from fresh weights."""
    page.execute_script(f"location.hash = 'subset=500&epochs=1&seed=3{changes}'")
    page.click("Reset")
    page.until(lambda: "not trained yet" in page.text)
    finished = "document.querySelectorAll('#epochs tbody tr:not(.empty)').length"
    before = page.execute_script(f"return {finished}")
    page.click("Train")
    page.until(f"{finished} > {before}", 60)
    page.wait_for_phase("ready")
    return page.output("val_loss")


@pytest.mark.promise("The page: data", "Switches for augmentation, with what they do to images")
def test_each_switch_changes_what_is_learned_and_off_gives_it_back(page):
    plain = learned(page, "")
    losses = {learned(page, f"&{change}") for change in ("shift=2", "rotate=12", "noise=15")}
    assert len(losses | {plain}) == 4
    assert learned(page, "") == plain
    page.execute_script("location.hash = ''")
    page.until("document.getElementById('subset-value').innerText === '60,000'")


CHANGED = "document.getElementById('changed-samples')"


def shown(page):
    """The preview as it is painted, None while it is hidden."""
    return page.execute_script(f"const c = {CHANGED}; return c.checkVisibility() && c.toDataURL()")


@pytest.mark.promise("The page: data", "Switches for augmentation, with what they do to images")
def test_a_switch_shows_what_it_does_to_images(page):
    page.execute_script("document.getElementById('augmentation').open = true")
    assert not shown(page)
    page.find_element(By.ID, "option-rotate-on").click()
    page.until(lambda: shown(page))
    assert "rotate=12" in page.current_url
    ending = "each as it is, then nine ways in which it may arrive"
    page.until(f"{CHANGED}.getAttribute('aria-label').endsWith('{ending}')")
    before = shown(page)
    page.find_element(By.ID, "option-rotate").send_keys(Keys.END)
    page.until(lambda: shown(page) != before)
    assert "rotate=45" in page.current_url
    before = shown(page)
    page.click("Again")
    page.until(lambda: shown(page) != before)
    page.find_element(By.ID, "option-rotate-on").click()
    page.until(lambda: not shown(page))
    assert "rotate" not in page.current_url
    assert not page.find_element(By.ID, "option-rotate").is_enabled()


NAMES = ["blue", "green", "red"]


def disc(rng, name):
    """A disc of a colour on white, 64 x 64, at any place and of any size, as a PNG."""
    rows, columns = np.mgrid[:64, :64]
    radius = rng.uniform(8, 20)
    y, x = rng.uniform(radius, 64 - radius, 2)
    inside = (rows - y) ** 2 + (columns - x) ** 2 < radius**2
    shade = np.full(3, rng.integers(0, 60))
    shade[["red", "green", "blue"].index(name)] = rng.integers(150, 256)
    pixels = np.where(inside[..., None], np.uint8(shade), np.uint8(255))
    lines = b"".join(b"\0" + line.tobytes() for line in pixels)

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(lines)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def colours(path):
    rng, target = np.random.default_rng(1), io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for index in range(120):
            name = NAMES[index % 3]
            archive.writestr(f"{name}/{index}.png", disc(rng, name))
    path.write_bytes(target.getvalue())
    return path


LONG = ["a dog that sleeps on the sofa at noon", "Hundefutterverpackungsfabrik", "W" * 40]


def texts(page, selector):
    script = "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)"
    return page.execute_script(script, selector)


def test_names_of_classes_stay_on_the_screen_however_long_they_are(page, tmp_path):
    page.execute_script("location.hash = ''")
    target, rng = tmp_path / "long.zip", np.random.default_rng(1)
    with zipfile.ZipFile(target, "w") as archive:
        for index in range(60):
            archive.writestr(f"{LONG[index % 3]}/{index}.png", disc(rng, NAMES[index % 3]))
    give(page, target)
    page.until(lambda: taken(page, "long.zip", 3))
    page.click("Try a test image")
    page.until(lambda: page.output("prediction") in LONG)
    shown = page.execute_script(
        "const box = document.querySelector('.digit').getBoundingClientRect();"
        "return [box.width, box.height]"
    )
    assert min(shown) > 15, "a part of the name"
    for width in (320, 360, 768, 1440):
        screen.resize(page, width, 800)
        assert page.execute_script(screen.TOO_WIDE) == []
        assert page.execute_script("return document.documentElement.scrollWidth") <= width
    screen.restore(page)


@pytest.mark.promise("The page: data", "Pictures in their colours and size, classes by name")
def test_discs_of_three_colours_are_learned_and_named(page, tmp_path):
    page.execute_script("location.hash = ''")
    give(page, colours(tmp_path / "colours.zip"))
    page.until(lambda: taken(page, "colours.zip", 3))
    assert count(page) == "colours.zip: 102 + 18 images"
    assert form(page) == "64 3"
    rgba = page.execute_script(
        "const c = document.getElementById('samples');"
        "return [c.width, [...c.getContext('2d').getImageData(0, 0, 64, 64).data]]"
    )
    assert rgba[0] == 15 * 64
    assert len({tuple(rgba[1][i : i + 3]) for i in range(0, len(rgba[1]), 4)}) >= 2
    assert max(max(rgba[1][i : i + 3]) - min(rgba[1][i : i + 3]) for i in range(0, 16384, 4)) > 90
    assert texts(page, "#bars b") == NAMES
    assert texts(page, "#correct button") == NAMES
    assert texts(page, "#summary tbody td:nth-child(2)")[0] == "62 × 62 × 8"
    assert texts(page, "#summary tbody td:nth-child(2)")[-1] == "3"
    page.click("Train")
    page.wait_for_phase("training")

    def outcome():
        ended = page.phase != "training"  # asked first: the figure after it is the last one
        return "learned" if page.number("val_accuracy") >= 95 else ended and "ended"

    assert page.until(outcome) == "learned", "within the 20 epochs that are offered"
    page.execute_script("document.getElementById('stop').click()")  # if it has not ended by itself
    page.wait_for_phase("ready")
    page.click("Try a test image")
    page.until(lambda: page.output("prediction") in NAMES)
    assert texts(page, "#draw-note")[0].removeprefix("A test image: it is a ")[:-1] in NAMES
    page.click("Analyse")
    page.until("document.querySelectorAll('#profile tr').length > 1")
    assert texts(page, "#confusion thead th") == NAMES
    assert texts(page, "#per-class tr > th[scope=row]") == NAMES
    page.until(lambda: texts(page, "#glance-images li span"))
    assert {words.split()[0] for words in texts(page, "#glance-images li span")} <= set(NAMES)
    Select(page.find_element(By.ID, "data-form")).select_by_value("28 1")
    page.until(lambda: said(page) == "The pictures are 28 × 28, grey now.")
    assert texts(page, "#summary tbody td:nth-child(2)")[0] == "26 × 26 × 8"
    restored(page)
    page.until(lambda: texts(page, "#bars b") == list("0123456789"))
    page.until(lambda: said(page) == "The data are MNIST again.")
