"""Classes made on the page: by camera, files and drawing, trained, and answered live."""

import base64

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select

from tests.support import screen
from tests.support.drop import MIDDLE, drop_paths
from tests.support.pad import draw

pytestmark = pytest.mark.light


@pytest.fixture(scope="module")
def page(module_site, open_module_page):
    page = open_module_page(module_site.url + "#preset=small&batch=32&epochs=6")
    page.wait_for_phase("ready")
    page.execute_script("document.getElementById('drop').closest('details').open = true")
    page.click("Make classes here")
    page.until("document.querySelectorAll('.class').length === 2")
    return page


def said(page):
    return page.execute_script("return document.getElementById('status').textContent")


def counts(page):
    """Pictures of each class, as its card says and as it has thumbnails."""
    found = page.execute_script(
        "return [...document.querySelectorAll('.class')].map((c) => "
        "[parseInt(c.querySelector('small').textContent), c.querySelectorAll('canvas').length])"
    )
    assert all(said == shown for said, shown in found)
    return [said for said, _ in found]


def name(page, index, words):
    field = page.find_elements(By.CSS_SELECTOR, ".class input")[index]
    field.clear()
    field.send_keys(words, "\t")
    return field


DESCRIPTION = """
const [field] = arguments;
return document.getElementById(field.getAttribute("aria-describedby")).textContent;
"""


def wrong(page, index):
    return page.execute_script(
        f"return document.querySelectorAll('.class .wrong')[{index}].textContent"
    )


def texts(page, selector):
    script = "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)"
    return page.execute_script(script, selector)


def loaded(site, word):
    """Whether a file was asked for whose path has this word."""
    return any(word in request.path for request in site.requests)


def press(page, index, words):
    page.execute_script(
        f"[...document.querySelectorAll('.class')[{index}].querySelectorAll('button')]"
        f".find((b) => b.textContent === '{words}').click()"
    )


def drop(page, index, files):
    """Drop files (bytes by name) on a class."""
    packed = {name: base64.b64encode(body).decode() for name, body in files.items()}
    page.execute_script(
        """const data = new DataTransfer();
        for (const [name, body] of Object.entries(arguments[0]))
          data.items.add(new File([Uint8Array.from(atob(body), (c) => c.charCodeAt(0))], name));
        const card = document.querySelectorAll(".class")[arguments[1]];
        card.dispatchEvent(new DragEvent("drop", {dataTransfer: data, cancelable: 1, bubbles: 1}));
        """,
        packed,
        index,
    )


def picture(page):
    """A photograph, as far as the page can tell: a PNG of 40 x 30 pixels, in colour."""
    address = page.execute_script(
        """const canvas = document.createElement("canvas"), ink = canvas.getContext("2d");
        canvas.width = 40; canvas.height = 30;
        ink.fillStyle = "white"; ink.fillRect(0, 0, 40, 30);
        ink.fillStyle = "black"; ink.fillRect(16, 2, 4, 26);
        return canvas.toDataURL()"""
    )
    return base64.b64decode(address.split(",")[1])


# The header of a PNG of 20,000 x 20,000 pixels.
HUGE = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR" + 2 * (20_000).to_bytes(4, "big")
# A busy machine records more before the driver lets go, and of many more than the other class has a
# network learns the larger class first.
SURPLUS = """
for (const one of [...document.querySelector(".thumbs").children].slice(12))
  one.dispatchEvent(new MouseEvent("dblclick", { bubbles: true }));
"""
TRACKS = "document.querySelector('video.live').srcObject.getTracks()"


@pytest.mark.promise("The page: data", "Classes made on the page, by camera, drawing and files")
def test_a_class_gets_its_name_and_its_pictures(page, tmp_path):
    name(page, 0, "scene")
    name(page, 1, "scene")
    page.until(lambda: wrong(page, 1) == "There is a class scene already.")
    field = page.find_elements(By.CSS_SELECTOR, ".class input")[1]
    assert field.get_attribute("aria-invalid") == "true"
    assert "already" in page.execute_script(DESCRIPTION, field)
    name(page, 1, "ink")
    page.until(lambda: wrong(page, 1) == "")
    assert field.get_attribute("aria-invalid") == "false"
    button = page.find_element(By.CSS_SELECTOR, ".class .record")
    ActionChains(page).click_and_hold(button).perform()
    page.until(lambda: counts(page)[0] >= 12)
    ActionChains(page).release().perform()
    page.until("!document.querySelector('.record[data-on]')")
    page.execute_script(SURPLUS)
    page.until(lambda: counts(page)[0] == 12)
    press(page, 1, "Draw")
    for number in range(1, 6):
        draw(page)
        page.click("Keep as ink")
        page.until(lambda number=number: counts(page)[1] == number)
    page.click("Done")
    drop(page, 1, {"one.png": picture(page), "two.png": picture(page)})
    page.until(lambda: counts(page)[1] == 7)
    (tmp_path / "three.png").write_bytes(picture(page))
    page.execute_script("HTMLInputElement.prototype.click = () => {}")  # no dialog of files
    press(page, 1, "Files")
    page.find_element(By.ID, "own-files").send_keys(str(tmp_path / "three.png"))
    page.until(lambda: counts(page)[1] == 8)
    drop(page, 1, {"diary.txt": b"Dear diary"})
    page.until(lambda: wrong(page, 1).startswith("diary.txt is no picture"))
    drop(page, 1, {"huge.png": HUGE})
    page.until(lambda: wrong(page, 1).startswith("huge.png cannot be read: 20,000 × 20,000 pixels"))
    drop(page, 1, {"logo.svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>'})
    unread = "logo.svg is no picture that can be read: expected .png, .jpg, "
    page.until(lambda: wrong(page, 1).startswith(unread))
    assert counts(page)[1] == 8


def double_click(page, element):
    """Press twice, the second time as the second of a double click: the driver takes two presses
    that came half a second apart, as on a busy machine, for two clicks."""
    x, y = page.execute_script(MIDDLE, element)
    for count in (1, 2):
        for kind in ("mousePressed", "mouseReleased"):
            event = {"type": kind, "x": x, "y": y, "button": "left", "clickCount": count}
            page.execute_cdp_cmd("Input.dispatchMouseEvent", event)


# The first picture of many, and the next one under it: whether it hides a part of the first.
HIDDEN = """
const list = document.querySelectorAll(".thumbs")[1], [first] = list.children;
const copies = Array.from({ length: 200 }, () => first.cloneNode(true));
list.append(...copies);
const { left, bottom } = first.getBoundingClientRect();
const below = copies.find((one) => one.getBoundingClientRect().left === left);
const hidden = below.getBoundingClientRect().top < bottom;
for (const one of copies) one.remove();
return hidden;
"""


def test_the_pictures_of_a_class_do_not_hide_each_other_however_many_there_are(page):
    assert not page.execute_script(HIDDEN)


def test_a_double_click_deletes_one(page):
    before = counts(page)
    picture_of = page.find_element(By.CSS_SELECTOR, ".class:nth-child(2) .thumbs button")
    double_click(page, picture_of)
    page.until(lambda: counts(page) == [before[0], before[1] - 1])
    page.click("Undo")
    page.until(lambda: counts(page) == before)
    double_click(page, page.button("Delete scene"))
    page.until(lambda: counts(page) == [before[1]])
    page.click("Undo")
    page.until(lambda: counts(page) == before)
    assert page.execute_script("return document.getElementById('failure').hidden")


@pytest.mark.promise("The page: data", "What is deleted of them comes back by Undo")
def test_a_deleted_picture_and_a_deleted_class_come_back(page):
    before = counts(page)
    page.execute_script("document.querySelector('.class:nth-child(2) .thumbs button').click()")
    page.until(lambda: counts(page) == [before[0], before[1] - 1])
    page.click("Delete scene")
    page.until(lambda: counts(page) == [before[1] - 1])
    page.click("Undo")
    page.until(lambda: counts(page) == [before[0], before[1] - 1])
    page.click("Undo")
    page.until(lambda: counts(page) == before)
    names = "return [...document.querySelectorAll('.class input')].map((field) => field.value)"
    assert page.execute_script(names) == ["scene", "ink"]
    assert not page.button("Undo").is_enabled()


def test_the_focus_stays_where_it_was_when_pictures_come(page):
    before = counts(page)
    press(page, 1, "Files")
    script = "[...document.querySelectorAll('.class:nth-child(2) button')].at(-1).focus()"
    page.execute_script(script)
    drop(page, 1, {"five.png": picture(page)})
    page.until(lambda: counts(page)[1] == before[1] + 1)
    assert page.execute_script("return document.activeElement.textContent") == "Files"
    page.execute_script("document.querySelector('.class:nth-child(2) .thumbs button').click()")
    page.until(lambda: counts(page) == before)
    labels = "[...document.querySelectorAll('.class .quiet')].map((b) => b.ariaLabel).join()"
    for words in ("view", "scene"):
        name(page, 0, words)
        page.until(f"{labels} === 'Delete {words},Delete ink'")


@pytest.mark.promise("The page: data", "Trained, they are answered live from the camera")
def test_classes_are_trained_and_answered(page):
    page.click("Add a class")
    page.until(lambda: len(counts(page)) == 3)
    page.click("Train")
    page.until(lambda: said(page) == "3 pictures of each class at least: class 1 has 0.")
    page.click("Delete class 1")
    page.until(lambda: len(counts(page)) == 2)
    page.click("Train")
    page.wait_for_phase("training")
    page.wait_for_phase("ready")
    assert said(page).startswith("Done: epoch 6 of 6")
    assert said(page).endswith("Hold something in front of the camera.")
    bars = "return [...document.querySelectorAll('#bars b')].map((bar) => bar.textContent)"
    assert page.execute_script(bars) == ["scene", "ink"]
    menu = Select(page.find_element(By.ID, "data-set"))
    assert menu.first_selected_option.text == "Your own data"
    page.until(lambda: page.output("prediction") == "scene")
    page.until("/^[0-9]+ a second$/.test(document.getElementById('own-rate').textContent)")


KEPT = """
const done = arguments[0], opened = indexedDB.open("farcall");
opened.onsuccess = () => {
    const rows = opened.result.transaction("classes").objectStore("classes").count();
    rows.onsuccess = () => { opened.result.close(); done(rows.result); };
};
"""


def kept(page):
    """Pictures that the browser keeps, beside the row that lists them."""
    return page.execute_async_script(KEPT) - 1


# How many bars there are, and how many names reach into the next, were all classes called so.
COVERED = """
const names = [...document.querySelectorAll("#bars b")];
const former = names.map((name) => name.textContent);
for (const name of names) name.textContent = "Donaudampfschifffahrt und mehr davon";
const boxes = names.map((name) => name.getBoundingClientRect());
names.forEach((name, i) => { name.textContent = former[i]; });
return [names.length, boxes.slice(1).filter((box, i) => box.top < boxes[i].bottom - 1).length];
"""


def test_long_names_of_classes_do_not_cover_each_other(page):
    for size in ((1024, 768), (1280, 1000), (360, 740)):
        screen.resize(page, *size)
        assert page.execute_script(COVERED) == [2, 0]
    screen.restore(page)


DIRECTION = """
const field = document.querySelector(".class input"), former = field.value;
field.value = arguments[0];
const { direction } = getComputedStyle(field);
field.value = former;
return direction;
"""


def test_a_name_is_written_in_its_own_direction(page):
    for words, direction in (("cat", "ltr"), ("חתול", "rtl"), ("قطة", "rtl")):
        assert page.execute_script(DIRECTION, words) == direction


@pytest.mark.promise("The page: data", "Classes are kept over a reload until they are deleted")
def test_a_reload_brings_back_the_classes_and_what_was_learned_of_them(page):
    before = counts(page)
    page.until(lambda: kept(page) == sum(before))
    page.click("Delete all")
    page.until(lambda: counts(page) == [0, 0])
    page.until(lambda: kept(page) == 0)
    page.click("Undo")
    page.until(lambda: counts(page) == before)
    page.until(lambda: kept(page) == sum(before))
    page.refresh()
    page.wait_for_phase("ready")
    page.until(lambda: counts(page) == before)  # they are read from the browser's store
    names = "return [...document.querySelectorAll('.class input')].map((field) => field.value)"
    assert page.execute_script(names) == ["scene", "ink"]
    page.until(lambda: "What it had learned is back." in page.text)
    page.click("Start the camera")
    page.until(lambda: page.output("prediction") == "scene")


@pytest.mark.promise("The page: data", "Ten pictures a class are enough with features")
def test_a_network_trained_before_looks_and_one_layer_learns_from_it(page, module_site):
    Select(page.find_element(By.ID, "own-network")).select_by_value("features")
    page.until(lambda: "ten are enough" in said(page))
    assert not loaded(module_site, "efficientnet")
    page.change("option-epochs", 40)  # a step each: six were too few for some scenes
    page.click("Train")
    page.wait_for_phase("training")
    page.wait_for_phase("ready")
    page.change("option-epochs", 6)
    assert "Done: epoch 40 of 40" in said(page)
    assert loaded(module_site, "efficientnet")
    assert texts(page, "#summary td") == ["2", "2,562", "2,562"], "1,280 weights for each class"
    assert page.number("val_accuracy") == 100
    page.until("/^[0-9]+ a second$/.test(document.getElementById('own-rate').textContent)")
    page.until(lambda: page.output("prediction") == "scene")
    page.click("Analyse")
    page.until("document.querySelectorAll('#profile tr').length > 1")


@pytest.mark.promise("The page: data", "Trained, they are answered live from the camera")
def test_the_camera_stops_when_the_mode_is_left(page):
    page.execute_script(f"globalThis.tracks = {TRACKS}")
    page.change("option-epochs", 100)  # a run that is not over before it is paused
    page.click_in("training", "Pause")
    page.execute_script("document.getElementById('train').click()")
    page.wait_for_phase("paused")
    page.change("option-epochs", 6)
    page.click("Back to digits")
    page.until(lambda: said(page) == "Stop the training first.")
    assert page.find_element(By.ID, "own").is_displayed()
    page.click("Stop")
    page.wait_for_phase("ready")
    page.click("Back to digits")
    page.until("globalThis.tracks.every((track) => track.readyState === 'ended')")
    assert not page.find_element(By.ID, "own").is_displayed()
    assert page.find_element(By.ID, "pad").is_displayed()
    page.until(lambda: said(page) == "The data are MNIST again.")
    bars = "return [...document.querySelectorAll('#bars b')].map((bar) => bar.textContent)"
    assert page.execute_script(bars) == list("0123456789")
    page.until("document.getElementById('preset').value === 'small'")
    page.until("location.hash === '#preset=small&batch=32&epochs=6'")


def test_a_reload_brings_back_a_network_of_features(page):
    page.execute_script("document.getElementById('own-open').click()")
    page.until(lambda: said(page).startswith("Give each class some pictures"))
    page.click("Train")
    page.wait_for_phase("training")
    page.wait_for_phase("ready")
    page.refresh()
    page.wait_for_phase("ready")
    page.until(lambda: "What it had learned is back." in page.text)
    page.until(lambda: texts(page, "#summary td") == ["2", "2,562", "2,562"])
    assert page.execute_script("return document.documentElement.dataset.network") == "right"
    page.click("Start the camera")
    page.until(lambda: page.output("prediction") == "scene")
    page.execute_script("document.getElementById('train').click()")
    page.wait_for_phase("training")
    page.wait_for_phase("ready")
    page.until(lambda: "Done: epoch 6 of 6" in said(page))


def test_the_way_back_to_digits_leads_to_the_network_before_the_reload_too(page):
    page.click("Back to digits")
    page.until(lambda: said(page) == "The data are MNIST again.")
    page.until("document.getElementById('preset').value === 'small'")
    page.until("location.hash === '#preset=small&batch=32&epochs=6'")


def test_another_worker_begins_with_a_network_that_reads_its_digits(page):
    page.execute_script("document.getElementById('own-open').click()")
    page.until(lambda: said(page).startswith("Give each class some pictures"))
    page.execute_script("document.querySelector('script[name=engine]').xworker.terminate()")
    page.wait_for_phase("error")
    page.click("Restart the worker")
    page.wait_for_phase("ready")
    assert page.execute_script("return document.documentElement.dataset.network") == "right"
    assert sum(counts(page)), "the classes are kept"
    page.click("Train")
    page.wait_for_phase("training")
    page.wait_for_phase("ready")
    page.until(lambda: "Done: epoch 6 of 6" in said(page))


def test_what_can_be_read_of_files_and_folders_becomes_pictures(page, tmp_path):
    before = counts(page)[1]
    drop(page, 1, {"four.png": picture(page), "diary.txt": b"Dear diary"})
    left = "Left out, 1 of 2 files: diary.txt. diary.txt is no picture"
    page.until(lambda: wrong(page, 1).startswith(left))
    assert counts(page)[1] == before + 1
    (tmp_path / "deep" / "empty").mkdir(parents=True)
    for path in ("three.png", "deep/four.png", ".DS_Store", "deep/Thumbs.db"):
        (tmp_path / path).write_bytes(picture(page))
    drop_paths(page, page.find_elements(By.CSS_SELECTOR, ".class")[1], tmp_path)
    page.until(lambda: counts(page)[1] == before + 3)
    assert wrong(page, 1) == ""
    empty = tmp_path / "deep" / "empty"
    drop_paths(page, page.find_elements(By.CSS_SELECTOR, ".class")[1], empty)
    page.until(lambda: wrong(page, 1) == "There is no file in it.")


def mode(page):
    return page.execute_script("return document.documentElement.dataset.mode ?? 'digits'")


def test_a_link_and_other_data_end_the_mode_of_classes(page):
    """Train would go on asking for pictures of the classes."""
    assert mode(page) == "own"
    screen.resize(page, 900, 900)
    wide = "const list = document.getElementById('own'); return list.scrollWidth - list.clientWidth"
    assert page.execute_script(wide) == 0
    screen.restore(page)
    page.execute_script("location.hash = '#preset=small&epochs=1&lesson=first-training'")
    page.until(lambda: mode(page) == "digits")
    assert page.find_element(By.ID, "pad").is_displayed()
    page.execute_script("document.getElementById('own-open').click()")
    page.until(lambda: said(page).startswith("Give each class some pictures"))
    Select(page.find_element(By.ID, "data-set")).select_by_value("shortcut")
    page.until(lambda: said(page).startswith("MNIST with a shortcut: 10,000"))
    assert mode(page) == "digits"
