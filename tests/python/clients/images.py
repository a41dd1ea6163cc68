"""OCI images made by hand: a layout with one small layer, its labels in the config blob."""

import gzip
import hashlib
import io
import json
import subprocess
import tarfile

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


class Layout:
    """An OCI image layout in a directory."""

    def __init__(self, path):
        self.path = path
        (path / "blobs/sha256").mkdir(parents=True)
        (path / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))

    def blob(self, content, media_type, **more):
        digest = hashlib.sha256(content).hexdigest()
        (self.path / "blobs/sha256" / digest).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content), **more}

    def image(self, content, labels, architecture="amd64"):
        """A manifest whose only file holds `content`."""
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w") as archive:
            entry = tarfile.TarInfo("content")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        layer = gzip.compress(tar.getvalue(), mtime=0)
        config = {
            "architecture": architecture,
            "os": "linux",
            "config": {"Labels": labels, "Cmd": ["/content"]},
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(tar.getvalue()).hexdigest()]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.blob(json.dumps(config).encode(), CONFIG),
            "layers": [self.blob(layer, LAYER)],
        }
        platform = {"architecture": architecture, "os": "linux"}
        return self.blob(json.dumps(manifest).encode(), MANIFEST, platform=platform)

    def index(self, images):
        return self.blob(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": images}).encode(), INDEX)

    def name(self, descriptor, tag):
        named = {**descriptor, "annotations": {"org.opencontainers.image.ref.name": tag}}
        (self.path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))


def push(directory, world, repository, tag, labels=None, architectures=("amd64",)):
    """Makes an image and copies it into the registry with skopeo. Gives the digest under the tag."""
    layout = Layout(directory)
    labels = {"sim.body": f"{repository}:{tag}", **(labels or {})}
    made = [layout.image(f"{repository}:{tag}:{a}".encode(), labels, a) for a in architectures]
    top = made[0] if len(made) == 1 else layout.index(made)
    layout.name(top, tag)
    target = f"docker://{world.registry}/{repository}:{tag}"
    command = ["skopeo", "copy", "--quiet", "--dest-tls-verify=false", "--dest-no-creds", f"oci:{directory}:{tag}", target]
    if len(made) > 1:
        command.insert(2, "--all")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return top["digest"]
