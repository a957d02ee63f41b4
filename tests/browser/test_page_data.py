"""A user's own data in place of MNIST, and back."""

import base64
import io
import zipfile

import numpy as np
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tools.serve import ROOT

# A picture of 1 x 1, light grey: the smallest that a browser decodes.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


@pytest.fixture(scope="module")
def page(module_site, open_module_page):
    page = open_module_page(module_site.url)
    page.wait_for_phase("ready")
    page.execute_script("document.getElementById('drop').closest('details').open = true")
    return page


def give(page, *paths):
    page.find_element(By.ID, "data-files").send_keys("\n".join(map(str, paths)))


def count(page):
    return page.execute_script("return document.getElementById('data-count').textContent")


def test_a_csv_takes_the_place_of_mnist_and_gives_it_back(page, tmp_path):
    rows = np.random.default_rng(0).integers(0, 256, (70, 785))
    rows[:, 0] = np.arange(70) % 10
    np.savetxt(tmp_path / "own.csv", rows, fmt="%d", delimiter=",")
    give(page, tmp_path / "own.csv")
    page.until(lambda: count(page) == "own.csv: 60 + 10 images")
    page.button("Back to MNIST").click()
    page.until(lambda: count(page) == "MNIST: 60,000 + 10,000 images")


def test_a_zip_of_folders_names_the_classes(page, tmp_path):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for index in range(14):
            archive.writestr(f"{'cat' if index % 2 else 'bee'}/{index}.png", PNG)
    (tmp_path / "pets.zip").write_bytes(target.getvalue())
    give(page, tmp_path / "pets.zip")
    page.until(lambda: count(page) == "pets.zip: 12 + 2 images")
    assert "bee" in page.execute_script("return document.getElementById('classes').innerText")
    page.button("Back to MNIST").click()
    page.until(lambda: count(page).startswith("MNIST: 60,000"))


def hints(page):
    script = "return [...document.querySelectorAll('#data-hints li')].map((h) => h.innerText)"
    return page.execute_script(script)


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
    assert "training images are copies of others" in copies
    assert "test images are among the training images" in shared
    page.button("Back to MNIST").click()
    page.until(lambda: hints(page) == [])


def drop(page, name, text):
    page.execute_script(
        """const [name, text] = arguments, data = new DataTransfer();
        data.items.add(new File([text], name));
        const zone = document.getElementById("drop");
        for (const kind of ["dragover", "drop"])
          zone.dispatchEvent(new DragEvent(kind, {dataTransfer: data, cancelable: true}));
        """,
        name,
        text,
    )


def test_a_file_may_be_dropped(page):
    rows = np.random.default_rng(1).integers(0, 256, (70, 785))
    rows[:, 0] = np.arange(70) % 10
    drop(page, "dropped.csv", "\n".join(",".join(map(str, row)) for row in rows))
    page.until(lambda: count(page) == "dropped.csv: 60 + 10 images")
    page.button("Back to MNIST").click()
    page.until(lambda: count(page).startswith("MNIST: 60,000"))


def test_a_dropped_file_that_is_no_data_set_is_named_and_changes_nothing(page):
    drop(page, "diary.txt", "Dear diary")
    page.until("!document.getElementById('failure').hidden")
    assert "diary.txt: expected lines of a label and 784 numbers, got none" in page.text
    assert count(page).startswith("MNIST: 60,000")
    page.button("Dismiss").click()


def label(page, identifier):
    return page.execute_script(
        "return document.getElementById(arguments[0]).getAttribute('aria-label')", identifier
    )


def test_the_classes_are_counted(page):
    words = label(page, "classes")
    assert words.startswith("Images of each class: 0: 5923, 1: 6742, 2: 5958")
    assert words.endswith("9: 5949")


def test_a_table_says_the_counts_too(page):
    rows = page.execute_script(
        "return [...document.querySelectorAll('#counts tr')].map((row) => row.textContent)"
    )
    assert rows == ["05,923", "16,742", "25,958", "36,131", "45,842", "55,421", "65,918", "76,265",
                    "85,851", "95,949"]  # fmt: skip


def test_other_samples_are_others(page):
    before = label(page, "samples")
    page.button("Other samples").click()
    page.until(lambda: label(page, "samples") != before)
    assert len(label(page, "samples").split("classes ")[1].split()) == 60


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


def test_the_published_idx_files_are_read(page):
    folder = ROOT / "static" / "vendor" / "mnist"
    give(page, folder / "t10k-images-idx3-ubyte.gz", folder / "t10k-labels-idx1-ubyte.gz")
    page.until(lambda: count(page).endswith("8,571 + 1,429 images"))
    page.button("Back to MNIST").click()
    page.until(lambda: count(page).startswith("MNIST: 60,000"))


def test_a_file_that_is_no_data_set_is_named_and_changes_nothing(page, tmp_path):
    (tmp_path / "notes.csv").write_text("1,2,3\n")
    give(page, tmp_path / "notes.csv")
    page.until("!document.getElementById('failure').hidden")
    assert "notes.csv: expected 785 numbers a line, got 3" in page.text
    assert page.phase == "ready"
    assert count(page).startswith("MNIST: 60,000")
    page.button("Dismiss").click()


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


def code(page):
    return page.execute_script("return document.getElementById('code').textContent")


def test_each_switch_changes_what_is_learned_and_off_gives_it_back(page):
    plain = learned(page, "")
    losses = {learned(page, f"&{change}") for change in ("shift=2", "rotate=12", "noise=15")}
    assert len(losses | {plain}) == 4
    assert "images = nn.data.Augmented(images, 128, noise=0.15, seed=3)" in code(page)
    assert learned(page, "") == plain
    assert "Augmented" not in code(page)
    page.execute_script("location.hash = ''")
    page.until("document.getElementById('subset-value').innerText === '60,000'")


CHANGED = "document.getElementById('changed-samples')"


def shown(page):
    """The preview as it is painted, None while it is hidden."""
    return page.execute_script(f"const c = {CHANGED}; return c.checkVisibility() && c.toDataURL()")


def test_a_switch_shows_what_it_does_to_images(page):
    page.execute_script("document.getElementById('augmentation').open = true")
    assert not shown(page)
    page.find_element(By.ID, "option-rotate-on").click()
    page.until(lambda: shown(page))
    assert "rotate=12" in page.current_url
    words = page.execute_script(f"return {CHANGED}.getAttribute('aria-label')")
    assert words.endswith("each as it is, then nine ways in which it may arrive")
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
