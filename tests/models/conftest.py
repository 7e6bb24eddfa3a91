"""A project that can train: datasets, a model type, a fake kernel, and what to do with them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from datasets_app.models import Dataset
from jobs import following
from jobs.models import Job, State
from kernels_app.contract.results import CHECKPOINT
from kernels_app.models import Kernel
from models_app.models import TrainedModel, Validation
from models_app.orders import TrainOrder, ValidationOrder
from projects_app.models import ModelType, Project, User
from tests import fake_kernels
from tests.parts import import_parts


@pytest.fixture(autouse=True)
def quick(settings) -> None:
    settings.JOB_POLL = 0.02
    settings.JOB_GRACE = 0.5


@dataclass
class Shop:
    """Everything that a training of one training type needs, and the verbs."""

    project: Project
    user: User
    model_type: ModelType
    kernel: Kernel
    train: Dataset
    val: Dataset
    count: int = field(default=0)

    def order(self, **changed: Any) -> TrainOrder:
        self.count += 1
        usual = {
            "project": self.project, "model_type": self.model_type, "kernel": self.kernel, "train": [self.train],
            "validation": [self.val], "name": f"{self.model_type.code} {self.count}",
        }  # fmt: skip
        behaviour = {key: changed.pop(key) for key in list(changed) if key in fake_kernels.PROPERTIES}
        return TrainOrder(**(usual | {"params": fake_kernels.params(**behaviour)} | changed))

    def trained(self, **changed: Any) -> TrainedModel:
        """A model whose training has ended, as its settings say."""
        model = self.order(**changed).start(self.user)
        following.run_here(model.job)
        return TrainedModel.objects.get(pk=model.pk)

    def finished(self, **changed: Any) -> TrainedModel:
        model = self.trained(**changed)
        assert model.job.state == State.SUCCEEDED, model.job.message
        return model

    def ready(self, **changed: Any) -> TrainedModel:
        """As if trained, in no time: for tests in which only the rows and the checkpoint count."""
        model = self.order(**changed).start(self.user)
        (model.folder / CHECKPOINT.parent).mkdir(parents=True)
        (model.folder / CHECKPOINT).write_text("weights")
        Job.objects.filter(pk=model.job_id).update(state=State.SUCCEEDED, ended_at=timezone.now())
        return TrainedModel.objects.get(pk=model.pk)

    def validated(self, model: TrainedModel, **changed: Any) -> Validation:
        usual = {"model": model, "kernel": model.kernel, "datasets": [self.val]}
        validation = ValidationOrder(**(usual | changed)).start(self.user)
        following.run_here(validation.job)
        return Validation.objects.get(pk=validation.pk)


@pytest.fixture
def make_shop(project, bob, tmp_path) -> Callable[..., Shop]:
    def make(
        training_type: str = "CL", *, to: Project = project, name: str = "parts", each: int = 2, **more: Any
    ) -> Shop:
        source = tmp_path / f"source-{to.code}-{name}"
        found = import_parts(to, bob, source, training_type, name=name, each=each)
        model_type = ModelType.objects.get(project=to, training_type=training_type)
        kernel = fake_kernels.register(training_type, **more)
        return Shop(to, bob, model_type, kernel, found["train"], found["val"])

    return make


@pytest.fixture
def shop(make_shop) -> Shop:
    return make_shop()


@pytest.fixture
def other_shop(make_shop, db) -> Shop:
    """The same in a project that bob is no member of."""
    return make_shop(to=Project.objects.create(code="pumps", name="Pumps"), name="pumps")


@pytest.fixture
def page(shop, client_of):
    """What bob sends to the pages of the training form."""

    class Page:
        client = client_of(shop.user)

        @staticmethod
        def url(name: str = "train") -> str:
            return reverse(f"models:{name}", args=[shop.project.code])

        @staticmethod
        def data(**changed) -> dict:
            params = {f"params.{name}": value for name, value in fake_kernels.params().items() if name != "flip"}
            usual = {
                "model_type": shop.model_type.pk, "kernel": shop.kernel.pk, "train": [shop.train.pk],
                "validation": [shop.val.pk], "name": "from the page", "description": "", "devices": 1,
                "base_model": "", "retrained_from": "", "params.flip": "true", "start": "1",
            }  # fmt: skip
            found = usual | params | changed
            return {name: value for name, value in found.items() if value is not None}

        def post(self, to: str = "train", *, headers: dict | None = None, **changed):
            return self.client.post(self.url(to), self.data(**changed), headers=headers or {})

        def typing(self, field: str, **changed):
            """The live check that typing into `field` sends."""
            return self.post(
                "train_check", headers={"HX-Request": "true"}, **({"start": None, "typed": field} | changed)
            )

    return Page()


def text(answer) -> str:
    return answer.content.decode()


def error_at(answer, name: str) -> str:
    """What stands in the place for the errors of one field."""
    [found] = re.findall(rf'<ul[^>]*id="error-{re.escape(name)}"[^>]*>(.*?)</ul>', text(answer), re.DOTALL)
    return re.sub(r"<[^>]+>|\s+", " ", found).strip()
