"""The help texts and lists of commands of README.md and docs are the program's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

from accumcheck.cli import main
from accumcheck.cli.app import app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS_PAGE = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"^```\n\$ (accumcheck [^\n]*--help)\n(.*?)^```$", COMMANDS_PAGE, re.MULTILINE | re.DOTALL)
FIRST_SCREEN = 40
"""The lines that a newcomer sees without scrolling."""
WIDTH = "80"


def words(text: str) -> list[str]:
    """Every word, without what releases of typer draw differently: frames, and the types of values."""
    return re.sub(r"[╭╮╰╯│─]|(?<= )\*(?= )|<\w+>", " ", text).split()


@pytest.mark.parametrize(("command", "shown"), SHOWN)
def test_a_help_text_is_the_programs(
    command: str, shown: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", WIDTH)
    monkeypatch.setenv("NO_COLOR", "1")
    for name in ("FORCE_COLOR", "GITHUB_ACTIONS", "PY_COLORS"):  # typer colours where these are set
        monkeypatch.delenv(name, raising=False)
    assert main(command.split()[1:]) == 0
    printed = capsys.readouterr().out
    assert words(shown) == words(printed), f"docs/commands.md: replace what `{command}` shows by this:\n{printed}"
    assert max(map(len, shown.splitlines())) <= int(WIDTH)


def test_the_page_of_commands_shows_the_help_of_run() -> None:
    assert [command for command, _ in SHOWN] == ["accumcheck run --help"]


def test_the_first_screen_is_one_command_and_one_failing_table() -> None:
    screen = README.splitlines()[:FIRST_SCREEN]
    given = [line for line in screen if line.startswith("$ ")]
    assert len(given) == 1
    # the command that a newcomer copies sets everything up and then runs the one that it names
    target, run = re.fullmatch(r"\$ make (\S+) +# .*: (accumcheck run \S+)", given[0]).groups()  # type: ignore[union-attr]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"\n{target}: $(VENV)/.installed ##" in makefile
    assert f"$(BIN)/{run} || test $$? -eq 1\n" in makefile
    assert (ROOT / run.split()[-1]).is_file()
    assert any(line.split()[:1] == ["split"] for line in screen)
    assert any(line.endswith("FAIL") for line in screen)
    assert len(README.splitlines()) <= 300


def commands(group: Any, path: str = "accumcheck") -> list[str]:
    if not hasattr(group, "commands"):
        return [path]
    return [
        found for name, one in group.commands.items() if not one.hidden for found in commands(one, f"{path} {name}")
    ]


def test_every_command_stands_on_the_page_of_commands() -> None:
    table = COMMANDS_PAGE.split("\n## Commands\n")[1].split("\n## ")[0]
    listed = set()
    for cell in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE):
        first, *others = re.findall(r"`([^`]*)`", cell)
        listed.add(plain(first))
        for other in others:  # `accumcheck schema config`, `schema report`; `accumcheck environments list`, `prune`
            known = other.removeprefix("accumcheck ").split()
            prefix = plain(first).split()[: 1 if len(known) > 1 else 2]
            listed.add(plain(" ".join([*prefix, *known])))
    assert listed == set(commands(typer.main.get_command(app)))


def plain(command: str) -> str:
    """The command without its arguments and options."""
    return re.sub(r" (--.*|[A-Z].*)", "", command)


PAGES = [
    *("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "benchmarks/README.md"),
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")),
]


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_links_to_exists(page: str) -> None:
    path = ROOT / page
    links = re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_targets_and_commands_that_a_page_names_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"^```[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    targets, named = (
        {
            *re.findall(rf"`{program} ([a-z][a-z-]*)", text),
            *re.findall(rf"(?:^|\$ |run: ){program} ([a-z][a-z-]*)", blocks, re.MULTILINE),
        }
        for program in ("make", "accumcheck")
    )
    assert {target for target in targets if f"\n{target}: " not in makefile} == set()
    assert named - {name.split()[0] for name in COMMANDS} == set()


def options_named(page: str) -> list[tuple[str, str]]:
    """The command lines of a page, each option with its command: ``run`` and ``--strict``."""
    text = (ROOT / page).read_text(encoding="utf-8").replace("\\\n", " ")
    found = []
    for line in re.findall(r"accumcheck ([a-z]+(?: [a-z]+)?[^`|#\n]*)", text):
        line = line.partition(" -- ")[0]  # what follows is a program's own
        words = line.split()
        command = next((known for known in COMMANDS if words[: len(known.split())] == known.split()), None)
        found += [(command, option) for option in re.findall(r"(?<!\S)(--[a-z][a-z-]+)", line) if command]
    return found


COMMANDS = [name.removeprefix("accumcheck ") for name in commands(typer.main.get_command(app))]


@pytest.mark.parametrize("page", PAGES)
def test_options_that_a_page_shows_are_those_of_the_command(page: str) -> None:
    group: Any = typer.main.get_command(app)
    unknown = []
    for command, option in options_named(page):
        one = group
        for word in command.split():
            one = one.commands[word]
        if option not in {name for parameter in one.params for name in parameter.opts} | {"--help"}:
            unknown.append(f"accumcheck {command} {option}")
    assert unknown == []


def test_options_of_command_lines_are_found() -> None:
    named = options_named("README.md")
    assert {("run", "--transformers"), ("upgrade", "--from"), ("bisect", "--good")} <= set(named)
