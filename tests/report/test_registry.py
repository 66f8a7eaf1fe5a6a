"""Names, extensions and texts that are derived from the files in `formats/`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from accumcheck.errors import ConfigError
from accumcheck.report import formats, registry
from accumcheck.report.registry import EXTENSIONS, FORMATS, OUTPUT_FORMATS, check_format, format_of

from . import examples, written


def test_the_formats_that_there_are() -> None:
    assert list(FORMATS) == ["table", "comment", "github", "html", "json", "junit", "markdown", "sarif"]
    assert OUTPUT_FORMATS == ("table", "github", "json", "junit", "markdown", "sarif")
    assert EXTENSIONS == {
        ".txt": "table",
        ".html": "html",
        ".json": "json",
        ".xml": "junit",
        ".md": "markdown",
        ".sarif": "sarif",
    }


def test_a_format_has_the_name_of_its_file() -> None:
    files = {path.stem for path in Path(formats.__file__).parent.glob("*.py")} - {"__init__"}
    assert set(FORMATS) == files


def test_help_lists_every_format() -> None:
    assert registry.FORMAT_HELP == "What goes to standard output: table, github, json, junit, markdown or sarif."
    assert registry.OUTPUT_HELP == (
        "Also write the report to this file; format chosen by the extension: .txt (table), .html, .json, .xml (junit), "
        ".md (markdown), .sarif or comment.md (a comment for a pull request). Repeatable."
    )


def test_a_format_that_does_not_exist_is_refused_with_those_that_do() -> None:
    check_format("sarif")
    for name in ("pdf", "html"):  # a page is for files
        with pytest.raises(ConfigError) as caught:
            check_format(name)
        assert str(caught.value) == (
            f"--format {name}: no such format; use table, github, json, junit, markdown or sarif"
        )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.json", "json"),
        ("a.b.JSON", "json"),
        ("a.txt", "table"),
        ("a.xml", "junit"),
        ("a.md", "markdown"),
        ("a.html", "html"),
        ("a.sarif", "sarif"),
        ("folder/comment.md", "comment"),
        ("Comment.md", "comment"),
        ("my-comment.md", "markdown"),
    ],
)
def test_format_by_extension(name: str, expected: str) -> None:
    assert format_of(Path(name)) == expected


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("report.pdf", "report.pdf: no report format has the extension .pdf; use"),
        ("report", "report: the file name has no extension; use"),
    ],
)
def test_unknown_extensions_are_refused_with_those_known(name: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        format_of(Path(name))
    assert str(caught.value) == f"{message} .txt, .html, .json, .xml, .md or .sarif"


CSV = '''
"""Comma-separated values."""
from accumcheck.report.format import Format

def text(document):
    return f"verdict,exit code\\n{document.conclusion().word},{document.exit_code}\\n"

FORMAT = Format("csv", text, extension=".csv")
'''


def test_a_new_format_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "csv.py").write_text(CSV, encoding="utf-8")
    monkeypatch.setattr(formats, "__path__", [*formats.__path__, str(tmp_path)])
    monkeypatch.setitem(sys.modules, "accumcheck.report.formats.csv", None)
    del sys.modules["accumcheck.report.formats.csv"]
    again = _registry_again()
    assert again.FORMAT_HELP == "What goes to standard output: table, csv, github, json, junit, markdown or sarif."
    assert ".txt (table), .csv, .html," in again.OUTPUT_HELP
    assert again.format_of(Path("a.csv")) == "csv"
    again.check_format("csv")
    document = written.document(examples.llava_449())
    assert again.FORMATS["csv"].text(document) == "verdict,exit code\nfail,1\n"


def _registry_again() -> ModuleType:
    """The registry, made once more, beside the one that everything else uses."""
    spec = importlib.util.spec_from_file_location("registry_again", registry.__file__)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made
