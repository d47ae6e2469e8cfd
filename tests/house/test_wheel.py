"""What a person receives who installs fanin."""

import email
import subprocess
import sys
import tomllib
import zipfile
from email.message import Message
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "-d", str(folder)]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return email.message_from_bytes(wheel.read(name))


def test_wheel_holds_the_package_and_nothing_else(wheel: zipfile.ZipFile, root: Path) -> None:
    inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
    package = {
        path.relative_to(root / "src").as_posix()
        for path in (root / "src/fanin").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert inside == package
    assert "fanin/py.typed" in inside


def test_wheel_carries_licence_and_command(wheel: zipfile.ZipFile) -> None:
    names = {name.partition(".dist-info/")[2] for name in wheel.namelist()}
    assert "licenses/LICENSE" in names
    (entry_points,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert "fanin = fanin.cli.main:main" in wheel.read(entry_points).decode()


def test_all_means_every_extra(metadata: Message) -> None:
    needs: dict[str, set[str]] = {name: set() for name in metadata.get_all("Provides-Extra", [])}
    for line in metadata.get_all("Requires-Dist", []):
        library, _, condition = line.partition("; ")
        if condition:
            needs[condition.split("'")[1]].add(library)
    everything = needs.pop("all")
    assert set(needs) == {"jax", "ray", "report", "study", "torch"}
    assert everything == set[str]().union(*needs.values())


def test_one_version_everywhere(metadata: Message, root: Path) -> None:
    version = metadata["Version"]
    assert tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"] == version
    assert f"version: {version}\n" in (root / "CITATION.cff").read_text()
    assert f"## {version}" in (root / "CHANGELOG.md").read_text()
