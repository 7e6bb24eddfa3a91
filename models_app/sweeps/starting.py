"""Starting a batch: all of its trainings are in the queue, or none is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from datasets_app import snapshots
from kernels_app import fields
from kernels_app import schema as schemas
from models_app.complaints import Complaint, OrderRefused
from models_app.models import Sweep, TrainedModel
from models_app.orders import TrainOrder
from models_app.sweeps.axes import text_of
from models_app.sweeps.naming import names
from models_app.sweeps.plan import SweepPlan
from models_app.sweeps.reading import PREFIX
from projects_app.models import User

SAID = 3  # trainings whose settings break the schema that are named; the rest are counted


@dataclass
class SweepOrder:
    """What a batch shall be. `order`: the form's own, with the settings that do not vary."""

    order: TrainOrder
    plan: SweepPlan
    keep_best: int | None = None

    @property
    def is_too_many(self) -> bool:
        return self.plan.count > settings.SWEEP_LIMIT

    @cached_property
    def children(self) -> list[TrainOrder]:
        """An order for each training; none while the plan is wrong or too large."""
        if self.plan.problems or self.is_too_many:
            return []
        points = self.plan.points()
        both = zip(points, names(self.order.name.strip(), points), strict=True)
        return [replace(self.order, name=name, params=self.order.params | p, varied=p) for p, name in both]

    def check(self) -> list[Complaint]:
        """What is wrong with the batch; what is wrong with the form besides says `order.check`."""
        found = [Complaint(name, message) for name, message in self.plan.problems]
        if found:
            return found
        if self.is_too_many:
            return [Complaint("batch", self._too_many())]
        if not self.children:
            return [Complaint("batch", _("No setting varies yet."))]
        return [*self._schema_complaints(), *self._name_complaints()]

    def start(self, user: User) -> Sweep:
        """Queue every training. Raises OrderRefused with everything that is wrong; then nothing was written."""
        if complaints := [*self.order.check().errors, *self.check()]:
            raise OrderRefused(complaints)
        try:
            with ExitStack() as undo:
                with transaction.atomic():
                    sweep = self._create(user, undo)
                undo.pop_all()
                return sweep
        except OSError as error:
            text = _("The extra files could not be kept: %(why)s.")
            raise OrderRefused([Complaint("etc", text % {"why": error.strerror or error})]) from error
        except IntegrityError as error:  # somebody took a name between the check and now
            raise OrderRefused(self._name_complaints() or [Complaint("name", str(error))]) from error

    def _create(self, user: User, undo: ExitStack) -> Sweep:
        order = self.order
        if order.base_model:  # before the datasets, as every single training does
            list(TrainedModel.objects.select_for_update().filter(pk=order.base_model.pk).order_by())
        seen = snapshots.take(order.project, order.model_type, train=order.train, validation=order.validation)
        sweep = Sweep.objects.create(
            project=order.project,
            name=order.name.strip(),
            kernel=order.kernel,
            axes=[{"name": name, "log": axis.is_log} for name, axis in self.plan.axes.items()],
            random=self.plan.random,
            seed=self.plan.seed,
            keep_best=self.keep_best,
            created_by=user,
        )
        for child in self.children:
            replace(child, sweep=sweep, snapshot=seen).create(user, undo)
        return sweep

    def _too_many(self) -> str:
        text = ngettext(
            "This would be %(count)s trainings; at most %(limit)s training is allowed at once.",
            "This would be %(count)s trainings; at most %(limit)s trainings are allowed at once.",
            settings.SWEEP_LIMIT,
        )
        return text % {"count": self.plan.count_text, "limit": f"{settings.SWEEP_LIMIT:,}"}

    # --- settings --------------------------------------------------------------------------------------------------

    def _schema_complaints(self) -> list[Complaint]:
        """The first trainings whose settings break the kernel's schema, each with what varies in it."""
        broken = list(self._broken())
        found = [complaint for child in broken[:SAID] for complaint in self._why(child)]
        if (more := len(broken) - SAID) > 0:
            text = ngettext("%(n)d more training breaks the schema.", "%(n)d more trainings break the schema.", more)
            found.append(Complaint("batch", text % {"n": more}))
        return list(dict.fromkeys(found))

    def _broken(self) -> Iterator[TrainOrder]:
        schema = self.order.kernel.schema
        validator = schemas.validator(schema)
        return (child for child in self.children if not validator.is_valid(child.settings()))

    def _why(self, child: TrainOrder) -> Iterator[Complaint]:
        label = fields.labels(child.kernel.schema)
        varied = [(label((schemas.PARAMS, name)), text_of(value)) for name, value in child.varied.items()]
        which = ", ".join(f"{title} {text}" for title, text in varied)
        for problem in schemas.check(child.kernel.schema, child.settings(), label):
            text = _("In the training with %(which)s: %(problem)s")
            yield Complaint(self._place(problem.pointer), text % {"which": which, "problem": problem.message})

    def _place(self, pointer: str) -> str:
        """The input of the varied parameter that a pointer leads into, else the card."""
        parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
        mode = self.plan.modes.get(parts[1]) if len(parts) > 1 and parts[0] == schemas.PARAMS else None
        return f"{PREFIX}{parts[1]}.{'values' if mode == 'list' else 'min'}" if mode else "batch"

    # --- names -----------------------------------------------------------------------------------------------------

    def _name_complaints(self) -> list[Complaint]:
        wanted = [child.name for child in self.children]
        taken = TrainedModel.objects.filter(project=self.order.project, name__in=wanted).order_by("pk")
        if (name := taken.values_list("name", flat=True).first()) is None:
            return []
        text = _("A model named “%(name)s” is there already: give the batch another name.")
        return [Complaint("name", text % {"name": name})]
