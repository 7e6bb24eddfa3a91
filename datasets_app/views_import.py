"""Import on the page: send an archive, look at what was found, change what it becomes, start or discard."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from datasets_app import drafts, forms, joining, overlays, plans, problems
from datasets_app.appending import Choices
from datasets_app.formats import FORMATS
from datasets_app.models import Dataset, ImportDraft
from datasets_app.plans import ImportRefused, Plan
from projects_app import listing, uploads
from projects_app.access import project_view
from projects_app.models import AnnotationType, ModelType, Project, Role, TrainingType, User


@require_http_methods(["GET", "POST"])
@project_view(Role.LABELLER)
def upload(request: HttpRequest, project: Project) -> HttpResponseBase:
    """Receive an archive and read it; on to the preview."""
    into = _target(request, project)
    form = forms.UploadForm(request.POST or None, request.FILES or None, into=into)
    uploads.owned(form, project, cast(User, request.user))
    if request.method == "POST" and form.is_valid():
        try:
            draft = drafts.receive(
                project,
                cast(User, request.user),
                form.cleaned_data.get("name", ""),
                form.options(),
                form.cleaned_data["images"],
                form.upload("annotations"),
                form.upload("split_file"),
                form.upload("meta_file"),
                into,
            )
            uploads.done(form.cleaned_data["images"], form.upload("annotations"))
            return redirect("datasets:preview", project.code, draft.pk)
        except ImportRefused as error:
            form.refuse(error)
    waiting = ImportDraft.objects.filter(project=project, created_by=cast(User, request.user))
    context = {"form": form, "waiting": waiting, "into": into}
    return render(request, "datasets/import.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@project_view(Role.LABELLER)
def preview(request: HttpRequest, project: Project, pk: str) -> HttpResponseBase:
    """What was found and what it will become; a POST starts the import."""
    draft = _draft(project, pk)
    if draft is None:
        messages.info(request, _("This upload was imported or discarded."))
        return redirect("datasets:list", project.code)
    if job := drafts.job_of(draft):
        return redirect(job)
    plan, faults = drafts.plan_of(draft), {}
    if request.method == "POST":
        plan = forms.changed_plan(plan, request.POST)
        joining.choose(draft, Choices.from_json(request.POST.dict()))
        try:
            return redirect(drafts.start(draft, plan, cast(User, request.user)))
        except ImportRefused as error:
            faults = forms.faults_by_field(error.faults)
    context = _preview_context(draft, plan, faults) | joining.context(draft, drafts.source_of(draft))
    return render(request, "datasets/preview.html", context, status=422 if faults else 200)


@require_POST
@project_view(Role.LABELLER)
def revise(request: HttpRequest, project: Project, pk: str) -> HttpResponseBase:
    """Read the upload again for another training type."""
    draft = get_object_or_404(ImportDraft, project=project, pk=pk)
    form = forms.ReviseForm(request.POST)
    if form.is_valid() and drafts.job_of(draft) is None:
        try:
            drafts.revise(draft, draft.name, form.options(drafts.options_of(draft)))
        except ImportRefused as error:
            messages.error(request, str(error))
    for errors in form.errors.values():
        messages.error(request, " ".join(map(str, errors)))
    return redirect("datasets:preview", project.code, draft.pk)


@require_POST
@project_view(Role.LABELLER)
def discard(request: HttpRequest, project: Project, pk: str) -> HttpResponseBase:
    """Drop the upload, with all its files."""
    draft = get_object_or_404(ImportDraft, project=project, pk=pk)
    if job := drafts.job_of(draft):
        return redirect(job)
    drafts.discard(draft)
    messages.success(request, _("The upload “%(name)s” was discarded.") % {"name": draft.name})
    return redirect("datasets:list", project.code)


def _target(request: HttpRequest, project: Project) -> Dataset | None:
    """The dataset that the address names (`?into=`), for an upload that joins it."""
    if "into" not in request.GET:
        return None
    return get_object_or_404(Dataset, project=project, pk=listing.chosen(request, "into"))


def _draft(project: Project, pk: str) -> ImportDraft | None:
    return ImportDraft.objects.filter(project=project, pk=pk).select_related("project", "created_by").first()


def _preview_context(draft: ImportDraft, plan: Plan, faults: dict[str, list[str]]) -> dict[str, Any]:
    found = draft.preview
    colours = {label.label: number % overlays.COLOURS for number, label in enumerate(plan.labels)}
    return {
        "draft": draft,
        "plan": plan,
        "found": found,
        "format_title": FORMATS[found["format"]].TITLE,
        "also": [one | {"title": TrainingType(one["training_type"]).label} for one in found.get("also", [])],
        "names": [(name, found["splits"][split]) for split, name in plan.dataset_names(found["splits"]).items()],
        "training_types": [(kind, TrainingType(kind).label) for kind in found["training_types"]],
        "training_type": TrainingType(plan.training_type).label if plan.training_type else "",
        "problems": [one | {"sentence": problems.sentence(one["code"])} for one in found["problems"]],
        "first": [overlays.of_preview(shown, colours) for shown in found["first"]],
        "faults": faults,
        "rows": [
            {"plan": label, "number": number, "colour": colours[label.label], "faults": faults.get(f"code-{number}")}
            for number, label in enumerate(plan.labels)
        ],
    } | _choices(draft.project, plan)


def _choices(project: Project, plan: Plan) -> dict[str, Any]:
    """What the selects offer: annotation types, questions and model types of the training type."""
    types = AnnotationType.objects.filter(project=project, training_type=plan.training_type)
    model_types = ModelType.objects.filter(project=project, training_type=plan.training_type)
    known = list(types.values_list("code", flat=True))
    covering = [kind.code for kind in plans.covering_model_types(project, plan)] if plan.training_type else []
    return {
        "known_types": known,
        "known_codes": [] if plan.question else known,  # what a single label may become
        "known_model_types": list(model_types.values_list("code", flat=True)),
        "covering": covering,
        "model_type_is_known": model_types.filter(code=plan.model_type).exists(),
        "question_is_known": plan.question in known,
    }
