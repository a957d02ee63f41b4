"""`make serve` after set-up: quick, and without network access."""

import os
import resource
import signal
import subprocess

from tests.support.limit import granted
from tools.serve import ROOT

# A proxy that refuses: whoever asks for a package, or for a file elsewhere, fails.
REFUSING = "http://127.0.0.1:9"
NO_NETWORK = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), REFUSING)


def seconds_to_listening():
    """Processor time until it listens, start and end included; what it said.

    That is what it takes on a machine that does nothing else, which a test cannot ask for.
    """
    start = time_of_children()
    process = subprocess.Popen(
        ["make", "serve", "PORT=0"],
        cwd=ROOT,
        env={**os.environ, **NO_NETWORK},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith("serve: http://localhost:"):
            break
    os.killpg(process.pid, signal.SIGTERM)
    process.wait()
    process.stdout.close()
    return time_of_children() - start, "".join(said)


def time_of_children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_a_second_make_serve_listens_within_two_seconds_without_network():
    tries = []
    while len(tries) < 5 and not any(taken < granted(2) for taken, _ in tries):
        tries.append(seconds_to_listening())
    assert all("serve: http://localhost:" in said for _, said in tries), tries
    assert min(taken for taken, _ in tries) < granted(2), tries


def test_help_names_every_public_target():
    help_text = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True).stdout
    for target in ("serve", "test", "bench", "site", "clean"):
        assert f"make {target} " in help_text
