"""What the commands about models share: finding things by the names people use, and seeing the job to its end."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable
from itertools import chain

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from datasets_app.models import Dataset
from jobs import following
from jobs.models import Job
from kernels_app.models import Kernel
from models_app.complaints import OrderRefused
from models_app.models import TrainedModel
from projects_app import listing
from projects_app.models import ModelType, Project, User


def add_follow_arguments(parser: ArgumentParser) -> None:
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--wait", action="store_true", help="Wait until a worker has done it; exit 0 only on success.")
    how.add_argument("--foreground", action="store_true", help="Claim it and run it in this process, leases included.")


def add_model_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("model", help="An id, or a name that only one model has.")
    parser.add_argument("--project", metavar="CODE", help="Where several projects have a model of that name.")


def find_model(user: User, name: str, project: str | None) -> TrainedModel:
    """By a name that only one model has, or by id, among what the user may see. Raises CommandError."""
    models = TrainedModel.objects.visible_to(user).select_related("project", "model_type", "kernel", "job")
    if project:
        models = models.filter(project__code=project)
    found = list(models.filter(name=name)[:2]) or list(models.filter(pk=listing.whole(name) or 0))
    if not found:
        raise CommandError(f"There is no model {name!r}.")
    if len(found) > 1:
        raise CommandError(f"Several models are named {name!r}: add --project, or give the id.")
    return found[0]


def follow(job: Job, *, wait: bool, foreground: bool) -> Job:
    """The job at its end where that was asked for, else as it is."""
    if foreground:
        return following.run_here(job)
    return following.wait(job) if wait else Job.objects.get(pk=job.pk)


def find_kernel(project: Project, name: str) -> Kernel:
    """`name` or `name@version`; without a version the newest. Raises CommandError."""
    short, _at, version = name.partition("@")
    kernels = Kernel.objects.on_in(project).filter(name=short)
    found = kernels.filter(version=version).first() if version else kernels.order_by("-pk").first()
    if found is None:
        known = ", ".join(str(kernel) for kernel in Kernel.objects.on_in(project).order_by("name"))
        raise CommandError(_("There is no kernel “%(name)s” here. Known: %(known)s") % {"name": name, "known": known})
    return found


def find_model_type(project: Project, code: str) -> ModelType:
    found = ModelType.objects.filter(project=project, code=code).first()
    if found is None:
        known = ", ".join(ModelType.objects.filter(project=project).values_list("code", flat=True))
        text = _("There is no model type “%(code)s” here. Known: %(known)s")
        raise CommandError(text % {"code": code, "known": known or "–"})
    return found


def find_datasets(project: Project, names: Iterable[list[str]]) -> list[Dataset]:
    """In the order named (an option may be repeated, with several names each). Raises CommandError."""
    found = []
    for name in chain.from_iterable(names):
        dataset = Dataset.objects.filter(project=project, name=name).first()
        if dataset is None:
            raise CommandError(_("There is no dataset “%(name)s” here.") % {"name": name})
        found.append(dataset)
    return found


def refusal(error: OrderRefused) -> CommandError:
    return CommandError("\n".join(complaint.message for complaint in error.complaints))
