"""The admin: every list and every row opens, and what only the portal may write cannot be written there."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.urls import reverse
from django.utils import timezone

from jobs.models import Host, IngestCursor, Job, JobEvent, Lease, MetricPoint, State
from jobs.outbox import Delivery, Subscription
from kernels_app.models import Kernel, KernelSwitch
from models_app.models import Activation, ModelDraft, ModelExport, Prediction, TrainedModel, Validation
from projects_app.models import AnnotationType, Category, Membership, ModelType, ModelTypeClass, Project, User
from tests.test_access import World

OURS = ("projects_app", "jobs", "kernels_app", "datasets_app", "models_app")
REGISTERED = sorted(
    (model for model in admin.site._registry if model._meta.app_label in OURS), key=lambda model: model._meta.label
)
READ_ONLY = [
    Job, JobEvent, Host, Lease, MetricPoint, IngestCursor, Validation, Prediction, ModelTypeClass, Activation,
    ModelDraft, ModelExport, Subscription, Delivery,
]  # fmt: skip
NOT_MADE_BY_HAND = [*READ_ONLY, Kernel, TrainedModel]
NEVER_DELETED = [*NOT_MADE_BY_HAND, Project, AnnotationType, Category, ModelType]


@pytest.fixture
def rows(project, bob, admin_user):
    """One row of everything."""
    world = World(project, bob)
    job = world.model.job
    job.record(None, State.QUEUED, who="bob")
    host = Host.objects.create(name="gpu-01", seen_at=timezone.now())
    Lease.objects.create(host=host, index=0, job=job)
    IngestCursor.objects.create(job=job, file="metrics/loss.csv")
    hears = Subscription.objects.create(project=project, user=bob, channel="webhook", url="https://example.com/")
    at = timezone.now()
    Delivery.objects.create(subscription=hears, job=job, event="FAILED", next_at=at, created_at=at)
    KernelSwitch.objects.create(kernel=world.kernel, project=project, is_on=True)
    question = AnnotationType.objects.create(project=project, training_type="CL", code="CL_A", name="A")
    Category.objects.create(annotation_type=question, code="good", name="good", position=0)
    return world


def url(model, page: str, *args) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label)
def test_lists_search_and_rows_open(model, rows, admin_client):
    assert admin_client.get(url(model, "changelist")).status_code == 200
    site = admin.site._registry[model]
    assert site.search_fields
    assert admin_client.get(url(model, "changelist"), {"q": "valve"}).status_code == 200
    row = model.objects.first()
    if row is not None:
        assert admin_client.get(url(model, "change", row.pk)).status_code == 200


def test_every_model_of_these_apps_is_there():
    assert {User, Project, Membership, KernelSwitch, *NEVER_DELETED} <= set(REGISTERED)


@pytest.mark.parametrize("model", READ_ONLY, ids=lambda model: model._meta.label)
def test_what_only_the_portal_writes_cannot_be_changed(model, rows, admin_client):
    row = model.objects.first()
    assert 'name="_save"' not in admin_client.get(url(model, "change", row.pk)).content.decode()
    assert admin_client.post(url(model, "change", row.pk), {}).status_code == 403


@pytest.mark.parametrize("model", NOT_MADE_BY_HAND, ids=lambda model: model._meta.label)
def test_what_only_the_portal_makes_cannot_be_added(model, rows, admin_client):
    assert admin_client.get(url(model, "add")).status_code == 403


@pytest.mark.parametrize("model", NEVER_DELETED, ids=lambda model: model._meta.label)
def test_what_others_hang_on_cannot_be_deleted(model, rows, admin_client):
    row = model.objects.first()
    assert admin_client.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert model.objects.filter(pk=row.pk).exists()


def test_a_kernel_keeps_its_digest_and_state(rows, admin_client):
    kernel = rows.kernel
    admin_client.post(url(Kernel, "change", kernel.pk), {"description": "new", "digest": "f" * 64, "state": "failed"})
    kernel.refresh_from_db()
    assert (kernel.description, kernel.digest, kernel.state) == ("new", "0" * 64, "ready")


def test_a_model_keeps_what_it_was_trained_with(rows, admin_client):
    model = rows.model
    admin_client.post(url(TrainedModel, "change", model.pk), {"name": "better", "settings": '{"a": 1}', "size": 7})
    model.refresh_from_db()
    assert (model.name, model.settings, model.size) == ("better", {}, 0)


def test_a_label_keeps_its_code(rows, admin_client):
    label = AnnotationType.objects.get(code="OD_A")
    data = {"name": "new", "code": "OTHER", "training_type": "CL"}
    for prefix in ("categories",):
        data |= {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}
    admin_client.post(url(AnnotationType, "change", label.pk), data)
    label.refresh_from_db()
    assert (label.name, label.code, label.training_type) == ("new", "OD_A", "OD")


def test_the_key_of_a_run_is_not_shown(rows, admin_client):
    job = rows.model.job
    assert job.run_key not in admin_client.get(url(Job, "change", job.pk)).content.decode()


def test_a_project_is_made_here_with_its_members(admin_client, charlie):
    data = {
        "code": "pumps", "name": "Pumps", "memberships-TOTAL_FORMS": 1, "memberships-INITIAL_FORMS": 0,
        "memberships-0-user": charlie.pk, "memberships-0-role": "manager",
    }  # fmt: skip
    admin_client.post(url(Project, "add"), data)
    assert Project.objects.get(code="pumps").role_of(charlie) == "manager"
