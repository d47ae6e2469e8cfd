"""The documentation builds, is complete, asks nothing of the network, and its examples run."""

import ast
import doctest
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from fanin.cli.main import app

ROOT = Path(__file__).parents[2]
ROOMS = sorted(path.parent for path in (ROOT / "src/fanin").glob("**/__init__.py"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ASSET = re.compile(
    r"""<(?:script|img|iframe|source|link)\b[^>]*?\b(?:src|href)=["']?((?:https?:)?//[^"'\s>]+)"""
    r"""|(?:@import\s+|url\()["']?((?:https?:)?//[^"')\s]+)"""
)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly from a copy, so that the tree stays as it is."""
    folder = tmp_path_factory.mktemp("docs")
    for name in ("docs", "src", "tools"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("mkdocs.yml", "CHANGELOG.md"):
        shutil.copy(ROOT / name, folder)
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert (folder / "site/index.html").exists()
    return folder / "site"


def public_names(package: Path) -> dict[str, str]:
    """Names that an `__init__` lists, re-exports as themselves or defines, and where they are from.

    Packages inside it are left out: they have names of their own.
    """
    dotted = ".".join(package.relative_to(ROOT / "src").parts)
    names = dict[str, str]()
    for node in ast.walk(ast.parse((package / "__init__.py").read_text("utf-8"))):
        match node:
            case ast.ImportFrom():
                kept = (found.name for found in node.names if found.name == found.asname)
                names |= {name: f"{node.module}.{name}" for name in kept}
            case ast.Assign(targets=[ast.Name("__all__")], value=listed):
                names |= {name: f"{dotted}.{name}" for name in ast.literal_eval(listed)}
            case ast.FunctionDef(name) | ast.ClassDef(name):
                names[name] = f"{dotted}.{name}"
            case _:
                pass
    return {
        name: origin
        for name, origin in names.items()
        if not name.startswith("_") and not (package / name / "__init__.py").exists()
    }


@pytest.mark.parametrize(
    "package", ROOMS, ids=lambda path: path.relative_to(ROOT / "src").as_posix()
)
def test_every_public_name_is_in_the_reference(site: Path, package: Path) -> None:
    dotted = ".".join(package.relative_to(ROOT / "src").parts)
    pages = "".join(path.read_text("utf-8") for path in (site / "reference").rglob("*.html"))
    # A function in a module of its own name is found where it is defined only.
    missing = {
        name
        for name, origin in public_names(package).items()
        if f'id="{dotted}.{name}"' not in pages and f'id="{origin}"' not in pages
    }
    assert missing == set(), f"they need docstrings, and a place in docs/reference ({dotted})"


def test_the_check_sees_names() -> None:
    names = public_names(ROOT / "src/fanin/draws")
    assert names["Normal"] == "fanin.draws.laws.Normal"
    assert "sample" in names


def test_the_menu_lists_every_page_and_no_other() -> None:
    listed = re.findall(
        r"^ +- .*: (\S+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE
    )
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert set(listed) == pages


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    fetched = {
        f"{path.relative_to(site).as_posix()}: {next(filter(None, match.groups()))}"
        for path in site.rglob("*")
        if path.suffix in {".html", ".css"}
        for match in ASSET.finditer(path.read_text("utf-8"))
    }
    assert fetched == set()


def test_the_check_sees_fetches() -> None:
    page = '<link rel=stylesheet href=https://a.example/x.css><script src="//b.example/y.js">'
    assert [next(filter(None, match.groups())) for match in ASSET.finditer(page)] == [
        "https://a.example/x.css",
        "//b.example/y.js",
    ]
    assert ASSET.search("@font-face { src: url('https://c.example/z.woff2') }")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_examples_run(page: Path) -> None:
    text = page.read_text("utf-8")
    session = "\n".join(block for kind, block in FENCE.findall(text) if kind == "pycon")
    test = doctest.DocTestParser().get_doctest(session, {}, page.name, str(page), 0)
    runner = doctest.DocTestRunner()
    report = list[str]()
    runner.run(test, out=report.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(report)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_python_blocks_are_python(page: Path) -> None:
    for kind, block in FENCE.findall(page.read_text("utf-8")):
        if kind == "python":
            ast.parse(block)


def commands(text: str) -> list[list[str]]:
    """The `fanin` lines of a text, continuation lines joined, as words."""
    joined = text.replace("\\\n", " ")
    lines = re.findall(r"^\s*(?:\$ |\$\(BIN\)/)(fanin .*)$", joined, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "Makefile"], ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_commands_exist(page: Path) -> None:
    program: Any = typer.main.get_command(app)
    for _, name, *words in commands(page.read_text("utf-8")):
        command = program.commands[name]
        if hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        options = {option for param in command.params for option in param.opts}
        assert {word for word in words if word.startswith("--")} - {"--help"} <= options


def test_the_readme_shows_what_a_check_prints() -> None:
    kinds = FENCE.findall((ROOT / "README.md").read_text("utf-8"))
    (place,) = [place for place, (_, block) in enumerate(kinds) if "fanin check" in block]
    (command,), (_, shown) = commands(kinds[place][1]), kinds[place + 1]
    done = subprocess.run(
        [sys.executable, "-m", *command, "--quiet"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    told = shown.replace("  ...\n", "").splitlines()
    figures = re.compile(r"\d+(\.\d+)?( s|e-\d+)?")  # times, and the last digits of a machine
    printed = {figures.sub("#", line) for line in done.stdout.splitlines()}
    assert {figures.sub("#", line) for line in told} <= printed


def test_the_check_sees_commands() -> None:
    assert commands("$ fanin compare --data x \\\n    --scale\n") == [
        ["fanin", "compare", "--data", "x", "--scale"]
    ]
    assert commands((ROOT / "Makefile").read_text("utf-8"))
