"""The fuzzer of `make fuzz` itself: it runs, and it finds what is wrong."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def fuzz(*arguments: str, code: str = "") -> subprocess.CompletedProcess:
    start = f"import runpy, sys; sys.argv = ['fuzz', *{list(arguments)!r}]"
    run = f"{start}\n{code}\nrunpy.run_module('tests.fuzz', run_name='__main__')"
    return subprocess.run(
        [sys.executable, "-c", run], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_fuzzer_tells_of_clean_answers(tmp_path):
    done = fuzz("yolo", "--seconds", "0.2", "--seed", "1", "--keep", str(tmp_path / "found"))
    assert (done.returncode, "yolo: 1" in done.stdout, "only clean answers" in done.stdout) == (0, True, True), done
    assert not (tmp_path / "found").exists()


def test_the_fuzzer_keeps_what_breaks_a_reader(tmp_path):
    broken = "from datasets_app.formats import voc\nimport django, os\nvoc.number = float"
    done = fuzz("voc", "--seconds", "60", "--seed", "1", "--keep", str(tmp_path), code=broken)
    assert (done.returncode, "ValueError" in done.stdout) == (1, True), done
    assert list(tmp_path.glob("voc-*/Annotations/a.xml"))
