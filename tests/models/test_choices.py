"""What the training form lets people choose from: which kernels, datasets and base models, and what it says of them."""

from __future__ import annotations

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from datasets_app.models import Annotation, Dataset, Image
from jobs.models import Job, MetricPoint, State
from kernels_app.models import Kernel, KernelState, KernelSwitch
from models_app import choices
from models_app.models import TrainedModel, Validation
from projects_app.models import ModelType, Project
from tests import fake_kernels

pytestmark = pytest.mark.django_db


def judge(model: TrainedModel, dataset: Dataset, **summary: object) -> Validation:
    """As if validated, in no time."""
    job = Job.submit(project=model.project, kind="validation", title="v", created_by=model.created_by, devices=1)
    Job.objects.filter(pk=job.pk).update(state=State.SUCCEEDED)
    one = Validation.objects.create(
        project=model.project, model=model, kernel=model.kernel, job=job, summary=summary, created_by=model.created_by
    )
    one.datasets.set([dataset])
    return one


# --- kernels ---------------------------------------------------------------------------------------------------------


def offered(shop, chosen=None, data_types=()) -> choices.KernelChoices:
    return choices.kernels(shop.project, shop.model_type, chosen, data_types)


def card_of(shop, kernel: Kernel) -> choices.KernelCard:
    [card] = [card for card in offered(shop, kernel).offered if card.is_chosen]
    assert card.kernel == kernel
    return card


def figure(found: choices.KernelCard | choices.BaseCard) -> tuple[str, float, str]:
    assert found.best
    return found.best.name, found.best.value, found.best.on


def names(found: choices.KernelChoices) -> list[str]:
    return [str(card.kernel) for card in found.offered]


def reasons(found: choices.KernelChoices) -> dict[str, str]:
    return {kernel.name: reason for kernel, reason in found.others}


def test_a_kernel_of_another_training_type_is_listed_with_the_reason(shop):
    fake_kernels.register("OD")
    found = offered(shop)
    assert str(shop.kernel) in names(found)
    assert "trains OD, not" in reasons(found)["fake-od"]


def test_a_kernel_that_is_switched_off_is_listed_with_the_reason(shop):
    fake_kernels.register(name="off", is_on=False)
    assert "switched off" in reasons(offered(shop))["off"]


def test_the_reason_says_what_to_do_where_the_data_has_labels_of_that_type(shop):
    fake_kernels.register("OD")
    fake_kernels.register("OD", name="off", is_on=False)
    found = reasons(offered(shop, data_types={"CL", "OD"}))
    assert found["fake-od"].endswith("choose a model type of OD to use it.")
    assert "choose a model type" not in found["off"]
    assert "choose a model type" not in reasons(offered(shop, data_types={"CL"}))["fake-od"]


def test_the_newest_version_that_can_be_used_is_offered_and_the_chosen_one(shop):
    newer = fake_kernels.register(version="2")
    off = fake_kernels.register(version="3", is_on=False)
    assert str(newer) in names(offered(shop))
    assert {str(off), str(shop.kernel)}.isdisjoint(names(offered(shop)))
    assert {str(newer), str(shop.kernel)} <= set(names(offered(shop, shop.kernel)))
    assert card_of(shop, shop.kernel).is_older
    assert not card_of(shop, newer).is_older
    Kernel.objects.filter(pk=newer.pk).update(state=KernelState.DEPRECATED)
    assert names(offered(shop)).count(str(shop.kernel)) == 1


def test_a_name_that_nobody_can_use_is_not_listed(shop):
    gone = fake_kernels.register(name="gone", is_on=False)
    Kernel.objects.filter(pk=gone.pk).update(state=KernelState.ARCHIVED)
    assert "gone" not in reasons(offered(shop))


def test_a_card_says_what_is_known_of_the_kernel_here(shop, other_shop):
    worse, better = shop.ready(), shop.ready()
    judge(worse, shop.val, accuracy=0.5)
    judge(better, shop.val, accuracy=0.75)
    judge(shop.ready(), shop.val)
    judge(other_shop.ready(), other_shop.val, accuracy=1.0)
    card = card_of(shop, shop.kernel)
    assert card.models == 3
    assert figure(card) == ("accuracy", 0.75, shop.val.name)
    assert card.operations == ["training", "validation", "inference"]


def test_a_figure_that_is_no_number_is_no_best_one(shop):
    judge(shop.ready(), shop.val, accuracy="n/a")
    assert card_of(shop, shop.kernel).best is None


@pytest.mark.parametrize(
    ("section", "text"),
    [({}, "1 device"), ({"minimum": 2, "maximum": 2}, "2 devices"), ({"maximum": 4}, "1 to 4 devices")],
)
def test_devices_are_said_in_words(shop, section, text):
    kernel = fake_kernels.register(name="wide", supported_gpu_count=section)
    assert card_of(shop, kernel).devices == text


# --- datasets --------------------------------------------------------------------------------------------------------


def test_datasets_that_fit_stand_apart_and_the_chosen_come_first(shop, make_shop):
    make_shop("OD", name="boxes")
    found = choices.datasets(shop.project, shop.model_type, {shop.val.pk})
    assert [(card.name, card.images, card.labelled, card.is_chosen) for card in found.fitting] == [
        ("parts-val", 4, 4, True),
        ("parts-train", 4, 4, False),
    ]
    assert [card.name for card in found.others] == ["boxes-train", "boxes-val"]
    assert [card.name for card in found.chosen] == ["parts-val"]
    assert (found.total, found.chosen_labelled, found.is_long) == (4, 4, False)


def test_a_dataset_shows_pictures_of_its_beginning_middle_and_end(shop):
    [card] = choices.datasets(shop.project, shop.model_type, {shop.train.pk}).chosen
    ids = [str(pk) for pk in shop.train.images.order_by("position").values_list("pk", flat=True)]
    assert card.image_ids == (ids[0], ids[1], ids[2])
    shop.train.images.filter(position__gt=0).delete()
    [card] = choices.datasets(shop.project, shop.model_type, {shop.train.pk}).chosen
    assert card.image_ids == (ids[0],)


def test_a_dataset_without_images_has_no_pictures(shop):
    Dataset.objects.create(project=shop.project, name="bare")
    [card] = choices.datasets(shop.project, shop.model_type, set()).others
    assert (card.images, card.image_ids, card.count) == (0, (), "0 images")


def test_a_count_says_how_many_are_labelled_where_not_all_are(shop):
    Annotation.objects.filter(image=shop.train.images.first()).delete()
    [card] = choices.datasets(shop.project, shop.model_type, {shop.train.pk}).chosen
    assert card.count == "3 of 4 labelled"


def test_a_long_name_keeps_its_beginning_and_its_end(shop):
    long = "아주 긴 이름을 가진 밸브 " * 8 + "끝-train"
    Dataset.objects.filter(pk=shop.train.pk).update(name=long)
    [card] = choices.datasets(shop.project, shop.model_type, {shop.train.pk}).chosen
    assert card.is_shortened
    assert len(card.short_name) < 70
    assert card.short_name.startswith("아주 긴 이름")
    assert card.short_name.endswith("끝-train")


def test_four_hundred_datasets_take_no_more_statements_than_two(shop, django_assert_max_num_queries):
    made = Dataset.objects.bulk_create(Dataset(project=shop.project, name=f"밸브 {n}") for n in range(400))
    blob = shop.train.images.first().blob
    Image.objects.bulk_create(
        Image(dataset=one, name=f"{n}.png", position=n, blob=blob, width=4, height=3) for one in made for n in range(4)
    )
    with django_assert_max_num_queries(4):
        found = choices.datasets(shop.project, shop.model_type, {made[5].pk})
        assert (len(found.fitting), len(found.others), found.is_long) == (2, 400, True)
    assert all(len(card.image_ids) == 3 for card in found.others)


def test_what_a_validation_put_together_to_compare_is_offered_only_where_it_is_chosen(shop):
    result = shop.validated(shop.ready()).result
    assert result.compares
    names = [card.name for card in choices.datasets(shop.project, shop.model_type, set()).fitting]
    assert names == ["parts-train", "parts-val"]
    [card] = choices.datasets(shop.project, shop.model_type, {result.pk}).chosen
    assert card.name == result.name


def test_datasets_of_other_projects_are_not_there(shop, other_shop):
    found = choices.datasets(shop.project, shop.model_type, {other_shop.train.pk})
    assert not found.chosen
    assert other_shop.train.name not in {card.name for card in (*found.fitting, *found.others)}


# --- base models -----------------------------------------------------------------------------------------------------


@pytest.fixture
def narrow(shop) -> ModelType:
    """Another model type of the same training type that learns none of these classes."""
    return ModelType.objects.create(project=shop.project, code="CL_OTHER", training_type="CL")


def test_models_that_left_weights_can_be_started_from_those_of_the_model_type_first(shop, narrow, make_shop):
    near, far = shop.ready(), shop.ready()
    TrainedModel.objects.filter(pk=far.pk).update(model_type=narrow, classes=["GOOD"])
    make_shop("OD", name="boxes").ready()
    shop.order().start(shop.user)
    found = choices.base_models(shop.project, shop.model_type)
    assert [(row.model, row.known, row.total, row.is_same_type) for row in found] == [
        (near, 2, 2, True),
        (far, 1, 2, False),
    ]
    assert choices.base_models(shop.project, None) == []


def test_the_chosen_base_model_stays_in_a_list_that_is_cut(shop, monkeypatch):
    old, new = shop.ready(), shop.ready()
    monkeypatch.setattr("models_app.choices.base_choices.LOOKED_AT", 1)
    assert [row.model for row in choices.base_models(shop.project, shop.model_type)] == [new]
    found = choices.base_models(shop.project, shop.model_type, old.pk)
    assert [(row.model, row.is_chosen) for row in found] == [(new, False), (old, True)]


def test_a_base_model_of_another_project_is_never_chosen(shop, other_shop):
    foreign = other_shop.ready()
    assert choices.base_models(shop.project, shop.model_type, foreign.pk) == []


def test_a_card_says_which_classes_are_known_new_and_lost(shop):
    model = shop.ready()
    TrainedModel.objects.filter(pk=model.pk).update(classes=["OLD", "GOOD"])
    card = choices.base_card(TrainedModel.objects.get(pk=model.pk), shop.model_type, shop.kernel)
    assert (card.known, card.new, card.lost, card.other_kernel) == (["GOOD"], ["BAD"], ["OLD"], False)
    other = fake_kernels.register(name="other")
    assert choices.base_card(model, shop.model_type, other).other_kernel


def test_a_base_model_is_judged_by_its_best_validation_else_by_its_training(shop):
    model = shop.ready()
    assert choices.base_card(model, shop.model_type, None).best is None
    for x, value in enumerate((0.25, 0.5, 0.375)):
        MetricPoint.objects.create(job=model.job, chart="accuracy", series="accuracy", x=x, t=x, value=value)
    assert figure(choices.base_card(model, shop.model_type, None)) == ("accuracy", 0.5, "")
    judge(model, shop.val, accuracy=0.125)
    assert figure(choices.base_card(model, shop.model_type, None)) == ("accuracy", 0.125, shop.val.name)


# --- on the page -----------------------------------------------------------------------------------------------------


@pytest.fixture
def html(shop, client_of):
    """The training page as bob gets it, or what comes back of a post."""
    client, address = client_of(shop.user), reverse("models:train", args=[shop.project.code])

    def get(post: dict | None = None, **query) -> str:
        answer = client.post(address, post) if post is not None else client.get(address, query)
        assert answer.status_code in (200, 422)
        return answer.content.decode()

    return get


def ticked(html: str, name: str) -> list[str]:
    return re.findall(rf'<input[^>]*name="{name}" (?:id="\w+" )?value="(\d+)"[^>]* checked', html)


def test_the_page_ticks_what_is_chosen(shop, html):
    page = html(model_type=shop.model_type.pk, kernel=shop.kernel.pk, train=shop.train.pk, validation=shop.val.pk)
    assert ticked(page, "kernel") == [str(shop.kernel.pk)]
    assert (ticked(page, "train"), ticked(page, "validation")) == ([str(shop.train.pk)], [str(shop.val.pk)])


def test_the_page_loads_pictures_only_when_they_are_looked_at(shop, html):
    page = html()
    pictures = re.findall(r'<span class="choice-pictures">(.*?)</span>', page)
    assert pictures
    assert all(part.count("<img") == part.count('loading="lazy"') == 3 for part in pictures)
    assert reverse("datasets:thumb", args=[shop.project.code, shop.train.images.first().pk]) in page


def test_a_kernel_that_does_not_fit_cannot_be_ticked(shop, html):
    other = fake_kernels.register("OD")
    page = html(model_type=shop.model_type.pk)
    assert f'name="kernel" id="id_kernel_{other.pk}"' not in page
    assert "trains OD, not" in page


def test_datasets_without_a_label_are_folded_away_unless_one_is_chosen(shop, html, make_shop):
    boxes = make_shop("OD", name="boxes")
    fold = r'<details class="picker-others" data-fold="bare-train"( open)?>'
    assert re.findall(fold, html(model_type=shop.model_type.pk)) == [""]
    assert "2 datasets have no label for this model type" in html(model_type=shop.model_type.pk)
    assert re.findall(fold, html(model_type=shop.model_type.pk, train=boxes.train.pk)) == [" open"]


def test_a_project_whose_datasets_are_gone_points_to_the_import(shop, html):
    Dataset.objects.filter(project=shop.project).delete()
    page = html()
    assert "There is no dataset yet" in page
    assert reverse("datasets:import", args=[shop.project.code]) in page


def test_a_project_without_a_kernel_for_the_type_says_so(shop, html):
    for kernel in Kernel.objects.all():
        KernelSwitch.objects.update_or_create(kernel=kernel, project=shop.project, defaults={"is_on": False})
    page = html(model_type=shop.model_type.pk)
    assert "No kernel that is switched on here trains this model type." in page
    assert "The kernel is switched off in this project." in page


def test_files_that_a_refused_form_brought_are_named_since_they_are_lost(shop, html):
    page = html({"model_type": shop.model_type.pk, "start": "1", "etc": [SimpleUploadedFile("mask <b>1.png", b"1")]})
    assert "Choose these files again" in page
    assert "mask &lt;b&gt;1.png" in page


def test_names_from_people_are_never_markup(shop, html):
    nasty = '"><script>alert(1)</script>' * 5
    Dataset.objects.filter(pk=shop.train.pk).update(name=nasty[:120], description=nasty)
    Kernel.objects.filter(pk=shop.kernel.pk).update(description=nasty)
    model = shop.ready(name=nasty[:100])
    page = html(model_type=shop.model_type.pk, kernel=shop.kernel.pk, base=model.pk)
    assert "<script>alert" not in page


@pytest.mark.parametrize("value", ["x", "²", "9" * 40, "-1", "999999999999999999"])
def test_nonsense_chosen_in_the_address_is_ignored(shop, html, value):
    for name in ("train", "validation", "kernel", "model_type", "base_model", "base", "retrain"):
        assert 'id="id_train"' in html(**{name: value})


def test_nothing_of_another_project_shows(shop, other_shop, html):
    foreign = other_shop.ready(name="secret model")
    page = html(train=other_shop.train.pk, base=foreign.pk, base_model=foreign.pk, model_type=other_shop.model_type.pk)
    assert other_shop.train.name not in page
    assert "secret model" not in page
    assert Project.objects.count() == 2
