"""The README: its commands parse, its study file is one, its Python imports, its pictures exist."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

from search.study_file import read_study

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"python -m ((?:search|dashboard|runs)[^`\n|]*)", README)))


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


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
    subcommand = argv[:1] if module == "search.data" else []
    assert main([*subcommand, "--help"]) == 0
    text = capsys.readouterr().out
    for flag in (word for word in argv if word.startswith("--")):
        assert flag in text, f"{module} does not know {flag}"


def test_the_study_file_is_one(tmp_path: Path) -> None:
    (text,) = blocks("toml")
    path = tmp_path / "study.toml"
    path.write_text(text)
    spec = read_study(path)
    assert spec.space.hidden_dim == (64, 128, 192, 256)
    assert spec.max_flops == 100_000_000


@pytest.mark.parametrize("code", blocks("python"))
def test_what_the_python_imports_is_there(code: str) -> None:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom):
            module = __import__(str(node.module), fromlist=["x"])
            for name in node.names:
                assert hasattr(module, name.name) or __import__(f"{node.module}.{name.name}")


def test_every_make_target_and_picture_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w[\w-]*)", README, flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", README):
        assert (ROOT / picture).stat().st_size > 10_000
