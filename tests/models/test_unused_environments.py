"""The packages of a kernel that was archived: gone when none of its jobs is left, and never before."""

from __future__ import annotations

import os
import time

from jobs import chores
from jobs.models import Job, State
from kernels_app import environments
from kernels_app.models import Kernel, KernelState


def test_packages_of_an_archived_kernel_stay_while_a_job_of_it_waits_and_go_after_it(shop):
    (shop.kernel.folder / environments.REQUIREMENTS).write_text("one==1\n")
    folder = environments.folder_of(shop.kernel.folder)
    folder.mkdir(parents=True)
    (folder / environments.REQUIREMENTS).write_text("one==1\n")
    ready = folder / environments.READY
    ready.touch()
    os.utime(ready, (time.time() - 2 * environments.UNUSED,) * 2)
    model = shop.order().start(shop.user)
    chores.do_all()
    assert folder.is_dir()  # it may be chosen
    Kernel.objects.filter(pk=shop.kernel.pk).update(state=KernelState.ARCHIVED)
    chores.do_all()
    assert folder.is_dir()  # its job waits
    Job.objects.filter(pk=model.job_id).update(state=State.CANCELLED)
    chores.do_all()
    assert not folder.exists()
