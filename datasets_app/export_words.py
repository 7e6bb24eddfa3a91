"""The words for what a format does not hold."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from datasets_app.exporting import Loss
from datasets_app.formats.writing.outgoing import POLYGONS, ROIS, SCORES, VERDICTS

LOSSES: dict[str, str | Promise] = {
    POLYGONS: gettext_lazy("Polygons become the rectangles around them."),
    VERDICTS: gettext_lazy("Verdicts are lost: a region keeps only what is inspected in it."),
    ROIS: gettext_lazy("Regions of interest are left out."),
    SCORES: gettext_lazy("That a model made a label, and its score, are lost."),
    "other_types": gettext_lazy("Labels of other training types are left out. Export them once more for that type."),
    "other_questions": gettext_lazy("Categories of other questions than the first are left out: a folder says one."),
    "unjudged": gettext_lazy("Regions that nobody judged are left out."),
    "siblings": gettext_lazy(
        "Sibling pictures lie beside, but nothing says so: name their endings when you import it."
    ),
    "picture_gone": gettext_lazy("Pictures that are not here are left out."),
    "single_class": gettext_lazy("All images are of one class: an import cannot tell its folder from a wrapper."),
}


def sentence(loss: Loss) -> str:
    return str(LOSSES[loss.code])
