"""Fixtures of the tests of files."""

import os
import shutil
import subprocess

import pytest


@pytest.fixture
def unwritable(tmp_path):
    """A folder nobody may write to. The superuser may write to any folder, but not to a read-only file system."""
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    if not os.access(folder, os.W_OK):
        yield folder
        return
    mount = ["mount", "-t", "tmpfs", "-o", "ro,size=64k", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this user may write to every folder and cannot mount a read-only one")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
