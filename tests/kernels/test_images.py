"""Whether an upload is an image is told without a word of a container tool, and whatever it is."""

from __future__ import annotations

import io
import lzma
import tarfile

import pytest

from jobs.kinds import JobError
from jobs.launchers import container
from kernels_app import images, outside
from kernels_app.models import Kernel


def tar(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def link() -> tarfile.TarInfo:
    member = tarfile.TarInfo("manifest.json")
    member.type, member.linkname = tarfile.SYMTYPE, "elsewhere"
    return member


MANIFEST = tar((tarfile.TarInfo("manifest.json"), b'[{"Layers": []}]'))


@pytest.mark.parametrize(
    ("content", "is_one"),
    [
        (MANIFEST, True),
        (lzma.compress(MANIFEST), True),
        (lzma.compress(MANIFEST * 99)[:60], False),
        (tar((link(), b"")), False),
        (tar((tarfile.TarInfo("manifest.json"), b"[" * 90_000)), False),
        (b"no archive", False),
        (b"", False),
    ],
)
def test_only_what_names_layers_is_an_image(tmp_path, content, is_one):
    path = tmp_path / "a.tar"
    path.write_bytes(content)
    assert images.is_image(path) == is_one


def test_names_of_images_stay_apart_and_readable():
    assert [images._slug(text) for text in ("team-base", "1.0", "1-0")] == ["team-base", "1.0", "1-0"]
    others = {images._slug(text) for text in ("파이토치", "텐서플로", "Team Base", "team base", "a..b")}
    assert len(others) == 5
    assert all(name.isascii() and name == name.lower() for name in others)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Loaded image: localhost/a:1", "localhost/a:1"),
        ("Loaded image(s): localhost/a:1,localhost/b:2", "localhost/b:2"),  # podman 3
        ("Getting signatures\nLoaded image ID: sha256:0123", "sha256:0123"),
    ],
)
def test_what_was_loaded_has_the_name_that_the_tool_says(said, name):
    assert images._loaded(said) == name


def test_a_job_waits_for_a_tool_that_is_slow_to_answer(monkeypatch):
    answers = iter([TimeoutError, TimeoutError, {"content": "c"}])

    def facts(used, image):
        answer = next(answers)
        if answer is TimeoutError:
            raise TimeoutError
        return answer

    monkeypatch.setattr(container, "needed", lambda: container.Tool(("podman",)))
    monkeypatch.setattr(container, "facts", facts)
    ticks: list[int] = []
    images.ensure(Kernel(image="one", build={"content": "c"}), tick=lambda: ticks.append(1))
    assert len(ticks) == 2


def test_one_that_never_answers_fails_the_job_in_words(monkeypatch, tmp_path):
    stuck = tmp_path / "tool"
    stuck.write_text("#!/bin/sh\nexec sleep 9\n")
    stuck.chmod(0o755)
    monkeypatch.setattr(container, "needed", lambda: container.Tool((str(stuck),)))
    monkeypatch.setattr(container, "LIMIT", 0.01)
    monkeypatch.setattr(images, "PATIENCE", 2)
    with pytest.raises(JobError, match="timed out"):
        images.ensure(Kernel(image="one"))


def test_a_build_reaches_the_network_as_the_host_does_and_a_run_does_not(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "localhost")
    given = {"HTTPS_PROXY": "http://proxy:3128", "no_proxy": "localhost"}
    assert given.items() <= outside.proxies().items()
    assert not {"HTTPS_PROXY", "no_proxy"} & set(container.environment())
