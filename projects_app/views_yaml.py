"""All words of a project as one YAML file: out as it is, in with a preview of what would become of it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from projects_app.access import project_view
from projects_app.models import Project, Role
from projects_app.words import planning, plans, reading, writing

UNPROCESSABLE = 422


class YamlForm(forms.Form):
    """A file, or the text itself; a file takes the text's place."""

    file = forms.FileField(
        label=gettext_lazy("YAML file"),
        required=False,
        widget=forms.FileInput(attrs={"accept": ".yaml,.yml,text/yaml"}),
    )
    text = forms.CharField(
        label=gettext_lazy("Or its text"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 16, "class": "form-control font-monospace", "spellcheck": "false"}),
    )

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        if file := found.get("file"):
            if file.size > reading.MOST:
                size = reading.MOST // 1000
                raise forms.ValidationError(_("The file is larger than %(size)d kB.") % {"size": size})
            data = file.read()
            try:
                found["text"] = data.decode("utf-8-sig")
            except UnicodeDecodeError as error:
                line = data.count(b"\n", 0, error.start) + 1
                raise forms.ValidationError(_("Line %(line)d is no UTF-8 text.") % {"line": line}) from error
        if not found.get("text", "").strip():
            raise forms.ValidationError(_("Choose a file, or paste its text."))
        found["text"] = found["text"].replace("\r\n", "\n")
        return found


@require_GET
@project_view()
def yaml_export(request: HttpRequest, project: Project) -> HttpResponse:
    answer = HttpResponse(writing.write(project), content_type="application/yaml; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{project.code}-labels.yaml"'
    return answer


@require_http_methods(["GET", "POST"])
@project_view(Role.MANAGER)
def yaml_import(request: HttpRequest, project: Project) -> HttpResponse:
    """Read what was sent and show what it would do; with `fingerprint`, do what was shown."""
    if request.method == "GET":
        return _page(request, YamlForm())
    form = YamlForm(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, form, status=UNPROCESSABLE)
    text = form.cleaned_data["text"]
    shown = YamlForm(initial={"text": text})
    try:
        words = reading.read(text)
        if not (fingerprint := request.POST.get("fingerprint", "")) or form.cleaned_data.get("file"):
            return _page(request, shown, plan=planning.plan(project, words), text=text)
        done = planning.apply(project, words, fingerprint)
    except reading.Refused as refusal:
        return _page(request, shown, status=UNPROCESSABLE, faults=_with_source(refusal.faults, text))
    except plans.Moved as moved:
        messages.warning(request, _("The project changed meanwhile. Look at it again."))
        return _page(request, shown, status=UNPROCESSABLE, plan=moved.plan, text=text)
    counts = {"added": len(done.added), "changed": len(done.changed)}
    messages.success(request, _("Imported: %(added)d added, %(changed)d changed.") % counts)
    return redirect("projects:types", project.code)


def _with_source(faults: list[reading.Fault], text: str) -> list[dict[str, Any]]:
    """Each with the line that it is about."""
    lines = text.split("\n")
    return [
        {
            "line": one.line,
            "text": one.text,
            "source": lines[one.line - 1].strip()[:200] if one.line <= len(lines) else "",
        }
        for one in faults
    ]


def _page(request: HttpRequest, form: YamlForm, status: int = 200, **context: Any) -> HttpResponse:
    return render(request, "projects/yaml_import.html", {"form": form, **context}, status=status)
