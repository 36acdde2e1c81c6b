"""The engine on a real Julia: values, errors, deaths, and how Julia is found and installed."""

from __future__ import annotations

import fcntl
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from seisflow.dynamics import julia_install
from seisflow.dynamics.julia import JuliaEngine, find_julia, julia_project
from seisflow.dynamics.julia_find import JuliaInstallation, probe
from seisflow.dynamics.julia_wire import Exchange
from seisflow.errors import InputError, JuliaError, JuliaNotFoundError, SeisflowError


@pytest.fixture(scope="module")
def engine() -> Iterator[JuliaEngine]:
    with JuliaEngine(threads=2) as started:
        yield started


def gone(pid: int, seconds: float = 10.0) -> bool:
    """Whether the process ends within the time (a zombie has ended)."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


# --- values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int32", "uint8", "bool"])
@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 4), (5, 3, 2), (2, 1, 3, 4), (0, 3), (2, 3, 1, 2, 2)])
def test_that_arrays_come_back_bit_for_bit(engine: JuliaEngine, dtype: str, shape: tuple[int, ...]) -> None:
    count = int(np.prod(shape, dtype=int))
    raw = np.random.default_rng(3).integers(0, 256, count * np.dtype(dtype).itemsize, dtype=np.uint8)
    if dtype == "bool":
        raw &= 1  # other bytes are not truth values
    sent = raw.view(dtype).reshape(shape)  # random bits: odd NaNs and subnormal numbers too
    before = sent.tobytes()

    back = engine.call("server.echo", {"a": sent})["a"]

    assert back.dtype == sent.dtype
    assert back.shape == sent.shape
    assert back.tobytes() == before == sent.tobytes()


def test_that_arrays_in_any_layout_arrive_by_value(engine: JuliaEngine) -> None:
    base = np.arange(24.0).reshape(2, 3, 4)
    sent = {
        "transposed": base.T,
        "strided": base[:, ::2, 1:],
        "big_endian": base.astype(">f8"),
        "fortran": np.asfortranarray(base),
    }
    back = engine.call("server.echo", sent)
    for key, value in sent.items():
        np.testing.assert_array_equal(back[key], value)


def test_that_julia_sees_the_axes_in_reverse_order(engine: JuliaEngine) -> None:
    sizes = engine.call("server.sizes", {"state": np.zeros((5, 3, 2, 4)), "point": np.zeros(())})
    assert sizes["state"].tolist() == [4, 2, 3, 5]
    assert sizes["point"].size == 0


def test_that_numbers_and_texts_come_back_as_they_are(engine: JuliaEngine) -> None:
    sent = {
        "text": "Grüße, κ = 1 %\n\ttwo  blanks ",
        "empty": "",
        "a key with blanks": 1,
        "tiny": 5e-324,
        "third": 1.0 / 3.0,
        "infinite": float("-inf"),
        "big": -(2**63),
        "yes": True,
        "numpy": np.float64(0.1),
    }
    back = engine.call("server.echo", sent)
    assert back == sent
    assert {key: type(value) for key, value in back.items()}["yes"] is bool
    assert np.isnan(engine.call("server.echo", {"nan": float("nan")})["nan"])


def test_that_results_outlive_the_engine_and_can_be_written(tmp_path: Path) -> None:
    with JuliaEngine(threads=1) as engine:
        back = engine.call("server.echo", {"a": np.arange(5.0)})["a"]
    back += 1.0
    assert back.tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("value", [np.zeros(2, complex), np.array(["a"]), None, [1.0, 2.0]])
def test_that_what_cannot_travel_is_refused_by_name_and_the_engine_goes_on(engine: JuliaEngine, value: object) -> None:
    worker = engine.start().pid
    with pytest.raises(InputError, match=r"inputs\['odd'\]"):
        engine.call("server.echo", {"good": np.zeros(3), "odd": value})  # type: ignore[dict-item]
    assert engine.call("server.echo", {"n": 1}) == {"n": 1}
    assert engine.pid == worker


def test_that_nothing_is_left_in_the_folders_after_calls(engine: JuliaEngine) -> None:
    engine.call("server.echo", {"a": np.zeros(1000)})
    with pytest.raises(JuliaError):
        engine.call("server.fail", {"a": np.zeros(1000)})
    assert engine._exchange is not None
    assert [path.name for folder in engine._exchange.folders for path in folder.iterdir()] == ["owner", "owner"]


def test_that_no_thread_count_below_one_is_taken() -> None:
    with pytest.raises(InputError, match="threads = 0"):
        JuliaEngine(threads=0)


# --- errors, progress, deaths -----------------------------------------------------------------------------------------


def test_that_an_exception_arrives_with_message_and_stack_and_the_worker_lives_on(engine: JuliaEngine) -> None:
    engine.start()
    worker = engine.pid
    with pytest.raises(JuliaError, match="no water in cell 7") as caught:
        engine.call("server.fail", {"message": "no water in cell 7"})
    assert "thrower" in str(caught.value)  # the frame that threw
    assert "server.jl" in str(caught.value)
    assert engine.call("server.echo", {"n": 1}) == {"n": 1}
    assert engine.pid == worker


def test_that_the_package_loads_and_a_function_that_it_lacks_is_named(engine: JuliaEngine) -> None:
    before = sorted(julia_project().rglob("*"))
    with pytest.raises(JuliaError, match="no_such_function"):
        engine.call("no_such_function", {})
    assert sorted(julia_project().rglob("*")) == before  # the sources may lie in a read-only folder


def test_that_progress_is_told_from_none_to_all_and_prints_disturb_nothing(engine: JuliaEngine) -> None:
    told: list[tuple[int, int]] = []
    result = engine.call(
        "server.count", {"steps": 4, "seconds": 0.3}, progress=lambda done, total: told.append((done, total)), total=4
    )
    assert result["threads"] == engine.julia_threads == 2
    assert told[-1] == (4, 4)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert len({done for done, _ in told}) >= 3  # it is told on the way, not only at the end


def test_that_a_worker_killed_in_mid_call_is_replaced_and_the_call_repeated(engine: JuliaEngine) -> None:
    engine.start()
    first = engine.pid

    def kill_once(done: int, total: int) -> None:
        if done >= 1 and engine.pid == first:
            os.kill(first, signal.SIGKILL)

    array = np.arange(1000.0)
    result = engine.call("server.count", {"steps": 3, "seconds": 0.25, "unused": array}, progress=kill_once, total=3)
    assert result["pid"] == engine.pid != first


def test_that_a_worker_killed_twice_gives_an_error_that_names_the_signal(engine: JuliaEngine) -> None:
    def kill_always(done: int, total: int) -> None:
        if done >= 1:
            os.kill(engine.pid or 0, signal.SIGKILL)

    with pytest.raises(JuliaError, match=r"server.count was tried twice.*SIGKILL"):
        engine.call("server.count", {"steps": 50, "seconds": 0.05}, progress=kill_always, total=50)
    assert engine.call("server.echo", {"n": 1}) == {"n": 1}


def test_that_an_interrupt_ends_the_worker_and_the_engine_can_go_on(engine: JuliaEngine) -> None:
    engine.start()
    first = engine.pid or 0

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.call("server.count", {"steps": 100, "seconds": 0.1}, progress=interrupt)
    assert gone(first)
    assert engine.call("server.echo", {"n": 2}) == {"n": 2}


@pytest.mark.parametrize("busy", [False, True])
def test_that_the_worker_ends_when_its_parent_is_killed(busy: bool) -> None:
    script = f"""
        from seisflow.dynamics.julia import JuliaEngine
        engine = JuliaEngine(threads=1).start()
        print(engine.pid, flush=True)
        if {busy}:
            engine.call("server.count", {{"steps": 1, "seconds": 600.0}})
        input()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        time.sleep(0.3)  # so that the call is under way
        assert not gone(worker, seconds=0.1)
        parent.kill()
        assert gone(worker)


def test_that_the_worker_outlives_the_thread_that_asked_for_it(engine: JuliaEngine) -> None:
    engine.close()
    thread = threading.Thread(target=engine.start)
    thread.start()
    thread.join()
    time.sleep(0.2)
    worker = engine.pid
    assert engine.call("server.echo", {"n": 1}) == {"n": 1}
    assert engine.pid == worker


def test_that_a_forked_child_starts_its_own_worker_and_leaves_ours_alone() -> None:
    script = """
        import os
        from seisflow.dynamics.julia import JuliaEngine
        engine = JuliaEngine(threads=1).start()
        ours = engine.pid
        child = os.fork()
        if child == 0:
            theirs = engine.call("server.count", {"steps": 1, "seconds": 0.0})["pid"]
            engine.close()
            os._exit(0 if theirs != ours else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert engine.call("server.count", {"steps": 1, "seconds": 0.0})["pid"] == ours
    """
    subprocess.run([sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)], check=True, timeout=60)


def test_that_a_pickled_engine_carries_its_settings_and_no_worker(engine: JuliaEngine) -> None:
    engine.start()
    copy = pickle.loads(pickle.dumps(engine))
    assert (copy.threads, copy.installation, copy.pid) == (2, engine.installation, None)


def test_that_torch_is_never_in_the_worker_or_brought_by_the_engine() -> None:
    code = "import sys, seisflow.dynamics.julia; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_that_folders_of_dead_owners_are_removed_and_those_of_living_ones_kept(tmp_path: Path) -> None:
    for name in ("dead", "living"):
        (tmp_path / f"seisflow-julia-{name}").mkdir()
        (tmp_path / f"seisflow-julia-{name}" / "owner").touch()
    with (tmp_path / "seisflow-julia-living" / "owner").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        Exchange._sweep(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["seisflow-julia-living"]


# --- finding --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real_julia(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that starts the Julia of these tests with the variables that it needs."""
    found = find_julia()
    program = tmp_path_factory.mktemp("julia") / "julia"
    exports = "".join(f"export {key}='{value}'\n" for key, value in found.environment.items())
    program.write_text(f"#!/bin/sh\n{exports}exec '{found.executable}' \"$@\"\n")
    program.chmod(0o755)
    return program


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without Julia: an empty PATH, an empty cache, nothing resolved. The folder of its PATH."""
    (tmp_path / "bin").mkdir()
    monkeypatch.delenv("SEISFLOW_JULIA", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("SEISFLOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHON_JULIAPKG_PROJECT", str(tmp_path / "project"))
    return tmp_path / "bin"


def fake_julia(path: Path, answer: str, code: int = 0) -> Path:
    path.write_text(f"#!/bin/sh\necho '{answer}'\nexit {code}\n")
    path.chmod(0o755)
    return path


def test_that_without_julia_one_error_says_where_it_looked_and_what_to_do(bare: Path) -> None:
    with pytest.raises(JuliaNotFoundError) as caught:
        JuliaEngine().call("server.echo", {})
    message = str(caught.value)
    for part in (
        "PATH",
        "juliapkg",
        str(bare.parent / "cache"),
        "python -m seisflow.dynamics.julia_install",
        "SEISFLOW_JULIA",
    ):
        assert part in message
    assert isinstance(caught.value, SeisflowError)


def test_that_a_wrong_explicit_choice_is_an_error_even_where_there_is_another_julia(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_julia(bare / "julia", "julia version 1.11.0")
    monkeypatch.setenv("SEISFLOW_JULIA", "/nowhere/julia")
    with pytest.raises(JuliaNotFoundError, match="SEISFLOW_JULIA = '/nowhere/julia'"):
        find_julia()


def test_that_a_julia_on_path_comes_first_and_an_old_one_is_refused_with_its_version(bare: Path) -> None:
    fake_julia(bare / "julia", "julia version 1.11.0-rc2")
    found = find_julia()
    assert (found.version, found.route, found.executable) == ((1, 11, 0), "PATH", bare / "julia")

    fake_julia(bare / "julia", "julia version 1.4.2")
    with pytest.raises(JuliaNotFoundError, match=r"is Julia 1\.4\.2, and 1\.5 or newer is needed"):
        find_julia()


def test_that_what_juliapkg_resolved_is_found_without_asking_juliapkg(bare: Path) -> None:
    program = fake_julia(bare / "resolved", "julia version 1.12.1")
    record = bare.parent / "project" / "pyjuliapkg" / "meta.json"
    record.parent.mkdir(parents=True)
    record.write_text(f'{{"executable": "{program}"}}')
    assert find_julia() == JuliaInstallation(program, (1, 12, 1), {}, "juliapkg")


def test_that_a_program_that_is_not_julia_is_refused_with_what_it_said(tmp_path: Path) -> None:
    assert "does not answer like Julia (hello)" in str(probe(fake_julia(tmp_path / "other", "hello"), "PATH"))
    assert "cannot be run" in str(probe(tmp_path / "missing", "PATH"))


# --- installing -----------------------------------------------------------------------------------------------------

DEB822 = """\
# the archive
Types: deb deb-src
URIs: https://one.example.org/debian/
Suites: bookworm
 bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/some.gpg

Types: deb
URIs: https://security.example.org/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: https://disabled.example.org/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: https://sources.example.org/debian
Suites: bookworm
Components: main
"""
ONE_LINE = """\
# deb https://commented.example.org/debian bookworm main
deb cdrom:[Debian]/ bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/some.gpg] https://two.example.org/debian bullseye main non-free # why
deb https://one.example.org/debian bookworm main
deb-src https://sources.example.org/debian bookworm main
deb http://ubuntu.example.org/ubuntu jammy main universe
deb http://tools.example.org/tools stable contrib
"""


def test_that_apt_settings_of_both_formats_are_read(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text(ONE_LINE)
    (tmp_path / "sources.list.d" / "debian.sources").write_text(DEB822)
    (tmp_path / "sources.list.d" / "old.list.save").write_text("deb https://saved.example.org/debian bookworm main\n")

    sources = julia_install.apt_sources(tmp_path)

    assert (
        julia_install.AptSource(
            "https://one.example.org/debian/", ("bookworm", "bookworm-updates"), ("main", "contrib")
        )
        in sources
    )
    assert julia_install.AptSource("https://two.example.org/debian", ("bullseye",), ("main", "non-free")) in sources
    assert not [
        source for source in sources if any(word in source.uri for word in ("comment", "saved", "disabled", "sources."))
    ]
    assert julia_install.debian_mirrors(sources) == ["https://two.example.org/debian", "https://one.example.org/debian"]


def test_that_the_settings_of_an_ubuntu_machine_name_no_debian_mirror(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text(
        "deb http://ubuntu.example.org/ubuntu noble main universe\n"
        "deb http://ubuntu.example.org/ubuntu noble-security main\n"
    )
    assert julia_install.debian_mirrors(julia_install.apt_sources(tmp_path)) == []


def test_that_the_last_error_of_the_installer_has_a_line_per_route_and_what_to_do_by_hand(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bare / "juliapkg.py").write_text("raise OSError('no route to example.org')\n")
    monkeypatch.setenv("PYTHONPATH", str(bare))
    told: list[str] = []
    with pytest.raises(JuliaNotFoundError) as caught:
        julia_install.install_julia(told.append)
    lines = str(caught.value).splitlines()
    assert "none here yet" in lines[1]
    assert lines[2].strip() == "juliapkg: OSError: no route to example.org"
    assert lines[3].strip() == "Debian's package: not a Debian or Ubuntu machine (no apt-get)"
    assert lines[4].startswith("Install Julia 1.5 or newer by hand")
    assert len(lines) == 5


def test_that_juliapkg_is_given_up_when_it_reaches_nothing_and_waited_for_when_it_downloads(
    real_julia: Path, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(bare))
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    (bare / "juliapkg.py").write_text("import time\ntime.sleep(600)\n")
    start = time.monotonic()
    with pytest.raises(julia_install._RouteError, match="no connection"):
        julia_install._by_juliapkg(print, silence=0.5)
    assert time.monotonic() - start < 5.0  # given up after 0.5 s; the rest is for a busy machine

    (bare / "juliapkg.py").write_text(
        "import time\nprint('About to install')\n"
        f"def resolve(): time.sleep(1.5)\ndef executable(): return {str(real_julia)!r}\n"
    )
    assert julia_install._by_juliapkg(print, silence=0.5).route == "juliapkg"


def test_that_the_julia_of_this_machine_passes_its_self_test_and_a_crashing_one_does_not(tmp_path: Path) -> None:
    assert julia_install.self_test(find_julia()) is None
    crashing = tmp_path / "julia"
    crashing.write_text("#!/bin/sh\nkill -SEGV $$\n")
    crashing.chmod(0o755)
    assert "crashed (SIGSEGV)" in (julia_install.self_test(JuliaInstallation(crashing, (1, 5, 3))) or "")
