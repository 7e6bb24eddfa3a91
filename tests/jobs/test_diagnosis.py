"""Why a job failed: the rule, its values, the line of the log, and the words of whoever reads it."""

from __future__ import annotations

import json
import re
import signal

import pytest
from django.utils import timezone, translation

from jobs import diagnosis, hosts, outcome, runfolder
from jobs.failure_rules import BY_NAME, RULES
from jobs.launchers import shim
from jobs.models import Job, State
from jobs.said import Said, load
from tests.jobs import test_pages

toy, page = test_pages.toy, test_pages.page  # fixtures

# the rule, and what programs really wrote
LINES = [
    ("gpu_memory", "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 79 GiB"),
    ("gpu_memory", "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ("gpu_memory", "[rank1]: torch.cuda.OutOfMemoryError: CUDA out of memory."),
    ("memory", "RuntimeError: [enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: can't allocate memory: you"),
    ("memory", "terminate called after throwing an instance of 'std::bad_alloc'"),
    ("memory", "MemoryError"),
    ("memory", "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 7.45 GiB for an array"),
    ("memory", "RuntimeError: DataLoader worker (pid 4242) is killed by signal: Killed. "),
    ("memory", "The memory is not enough for these settings. A smaller batch size or image size helps."),
    ("memory", "  exitcode  : -9 (pid: 1234)"),
    ("shared_memory", "ERROR: Unexpected bus error encountered in worker. maybe insufficient shared memory"),
    ("not_finite", "The training went astray: at step 40 the loss is no number any more. A learning rate smaller than"),
    ("not_finite", "ValueError: loss became nan at step 12"),
    ("not_finite", "AssertionError: Loss is infinite or NaN!"),
    ("not_finite", "RuntimeError: Function 'MseLossBackward0' returned nan values in its 0th output."),
    ("missing_module", "ModuleNotFoundError: No module named 'albumentations'"),
    ("wrong_module", "ImportError: cannot import name 'Mish' from 'timm.layers' (/usr/lib/timm/layers/__init__.py)"),
    ("missing_library", "ImportError: libGL.so.1: cannot open shared object file: No such file or directory"),
    ("disk_full", "OSError: [Errno 28] No space left on device: 'out/save/checkpoint.pth'"),
    ("disk_full", "RuntimeError: [enforce fail at inline_container.cc:664] . No space left on device"),
    ("quota", "OSError: [Errno 122] Disk quota exceeded"),
    ("dataset_gone", "FileNotFoundError: [Errno 2] No such file or directory: '/srv/runs/7/dataset/images/3/a b.png'"),
    ("base_mismatch", "RuntimeError: Error(s) in loading state_dict for ResNet: size mismatch for fc.weight"),
    ("bad_checkpoint", "RuntimeError: PytorchStreamReader failed reading zip archive"),
    ("labels", "RuntimeError: CUDA error: device-side assert triggered"),
    ("no_samples", "ValueError: num_samples should be a positive integer value, but got num_samples=0"),
    ("network", "urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>"),
    ("gpu_driver", "RuntimeError: The NVIDIA driver on your system is too old (found version 11040)."),
    ("gpu_fault", "RuntimeError: CUDA error: an illegal memory access was encountered"),
    ("ranks", "[rank0]: torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:1970"),
    ("not_allowed", "PermissionError: [Errno 13] Permission denied: '/etc/shadow'"),
    ("not_started", "The program could not be started: [Errno 2] No such file or directory: 'python9'"),
    ("file_size", "OSError: [Errno 27] File too large"),
]  # fmt: skip


@pytest.fixture
def failed(project, home):
    """Makes a job that ended with this log and exit code, as the runner judges it."""

    def make(log: str = "", code: int | None = 1, *, otherwise: str | None = None, message: str = "", **fields) -> Job:
        at = timezone.now()
        usual = {"kind": "toy", "title": "toy job", "state": State.RUNNING, "created_at": at, "queued_at": at}
        job = Job.objects.create(project=project, exit_code=code, **(usual | fields))
        folder = runfolder.of(job)
        folder.mkdir(parents=True)
        runfolder.log(job).write_text(log, encoding="utf-8")
        verdict = outcome.judge(job, folder, folder / runfolder.OUTPUT, code, [])
        said, kind = (message, otherwise) if otherwise else (verdict.message, verdict.failure)
        facts = diagnosis.of(job, folder, said, kind)
        assert job.move((State.RUNNING,), State.FAILED, who="runner", why=said, message=said, **facts)
        return job

    return make


def test_every_rule_has_a_line_or_is_named_by_the_engine():
    tried = {name for name, _line in LINES}
    assert {rule.name for rule in RULES if rule.patterns} == tried
    assert len(BY_NAME) == len(RULES)


@pytest.mark.parametrize(("name", "line"), LINES)
def test_what_programs_write_is_understood(failed, name, line):
    """As the last line of a traceback, as a line of the log before the end, and as the kernel's own message."""
    noise = "epoch 1: loss 0.5\n"
    job = failed(f"{noise}Traceback (most recent call last):\n  File 'a.py'\n{line}\n{noise}")
    assert job.failure == name
    assert job.failure_facts["quote"].startswith(line.strip()[:200])
    log = runfolder.log(job).read_bytes()
    assert log[job.failure_facts["at"] :].decode().startswith(line)
    assert failed("", message=line, otherwise=diagnosis.SAID).failure == name


@pytest.mark.parametrize(
    ("code", "name", "value"),
    [
        (3, "exit_code", "3"),
        (-9, "killed", "SIGKILL"),
        (137, "killed", "SIGKILL"),
        (-15, "asked_to_end", "SIGTERM"),
        (-11, "crashed", "SIGSEGV"),
        (-signal.SIGXFSZ, "file_size", "SIGXFSZ"),
        (-signal.SIGUSR1, "signal", "SIGUSR1"),
        (None, "exit_code", "None"),
    ],
)
def test_an_end_without_a_word_is_named_by_its_code(failed, code, name, value):
    job = failed("step 1\nstep 2\n\n", code)
    assert job.failure == name
    assert value in job.failure_facts["values"].values()
    assert job.failure_facts["quote"] == "step 2"


def test_killed_while_the_system_ran_out_of_memory_is_told_from_killed(failed, monkeypatch, tmp_path):
    counter = tmp_path / "vmstat"
    counter.write_text("nr_free_pages 12\noom_kill 4\npswpin 0\n")
    monkeypatch.setattr(hosts, "OOM_COUNTERS", (str(counter), str(tmp_path / "none")))

    def killed() -> str:
        job = failed("step 1\n", -9)
        (runfolder.of(job) / shim.ORDER).write_text(json.dumps({"oom_kills": hosts.oom_kills()}))
        counter.write_text(counter.read_text().replace("oom_kill 4", f"oom_kill {rises}"))
        return diagnosis.of(job, runfolder.of(job), "", diagnosis.EXIT)["failure"]

    rises = 4
    assert killed() == "killed"
    rises = 5
    assert killed() == "memory_killed"


def test_killed_with_nearly_all_memory_of_its_machine_counts_as_out_of_memory(failed, db):
    host = hosts.beat()
    assert failed("", -9, host=host, peak_memory=int(host.memory_bytes * 0.95)).failure == "memory_killed"
    assert failed("", -9, host=host, peak_memory=int(host.memory_bytes * 0.3)).failure == "killed"


def test_the_rank_that_failed_is_found_behind_torchruns_own_traceback(failed):
    job = failed(
        "[rank1]: Traceback (most recent call last):\n[rank1]:   x\n[rank1]: torch.OutOfMemoryError: CUDA out\n"
        "Traceback (most recent call last):\n  File run.py\n"
        "torch.distributed.elastic.multiprocessing.errors.ChildFailedError: \n====\ntrain.py FAILED\n"
    )
    assert job.failure == "gpu_memory"


def test_what_a_data_loader_met_is_found_behind_its_own_words(failed):
    job = failed(
        "Traceback (most recent call last):\n  File loop\n"
        "FileNotFoundError: Caught FileNotFoundError in DataLoader worker process 0.\n"
        "Original Traceback (most recent call last):\n  File b\n"
        "FileNotFoundError: [Errno 2] No such file or directory: '/x/runs/3/dataset/images/1/a.png'\n"
    )
    assert job.failure == "dataset_gone"
    assert job.failure_facts["values"]["file"].endswith("dataset/images/1/a.png")


def test_a_warning_long_ago_does_not_explain_an_error_of_today(failed):
    log = "warning: out of memory, trying again with less\n" + "step\n" * 500
    job = failed(f"{log}Traceback (most recent call last):\n  x\nValueError: the learning rate fell into a well\n")
    assert job.failure == "said"
    assert job.failure_facts["quote"] == "ValueError: the learning rate fell into a well"


def test_a_huge_or_hostile_log_takes_no_time_and_does_no_harm(failed):
    lines = ["loss " + "a" * 5000, "'" * 3000 + "No such file" + "'/dataset/" * 400, "\x1b[31mERROR\x1b[0m \x00"] * 200
    job = failed("\n".join(lines) + "\nKilled", 1)
    assert job.failure == "dataset_gone" or job.failure == "exit_code"
    assert len(job.failure_facts["quote"]) <= diagnosis.LONGEST


# --- in the reader's words ------------------------------------------------------------------------------------------
def test_each_reader_gets_the_failure_in_their_language(failed):
    job = failed("ModuleNotFoundError: No module named 'albumentations'\n")
    told = {}
    for language in ("en", "ko"):
        with translation.override(language):
            told[language] = diagnosis.told(job)
    assert told["en"].sentence == "The Python module “albumentations” is not there."
    assert "albumentations" in told["ko"].sentence
    for text in (told["ko"].sentence, told["ko"].advice):
        assert re.search("[가-힣]{2,}", text)
    assert told["en"].quote == told["ko"].quote == "ModuleNotFoundError: No module named 'albumentations'"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_speaks_korean_and_keeps_its_values(rule):
    for text in (rule.sentence, rule.advice):
        with translation.override("en"):
            english = str(text)
        with translation.override("ko"):
            korean = str(text)
        assert set(re.findall(r"%\(\w+\)s", english)) == set(re.findall(r"%\(\w+\)s", korean))
        assert not english or re.search("[가-힣]{2,}", korean)
    names = {name for pattern in rule.patterns for name in re.compile(pattern).groupindex}
    assert set(re.findall(r"%\((\w+)\)s", str(rule.sentence))) <= names | ({"signal", "code"} if not names else set())


def test_the_page_shows_the_sentence_the_line_and_the_way_to_it(failed, page):
    job = failed("step 1\nModuleNotFoundError: No module named '<b>x'\nbye\n")
    html = page("jobs:detail", job.pk)
    assert "The Python module “&lt;b&gt;x” is not there." in html
    assert "<b>x" not in html
    target = re.search(r'href="([^"]*\?at=7#marked)"', html)
    assert target
    assert re.search(r'id="marked">ModuleNotFoundError', page("jobs:log", job.pk, at=7))


def test_the_portals_own_sentences_follow_the_reader_too(failed, client_of, person):
    text = "Its supervisor was lost %(n)d times in a row; given up."
    job = failed("", message=Said(text, n=4), otherwise="interrupted")
    reader = person("kim", "viewer")
    reader.language = "ko"
    reader.save()
    html = client_of(reader, headers={"accept-language": "ko"}).get(job.get_absolute_url()).content.decode()
    assert "given up" not in html
    assert "4" in html
    assert job.message == text % {"n": 4}


@pytest.mark.parametrize("name", diagnosis.CERTAIN)
def test_what_the_engine_knows_is_not_guessed_from_the_log(failed, name):
    text = Said("Interrupted %(n)d times; given up.", n=4)
    job = failed("torch.OutOfMemoryError: CUDA out of memory.\n", message=text, otherwise=name)
    told = diagnosis.told(job)
    assert (job.failure, told.details, told.quote) == (name, str(text), "")


def test_a_sentence_within_a_sentence_and_a_list_come_back_whole():
    text = Said("The kernel failed: %(end)s.", end=Said("exit code %(code)d", code=3))
    lists = Said("The kernel ended, but its results are not complete: %(list)s", list=[text, "b"])
    again = load(json.loads(json.dumps(lists.parts)), "")
    assert again == lists == "The kernel ended, but its results are not complete: The kernel failed: exit code 3.; b"
    assert isinstance(again, Said)
    with translation.override("ko"):
        assert "3" in again.here()
        assert "exit code" not in again.here()


@pytest.mark.parametrize("parts", [None, 3, {}, {"sentence": "%(x)s", "values": {}}, {"sentence": "%d", "values": {}}])
def test_what_an_other_version_kept_falls_back_to_its_text(parts):
    assert load(parts, "the text") == "the text"
