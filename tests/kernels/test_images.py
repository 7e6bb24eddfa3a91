"""Whether an upload is an image is told without a word of a container tool, and whatever it is."""

from __future__ import annotations

import io
import lzma
import tarfile

import pytest

from jobs import hosts
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
    ("said", "names"),
    [
        ("Loaded image: localhost/a:1\nLoaded image: localhost/b:2", ["localhost/a:1", "localhost/b:2"]),
        ("Loaded image(s): localhost/a:1,localhost/b:2", ["localhost/a:1", "localhost/b:2"]),  # podman 3
        ("Getting signatures\nLoaded image ID: sha256:0123", ["sha256:0123"]),
    ],
)
def test_what_was_loaded_has_the_names_that_the_tool_says(said, names):
    assert images._loaded(said) == names


def test_a_job_waits_for_a_tool_that_is_slow_to_answer(monkeypatch):
    answers = iter([TimeoutError(), ConnectionError("is the docker daemon running?"), {"content": "c"}])

    def facts(used, image):
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    monkeypatch.setattr(images, "PAUSE", 0)
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
    monkeypatch.setattr(images, "PATIENCE", 0.05)
    monkeypatch.setattr(images, "PAUSE", 0.01)
    with pytest.raises(JobError, match="timed out"):
        images.ensure(Kernel(image="one"))


def test_a_build_reaches_the_network_as_the_host_does_and_a_run_does_not(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "localhost")
    given = {"HTTPS_PROXY": "http://proxy:3128", "no_proxy": "localhost"}
    assert given.items() <= outside.proxies().items()
    assert not {"HTTPS_PROXY", "no_proxy"} & set(container.environment())


def a_tool(tmp_path, script: str) -> container.Tool:
    tool = tmp_path / "tool"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    return container.Tool((str(tool),))


def test_an_image_is_not_here_only_where_the_tool_says_so(tmp_path):
    absent = a_tool(tmp_path, "echo '[]'; echo 'Error: a:1: image not known' >&2; exit 125")
    assert container.facts(absent, "a:1") == {}
    away = a_tool(tmp_path, "echo '[]'; echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    with pytest.raises(ConnectionError, match="Cannot connect"):
        container.facts(away, "a:1")


def test_a_load_takes_no_name_but_its_own_whatever_others_name_meanwhile(tmp_path, home):
    """The tool keeps its images as files; while it loads, somebody pulls one, and one of the tar's names was taken."""
    store = tmp_path / "store"
    store.mkdir()
    (store / "taken:1").write_text("theirs")
    used = a_tool(
        tmp_path,
        f"""cd {store}
        case "$1" in
          images) for name in *; do echo "$name $(cat $name)"; done ;;
          load) for name in own:1 taken:1; do echo new > $name; echo "Loaded image: $name"; done; echo x > pulled:1 ;;
          tag) if [ -e "$2" ]; then cp "$2" "$3"; else echo "$2" > "$3"; fi ;;
          image) rm "$3" ;;
        esac""",
    )
    images._load(used, tmp_path / "a.tar", "kernel:1", lambda: None, lambda text: None)
    left = {path.name: path.read_text().strip() for path in store.iterdir()}
    assert left == {"kernel:1": "new", "pulled:1": "x", "taken:1": "theirs"}


def test_two_loads_wait_for_each_other(tmp_path, home):
    used = a_tool(tmp_path, 'case "$1" in load) echo "Loaded image: a:1" ;; esac')
    held = home / f".images-{hosts.name()}.lock"

    class Waits(Exception):
        pass

    def tick():
        raise Waits

    with outside.alone(held, tick), pytest.raises(Waits):
        images._load(used, tmp_path / "a.tar", "kernel:1", tick, lambda text: None)
