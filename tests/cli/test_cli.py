"""The commands that need no engine."""

from pathlib import Path

from typer.testing import CliRunner

import seisflow
from seisflow.cli import app
from seisflow.study import Study, load_study
from seisflow.study.keys_page import study_keys


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


def test_that_keys_and_version_print_what_they_say():
    assert cli("keys").output == study_keys()
    assert cli("version").output.strip() == seisflow.__version__


def test_that_the_commands_are_there():
    text = cli("--help").output
    for command in ("init", "validate", "run", "assimilate", "report", "export", "doctor", "keys", "version"):
        assert command in text
