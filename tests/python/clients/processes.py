"""Programs that a test session starts and ends: `windlass local` and moto's server."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[3]
REGION = "eu-central-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "tester", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": REGION}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def answers(url):
    try:
        urllib.request.urlopen(url, timeout=5)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def eventually(what, check, seconds=60, saw=lambda: "nothing"):
    """Polls until `check` returns something true; what `saw` tells is in the failure."""
    end = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < end, f"{what}: not within {seconds} s; last: {saw()}"
        time.sleep(0.1)
    return found


@contextlib.contextmanager
def running(command, url, directory, environment=None):
    """Runs `command` until the block ends, once `url` answers; then SIGTERM, and it must end.

    What it says is in `out` and `err` of `directory`.
    """
    out, err = directory / "out", directory / "err"
    with open(out, "wb") as to_out, open(err, "wb") as to_err:
        child = subprocess.Popen(command, stdout=to_out, stderr=to_err, env={**os.environ, **(environment or {})}, cwd=ROOT)
    try:

        def up():
            assert child.poll() is None, f"{command[0]} ended with {child.returncode}:\n{err.read_text()}"
            return answers(url)

        eventually(f"{command[0]} answers on {url}", up)
        yield child
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
        try:
            child.wait(15)
        except subprocess.TimeoutExpired:
            child.kill()
            raise AssertionError(f"{command[0]} did not end within 15 s of SIGTERM") from None
