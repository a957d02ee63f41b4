"""What members of a team exchange below Python (line.js), run by node."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import farcall
import pytest

LINE = Path(farcall.__file__).parent / "workers" / "teams" / "line.js"
SCRIPT = """
const make = eval(require("node:fs").readFileSync(process.argv[1], "utf8"));
const heaps = [0, 1].map(() => ({HEAPU8: new Uint8Array(64)}));
const [one, other] = heaps.map(make);
const memory = one.reserve(2, 8);
const meetings = [one.meeting(memory, 0, 2, 8), other.meeting(memory, 1, 2, 8)];
const leave = (member, turn) => {
  heaps[member].HEAPU8.fill(10 * turn + member, 0, 8);
  meetings[member].meet(turn, 0, 8, 16, 0);
};
const read = (turn) => { meetings[0].read(1, turn, 32, 8); return heaps[0].HEAPU8[35]; };
"""


def ran(script: str) -> object:
    command = ["node", "-e", f"{SCRIPT}{script}", str(LINE)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert not found.returncode, found.stderr
    return json.loads(found.stdout)


@pytest.mark.parametrize(
    ("turn", "came"),
    [(4, False), (5, True), (6, True), (7, False), (5 + 16, False)],
)
def test_a_member_has_come_to_this_exchange_or_the_next_but_not_to_one_after_the_team_formed_again(
    turn, came
):
    """One that is further has formed the team again: its array is no part of this sum."""
    assert ran(f"leave(1, {turn}); console.log(meetings[0].came(5, 1, 1));") is came


def test_an_array_is_there_until_its_member_came_to_the_exchange_after_the_next():
    found = ran("leave(1, 5); const a = read(5); leave(1, 6);"
                "console.log(JSON.stringify([a, read(5), read(6)]));")  # fmt: skip
    assert found == [51, 51, 61]


PORTS = """
const heard = [], ends = new MessageChannel();
const a = one.line(ends.port1, () => {}, () => {});
const b = other.line(ends.port2, (text) => heard.push(text), (term) => heard.push(term));
const ended = (found) => { console.log(JSON.stringify(found)); process.exit(); };
const until = (condition, then) => condition() ? then() : setImmediate(until, condition, then);
"""


def test_an_exchange_copies_the_array_of_the_only_other_once_it_came():
    found = ran("""
const meet = () => {
  heaps[0].HEAPU8.fill(0);
  const came = meetings[0].meet(5, 0, 8, 32, 1, 1);
  return [came, heaps[0].HEAPU8[35]];
};
const early = meet();
leave(1, 5);
console.log(JSON.stringify([early, meet()]));""")
    assert found == [[False, 0], [True, 51]]


def test_an_array_may_be_dropped_and_one_of_another_length_is_refused():
    found = ran(
        PORTS
        + """
heaps[0].HEAPU8.fill(1, 0, 8); a.put(1, 0, 8);
heaps[0].HEAPU8.fill(2, 0, 8); a.put(2, 0, 8); a.put(2, 0, 4);
until(() => heard.length === 3, () => ended([
  heard, b.drop() ?? b.fetch(16, 8), heaps[1].HEAPU8[20], b.fetch(16, 8),
]));"""
    )
    assert found == [[1, 2, 2], True, 2, False]


def test_a_buffer_goes_back_as_the_array_that_is_sent_and_not_beside_it():
    found = ran(
        PORTS
        + """
const buffers = [];
const post = MessagePort.prototype.postMessage;
ends.port2.postMessage = function (message, moved) {
  buffers.push(moved.length); return post.call(this, message, moved);
};
a.put(1, 0, 8);
until(() => heard.length === 1, () => {
  b.fetch(0, 8); b.put(1, 0, 8); b.put(1, 0, 8); ended(buffers);
});"""
    )
    assert found == [1, 1]


@pytest.mark.parametrize(("size", "back"), [(2**23, 2), (2**23 + 8, 1)])
def test_the_buffer_of_a_large_message_is_kept_by_nobody(size, back):
    found = ran(
        PORTS
        + f"""
const buffers = [];
const post = MessagePort.prototype.postMessage;
ends.port2.postMessage = function (message, moved) {{
  buffers.push(moved.length); return post.call(this, message, moved);
}};
a.send("data", {size}, 0, 0, 8);
until(() => heard.length === 1, () => {{ b.put(1, 0, 8); ended(buffers[0]); }});"""
    )
    assert found == back
