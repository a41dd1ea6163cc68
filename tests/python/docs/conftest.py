"""What a page's commands find: `windlass local`, a directory with the files that they name, and a service `shop` that
has had three releases."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

from processes import ROOT, eventually
from world import binary

HERE = pathlib.Path(__file__).parent
# The first release's digest begins with what docs/strategies.md goes back to.
RELEASES = {"1.0.0": "3f1c", "1.1.0": "", "1.2.0": ""}


class Account:
    """An embedded AWS, and a person's shell in it."""

    def __init__(self, world, directory):
        self.directory = directory
        here = [HERE / "bin", pathlib.Path(binary()).parent, pathlib.Path(sys.executable).parent]
        self.environment = {
            **os.environ,
            **world.variables,
            "PATH": os.pathsep.join([*map(str, here), os.environ["PATH"]]),
            "WINDLASS_ACTOR": "ada",
            "NO_COLOR": "1",
            "REGISTRY": world.registry,
            "LOAD_BALANCER": world.alb,
        }
        for path in ROOT.iterdir():
            if not path.name.startswith(".") and path.name != "target":
                (directory / path.name).symlink_to(path)
        # Copies: a page's command may write them.
        for path in (HERE / "files").iterdir():
            shutil.copy(path, directory)

    def shell(self, script, timeout=120):
        return subprocess.run(
            ["bash", "-c", script],
            capture_output=True, text=True, timeout=timeout, env=self.environment, cwd=self.directory, stdin=subprocess.DEVNULL,
        )

    def must(self, script):
        done = self.shell(f"set -euo pipefail\n{script}")
        assert done.returncode == 0, f"{script}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def release_shop(self):
        """What the pages' service has behind it."""
        self.must("windlass apply shop.yaml")
        for tag, begins in RELEASES.items():
            self.must(f"push shop {tag} {begins}")
            self.live("main/shop", tag)

    def live(self, service, tag):
        seen = {}

        def check():
            told = json.loads(self.must("windlass status --json"))["services"]
            seen["last"] = [one for one in told if one["service"] == service]
            return any((one["state"], one["tag"]) == ("live", tag) for one in seen["last"])

        eventually(f"{service} is live with {tag}", check, 60, lambda: seen)
