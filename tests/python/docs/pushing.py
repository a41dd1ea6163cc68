"""Pushes a small image, as `docker push` would: pushing.py REPOSITORY TAG [FIRST DIGITS OF THE DIGEST]."""

import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "clients"))

from images import MANIFEST, Layout  # noqa: E402


def with_digest(layout, image, begins):
    """The same image under a manifest whose digest begins so: an annotation is counted up until it does."""
    manifest = json.loads((layout.path / "blobs/sha256" / image["digest"].removeprefix("sha256:")).read_text())
    for n in range(16 ** (len(begins) + 2)):
        text = json.dumps({**manifest, "annotations": {"n": str(n)}}).encode()
        if hashlib.sha256(text).hexdigest().startswith(begins):
            return layout.blob(text, MANIFEST, platform=image["platform"])
    raise SystemExit(f"no digest begins with {begins}")


def main(repository, tag, begins=""):
    with tempfile.TemporaryDirectory() as directory:
        layout = Layout(pathlib.Path(directory))
        image = layout.image(f"{repository}:{tag}".encode(), {"sim.body": f"{repository}:{tag}"})
        layout.name(with_digest(layout, image, begins) if begins else image, tag)
        target = f"docker://{os.environ['REGISTRY']}/{repository}:{tag}"
        command = ["skopeo", "copy", "--quiet", "--dest-tls-verify=false", "--dest-no-creds", f"oci:{directory}:{tag}", target]
        raise SystemExit(subprocess.run(command).returncode)


main(*sys.argv[1:])
