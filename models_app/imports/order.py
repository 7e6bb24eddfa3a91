"""What an imported model shall be: checked in one place, for the page and the command alike."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from jobs.models import Job
from kernels_app import jsontext, schema
from kernels_app.contract.settings import KEYS
from models_app import model_json
from models_app.complaints import Complaint, OrderRefused
from models_app.imports import drafts, layout
from models_app.imports.kernels import KernelFinder
from models_app.models import ModelDraft
from models_app.names import name_complaints, unique_name
from projects_app.korean import fluent
from projects_app.models import CODE, ModelType, TrainingType, User

KIND = "import_model"


@dataclass
class ImportOrder:
    """`text`: the `model.json`. `kernel`: what was chosen (see `KernelFinder.wanted`). `name`: "" proposes one."""

    draft: ModelDraft
    text: str
    kernel: str = ""
    name: str = ""
    description: str = ""
    complaints: list[Complaint] = field(default_factory=list, init=False)

    # --- what it says ---

    @cached_property
    def json(self) -> jsontext.JsonText:
        return jsontext.read(self.text)

    @cached_property
    def document(self) -> dict[str, Any]:
        return self.json.value if isinstance(self.json.value, dict) else {}

    @cached_property
    def about(self) -> dict[str, Any] | None:
        """What an export says of itself."""
        found: dict[str, Any] | None = self.draft.found.get("manifest")
        return found

    @cached_property
    def model_type(self) -> ModelType | None:
        """The project's own; a new one (not saved) where the export says all about it; None where neither is."""
        code, kind = self.document.get("model_type"), self.document.get("training_type")
        if not isinstance(code, str) or not model_json.is_keepable(code) or kind not in TrainingType.values:
            return None
        own = ModelType.objects.filter(project=self.draft.project, code=code).first()
        if own:
            return own if own.training_type == kind else None
        told = self.about["model_type"] if self.about else {}
        if told.get("code") != code or told.get("training_type") != kind or not re.match(CODE.regex, code):
            return None
        return ModelType(project=self.draft.project, code=code, name=str(told["name"])[:200], training_type=kind)

    @cached_property
    def kernels(self) -> KernelFinder | None:
        return KernelFinder(self.draft, self.model_type, self.document, self.kernel) if self.model_type else None

    @cached_property
    def classes(self) -> list[str]:
        """In the order it was trained with: as the archive says, else as the model type is now."""
        found = self.draft.found.get("classes") or (
            layout.card_classes(self.draft.folder, self.model_type.code) if self.model_type else []
        )
        return found or (self.model_type.class_codes() if self.model_type and self.model_type.pk else [])

    @property
    def proposed_name(self) -> str:
        """What the export calls it; else the model type and the file; free in this project."""
        if self.about:
            return unique_name(self.draft.project, self.about["model"]["name"][:200])
        stem = self.draft.file_name.partition(".")[0][:150]
        code = self.document.get("model_type")
        is_code = isinstance(code, str) and bool(code) and model_json.is_keepable(code)
        return unique_name(self.draft.project, f"{code}-{stem}" if is_code else stem or "1")

    @property
    def proposed_description(self) -> str:
        if self.about:
            return str(self.about["model"].get("description", ""))
        return _("Imported from %(file)s.") % {"file": self.draft.file_name}

    # --- what is wrong, and what is worth knowing ---

    def check(self) -> list[Complaint]:
        """All that is wrong, each with its field: `settings` (with the line), `kernel`, `name`."""
        found = self._document_complaints() or self._type_complaints() or self._kernel_complaints()
        self.complaints = [*found, *name_complaints(self.draft.project, self.name)]
        return self.complaints

    @property
    def remarks(self) -> list[str]:
        found = [self.kernels.remark] if self.kernels else []
        if self.model_type and self.model_type.pk:
            known = self.model_type.class_codes()
            if strange := [code for code in self.classes if code not in known]:
                text = _("It knows classes that %(type)s does not learn: %(names)s. Nothing here is labelled for them.")
                found.append(text % {"type": self.model_type.code, "names": ", ".join(strange)})
            if unknown := [code for code in known if code not in self.classes]:
                text = _("It does not know %(names)s, which %(type)s has: labels of these are left out.")
                found.append(text % {"type": self.model_type.code, "names": ", ".join(unknown)})
        if not self.about and self.classes and not self.draft.found.get("classes"):
            found.append(self._where_classes_are_from())
        return [fluent(text) for text in found if text]

    def _where_classes_are_from(self) -> str:
        if self.model_type and layout.card_classes(self.draft.folder, self.model_type.code):
            return ""
        text = _(
            "The archive does not say which class has which number; those of the model type are taken in their order: "
            "%(names)s. Put a label.txt with one code a line beside the files to say it."
        )
        return text % {"names": ", ".join(self.classes)}

    def _document_complaints(self) -> list[Complaint]:
        if not self.text.strip():
            return [Complaint("settings", _("Choose a model.json, or paste it here: it says what the model is."))]
        if error := self.json.error:
            text = _("This is not JSON: line %(line)d, column %(column)d: %(message)s")
            values = {"line": error.line, "column": error.column, "message": error.message}
            return [Complaint("settings", text % values)]
        if not isinstance(self.json.value, dict):
            return [Complaint("settings", _("A model.json is an object: { … }."))]
        if not model_json.is_keepable(self.document):
            return [Complaint("settings", _("It holds characters that cannot be kept."))]
        return [self._complaint(f"/{key}", self._unknown_key(key)) for key in self.document if key not in KEYS]

    @staticmethod
    def _unknown_key(key: str) -> str:
        text = _("“%(key)s” is not known in a model.json; known are %(known)s.")
        return text % {"key": schema.shown(key).strip("“”"), "known": ", ".join(KEYS)}

    def _type_complaints(self) -> list[Complaint]:
        code, kind = self.document.get("model_type"), self.document.get("training_type")
        if kind not in TrainingType.values:
            text = _("training_type must be one of %(known)s; you gave %(given)s.")
            given = schema.shown(kind) if "training_type" in self.document else _("nothing")
            known = ", ".join(TrainingType.values)
            return [self._complaint("/training_type", text % {"known": known, "given": given})]
        if not isinstance(code, str) or not code.strip():
            return [self._complaint("/model_type", _("model_type must be the code of a model type."))]
        if self.model_type is None:
            return [self._complaint("/model_type", self._no_model_type(code, kind))]
        return []

    def _no_model_type(self, code: str, kind: str) -> str:
        project = self.draft.project
        own = ModelType.objects.filter(project=project, code=code).first()
        if own:
            text = _("The model type %(code)s of this project learns %(own)s, not %(kind)s.")
            return text % {"code": code, "own": own.training_type, "kind": kind}
        known = ", ".join(ModelType.objects.filter(project=project, training_type=kind).values_list("code", flat=True))
        text = _(
            "There is no model type “%(code)s” in this project. A manager adds it under Project settings → Labels and "
            "model types, or importing a dataset with its labels does; or write one that is there: %(known)s."
        )
        return text % {"code": code, "known": known or "–"}

    def _kernel_complaints(self) -> list[Complaint]:
        assert self.kernels
        if why := self.kernels.why_not():
            return [Complaint("kernel", why)]
        assert self.kernels.chosen
        problems = schema.check(self.kernels.chosen.schema, self.document)
        return [self._complaint(problem.pointer, problem.message) for problem in problems]

    def _complaint(self, pointer: str, message: str) -> Complaint:
        """With the line of the text where it stands."""
        line = _("Line %(n)d: %(message)s") % {"n": self.json.line_of(pointer), "message": fluent(message)}
        return Complaint("settings", line, pointer)

    # --- start ---

    def start(self, user: User) -> Job:
        """Put the import into the queue; the job that is there where somebody did so at the same moment.

        Raises OrderRefused with everything that is wrong.
        """
        if complaints := self.check():
            raise OrderRefused(complaints)
        with transaction.atomic():
            rows = ModelDraft.objects.select_for_update(of=("self",)).select_related("job")
            held = rows.filter(pk=self.draft.pk).first()
            if held is None:
                raise OrderRefused([Complaint("", _("This upload was imported or discarded."))])
            if running := drafts.job_of(held):
                return running
            args = {"draft": str(held.pk), "kernel": self.kernel, "name": self.name, "description": self.description}
            title = _("Import “%(name)s”") % {"name": self.name}
            job = Job.submit(project=held.project, kind=KIND, title=title, created_by=user, args=args)
            ModelDraft.objects.filter(pk=held.pk).update(job=job, settings_text=self.text)
        return job
