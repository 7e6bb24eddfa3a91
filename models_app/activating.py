"""Which model of a model type is in use: one at a time, with who, when and why kept for good.

The unique constraint on what holds now has the last word; the conditional UPDATE says who was first.
"""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from models_app.models import Activation, TrainedModel
from models_app.records import REASON_LENGTH
from projects_app.korean import fluent
from projects_app.models import ModelType, User


class ActivationRefused(Exception):
    """It cannot be, or somebody was faster; the message says what to do. Nothing was changed."""


def current(model_type: ModelType) -> Activation | None:
    """What is in use for a model type now."""
    return Activation.objects.current().filter(model_type=model_type).select_related("model", "started_by").first()


def why_not(model: TrainedModel) -> str:
    """Why the model cannot be used at all; empty where it can."""
    if not model.is_finished:
        return _("Only a finished model can be activated: this one has not succeeded.")
    if not model.has_checkpoint:
        return _("The checkpoint of this model is gone: only its metrics, its log and its settings are left.")
    return ""


def activate(model: TrainedModel, by: User, reason: str, *, instead_of: int | None) -> Activation:
    """Use `model` for its model type from now on, in place of the activation `instead_of` (its id), which is what the
    person saw; None where nothing was in use. Raises ActivationRefused.
    """
    reason = _checked(reason)
    with transaction.atomic():
        held = TrainedModel.objects.select_for_update(of=("self",)).select_related("job").filter(pk=model.pk).first()
        if held is None:
            raise ActivationRefused(_("The model was deleted meanwhile."))
        if why := why_not(held):
            raise ActivationRefused(why)
        if Activation.objects.current().filter(model=held).exists():
            raise ActivationRefused(fluent(_("“%(name)s” is active already.") % {"name": held.name}))
        replaced = Activation.objects.filter(pk__in=[instead_of] if instead_of else [], model_type=held.model_type_id)
        if instead_of is not None:
            _end(replaced, by, reason)
        made = _begin(held, by, reason)
        replaced.update(replaced_by=made)
    return made


def deactivate(model: TrainedModel, by: User, reason: str) -> None:
    """From now on nothing is in use for the model's type. Raises ActivationRefused."""
    _end(Activation.objects.filter(model=model), by, _checked(reason))


def _checked(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        raise ActivationRefused(_("Say why, in a few words: whoever comes after you will read it."))
    if len(reason) > REASON_LENGTH:
        raise ActivationRefused(_("The reason may have at most %(n)d characters.") % {"n": REASON_LENGTH})
    return reason


def _begin(model: TrainedModel, by: User, reason: str) -> Activation:
    try:
        with transaction.atomic():
            return Activation.objects.create(
                project_id=model.project_id,
                model_type_id=model.model_type_id,
                model=model,
                model_name=model.name,
                started_by=by,
                started_at=timezone.now(),
                reason=reason,
            )
    except IntegrityError as error:
        raise ActivationRefused(_faster()) from error


def _end(activations: QuerySet[Activation], by: User, reason: str) -> None:
    """Raises ActivationRefused where nothing of it holds any more."""
    if activations.filter(ended_at=None).update(ended_at=timezone.now(), ended_by=by, end_reason=reason) != 1:
        raise ActivationRefused(_faster())


def _faster() -> str:
    return _("Somebody changed what is active meanwhile. Look again, and decide anew.")
