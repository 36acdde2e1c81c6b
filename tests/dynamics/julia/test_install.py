"""Bringing a Julia to a machine."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from seisflow.dynamics.julia.check import RouteError, self_test
from seisflow.dynamics.julia.debian import AptSource, apt_sources, debian_mirrors
from seisflow.dynamics.julia.engine import find_julia
from seisflow.dynamics.julia.find import JuliaInstallation
from seisflow.dynamics.julia.install import by_juliapkg, install_julia
from seisflow.errors import JuliaNotFoundError

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

    sources = apt_sources(tmp_path)

    assert (
        AptSource("https://one.example.org/debian/", ("bookworm", "bookworm-updates"), ("main", "contrib")) in sources
    )
    assert AptSource("https://two.example.org/debian", ("bullseye",), ("main", "non-free")) in sources
    assert not [
        source for source in sources if any(word in source.uri for word in ("comment", "saved", "disabled", "sources."))
    ]
    assert debian_mirrors(sources) == ["https://two.example.org/debian", "https://one.example.org/debian"]


def test_that_the_settings_of_an_ubuntu_machine_name_no_debian_mirror(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text(
        "deb http://ubuntu.example.org/ubuntu noble main universe\n"
        "deb http://ubuntu.example.org/ubuntu noble-security main\n"
    )
    assert debian_mirrors(apt_sources(tmp_path)) == []


def test_that_the_last_error_of_the_installer_has_a_line_per_route_and_what_to_do_by_hand(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bare / "juliapkg.py").write_text("raise OSError('no route to example.org')\n")
    monkeypatch.setenv("PYTHONPATH", str(bare))
    told: list[str] = []
    with pytest.raises(JuliaNotFoundError) as caught:
        install_julia(told.append)
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
    with pytest.raises(RouteError, match="no connection"):
        by_juliapkg(print, silence=0.5)
    assert time.monotonic() - start < 5.0  # given up after 0.5 s; the rest is for a busy machine

    (bare / "juliapkg.py").write_text(
        "import time\nprint('About to install')\n"
        f"def resolve(): time.sleep(1.5)\ndef executable(): return {str(real_julia)!r}\n"
    )
    assert by_juliapkg(print, silence=0.5).route == "juliapkg"


def test_that_the_julia_of_this_machine_passes_its_self_test_and_a_crashing_one_does_not(tmp_path: Path) -> None:
    assert self_test(find_julia()) is None
    crashing = tmp_path / "julia"
    crashing.write_text("#!/bin/sh\nkill -SEGV $$\n")
    crashing.chmod(0o755)
    assert "crashed (SIGSEGV)" in (self_test(JuliaInstallation(crashing, (1, 5, 3))) or "")
