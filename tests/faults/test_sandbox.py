"""Kernels in bubblewrap: what they can reach, and that faults are survived in there as well."""

from __future__ import annotations

import json
import os
import signal
import sys
import time

import pytest
from django.db import connection

from jobs import locks
from jobs.kinds import Launch
from jobs.launchers import local, sandbox, shim
from jobs.models import Host, State
from kernels_app import registry
from kernels_app.bundled import packing
from models_app.orders import TrainOrder
from tests import needs
from tests.faults.invariants import lives

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def bubblewrap(monkeypatch) -> None:
    monkeypatch.delenv("FAULTS_SANDBOX", raising=False)  # also in a round of the soak that does without
    needs.need(not sandbox.fault(), f"bubblewrap that works here ({sandbox.fault()})")


def test_a_kernel_reaches_neither_database_nor_other_runs_nor_secrets(portal, client_of):
    """The probe tries; outside of a sandbox all of it would go through."""
    given = connection.settings_dict
    (portal.home / "secret_key").write_text("hush")
    portal.tend()
    first = portal.until(portal.train(steps=1), State.SUCCEEDED)
    target = {"file": str(given["NAME"]), "host": given["HOST"] or "", "port": int(given["PORT"] or 0)}
    job = portal.train(steps=1, behaviour="probes", victim=os.getpid(), database=target, other=first.pk)
    portal.until(job, State.SUCCEEDED)
    found = json.loads((portal.models[1].folder / "probe.json").read_text())
    assert found.pop("writes its results") == "done"
    assert found.pop("writes into its folder") == "done"
    assert found.pop("reads its data") == "done"
    assert {what: how for what, how in found.items() if how == "done"} == {}
    assert len(found) > 12
    assert Host.objects.get().sandbox == "bwrap"
    page = client_of(portal.shop.user).get(job.get_absolute_url()).content.decode()
    assert "bubblewrap" in page


@pytest.mark.one_database
def test_the_same_probe_succeeds_without_a_sandbox(portal, client_of):
    """So it does look where there is something to find. The page says that nothing encloses the kernel."""
    given = connection.settings_dict
    (portal.home / "secret_key").write_text("hush")
    portal.more["TRAINPORTAL_SANDBOX"] = "off"
    portal.worker()
    target = {"file": str(given["NAME"]), "host": given["HOST"] or "", "port": int(given["PORT"] or 0)}
    job = portal.train(steps=1, behaviour="probes", victim=os.getpid(), database=target, other=1)
    portal.until(job, State.SUCCEEDED)
    found = json.loads((portal.models[0].folder / "probe.json").read_text())
    for what in ("reads the secret key", "lists the portal's files", "reaches the database", "signals the portal"):
        assert found[what] == "done", what
    page = client_of(portal.shop.user).get(job.get_absolute_url()).content.decode()
    assert "bubblewrap" not in page


@pytest.mark.one_database
def test_f27c_a_sandbox_whose_outer_process_is_killed_goes_on_and_its_exit_code_is_known(portal):
    portal.tend()
    job = portal.at_step(portal.train(), 2)
    os.kill(portal.started(job), signal.SIGKILL)
    portal.at_step(job, (job.step or 0) + 3)
    portal.finish(job)
    assert job.exit_code == 0
    [life] = lives(portal.home).values()
    assert life.steps == list(range(1, len(life.steps) + 1))


@pytest.mark.one_database
def test_f27d_and_it_can_be_cancelled_without_its_shim_as_well(portal, alice):
    """Bubblewrap and shim are both gone: the first process inside is known by name."""
    portal.tend()
    job = portal.at_step(portal.train(), 2)
    for who in ("shim", "leader"):
        os.kill(portal.started(job, who), signal.SIGKILL)
    job.request_cancel(alice)
    portal.until(job, State.CANCELLED)
    assert (portal.models[0].folder / "save" / "resume.pth").is_file()


@pytest.mark.one_database
def test_an_installation_that_insists_on_a_sandbox_starts_nothing_without_one(portal):
    """Stub: no bubblewrap on the path of its processes."""
    portal.more |= {"TRAINPORTAL_SANDBOX": "bwrap", "PATH": "/nowhere"}
    portal.worker()
    job = portal.until(portal.train(), State.FAILED)
    assert "in a sandbox only" in job.message
    assert lives(portal.home) == {}


@pytest.mark.kernel
def test_the_bundled_classifier_trains_in_a_sandbox(portal):
    """torch, its threads and shared memory, the weights that came with it, the export: all of it is there inside."""
    portal.shop.kernel = registry.register(packing.package_files("cl"), is_bundled=True)
    params = {"epochs": 1, "learning_rate": 1e-4, "batch_size": 2, "image_size": 64, "probe_epochs": 1}
    portal.models.append(
        TrainOrder(
            portal.shop.project, portal.shop.model_type, portal.shop.kernel, [portal.shop.train], [portal.shop.val],
            "classifier", params, devices=1,
        ).start(portal.shop.user)
    )  # fmt: skip
    portal.file("gpus", "0")
    portal.tend()
    job = portal.until(portal.models[0].job, State.SUCCEEDED, patience=300)
    assert (job.handle["sandbox"], job.remark) == ("bwrap", "")
    assert (portal.models[0].folder / "save" / "checkpoint.pth").is_file()
    assert list(portal.models[0].folder.glob("*.onnx"))


@pytest.mark.kernel
def test_ranks_find_each_other_without_a_network(tmp_path, settings):
    """gloo over the loopback of the sandbox, and all of them end with SIGTERM to it."""
    settings.TRAINPORTAL_HOME = tmp_path
    folder = tmp_path / "run"
    for name in ("out", "tmp"):
        (folder / name).mkdir(parents=True)
    (folder / "ranks.py").write_text(
        "import time, torch, torch.distributed as dist\n"
        "dist.init_process_group('gloo')\n"
        "one = torch.ones(1)\n"
        "dist.all_reduce(one)\n"
        "open(f'out/{dist.get_rank()}', 'w').write(str(one.item()))\n"
        "time.sleep(600)\n"
    )
    ranks = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder / "tmp"), "OMP_NUM_THREADS": "1"}
    launch = Launch([sys.executable, *ranks, str(folder / "ranks.py")], environment, folder, folder / "out", "key")
    handle = local.start(launch, attempt=0, grace=40.0)
    assert handle["sandbox"] == "bwrap"
    deadline = time.monotonic() + 120
    while sorted(path.name for path in (folder / "out").iterdir()) != ["0", "1"]:
        assert time.monotonic() < deadline, (folder / shim.LOG).read_text()
        time.sleep(0.1)
    assert {path.read_text() for path in (folder / "out").iterdir()} == {"2.0"}
    local.stop(handle)
    while locks.is_held(folder / shim.LOCK):
        assert time.monotonic() < deadline
        time.sleep(0.1)
