"""README and docs: commands parse, study files are ones, imports, links and pictures exist."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from records import study

from runs.__main__ import VERBS
from runs.reader import UnknownStudyError, open_reader
from runs.writer import open_writer
from search.spec.study_file import read_study

ROOT = Path(__file__).parents[1]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
}
TEXT = "\n".join(PAGES.values())
COMMANDS = sorted(
    {
        re.sub(r"\\\n\s*", "", found).strip()
        for found in re.findall(r"python -m ((?:search|dashboard|runs)\b(?:[^`\n|#]|\\\n)*)", TEXT)
    }
)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)


def anchors(page: str) -> set[str]:
    """Of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)", page, flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_an_entry_point_that_knows_its_flags(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    module, *argv = shlex.split(command.strip())
    path = ROOT / module.replace(".", "/")
    source = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__main__.py"
    main = __import__(
        module if source.stem != "__main__" else f"{module}.__main__", fromlist=["main"]
    ).main
    verbs = VERBS if module == "runs" else ("list", "prepare")
    subcommand = argv[:1] if argv and argv[0] in verbs else []
    assert main([*subcommand, "--help"]) == 0
    text = capsys.readouterr().out
    for flag in (word for word in argv if word.startswith("--")):
        assert flag in text, f"{module} does not know {flag}"


@pytest.mark.parametrize("text", [text for text in blocks("toml") if "\ndataset = " in text])
def test_every_study_file_is_one(text: str, tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text(text)
    asked = tomllib.loads(text)
    assert {name: getattr(read_study(path), name) for name in ("name", "dataset")} == {
        name: asked[name] for name in ("name", "dataset")
    }


@pytest.mark.parametrize("code", blocks("python"))
def test_what_the_python_imports_is_there(code: str) -> None:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom):
            module = __import__(str(node.module), fromlist=["x"])
            for name in node.names:
                assert hasattr(module, name.name) or __import__(f"{node.module}.{name.name}")


def test_every_make_target_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w[\w-]*)", TEXT, flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    for is_picture, link in re.findall(r"(!?)\[[^\]]*\]\(([^)\s]+)\)", PAGES[page]):
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        target = ((ROOT / page).parent / path).resolve() if path else ROOT / page
        assert target.exists(), link
        assert not is_picture or target.stat().st_size > 10_000, link
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link


def test_every_file_that_is_named_is_there() -> None:
    """Those of the map, and those to touch for a door."""
    for name in set(
        re.findall(r"`((?:search|space|runs|dashboard|tests|benchmarks)/[\w./]*(?:/|\.py))`", TEXT)
    ):
        assert (ROOT / name).exists(), name


def copying(tool: str) -> str:
    """The documented command that copies a database with that tool."""
    (command,) = re.findall(rf"^{tool} .*backup.*", TEXT, flags=re.MULTILINE)
    return str(command)


@pytest.mark.parametrize("tool", ["sqlite3", "python"])
def test_a_copied_database_has_what_was_written_last(here: Path, tool: str) -> None:
    """Which lies in its write-ahead log while a study runs: the file alone lacks it."""
    program = sys.executable if tool == "python" else shutil.which(tool)
    if program is None:
        pytest.skip(f"{tool} is not installed: the documented command with it cannot be tried")
    with open_writer() as store:
        store.add_study(study("early"))
        sizes = {path.name: path.stat().st_size for path in (here / "runs").iterdir()}
        assert sizes["mixer_search.db-wal"] > 0
        store.add_study(study("late"))
        subprocess.run(copying(tool).replace(tool, program, 1), shell=True, check=True)
        shutil.copy("runs/mixer_search.db", "file_alone.db")
    with open_reader("sqlite:///copy.db") as copy:
        assert [found.name for found in copy.studies()] == ["late", "early"]
    with open_writer("sqlite:///copy.db") as copy:
        copy.add_study(study("goes on"))
    with pytest.raises(UnknownStudyError), open_reader("sqlite:///file_alone.db") as alone:
        alone.study("late")
