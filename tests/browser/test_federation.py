"""A federation of three under Flower's own SuperLink: the page in Chromium and in Firefox, both
joined by its panel, and a flower-supernode, all with the client app of examples/08-federation.
"""

import asyncio
import json
import re
import sys
from base64 import b64encode

import numpy as np
import pytest
from federation import Fleet
from federation.platform.cpython import CPythonKey, HttpTransport
from federation.server.gateway import Gateway
from nn import kernels
from nn.federated import update_norm

from tests.support.firefox import Firefox
from tests.support.flower import Recorded, images, task
from tests.support.superlink import Server, SuperLink
from tools.serve import ROOT

PLATFORM = ROOT / "py/federation/platform"
ROUNDS, PLACES = 2, range(8)  # rounds; arrays of the network
SUPERNODE = 2  # its share of the images; a tab's is that of its number
RATE = 0.01  # rounding grows little in an epoch
NEAR = 0.03  # of the update's norm: rounding gives 0.004 at most (30 shares), another share 0.27
KEYS = """
const opened = indexedDB.open("federation");
opened.onsuccess = () => {
  const asked = opened.result.transaction("keys").objectStore("keys").getAll();
  asked.onsuccess = () => {
    const keys = asked.result.map((pair) => pair.privateKey);
    window.keys = keys.map((key) => [key.type, key.extractable, key.algorithm.namedCurve]);
  };
};
"""  # no script can read a node's key
# A visit with the key that the tab has: what it finds beside it, and then keeps there.
VISIT = """
const [driver, note] = arguments;
eval(driver)().key("federation").then(async (key) => {
  await key.keep(new TextEncoder().encode(note));
  const hex = (bytes) => [...bytes].map((byte) => byte.toString(16)).join("");
  window.found = [hex(key.public), new TextDecoder().decode(key.note)];
});
"""
# Leave is pressed in the first moment that it can be: the worker is no node yet. What is said from
# then on is kept: the first of it may be gone before a driver asks.
JOIN_AND_LEAVE = """
const join = document.getElementById("join"), leave = document.getElementById("leave");
const state = document.getElementById("federation-state");
globalThis.said = [];
new MutationObserver(() => said.push(state.textContent))
  .observe(state, { childList: true, characterData: true, subtree: true });
new MutationObserver((_, watch) => {
  if (leave.disabled) return;
  watch.disconnect();
  leave.click();
}).observe(leave, { attributeFilter: ["disabled"] });
join.click();
"""

# What a page does while it is closed, kept where the next page of its origin can read it.
WATCHED = """
const kept = (what, value) => localStorage.setItem(`goodbye ${what}`, String(value));
const ask = window.fetch.bind(window);
addEventListener("pagehide", () => kept("hidden", true));
window.fetch = (url, options) => {
  const asked = ask(url, options);
  if (options?.keepalive) {
    kept("asked", url);
    asked.then((answer) => kept("answered", answer.status), (error) => kept("failed", error));
  }
  return asked;
};
"""
ADDED = """
const script = document.createElement("script");
script.textContent = arguments[0];
document.head.append(script);
"""


def show_log(process, text):
    """Write the end of a process's log where pytest shows it if the test has failed."""
    sys.stdout.write(f"{process}:\n{text[-6000:]}\n")


@pytest.fixture
def federation(tmp_path, site):
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    with Recorded(tmp_path / "federation", **threads) as started:
        started.superlink()
        started.gateway("--origin", site.url.rstrip("/"), "--token", "secret")
        yield started
        for process in ("gateway", "superlink"):
            show_log(process, started.log(process))
    assert started._left() == []


@pytest.fixture
def firefox():
    browser = Firefox()
    yield browser
    show_log("Firefox", browser.console_text())
    browser.quit()


@pytest.fixture
def native():
    with kernels.use("numpy"):  # whatever was in use comes back
        kernels.load()
        yield


def text(tab, element):
    return tab.execute_script("return document.getElementById(arguments[0]).innerText", element)


@pytest.mark.promise(
    "The page: drawing and models", "Learn together: the page is a node of a Flower federation"
)
@pytest.mark.light(60_000, 10_000)
@pytest.mark.timeout(240)
@pytest.mark.usefixtures("native")
def test_two_browsers_and_a_supernode_learn_together(federation, site, open_page, firefox):
    federation.supernode(SUPERNODE)
    link = f"{site.url}index.html#join=secret&at=http://127.0.0.1:{federation.door}"
    tabs = [open_page(link), firefox]
    firefox.get(link)
    federation.begin(num_server_rounds=ROUNDS, min_nodes=3, test_images=500, learning_rate=RATE)
    for tab in tabs:
        tab.until("document.getElementById('federation').open && !join.disabled", 90)
        said = text(tab, "federation-leaves")
        assert "53,866 numbers, 215 kB" in said
        assert f"at http://127.0.0.1:{federation.door} gets yours" in said
        assert not [one.path for one in site.requests if "federation.tgz" in one.path]
    tabs[0].execute_script(JOIN_AND_LEAVE)
    tabs[0].until("said.at(-1)?.startsWith('You left. The network stays yours')", 60)
    assert [words[:7] for words in tabs[0].execute_script("return said")].count("Leaving") == 1
    assert not tabs[0].execute_script("return document.getElementById('train').disabled")
    for tab in tabs:
        tab.execute_script("document.getElementById('join').click()")
    found = []
    for number in range(1, ROUNDS + 1):
        tabs[0].until(lambda number=number: federation.recorded(number), 100)
        found.append(federation.recorded(number))
    for number, saved in enumerate(found, 1):
        aggregated_as_flower_does(saved)
        trained_as_without_flower(saved, number)
    right = right_on_own_images(found[-1])
    for tab in tabs:
        rows = "document.getElementById('federation-rounds').rows"
        tab.until(f"{rows}.length === {ROUNDS}", 60)
        shown = tab.execute_script(f"return [...{rows}[{ROUNDS - 1}].cells].map(c => c.innerText)")
        assert shown[:2] == [str(ROUNDS), "3"]
        assert shown[2] in right
        assert tab.execute_script("return document.getElementById('train').disabled")
        tab.execute_script(KEYS)
        tab.until("window.keys?.length", 60)
        assert tab.execute_script("return window.keys") == [["private", False, "P-384"]]
    tabs[0].execute_script("leave.click()")
    tabs[0].until("!document.getElementById('train').disabled", 60)
    assert text(tabs[0], "federation-state").startswith("You left. The network stays yours")
    assert text(tabs[0], "model-note") == f"Trained for {ROUNDS} epochs."
    assert firefox.errors() == []
    firefox.until("document.getElementById('federation-state').innerText.startsWith('Joined.')")
    firefox.until("document.getElementById('federation').hasAttribute('data-goodbye')", 60)
    before = len(goodbyes(federation))
    firefox.execute_script(ADDED, WATCHED)
    firefox.get("about:blank")  # a page that is closed says goodbye, or rounds would wait for it
    try:
        tabs[0].until(
            lambda: "200" in goodbyes(federation)[before:], 60, "the goodbye of a closed page"
        )
    finally:
        kept = goodbye_in(firefox, site)
        show_log("the closed page", str(kept))
    assert kept["goodbye hidden"] == "true"
    assert kept["goodbye asked"].endswith("/deactivate-node")
    assert set(goodbyes(federation)) <= {"200", "412"}


def test_a_tab_finds_its_key_and_the_note_beside_it_again(site, open_page):
    found, driver = [], (PLATFORM / "driver.js").read_text()
    site.replace("visit.html", b'<!doctype html><link rel="icon" href="data:,">')
    tab = open_page("about:blank")
    for note in ("a message in work", "", "another"):
        tab.get(site.url + "visit.html")
        tab.execute_script(VISIT, driver, note)
        tab.until("window.found", 60)
        found.append(tab.execute_script("return window.found"))
    assert len({key for key, _ in found}) == 1
    assert [note for _, note in found] == ["", "a message in work", ""]


# The panel's script in a page of its own, holding a goodbye.
HOLD = """
const [panel, said] = arguments;
document.body.id = "federation";
eval(panel)().hold(said);
"""


async def joined(url):
    """A node's goodbye, as the panel holds it, once the node has joined."""
    fleet = Fleet(HttpTransport(url), CPythonKey())
    await fleet.call("register-node", public_key=fleet.key.public)
    mine = {"public_key": fleet.key.public, "heartbeat_interval": 600.0}
    found = await fleet.call("activate-node", **mine)
    path, body, headers = await fleet.prepared("deactivate-node", node_id=found["node_id"])
    return json.dumps({"url": url + path, "body": b64encode(body).decode(), "headers": headers})


@pytest.mark.soak
def test_the_goodbye_of_a_tab_that_is_closed_arrives(site, firefox):
    """Firefox loses two of three that are sent by `fetch`."""
    site.replace("panel.html", b'<!doctype html><link rel="icon" href="data:,">')
    panel = (ROOT / "py/app/panels/federation.js").read_text()
    superlink = SuperLink()
    gateway = Server(Gateway(superlink.url, [site.url.rstrip("/")]).application())
    try:
        for _ in range(4):
            firefox.get(site.url + "panel.html")
            firefox.execute_script(HOLD, panel, asyncio.run(joined(gateway.url)))
            assert superlink.online()
            firefox.close_tab()
            firefox.until(lambda: superlink.online() == [], 60, "the goodbye of a closed tab")
    finally:
        gateway.close()
        superlink.close()


def goodbye_in(tab, site):
    """What a page that is closed did, by what it kept."""
    tab.get(site.url + "missing")
    return tab.execute_script("return { ...localStorage }")


def goodbyes(federation):
    """What the SuperLink answered to each node that left: 200, or 412 to one that was gone."""
    return re.findall(r"/v1/fleet/deactivate-node \S+ (\d+)", federation.log("superlink"))


def numbers(saved):
    """The number of each reply's share of the images, and the SuperNode's, which is one of them."""
    return [(int(saved[f"node-{place}"]), SUPERNODE) for place in range(3)]


def aggregated_as_flower_does(saved):
    """The mean weighted by examples, summed in the order of arrival, bit for bit."""
    counts = [int(saved[f"count-{number}"]) for number in range(3)]
    for place in PLACES:
        parts = [
            saved[f"reply-{number}-{place}"] * (count / sum(counts))
            for number, count in enumerate(counts)
        ]
        np.testing.assert_array_equal(saved[f"made-{place}"], parts[0] + parts[1] + parts[2])


def trained_as_without_flower(saved, server_round):
    """Each share of the images, trained on from the same weights here, gives one of the replies."""
    config = {"learning-rate": RATE, "epochs": 1, "server-round": server_round}
    sent, data = [saved[f"sent-{place}"] for place in PLACES], images("train")
    near = []
    for number, choices in enumerate(numbers(saved)):
        distances = []
        for choice in choices:
            device = task().Device(task().network(), *task().share(data, choice))
            trained, _ = asyncio.run(device.train(sent, config))
            reply = [saved[f"reply-{number}-{place}"] for place in PLACES]
            distances.append(distance(reply, trained) / distance(trained, sent))
        assert min(distances) < NEAR, distances
        near.append([away < NEAR for away in distances])
    # One in thirty of the drawn numbers has the SuperNode's share: that node may be either.
    assert any(of_supernode for _, of_supernode in near), "one of them is the SuperNode"
    assert sum(not of_number for of_number, _ in near) <= 1, "and no more than one"


def distance(arrays, others):
    return update_norm([one - other for one, other in zip(arrays, others, strict=True)])


def right_on_own_images(saved):
    """The share of its own test images that the shared network reads right, for each node."""
    found, data = set(), images("train")
    for choices in numbers(saved):
        for choice in choices:
            device = task().Device(task().network(), *task().share(data, choice))
            made = [saved[f"made-{place}"] for place in PLACES]
            accuracy = asyncio.run(device.evaluate(made))["accuracy"]
            found.add(f"{100 * accuracy:.1f} %")
    return found
