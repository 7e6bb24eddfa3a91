"""Kernels that people bring: unpacked safely, tried, and ready only when no line of the checklist failed."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.urls import reverse

from jobs import following, kinds, locks, runfolder
from jobs.launchers import local, shim
from jobs.models import Job, State
from kernels_app import registry
from kernels_app.bundled import packing
from kernels_app.imports import fetching, order, work
from kernels_app.imports.git import BadSource, Repository
from kernels_app.models import Kernel, KernelState, KernelSwitch
from models_app.complaints import why_not
from projects_app.models import ModelType
from tests import fake_kernels

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def quick(settings):
    settings.JOB_POLL, settings.JOB_GRACE, settings.TRAINPORTAL_DOCTOR_LIMIT = 0.05, 5.0, 20.0


def package(name: str = "mine", *, operations: str = "training", **params) -> dict[str, bytes]:
    """A fake kernel that is tried in a moment."""
    section = {"supported_operations": {"const": operations}}
    files = fake_kernels.files("CL", name=name, **section)
    told = {"rows": 5, "pause": 0.04} | params
    files["kernel.toml"] += (
        "[doctor.params]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in told.items())
    ).encode()
    return files


def zipped(files: dict[str, bytes], path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o755 if data[:4] == b"\x7fELF" else 0o644) << 16
            archive.writestr(info, data)
    return path


def run(source: Path | str, *argv: str, capsys=None) -> dict:
    call_command("import_kernel", str(source), "--project", "valves", "--json", *argv)
    return json.loads(capsys.readouterr().out) if capsys else {}


def refusal(source: Path | str, *argv: str) -> str:
    with pytest.raises(CommandError) as refused:
        run(source, *argv)
    return str(refused.value)


def test_an_archive_becomes_a_kernel_that_is_ready_and_on_here(tmp_path, project, capsys, home):
    told = run(zipped(package(operations="training, validation"), tmp_path / "a.zip"), capsys=capsys)
    kernel = Kernel.objects.get(pk=told["kernel"])
    assert (kernel.state, str(kernel), kernel.origin["file"]) == (KernelState.READY, "mine@1", "a.zip")
    assert {line["state"] for line in kernel.checklist} == {"ok"}
    assert Kernel.objects.on_in(project).filter(pk=kernel.pk).exists()
    assert packing.digest_of(kernel.folder) == kernel.digest
    assert "✓ CL: Obeys SIGTERM" in kernel.log.read_text()
    assert not list((home / "kernel-imports").iterdir())
    assert not (runfolder.of(kernel.job) / "trials").exists()


def test_a_tar_in_a_folder_of_its_own_without_a_kernel_toml(tmp_path, project, capsys):
    files = package()
    del files["kernel.toml"]
    files["train.py"] = files["train.py"].replace(b'"pause", 0)', b'"pause", 0.04)')
    with tarfile.open(tmp_path / "My Kernel.tar.gz", "w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(f"top/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    told = run(tmp_path / "My Kernel.tar.gz", capsys=capsys)
    assert (told["name"], told["version"], told["state"]) == ("my-kernel", "1", "ready")


def test_name_version_and_description_may_be_given(tmp_path, project, capsys):
    told = ("--name", "ours", "--kernel-version", "3", "--description", "새 커널")
    kernel = Kernel.objects.get(pk=run(zipped(package(), tmp_path / "a.zip"), *told, capsys=capsys)["kernel"])
    assert (str(kernel), kernel.description) == ("ours@3", "새 커널")
    assert b'name = "ours"' in (kernel.folder / "kernel.toml").read_bytes()


def test_one_that_fails_cannot_be_chosen_and_says_why(tmp_path, project, client_of, dev):
    message = refusal(zipped(package(behaviour="no_checkpoint"), tmp_path / "a.zip"))
    assert "failed 1 of" in message
    assert "Leaves a checkpoint" in message
    kernel = Kernel.objects.get(name="mine")
    assert kernel.state == KernelState.FAILED
    assert not Kernel.objects.on_in(project).filter(pk=kernel.pk).exists()
    model_type = ModelType.objects.create(project=project, code="CL_A", name="A", training_type="CL")
    assert why_not(kernel, project, model_type, "training") == "The kernel is not ready: Failed."
    html = client_of(dev).get(kernel.address(project)).content.decode()
    assert "save/checkpoint.pth is missing or empty" in html
    assert "the best state, for additional training and for validation" in html
    assert "Try again" in html


def test_a_kernel_that_failed_is_tried_again_and_passes(tmp_path, project, client_of, dev, settings):
    settings.TRAINPORTAL_DOCTOR_LIMIT = 0.01
    assert "failed 1 of" in refusal(zipped(package(), tmp_path / "a.zip"))
    settings.TRAINPORTAL_DOCTOR_LIMIT = 20.0
    kernel = Kernel.objects.get(name="mine")
    answer = client_of(dev).post(reverse("kernels:try_again", args=["valves", kernel.pk]))
    job = Job.objects.latest("pk")
    assert answer["Location"] == job.get_absolute_url()
    kernel.refresh_from_db()
    assert (kernel.state, kernel.checklist) == (KernelState.IMPORTING, [])
    assert following.run_here(job).state == State.SUCCEEDED
    kernel.refresh_from_db()
    assert kernel.state == KernelState.READY
    assert order.try_again(kernel, project, dev) is None


def test_the_same_files_again_are_the_same_kernel(tmp_path, project, capsys):
    path = zipped(package(), tmp_path / "a.zip")
    first = run(path, capsys=capsys)
    KernelSwitch.objects.all().delete()
    assert run(path, capsys=capsys)["kernel"] == first["kernel"]
    assert Kernel.objects.on_in(project).filter(pk=first["kernel"]).exists()


def test_the_same_name_with_other_files_is_a_new_version(tmp_path, project, capsys):
    first = run(zipped(package(), tmp_path / "a.zip"), capsys=capsys)
    second = run(zipped(package() | {"notes.txt": b"x"}, tmp_path / "b.zip"), capsys=capsys)
    assert first["kernel"] != second["kernel"]
    assert second["version"] == f"1+{second['digest'][:8]}"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"../evil.py": b"x"}, "points out of it"),
        ({"model_schema.json": b'{"properties": {\n"x": tru}}'}, "line 2"),
        ({"model_schema.json": b'{"properties": {"training_type": {"const": "CL"}}}'}, "“model_type” is missing"),
        ({"model_schema.json": None}, "model_schema.json is missing"),
        ({"train.py": None}, "no train.py"),
        ({"kernel.toml": b"name = 3\nversion = '1'"}, "name must be a text"),
        ({"kernel.toml": b"name = 'a'\nversion = '1'\n[doctor]\nfast = 1"}, "[doctor] fast is not known"),
    ],
)
def test_what_is_no_kernel_leaves_nothing_behind(tmp_path, project, home, change, words):
    before = Kernel.objects.count()
    files = {name: data for name, data in (package() | change).items() if data is not None}
    assert words in refusal(zipped(files, tmp_path / "a.zip"))
    assert Kernel.objects.count() == before
    assert not (home / "evil.py").exists()


def test_a_cancelled_import_is_a_kernel_that_failed(tmp_path, project, dev, monkeypatch):
    job = order.Order(project, dev).start_archive(zipped(package(), tmp_path / "a.zip"))

    def progress(percentage: float, sentence: str) -> None:
        if sentence.startswith("Trying"):
            raise kinds.Cancelled

    with pytest.raises(kinds.Cancelled):
        work.Import(job, progress).run()
    kernel = Kernel.objects.get(name="mine")
    assert (kernel.state, kernel.may_be_tried, kernel.tried_at) == (KernelState.FAILED, True, None)
    work.Import(job, lambda percentage, sentence: None).run()  # as a runner that takes over
    kernel.refresh_from_db()
    assert kernel.state == KernelState.READY


# --- git -------------------------------------------------------------------------------------------------------------
@pytest.fixture
def repository(tmp_path, settings):
    """A repository on this disk, where the administrator allows that; a function that commits files to a branch."""
    settings.TRAINPORTAL_GIT_PROTOCOLS = ["file"]
    folder = tmp_path / "repo.git"
    who = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main")

    def git(*argv: str) -> None:
        subprocess.run(["git", *who, *argv], cwd=folder, check=True, capture_output=True)

    folder.mkdir()
    git("init")

    def commit(files: dict[str, bytes], branch: str = "main", below: str = "") -> None:
        git("checkout", "-B", branch)
        packing.write_package(files, folder / below)
        git("add", "-A")
        git("commit", "-m", "a kernel")

    commit.url = f"file://{folder}"  # type: ignore[attr-defined]
    return commit


def test_a_branch_and_folder_of_a_repository_become_a_kernel(repository, project, capsys, tmp_path):
    repository({"README.md": b"nothing here"})
    repository(package("from-git"), branch="release/1", below="kernels/mine")
    told = run(repository.url, "--branch", "release/1", "--folder", "kernels/mine", capsys=capsys)
    kernel = Kernel.objects.get(pk=told["kernel"])
    assert (kernel.name, kernel.state) == ("from-git", KernelState.READY)
    assert (kernel.origin["branch"], kernel.origin["folder"]) == ("release/1", "kernels/mine")
    assert len(kernel.origin["commit"]) == 40
    assert not (kernel.folder / ".git").exists()


def test_a_branch_or_folder_that_is_not_there_is_said(repository, project):
    repository({"README.md": b"nothing here"})
    assert "release/9" in refusal(repository.url, "--branch", "release/9")
    assert "no folder “kernels”" in refusal(repository.url, "--folder", "kernels")


def test_links_in_a_repository_are_left_out(repository, project, tmp_path, capsys):
    repository(package("linked"))
    (tmp_path / "repo.git/secret.txt").symlink_to("/etc/passwd")
    repository({})
    told = run(repository.url, capsys=capsys)
    files = {path.name for path in Kernel.objects.get(pk=told["kernel"]).folder.iterdir()}
    assert "secret.txt" not in files or not (Kernel.objects.get(pk=told["kernel"]).folder / "secret.txt").is_symlink()
    assert b"root:" not in b"".join(
        path.read_bytes() for path in Kernel.objects.get(pk=told["kernel"]).folder.iterdir()
    )


@pytest.mark.parametrize(
    ("repository", "field"),
    [
        (Repository("file:///etc"), "url"),
        (Repository("ext::sh -c touch% /tmp/x"), "url"),
        (Repository("--upload-pack=touch /tmp/x"), "url"),
        (Repository("ssh://-oProxyCommand=touch/x"), "url"),
        (Repository("ssh://-l@host/x"), "url"),
        (Repository("https://me:secret@example.com/x.git"), "url"),
        (Repository("https://a-token@example.com/x.git"), "url"),
        (Repository("https://example.com/a b"), "url"),
        (Repository("https://example.com"), "url"),
        (Repository("https://[/x"), "url"),
        (Repository("https://example.com:x/y"), "url"),
        (Repository("git@example.com:x.git"), "url"),
        (Repository("https://example.com/x.git", branch="--upload-pack=x"), "branch"),
        (Repository("https://example.com/x.git", branch="a..b"), "branch"),
        (Repository("https://example.com/x.git", folder="../.."), "folder"),
        (Repository("https://example.com/x.git", folder="a\\..\\.."), "folder"),
    ],
)
def test_an_address_that_is_none_never_reaches_git(repository, field):
    assert list(repository.faults()) == [field]


@pytest.mark.parametrize("url", ["https://example.com/x.git", "ssh://git@example.com:2222/team/x.git", "http://h/x"])
def test_an_address_that_is_one_is_taken(url):
    assert Repository(url, "feature/x-1", "kernels/mine").faults() == {}


# --- pages -----------------------------------------------------------------------------------------------------------
def test_the_page_takes_an_archive_and_leads_to_the_live_log(client_of, dev, project, tmp_path):
    client, page = client_of(dev), reverse("kernels:import", args=["valves"])
    assert "Import and try" in client.get(page).content.decode()
    data = zipped(package(), tmp_path / "a.zip").read_bytes()
    answer = client.post(page, {"archive": SimpleUploadedFile("a.zip", data), "name": "ours"})
    job = Job.objects.get(kind="import_kernel")
    assert (answer.status_code, answer["Location"]) == (302, job.get_absolute_url())
    assert 'id="job-log"' in client.get(job.get_absolute_url()).content.decode()
    assert following.run_here(job).state == State.SUCCEEDED
    kernel = Kernel.objects.get(name="ours")
    assert kernel.created_by == dev
    html = client.get(kernel.address(project)).content.decode()
    assert "Checklist of the doctor" in html
    assert "a.zip" in html
    log = b"".join(client.get(reverse("kernels:log", args=["valves", kernel.pk])).streaming_content).decode()
    assert "✓ CL: Starts" in log


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({}, "one of the two"),
        ({"url": "https://example.com/x", "archive": SimpleUploadedFile("a.zip", b"x")}, "one of the two"),
        ({"url": "file:///etc/passwd"}, "The address begins with one of: https://, http://, ssh://."),
        ({"url": "https://example.com/x", "branch": "--evil"}, "no name of a branch"),
    ],
)
def test_what_was_sent_wrongly_is_said_beside_the_field(client_of, dev, project, sent, words):
    answer = client_of(dev).post(reverse("kernels:import", args=["valves"]), sent)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Job.objects.exists()


def test_only_who_imported_it_retires_it(client_of, person, project, dev):
    mine = fake_kernels.register(is_on=False, name="mine")
    Kernel.objects.filter(pk=mine.pk).update(created_by=dev)
    other, url = person("other", "developer"), reverse("kernels:move", args=["valves", mine.pk])

    def state(client, to: str) -> str:
        client.post(url, {"to": to})
        return Kernel.objects.get(pk=mine.pk).state

    assert state(client_of(other), "archive") == KernelState.READY
    client = client_of(dev)
    assert state(client, "deprecate") == KernelState.DEPRECATED
    assert state(client, "archive") == KernelState.ARCHIVED
    assert state(client, "deprecate") == KernelState.ARCHIVED
    assert state(client, "nonsense") == KernelState.ARCHIVED
    assert state(client, "restore") == KernelState.READY


def test_a_kernel_that_did_not_pass_never_becomes_ready_by_hand(client_of, project, dev):
    mine = fake_kernels.register(is_on=False, name="mine")
    failed = [{"check": "starts", "training_type": "CL", "state": "failed"}]
    Kernel.objects.filter(pk=mine.pk).update(created_by=dev, state=KernelState.ARCHIVED, checklist=failed)
    client_of(dev).post(reverse("kernels:move", args=["valves", mine.pk]), {"to": "restore"})
    assert Kernel.objects.get(pk=mine.pk).state == KernelState.ARCHIVED


def test_kernels_of_the_portal_are_retired_by_administrators_alone(client_of, project, dev, admin_user):
    kernel = Kernel.objects.filter(is_bundled=True).first()
    assert kernel
    assert not kernel.is_managed_by(dev)
    assert kernel.is_managed_by(admin_user)


def test_one_whose_try_was_cut_off_never_becomes_ready_by_hand(client_of, project, dev):
    mine = fake_kernels.register(is_on=False, name="mine")
    url = reverse("kernels:move", args=["valves", mine.pk])
    for checklist in ([{"check": "starts", "training_type": "CL", "state": "ok"}], []):
        told = {"state": KernelState.FAILED, "checklist": checklist, "origin": {"kind": "archive", "file": "a.zip"}}
        Kernel.objects.filter(pk=mine.pk).update(created_by=dev, tried_at=None, **told)
        for to in ("archive", "restore"):
            client_of(dev).post(url, {"to": to})
        mine.refresh_from_db()
        assert (mine.state, mine.may_be_tried) == (KernelState.ARCHIVED, True)


# --- what lies in the way --------------------------------------------------------------------------------------------
@pytest.fixture
def arrived(project, dev, tmp_path):
    """An import's job, and a folder with what it fetched."""

    def make(files: dict[str, bytes], n: int = 0) -> tuple[Job, Path]:
        folder = tmp_path / f"arrived{n}"
        packing.write_package(files, folder)
        return order.Order(project, dev).start_archive(zipped(files, tmp_path / f"{n}.zip")), folder

    return make


def test_a_folder_that_a_lost_registration_left_is_not_taken_for_the_kernels(arrived, home):
    last = fake_kernels.register(is_on=False, name="last")
    left = home / "kernels" / str(last.pk + 1)
    packing.write_package({"train.py": b"of somebody else"}, left)
    job, folder = arrived(package())
    kernel, is_new = registry.adopt(registry.look_at(folder), folder, job, {})
    assert (kernel.folder, is_new) == (left, True)
    assert packing.digest_of(kernel.folder) == kernel.digest


def test_gigabytes_are_carried_outside_of_the_transaction(arrived, monkeypatch, home):
    job, folder = arrived(package())
    found, depths, move = registry.look_at(folder), [], shutil.move

    def watched(*args):
        depths.append(len(connection.savepoint_ids))
        return move(*args)

    monkeypatch.setattr(registry.shutil, "move", watched)
    registry.adopt(found, folder, job, {})
    assert depths == [len(connection.savepoint_ids)]
    assert not list((home / "kernels").glob(".*"))


def test_two_imports_that_take_one_version_at_once_both_arrive(arrived, monkeypatch):
    first, second = arrived(package(), 1), arrived(package(rows=6), 2)
    registry.adopt(registry.look_at(first[1]), first[1], first[0], {})
    answers, free = ["1"], registry._free_version  # what the second saw before the first was there
    monkeypatch.setattr(registry, "_free_version", lambda *about: answers.pop() if answers else free(*about))
    kernel, is_new = registry.adopt(registry.look_at(second[1]), second[1], second[0], {})
    assert (is_new, kernel.version[:2]) == (True, "1+")


@pytest.mark.parametrize("state", [KernelState.ARCHIVED, KernelState.DEPRECATED])
def test_files_that_are_here_but_not_ready_are_no_success(tmp_path, project, state, home):
    source = zipped(package(), tmp_path / "a.zip")
    run(source)
    Kernel.objects.filter(name="mine").update(state=state)
    assert f"“mine@1”, which is not ready: {state.label}" in refusal(source)
    assert not list((home / "kernel-imports").iterdir()), "what was sent is of no more use"


def test_one_that_failed_and_was_archived_is_tried_anew(tmp_path, project, capsys):
    source = zipped(package(), tmp_path / "a.zip")
    run(source, capsys=capsys)
    failed = [{"check": "starts", "training_type": "CL", "state": "failed"}]
    Kernel.objects.filter(name="mine").update(state=KernelState.ARCHIVED, checklist=failed)
    assert run(source, capsys=capsys)["state"] == KernelState.READY


def test_an_import_that_is_cancelled_in_the_queue_says_so(tmp_path, project, monkeypatch):
    start = order.Order.start_archive

    def cancelled(self, archive):
        job = start(self, archive)
        job.request_cancel(by=self.user)
        return job

    monkeypatch.setattr(order.Order, "start_archive", cancelled)
    with pytest.raises(CommandError, match="CANCELLED"):
        call_command("import_kernel", str(zipped(package(), tmp_path / "a.zip")), "--project", "valves")


def test_a_file_whose_name_is_no_text_is_refused(tmp_path):
    (tmp_path / "top").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path / "top") + b"/\xff.txt")).write_text("x")
    with pytest.raises(BadSource, match="no text in UTF-8"):
        fetching._copy(tmp_path / "top", tmp_path / "target")


def test_the_log_takes_what_is_no_text(project, dev, tmp_path):
    job = order.Order(project, dev).start_archive(zipped(package(), tmp_path / "a.zip"))
    work.Import(job, lambda percentage, sentence: None).say("a\udcff")
    assert runfolder.log(job).read_text() == "a\\udcff\n"


def test_a_trial_that_lost_its_runner_is_ended_before_anything_can_end_the_import(tmp_path, project, dev):
    job = order.Order(project, dev).start_archive(zipped(package(), tmp_path / "a.zip"))

    def cancelled(percentage: float, sentence: str) -> None:
        raise kinds.Cancelled

    again = work.Import(job, cancelled)
    folder = again.trials / "CL" / "train"
    folder.mkdir(parents=True)
    launch = kinds.Launch([sys.executable, "-c", "import time; time.sleep(60)"], {}, folder, folder / "out", "key")
    local.start(launch, attempt=0, grace=1.0)
    with pytest.raises(kinds.Cancelled):
        again.run()
    assert not locks.is_held(folder / shim.LOCK)
    assert not again.trials.exists()
