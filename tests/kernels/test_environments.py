"""A kernel's own packages: an environment over the portal's, built once, from wheels alone."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

from kernels_app import environments
from kernels_app.packages import BadKernel

pytestmark = pytest.mark.one_database


@pytest.fixture
def shelf(tmp_path, monkeypatch) -> Path:
    """A folder of wheels that pip looks into, and nowhere else."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def wheel(shelf: Path, name: str, version: str, code: str, *needs: str) -> None:
    about = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": code,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        + "".join(f"Requires-Dist: {one}\n" for one in needs),
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},"
        f"{len(text)}\n"
        for path, text in files.items()
    )
    with zipfile.ZipFile(shelf / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in (files | {f"{about}/RECORD": f"{record}{about}/RECORD,,\n"}).items():
            archive.writestr(path, text)


def kernel(folder: Path, requirements: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "requirements.txt").write_text(requirements)
    (folder / "train.py").write_text("import own; print(own.WORD)")
    return folder


def test_one_without_requirements_runs_in_the_portals_own(tmp_path):
    assert environments.ensure(kernel(tmp_path / "k", "# nothing\n\n")) is None
    assert environments.python_of(tmp_path / "k") == sys.executable


def test_it_is_built_once_over_the_portals_packages(tmp_path, shelf, home):
    wheel(shelf, "own", "1.5", "WORD = 'of its own'", "numpy")
    one, said = kernel(tmp_path / "k", "own>=1.0  # a comment\n"), []
    folder = environments.ensure(one, say=said.append)
    assert folder
    assert "own-1.5" in environments.log_of(folder).read_text()
    code = "import own, numpy, django, sys; print(own.WORD, own.__file__, numpy.__file__, sys.prefix)"
    argv = [environments.python_of(one), "-I", "-c", code]
    told = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert told.startswith(f"of its own {folder}/lib/")
    assert f"{sys.prefix}/lib" in told
    assert not list(folder.glob("lib/python*/site-packages/numpy"))

    built = len(said)
    assert environments.ensure(one, say=said.append) == folder
    assert environments.ensure(kernel(tmp_path / "other", "own>=1.0"), say=said.append) == folder
    assert len(said) == built
    assert environments.folder_of(kernel(tmp_path / "third", "own>=1.1")) != folder


def test_torch_stays_the_portals(tmp_path, shelf):
    wheel(shelf, "torch", "0.1", "")
    with pytest.raises(BadKernel, match="could not be installed"):
        environments.ensure(kernel(tmp_path / "k", "torch==0.1"))


def test_what_is_not_there_is_said_and_leaves_nothing(tmp_path, shelf):
    one = kernel(tmp_path / "k", "nothing-of-that-name==1")
    with pytest.raises(BadKernel, match="nothing-of-that-name"):
        environments.ensure(one)
    folder = environments.folder_of(one)
    assert folder
    assert not folder.exists()
    assert "nothing-of-that-name" in environments.log_of(folder).read_text()


def test_a_build_that_was_cut_off_is_done_again(tmp_path, shelf):
    wheel(shelf, "own", "1", "WORD = 1")
    one = kernel(tmp_path / "k", "own")
    folder = environments.folder_of(one)
    assert folder
    (folder / "bin").mkdir(parents=True)

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        environments.ensure(one, tick=stop)
    assert not (folder / environments.READY).exists()
    assert environments.ensure(one) == folder
    assert (folder / environments.READY).exists()


@pytest.mark.parametrize(
    "line",
    ["-e .", "--index-url https://example.com", "-r other.txt", "https://example.com/x.whl", "x @ file:///tmp/x",
     "./x.whl", "git+https://example.com/x", "x==1 --hash=sha256:0"],
)  # fmt: skip
def test_lines_that_are_no_packages_are_refused_with_their_number(tmp_path, line):
    with pytest.raises(BadKernel, match="line 2 is no package"):
        environments.asked_for(kernel(tmp_path / "k", f"numpy\n{line}\n"))


@pytest.mark.parametrize(
    "line", ["numpy", "numpy==2.0", "numpy >=1,<3", "albumentations[extra]~=1.4", "x; python_version < '3.12'", "a.b-c"]
)
def test_lines_that_are_packages_are_taken(tmp_path, line):
    assert environments.asked_for(kernel(tmp_path / "k", line)) == [line]


@pytest.mark.parametrize(
    "line", ["a" + "==1    " * 60 + "@", "a" + "==1   ," * 60 + "@", "a; ${PIP_INDEX_URL}", "a" * 501]
)
def test_a_line_that_is_none_is_refused_at_once(line):
    began = time.monotonic()
    with pytest.raises(BadKernel, match="line 1 is no package"):
        environments.requirements(line.encode())
    assert time.monotonic() - began < 2


def test_a_huge_list_is_not_read(tmp_path):
    with pytest.raises(BadKernel, match="larger than 64 kB"):
        environments.requirements(b"numpy\n" * 20_000)
    with (kernel(tmp_path / "k", "") / "requirements.txt").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(BadKernel, match="larger than 8 MB"):
        environments.asked_for(tmp_path / "k")


# --- environments that nobody needs any more -------------------------------------------------------------------------


def built(kernel: Path, *, days: float = 2) -> Path:
    """What a build leaves behind, used so many days ago for the last time."""
    folder = environments.folder_of(kernel)
    folder.mkdir(parents=True)
    (folder / "requirements.txt").write_text("\n".join(environments.asked_for(kernel)) + "\n")
    (folder / environments.READY).touch()
    environments.log_of(folder).write_text("pip said this")
    used(folder, days)
    return folder


def used(folder: Path, days: float) -> None:
    at = time.time() - days * 24 * 3600
    for path in (folder / environments.READY, folder):
        os.utime(path, (at, at))


def test_an_environment_goes_when_no_kernel_asks_for_it_any_more(tmp_path, home):
    kept, old = kernel(tmp_path / "a", "one==1\ntwo\n"), kernel(tmp_path / "b", "three\n")
    needed, unneeded = built(kept), built(old)
    assert environments.sweep(lambda: [kept, kernel(tmp_path / "c", "")]) == [unneeded]
    assert (needed.is_dir(), unneeded.exists(), environments.log_of(unneeded).exists()) == (True, False, False)
    assert environments.ensure(kept) == needed  # still complete


def test_an_environment_that_was_used_a_moment_ago_stays_whole(tmp_path, home):
    """A trial by `manage.py doctor` has no row in the database."""
    tried = kernel(tmp_path / "a", "one==1\n")
    folder = built(tried)
    assert environments.ensure(tried) == folder
    assert environments.sweep(lambda: []) == []
    assert sorted(path.name for path in folder.iterdir()) == ["ready", "requirements.txt"]


def test_an_environment_that_is_being_built_is_left_alone(tmp_path, home):
    wanted = kernel(tmp_path / "a", "one==1\n")
    folder = built(wanted)
    with environments._alone(folder, lambda: None):
        assert environments.sweep(lambda: []) == []
    assert environments.sweep(lambda: []) == [folder]


def test_one_that_begins_to_use_what_is_being_removed_waits_and_builds_it_anew(tmp_path, shelf, home, monkeypatch):
    wheel(shelf, "own", "1.0", "WORD = 1")
    wanted = kernel(tmp_path / "a", "own\n")
    folder, found = built(wanted), []
    starts = threading.Thread(target=lambda: found.append(environments.ensure(wanted)))
    remove = shutil.rmtree

    def meanwhile(place: Path, **how) -> None:
        if not starts.ident:
            starts.start()
            assert not found  # it is not taken for complete
        remove(place, **how)

    monkeypatch.setattr("kernels_app.environments.shutil.rmtree", meanwhile)
    assert environments.sweep(lambda: []) == [folder]
    starts.join(timeout=60)
    assert found == [folder]
    assert list(folder.glob("lib/*/site-packages/own.py"))


def test_what_a_build_that_was_cut_off_left_goes_after_a_while(tmp_path, home):
    folder = built(kernel(tmp_path / "a", "one==1\n"))
    (folder / environments.READY).unlink()
    os.utime(folder)
    assert environments.sweep(lambda: []) == []
    at = time.time() - 2 * 24 * 3600
    os.utime(folder, (at, at))
    assert environments.sweep(lambda: []) == [folder]
