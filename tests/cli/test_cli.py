"""The commands that need no engine."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

import seisflow
from seisflow.cli import app
from seisflow.study import Study, load_study
from seisflow.study.describe import tables
from seisflow.study.keys_page import keys_markdown, keys_text


def cli(*arguments: object):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_that_init_writes_a_study_that_validates_and_never_replaces_a_file(tmp_path):
    file = tmp_path / "mine.toml"
    result = cli("init", file)
    assert result.exit_code == 0, result.output
    assert load_study(file) == Study.from_dict({"name": "mine"})
    assert "# Porosity φ, the same everywhere. Allowed: a number above 0 and below 1." in file.read_text()
    file.write_text("years of work")
    again = cli("init", file)
    assert again.exit_code == 1
    assert again.output.startswith("error: file = ")
    assert file.read_text() == "years of work"
    assert cli("init", tmp_path / "none" / "x.toml").exit_code == 1


def test_that_validate_says_how_large_a_study_is_and_how_long_it_takes():
    result = cli("validate", Path(__file__).parents[2] / "examples" / "compass.toml", "--workers", 16)
    assert result.exit_code == 0, result.output
    for part in ("512 × 256 cells", "128 members, 4 surveys", "8 shots a member", "GB", "with 16 workers", "basis"):
        assert part in result.output, part
    assert result.output.strip().endswith("the study is valid")


def test_that_keys_print_text_for_a_terminal_and_markdown_on_request():
    text = cli("keys").output
    assert text == keys_text()
    assert cli("keys", "--markdown").output == keys_markdown()
    assert not any(mark in text for mark in ("`", "|", "##"))
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    assert "  porosity = 0.25" in lines
    for name, table in tables(Study).items():
        at = next(i for i, line in enumerate(lines) if line.startswith(f"[{name}]  "))
        end = next((i for i, line in enumerate(lines) if i > at and line.startswith("[")), len(lines))
        here = [
            line.split(" = ")[0].strip()
            for line in lines[at:end]
            if line.startswith("  ") and " = " in line and line[2] != " "
        ]
        assert here == list(table.model_fields)


@pytest.mark.parametrize("asked", ["version", "--version"])
def test_that_the_version_is_printed(asked):
    result = cli(asked)
    assert (result.exit_code, result.output.strip()) == (0, seisflow.__version__)


COMMANDS = ("init", "validate", "run", "assimilate", "report", "export", "doctor", "keys", "version")


def test_that_the_help_lists_every_command_with_a_whole_sentence():
    lines = cli("--help").output.splitlines()
    for command in COMMANDS:
        (line,) = [line for line in lines if line.startswith(f"  {command} ")]
        assert line.endswith(".")
        assert not line.endswith("...")  # cut off


@pytest.mark.parametrize("command", COMMANDS)
def test_that_every_command_explains_itself_and_ends_with_an_example(command):
    text = cli(command, "--help").output
    assert text.splitlines()[2].startswith("  ")
    assert f"Example: seisflow {command}" in text.rsplit("\n\n", 1)[-1]
    for word in (":mod:", "``", "None", "dict"):  # words of the code
        assert word not in text


def test_that_every_fault_of_a_study_is_a_line_of_its_own(tmp_path):
    file = tmp_path / "study.toml"
    file.write_text("sed = 1\n[injection]\nx_m = 0.0")
    result = cli("validate", file)
    assert result.exit_code == 1
    first, second = result.output.splitlines()
    assert first.startswith("error: sed = 1: ")
    assert second.startswith("error: injection.x_m = 0.0: ")
