"""`make federation` says what to do where it cannot start, and makes certificates that hold."""

import socket
import ssl
import subprocess
import sys
import threading
from contextlib import ExitStack
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from tests.support.limit import granted
from tools import federation
from tools.serve import ROOT


def test_a_port_that_is_taken_is_named_with_what_to_do(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        command = [sys.executable, "-m", "tools.federation", "--port", str(port)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    wanted = f"federation: cannot listen on port {port}: Address already in use. Choose another"
    assert done.stderr.startswith(wanted)
    assert done.stderr.endswith(f"make federation PORT={port + 1}\n")
    assert done.returncode == 1


def test_a_free_port_is_none_that_the_system_hands_to_another_program_meanwhile():
    """Flower takes seconds to start: one port that was handed out in that time ended a node."""
    ports = {federation.free_port() for _ in range(50)}
    with ExitStack() as stack:
        for port in ports:  # all can be listened on at once
            stack.enter_context(socket.create_server(("127.0.0.1", port)))
        handed = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(50)]
        assert max(ports) < min(server.getsockname()[1] for server in handed)
        assert not ports & {federation.free_port() for _ in range(200)}


def test_without_flower_the_command_that_installs_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(federation, "BIN", tmp_path)
    with pytest.raises(SystemExit, match="Flower is not installed: `make federation` installs it"):
        federation.check(federation.free_port())


def test_a_certificate_is_for_this_machines_names_and_no_other(tmp_path):
    pem, key = federation.certificate(tmp_path, "127.0.0.1")
    assert key.stat().st_mode & 0o077 == 0
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(pem, key)
    trusting = ssl.create_default_context(cafile=pem)
    for name, known in (("127.0.0.1", True), ("localhost", True), ("example.org", False)):
        assert shakes_hands(serving, trusting, name) is known


@pytest.mark.parametrize("lan", [False, True])
def test_the_gateway_shows_the_site_and_nothing_else_of_the_folder(tmp_path, lan, monkeypatch):
    monkeypatch.setattr(federation.secrets, "token_urlsafe", lambda size: "-begins_with_a_dash")
    with federation.Federation(tmp_path / "federation") as running:
        address = urlsplit(federation.publish(running, lan))
        written = [path.name for path in running.folder.iterdir()]
        assert "key.pem" not in written, "once it is read it is gone"
        assert b"<title>" in asked(address.scheme, address.port, "")
        for path in ["Makefile", "tools/serve.py", "%2egit/config", *written]:
            with pytest.raises(HTTPError, match="404"):
                asked(address.scheme, address.port, path)


def asked(scheme, port, path):
    unknown = ssl.create_default_context()
    unknown.check_hostname, unknown.verify_mode = False, ssl.CERT_NONE
    url, limit = f"{scheme}://127.0.0.1:{port}/{path}", granted(20)
    with urlopen(url, timeout=limit, context=unknown) as answer:
        return answer.read()


def shakes_hands(serving, trusting, name):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            connection, _ = server.accept()
            try:
                serving.wrap_socket(connection, server_side=True).close()
            except (ssl.SSLError, OSError):
                connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with (
                socket.create_connection(server.getsockname()) as plain,
                trusting.wrap_socket(plain, server_hostname=name),
            ):
                return True
        except ssl.SSLCertVerificationError:
            return False
        finally:
            thread.join()
