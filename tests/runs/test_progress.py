"""What a run says: on a terminal, in a file, quietly, at length."""

import io
import logging
import warnings
from importlib.util import find_spec

import pytest
from rich.console import Console

from seisflow.errors import InputError
from seisflow.runs import progress as module
from seisflow.runs.progress import ProgressDisplay, progress_shown


def spoken(terminal=False, **options):
    stream = io.StringIO()
    return stream, ProgressDisplay(Console(file=stream, force_terminal=terminal, width=120), **options)


def work(display, steps=3):
    with display:
        display.section("EnKF")
        for done in range(steps + 1):
            display("waves and images, survey 1", done, steps)


def test_that_a_file_gets_one_plain_line_with_a_clock_when_something_ends():
    stream, display = spoken()
    work(display)
    (line,) = stream.getvalue().splitlines()
    assert "EnKF: waves and images, survey 1: 3 done in " in line
    assert line[:2] == "20"  # the year: a clock stands in front
    assert "\x1b" not in line


def test_that_long_work_is_reported_now_and_then_with_the_time_left(monkeypatch):
    monkeypatch.setattr(module, "HEARTBEAT", 0.0)
    stream, display = spoken()
    work(display)
    lines = stream.getvalue().splitlines()
    assert "1 of 3, about " in lines[1]
    assert lines[1].endswith(" left")
    assert "done in" in lines[-1]


def test_that_a_terminal_gets_bars_with_the_time_left():
    stream, display = spoken(terminal=True)
    work(display)
    assert "\x1b" in stream.getvalue()
    assert "3/3" in stream.getvalue()
    assert "left" in stream.getvalue()
    assert "done in" not in stream.getvalue()


def test_that_quiet_says_nothing_but_warnings():
    stream, display = spoken(quiet=True)
    work(display)
    assert stream.getvalue() == ""
    with display:
        logging.getLogger("seisflow.somewhere").info("a detail")
        logging.getLogger("seisflow.somewhere").warning("look here")
    assert stream.getvalue().splitlines()[0].endswith("warning: look here")
    assert "a detail" not in stream.getvalue()


@pytest.mark.parametrize("verbose", [False, True])
def test_that_only_verbose_says_details_and_only_while_the_display_is_open(verbose):
    stream, display = spoken(verbose=verbose)
    with display:
        logging.getLogger("seisflow.storage.store").info("kept flow/survey_1/posterior")
    logging.getLogger("seisflow.storage.store").warning("nobody listens")
    assert ("kept flow/survey_1/posterior" in stream.getvalue()) == verbose
    assert "nobody listens" not in stream.getvalue()


def test_that_quiet_and_verbose_contradict_each_other():
    with pytest.raises(InputError, match="either quiet or verbose"):
        ProgressDisplay(quiet=True, verbose=True)


def test_that_a_log_file_gets_all_lines_whatever_the_terminal_shows(tmp_path):
    log = tmp_path / "run.log"
    log.write_text("an earlier session\n")
    _, display = spoken(terminal=True, log=log)

    def session():
        with display:
            display("waves", 0, 2)
            display("waves", 2, 2)
            logging.getLogger("seisflow.storage.store").info("kept flow/survey_1/posterior")
            raise RuntimeError("no more power")

    with pytest.raises(RuntimeError):
        session()
    lines = log.read_text().splitlines()
    assert lines[0] == "an earlier session"
    for line, part in zip(
        lines[1:], ("waves: 2 done in", "kept flow", "ended by RuntimeError: no more power"), strict=True
    ):
        assert part in line
    with pytest.raises(InputError, match="cannot be written to"), ProgressDisplay(log=tmp_path / "none" / "x.log"):
        pass


def test_that_pythons_warnings_are_lines_too():
    stream, display = spoken(quiet=True)
    usual = warnings.showwarning
    with display:
        warnings.warn("the deepest part will not be imaged", UserWarning, stacklevel=1)
    assert stream.getvalue().splitlines()[0].endswith("warning: the deepest part will not be imaged")
    assert len(stream.getvalue().splitlines()) == 1
    assert warnings.showwarning is usual


def test_that_a_display_of_a_run_in_python_leaves_logging_and_warnings_to_the_caller(capsys):
    logger = logging.getLogger("seisflow")
    before = (warnings.showwarning, logger.level, list(logger.handlers))
    with progress_shown(True) as display:
        assert (warnings.showwarning, logger.level, list(logger.handlers)) == before
        display("waves", 2, 2)
    assert "waves: 2 done in" in capsys.readouterr().err
    with progress_shown(False) as display:
        display("waves", 2, 2)
    assert capsys.readouterr().err == ""


def test_that_a_display_of_the_caller_is_left_open():
    stream, own = spoken()
    with own, progress_shown(own) as display:
        assert display is own
        display("waves", 2, 2)
    assert "waves: 2 done in" in stream.getvalue()


def test_that_a_notebook_without_widgets_gets_lines_instead_of_silence():
    stream = io.StringIO()
    console = Console(file=stream, force_jupyter=True, force_terminal=False, width=120)
    display = ProgressDisplay(console)
    assert (display._bars is not None) == (find_spec("ipywidgets") is not None)
