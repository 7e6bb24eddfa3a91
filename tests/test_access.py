"""Every address of the portal, as everybody: an address that nobody classified here fails."""

from __future__ import annotations

import io
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone
from PIL import Image as Picture

from datasets_app import snapshots
from datasets_app.archives import Export
from datasets_app.models import Blob, Dataset, Image
from jobs import runfolder
from jobs.models import Job, State
from jobs.outbox import Subscription
from kernels_app.contract import results
from kernels_app.models import Kernel, KernelState
from models_app.models import Activation, ModelDraft, ModelExport, Prediction, Sweep, TrainedModel, Validation
from projects_app.models import AnnotationType, ModelType, Role, Upload

ALL, PEOPLE, STAFF = "all", "people", "staff"  # without logging in; whoever is logged in; the admin's
OWN = "own"  # rows of one member alone
ROLES = {Role.VIEWER: "vera", Role.LABELLER: "bob", Role.DEVELOPER: "dev", Role.MANAGER: "alice"}
GOOD = (200, 204, 302, 422)


@dataclass(frozen=True)
class Access:
    who: str
    methods: tuple[str, ...] = ("GET",)


def read(who: str = Role.VIEWER) -> Access:
    return Access(who)


def post(who: str) -> Access:
    return Access(who, ("POST",))


def form(who: str) -> Access:
    return Access(who, ("GET", "POST"))


EXPECTED = {
    "home": read(PEOPLE),
    "help": read(PEOPLE),
    "health": read(ALL),
    "login": form(ALL),
    "logout": post(PEOPLE),
    "password_change": form(PEOPLE),
    "set_language": post(ALL),
    "admin:index": form(STAFF),
    "models:list": read(),
    "models:train": form(Role.LABELLER),
    "models:train_form": post(Role.LABELLER),
    "models:train_check": post(Role.LABELLER),
    "models:compare": read(),
    "models:compare_search": read(),
    "models:compare_metrics": read(),
    "models:compare_csv": read(),
    "models:detail": read(),
    "models:edit": post(Role.LABELLER),
    "models:states": read(),
    "models:active": read(),
    "models:activate": form(Role.MANAGER),
    "models:deactivate": form(Role.MANAGER),
    "models:delete": form(Role.DEVELOPER),
    "models:import": form(Role.DEVELOPER),
    "models:import_draft": form(Role.DEVELOPER),
    "models:import_discard": post(Role.DEVELOPER),
    "models:export": form(Role.DEVELOPER),
    "models:export_download": read(Role.DEVELOPER),
    "models:resume": post(Role.LABELLER),
    "models:repair": form(Role.LABELLER),
    "models:settings_download": read(),
    "models:file": read(),
    "sweeps:detail": read(),
    "sweeps:cancel": post(Role.LABELLER),
    "sweeps:keep": post(Role.DEVELOPER),
    "validations:list": read(),
    "validations:start": form(Role.LABELLER),
    "validations:detail": read(),
    "validations:image": read(),
    "validations:table": read(),
    "validations:file": read(),
    "validations:archive": read(),
    "validations:delete": post(Role.LABELLER),
    "datasets:list": read(),
    "datasets:import": form(Role.LABELLER),
    "datasets:preview": form(Role.LABELLER),
    "datasets:revise": post(Role.LABELLER),
    "datasets:discard": post(Role.LABELLER),
    "datasets:preview_image": read(Role.LABELLER),
    "datasets:file": read(),
    "datasets:thumb": read(),
    "datasets:detail": read(),
    "datasets:edit": post(Role.LABELLER),
    "datasets:delete": post(Role.LABELLER),
    "datasets:clone": form(Role.LABELLER),
    "datasets:freeze": post(Role.LABELLER),
    "datasets:lift": post(Role.MANAGER),
    "datasets:remove": form(Role.LABELLER),
    "datasets:append": form(Role.LABELLER),
    "datasets:split": form(Role.LABELLER),
    "datasets:meta": form(Role.LABELLER),
    "datasets:meta_look": form(Role.LABELLER),
    "datasets:meta_discard": post(Role.LABELLER),
    "datasets:export": form(Role.LABELLER),
    "datasets:export_download": read(Role.LABELLER),
    "datasets:image": read(),
    "datasets:label_change": post(Role.LABELLER),
    "datasets:look": read(),
    "uploads:create": Access(Role.LABELLER, ("OPTIONS", "POST")),
    "uploads:one": Access(OWN, ("HEAD", "PATCH", "DELETE")),
    "datasets:review": read(Role.LABELLER),
    "datasets:review_decide": post(Role.LABELLER),
    "datasets:review_undo": post(Role.LABELLER),
    "datasets:category_merge": form(Role.MANAGER),
    "datasets:snapshots": read(),
    "datasets:snapshots_compare": read(),
    "datasets:snapshot": read(),
    "datasets:snapshot_image": read(),
    "datasets:snapshot_thumb": read(),
    "datasets:snapshot_file": read(),
    "datasets:snapshot_compare": read(),
    "datasets:snapshot_export": form(Role.LABELLER),
    "datasets:snapshot_download": read(Role.LABELLER),
    "datasets:snapshot_restore": form(Role.LABELLER),
    "kernels:list": read(),
    "kernels:detail": read(),
    "kernels:schema": read(),
    "kernels:switch": post(Role.DEVELOPER),
    "kernels:import": form(Role.DEVELOPER),
    "kernels:try_again": post(Role.DEVELOPER),
    "kernels:move": post(Role.DEVELOPER),
    "kernels:log": read(),
    "kernels:model_types": post(Role.DEVELOPER),
    "jobs:list": read(),
    "jobs:running": read(),
    "jobs:detail": read(),
    "jobs:status": read(),
    "jobs:cancel": post(Role.LABELLER),
    "jobs:front": post(Role.MANAGER),
    "jobs:log": read(),
    "jobs:log_download": read(),
    "jobs:metrics": read(),
    "jobs:metrics_csv": read(),
    "jobs:scores": read(),
    "jobs:notices": read(),
    "jobs:notice_add": post(Role.VIEWER),
    "jobs:notice_email": post(Role.VIEWER),
    "jobs:notice_change": post(OWN),
    "jobs:notice_remove": post(OWN),
    "jobs:notice_secret": post(OWN),
    "jobs:notice_test": post(OWN),
    "projects:settings": read(),
    "projects:edit": post(Role.MANAGER),
    "projects:member_add": post(Role.MANAGER),
    "projects:member_role": post(Role.MANAGER),
    "projects:member_remove": post(Role.MANAGER),
    "projects:types": read(),
    "projects:model_type_add": form(Role.MANAGER),
    "projects:model_type_rename": post(Role.MANAGER),
    "projects:model_type": read(),
    "projects:model_type_learn": post(Role.MANAGER),
    "projects:model_type_move": post(Role.MANAGER),
    "projects:model_type_delete": post(Role.MANAGER),
    "projects:label_add": form(Role.MANAGER),
    "projects:label": read(),
    "projects:label_edit": post(Role.MANAGER),
    "projects:label_move": post(Role.MANAGER),
    "projects:label_delete": post(Role.MANAGER),
    "projects:category_add": post(Role.MANAGER),
    "projects:category_edit": post(Role.MANAGER),
    "projects:category_move": post(Role.MANAGER),
    "projects:category_delete": post(Role.MANAGER),
    "projects:data_categories": read(),
    "projects:data_category_add": post(Role.MANAGER),
    "projects:data_category_edit": post(Role.MANAGER),
    "projects:data_category_move": post(Role.MANAGER),
    "projects:data_category_delete": post(Role.MANAGER),
    "projects:yaml_import": form(Role.MANAGER),
    "projects:yaml_export": read(),
}
OF_A_PROJECT = sorted(name for name, access in EXPECTED.items() if access.who in ROLES)


def names(resolver: URLResolver, namespace: str = "") -> Iterator[str]:
    """The names of all addresses; of the admin only its first page."""
    for entry in resolver.url_patterns:
        if isinstance(entry, URLPattern):
            yield f"{namespace}{entry.name}"
        elif entry.namespace == "admin":
            yield "admin:index"
        else:
            yield from names(entry, f"{namespace}{entry.namespace}:" if entry.namespace else namespace)


def test_every_address_is_classified():
    assert set(names(get_resolver())) == set(EXPECTED)


class World:
    """One row of everything, with its files."""

    def __init__(self, project, bob) -> None:
        self.project, self.bob = project, bob
        self.model_type = ModelType.objects.create(project=project, code="OD_VALVE", name="Valve", training_type="OD")
        self.model_type.learn(AnnotationType.objects.create(project=project, training_type="OD", code="OD_A", name="A"))
        self.question = AnnotationType.objects.create(project=project, training_type="CL", code="CL_Q", name="Q")
        self.question.categories.create(code="good", name="Good", position=0)
        project.data_categories.create(code="FRONT", name="Front")
        self.kernel = Kernel.objects.create(
            name="toy", version="1", digest="0" * 64, state=KernelState.READY, training_types=",OD,", schema={}
        )
        self.dataset = Dataset.objects.create(project=project, name="front")
        self.image = self._image()
        self.sweep = Sweep.objects.create(project=project, name="s", kernel=self.kernel)
        self.model = TrainedModel.objects.create(
            project=project,
            sweep=self.sweep,
            name="m",
            model_type=self.model_type,
            kernel=self.kernel,
            settings={},
            job=self._job("training"),
        )
        self.validation = Validation.objects.create(
            project=project, model=self.model, kernel=self.kernel, job=self._job("validation")
        )
        Prediction.objects.create(validation=self.validation, image=self.image)
        self.model_draft = ModelDraft.objects.create(
            project=project, created_by=bob, file_name="m.zip", found={"count": 1, "size": 1, "files": [["a", 1]]}
        )
        self.export = ModelExport.objects.create(project=project, model=self.model, job=self._job("export_model"))
        self.activation = Activation.objects.create(
            project=project, model_type=self.model_type, model=self.model, model_name="m", started_by=bob,
            started_at=timezone.now(), reason="best",
        )  # fmt: skip
        self._write(self.export.path)
        self.dataset_export = self._job("export_dataset")
        self.dataset_export.args = {"dataset": self.dataset.pk, "name": "front", "format": "coco", "training_type": ""}
        self.dataset_export.save()
        self._write(Export(self.dataset_export).path)
        self.snapshot = snapshots.take(project, self.model_type, train=[self.dataset])
        self.snapshot_export = self._job("export_snapshot")
        self.snapshot_export.args = {"snapshot": self.snapshot.pk, "hash": str(self.snapshot), "format": "coco"}
        self.snapshot_export.save()
        self._write(Export(self.snapshot_export).path)
        self.notice = Subscription.objects.create(
            project=project, user=bob, channel="webhook", url="https://127.0.0.1/"
        )
        self.upload = Upload.objects.create(project=project, created_by=bob, file_name="a.zip", size=100)
        self._write(self.upload.path)
        self._write(self.model.folder / "model.json")
        self._write(self.validation.folder / "summary.csv")
        self._write(self.kernel.log)

    def url(self, name: str) -> str:
        namespace = name.partition(":")[0]
        if name == "models:compare_csv":  # of which models and which of their curves
            return f"{reverse(name, args=[self.project.code])}?model={self.model.pk}&chart=loss%2Ftrain_loss"
        return reverse(name, kwargs=self._arguments(namespace, name)) if namespace != name else reverse(name)

    def _arguments(self, namespace: str, name: str) -> dict[str, Any]:
        if namespace == "admin":
            return {}
        of_namespace = {
            "jobs": {"pk": self.model.job_id, "chart": "loss"},
            "kernels": {"pk": self.kernel.pk},
            "models": {
                "pk": self.model.pk, "name": "model.json", "draft": self.model_draft.pk, "repair": "half_batch",
            },
            "uploads": {"pk": self.upload.pk},
            "sweeps": {"pk": self.sweep.pk},
            "datasets": {
                "pk": self.dataset.pk, "image": self.image.pk, "number": 0, "job": self.dataset_export.pk,
                "table": str(uuid.uuid4()),
            },
            "projects": {"pk": self.project.memberships.get(user=self.bob).pk},
            "validations": {
                "pk": self.validation.pk, "model": self.model.pk, "image": self.image.pk, "name": "summary.csv",
            },
        }[namespace]  # fmt: skip
        if name in ("datasets:preview", "datasets:revise", "datasets:discard", "datasets:preview_image"):
            of_namespace["pk"] = self.draft()
        if name == "datasets:category_merge":
            of_namespace["pk"] = self.question.categories.get().pk
        if name.startswith("datasets:snapshot"):
            of_namespace |= {"pk": self.snapshot.pk, "split": "train", "number": 0, "sha256": self.image.blob_id}
            of_namespace["job"] = self.snapshot_export.pk
        if namespace == "jobs" and EXPECTED[name].who == OWN:
            of_namespace["pk"] = self.notice.pk
        if name.startswith("projects:"):
            of_namespace["pk"] = self._word(name, of_namespace["pk"])
        wanted = {parameter for route, *_rest in self._routes(name) for parameter in route[0][1]}
        return {"project": self.project.code} | {key: of_namespace[key] for key in wanted - {"project"}}

    def _word(self, name: str, other: int) -> int:
        """The row that an address of the words of a project is about."""
        rows = {
            "category_add": self.question, "category": self.question.categories.get(), "model_type": self.model_type,
            "label": self.model_type.annotation_types.get(), "data_category": self.project.data_categories.get(),
        }  # fmt: skip
        return next((row.pk for start, row in rows.items() if name.startswith(f"projects:{start}")), other)

    @staticmethod
    def _routes(name: str) -> Any:
        namespace, _colon, own = name.partition(":")
        return get_resolver().namespace_dict[namespace][1].reverse_dict.getlist(own)

    def draft(self) -> str:
        """An upload as a labeller sends it; its id."""
        buffer, picture = io.BytesIO(), io.BytesIO()
        Picture.new("RGB", (40, 30)).save(picture, "PNG")
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("good/a.png", picture.getvalue())
            archive.writestr("bad/b.png", picture.getvalue())
        client = Client()
        client.force_login(self.bob)
        file = SimpleUploadedFile("a.zip", buffer.getvalue())
        answer = client.post(reverse("datasets:import", args=[self.project.code]), {"name": "new", "images": file})
        return answer["Location"].rstrip("/").rpartition("/")[2]

    def _job(self, kind: str) -> Job:
        at = timezone.now()
        job = Job.objects.create(
            project=self.project, kind=kind, title="t", state=State.SUCCEEDED, created_at=at, queued_at=at,
            started_at=at, ended_at=at,
        )  # fmt: skip
        job.points.create(chart="loss", series="train_loss", x=1, t=1, value=1)
        self._write(runfolder.log(job))
        self._write(runfolder.output(job) / results.METRICS / "loss.csv")
        return job

    def _image(self) -> Image:
        blob = Blob.objects.create(sha256="a" * 64, size=1, content_type="image/png")
        blob.path.parent.mkdir(parents=True, exist_ok=True)
        Picture.new("RGB", (40, 30)).save(blob.path, "PNG")
        return Image.objects.create(dataset=self.dataset, name="a.png", position=0, blob=blob, width=40, height=30)

    @staticmethod
    def _write(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("step,train_loss\n1,1\n", encoding="utf-8")


@pytest.fixture
def world(project, bob) -> World:
    return World(project, bob)


def status(client: Client, method: str, url: str) -> int:
    """The answer's status; what it changed is taken back."""
    with transaction.atomic():
        answer = client.generic(method, url)
        if answer.streaming:
            list(answer)  # the test client closes a file when it is read to its end
        transaction.set_rollback(True)
    return int(answer.status_code)


@pytest.mark.parametrize("name", OF_A_PROJECT)
def test_who_may_enter(name, world, client_of, charlie, bob, vera, dev, alice):
    access, url, method = EXPECTED[name], world.url(name), EXPECTED[name].methods[0]
    people = {"vera": vera, "bob": bob, "dev": dev, "alice": alice}
    found = {role: status(client_of(people[who]), method, url) for role, who in ROLES.items() if who != "alice"}
    needed = Role(access.who).rank
    refused = {role for role in found if role.rank < needed}
    assert {role for role, code in found.items() if code == 403} == refused
    assert all(code in GOOD for role, code in found.items() if role not in refused), found
    anonymous = Client().generic(method, url)
    assert (anonymous.status_code, anonymous["Location"].partition("?")[0]) == (302, reverse("login"))
    assert status(client_of(charlie), method, url) == 404
    if method == "POST" and needed < Role.MANAGER.rank:
        return  # files that the first one who may has dealt with do not come back
    assert status(client_of(alice), method, url) in GOOD


@pytest.mark.parametrize("name", sorted(name for name, access in EXPECTED.items() if access.who == OWN))
def test_what_is_ones_own_is_nobody_elses(name, world, client_of, charlie, bob, vera, alice):
    url, method = world.url(name), EXPECTED[name].methods[0]
    assert status(client_of(bob), method, url) in GOOD
    for other in (vera, alice, charlie):
        assert status(client_of(other), method, url) == 404
    anonymous = Client().generic(method, url)
    assert (anonymous.status_code, anonymous["Location"].partition("?")[0]) == (302, reverse("login"))


@pytest.mark.parametrize(
    "name", sorted(name for name, access in EXPECTED.items() if access.who in (ALL, PEOPLE, STAFF))
)
def test_addresses_of_no_project(name, db, client_of, charlie):
    access, url = EXPECTED[name], reverse(name)
    anonymous = Client().generic(access.methods[0], url)
    needs_login = anonymous.status_code == 302 and "login" in anonymous["Location"] and "next" in anonymous["Location"]
    assert needs_login == (access.who != ALL)
    assert status(client_of(charlie), access.methods[0], url) in GOOD  # the admin: on to its own login


def test_only_staff_enter_the_admin(client_of, charlie, admin_user):
    url = reverse("admin:index")
    assert "login" in client_of(charlie).get(url)["Location"]
    assert client_of(admin_user).get(url).status_code == 200


@pytest.mark.parametrize("name", sorted(set(EXPECTED) - {"admin:index"}))
def test_other_methods_are_refused(name, world, client_of, alice):
    for method in {"GET", "POST"} - set(EXPECTED[name].methods):
        person = world.bob if EXPECTED[name].who == OWN else alice
        assert status(client_of(person), method, world.url(name)) == 405


@pytest.mark.parametrize("name", [name for name, access in EXPECTED.items() if "POST" in access.methods])
def test_a_post_without_its_token_is_refused(name, world, client_of, alice):
    client = client_of(alice, enforce_csrf_checks=True)
    answer = client.post(world.url(name))
    assert answer.status_code == 403
    page = "models/train.html" if name == "models:train" else "403_csrf.html"  # the form keeps what was typed
    assert page in [template.name for template in answer.templates]
