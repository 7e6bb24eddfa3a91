"""Who changed which label of an image, and when. `datasets_app.models` hands the model on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

if TYPE_CHECKING:
    from datasets_app.models import Annotation

_FIELDS = ("annotation_type_id", "category_id", "verdict", "kind", "points", "score", "is_generated", "is_roi")


class Verb(models.TextChoices):
    ADD = "add", gettext_lazy("added")
    MOVE = "move", gettext_lazy("moved")
    CLASS = "class", gettext_lazy("class changed")
    JUDGE = "judge", gettext_lazy("judged")
    DELETE = "delete", gettext_lazy("deleted")
    REVIEW = "review", gettext_lazy("reviewed")
    UNDO = "undo", gettext_lazy("taken back")


class AnnotationChangeQuerySet(models.QuerySet["AnnotationChange"]):
    def standing(self) -> models.QuerySet[AnnotationChange]:
        """Corrections that nobody took back, the last one first. What takes back is none of them, nor is what a review
        decided, which the review takes back."""
        return self.exclude(verb__in=(Verb.UNDO, Verb.REVIEW)).filter(undone_by=None).order_by("-pk")

    def reviewed(self) -> models.QuerySet[AnnotationChange]:
        """What a review decided that nobody took back."""
        return self.filter(verb=Verb.REVIEW, undone_by=None).order_by("pk")


class AnnotationChange(models.Model):
    """One change of one label, with all that the label was before and after. It stays when the label goes."""

    image = models.ForeignKey("datasets_app.Image", models.CASCADE, related_name="label_changes")
    label = models.PositiveBigIntegerField(gettext_lazy("label"), help_text="Annotation.pk, also when that is gone.")
    who = models.CharField(gettext_lazy("who"), max_length=150)
    at = models.DateTimeField(gettext_lazy("when"), auto_now_add=True)
    verb = models.CharField(gettext_lazy("what"), max_length=8, choices=Verb)
    before = models.JSONField(gettext_lazy("before"), null=True)
    after = models.JSONField(gettext_lazy("after"), null=True)
    was_labelled = models.BooleanField(help_text="For its training type, before.")
    undoes = models.OneToOneField("self", models.CASCADE, null=True, blank=True, related_name="undone_by")

    objects = AnnotationChangeQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        verbose_name = gettext_lazy("change of a label")
        verbose_name_plural = gettext_lazy("changes of labels")

    def __str__(self) -> str:
        return self.sentence

    @property
    def training_type(self) -> str:
        return str((self.before or self.after or {}).get("training_type", ""))

    @property
    def sentence(self) -> str:
        """What was done, in words: "DENT moved", "DENT → SCRATCH"."""
        if self.undoes:
            return _("Taken back: %(change)s") % {"change": self.undoes.sentence}
        old, new = ((state or {}).get("text", "") for state in (self.before, self.after))
        if self.verb == Verb.REVIEW and not new:
            return _("%(label)s rejected") % {"label": old}
        return {
            Verb.ADD: _("%(label)s added") % {"label": new},
            Verb.DELETE: _("%(label)s deleted") % {"label": old},
            Verb.MOVE: _("%(label)s moved") % {"label": new},
        }.get(Verb(self.verb)) or (f"{old} → {new}" if old != new else _("%(label)s confirmed") % {"label": new})


def state(label: Annotation) -> dict[str, Any]:
    """All that the label is, as it is kept; `text` and `training_type` are for people."""
    kind = label.annotation_type
    code = label.category.code if label.category else kind.code if kind else "ROI"
    text = code if label.verdict is None else f"{code}: {str(label.verdict).lower()}"
    shown = {"text": text, "training_type": kind.training_type if kind else ""}
    return {name: getattr(label, name) for name in _FIELDS} | shown


def fields(kept: dict[str, Any]) -> dict[str, Any]:
    """Of what `state` returned, the fields of the label."""
    return {name: kept[name] for name in _FIELDS}
