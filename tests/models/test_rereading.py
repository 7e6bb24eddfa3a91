"""A report that an older version stored without objects and figures is read again out of the kernel's files."""

from __future__ import annotations

import io
import json
import shutil

import pytest
from django.core.management import CommandError, call_command

from models_app.models import FoundObject, Prediction, TrainedModel, TruthObject, Validation
from projects_app.models import Membership

pytestmark = pytest.mark.django_db


def as_once(validation: Validation) -> Validation:
    """What the portal knew of a validation before it stored objects."""
    for rows in (FoundObject, TruthObject):
        rows.objects.filter(validation=validation).delete()
    Validation.objects.filter(pk=validation.pk).update(figures={})
    Prediction.objects.filter(validation=validation).update(iou=None, worst=0)
    return Validation.objects.get(pk=validation.pk)


def reread(*argv: str) -> dict:
    said = io.StringIO()
    call_command("reread_validations", *argv, "--json", stdout=said, stderr=io.StringIO())
    return json.loads(said.getvalue())


def objects(validation: Validation) -> tuple[int, int]:
    return tuple(rows.objects.filter(validation=validation).count() for rows in (FoundObject, TruthObject))


@pytest.mark.parametrize("training_type", ["CL", "RC", "OD", "SEG"])
def test_it_says_what_a_new_report_says(make_shop, training_type):
    shop = make_shop(training_type, name="things")
    new = shop.validated(shop.ready(wrong=1))
    figures, found, worst = new.figures, objects(new), list(new.predictions.values_list("image", "worst", "is_right"))
    old = as_once(new)
    assert objects(old) == (0, 0)
    assert reread() == {"read": [old.pk], "gone": [], "failed": []}
    again = Validation.objects.get(pk=old.pk)
    assert again.figures == figures
    assert objects(again) == found
    assert list(again.predictions.values_list("image", "worst", "is_right")) == worst
    assert again.result_id == new.result_id
    assert reread() == {"read": [], "gone": [], "failed": []}


def test_whose_files_are_gone_is_named_and_keeps_what_is_known(shop):
    old = as_once(shop.validated(shop.ready(wrong=1)))
    shutil.rmtree(old.folder)
    assert reread() == {"read": [], "gone": [old.pk], "failed": []}
    assert Validation.objects.get(pk=old.pk).predictions.count() == 4


def test_a_named_one_is_read_again_though_nothing_lacks(shop):
    validation = shop.validated(shop.ready(wrong=1))
    Validation.objects.filter(pk=validation.pk).update(figures={"images": 0})
    assert reread() == {"read": [], "gone": [], "failed": []}
    assert reread(str(validation.pk)) == {"read": [validation.pk], "gone": [], "failed": []}
    assert Validation.objects.get(pk=validation.pk).figures == validation.figures


def test_only_those_of_ones_own_projects_are_read(shop, other_shop):
    theirs = as_once(other_shop.validated(other_shop.ready()))
    assert reread("--user", shop.user.username) == {"read": [], "gone": [], "failed": []}
    with pytest.raises(CommandError, match=f"could be read: {theirs.pk}"):
        reread("--user", shop.user.username, str(theirs.pk))


def test_a_viewer_is_refused_what_is_named_and_reads_nothing(shop):
    old = as_once(shop.validated(shop.ready()))
    Membership.objects.filter(user=shop.user).update(role="viewer")
    with pytest.raises(CommandError, match="needs the role"):
        reread("--user", shop.user.username, str(old.pk))
    assert reread("--user", shop.user.username) == {"read": [], "gone": [], "failed": []}
    assert Validation.objects.get(pk=old.pk).figures == {}


def test_who_is_labeller_in_one_project_and_viewer_in_another_reads_only_there(shop, other_shop):
    mine, theirs = (as_once(one.validated(one.ready())) for one in (shop, other_shop))
    Membership.objects.create(project=other_shop.project, user=shop.user, role="viewer")
    with pytest.raises(CommandError, match="needs the role"):
        reread("--user", shop.user.username, str(mine.pk), str(theirs.pk))
    assert Validation.objects.get(pk=mine.pk).figures == {}  # all that are named or none
    assert reread("--user", shop.user.username) == {"read": [mine.pk], "gone": [], "failed": []}
    assert Validation.objects.get(pk=theirs.pk).figures == {}


def test_one_that_cannot_be_read_keeps_none_of_the_others_back(shop):
    broken, good = (as_once(shop.validated(shop.ready(wrong=1))) for _ in range(2))
    TrainedModel.objects.filter(pk=broken.model_id).update(settings={"trainable_image_type": None})
    said = io.StringIO()
    with pytest.raises(CommandError, match=f"Could not be read: {broken.pk}"):
        call_command("reread_validations", "--json", stdout=said, stderr=io.StringIO())
    assert json.loads(said.getvalue()) == {"read": [good.pk], "gone": [], "failed": [broken.pk]}
    assert Validation.objects.get(pk=good.pk).figures
    assert Validation.objects.get(pk=broken.pk).predictions.count() == 4


def test_its_page_says_so_and_what_to_do(shop, client_of):
    validation = shop.validated(shop.ready(wrong=1))
    client, page = client_of(shop.user), validation.get_absolute_url()
    assert "reread_validations" not in client.get(page).content.decode()
    as_once(validation)
    assert "manage.py reread_validations" in client.get(page).content.decode()
    shutil.rmtree(validation.folder)
    assert "its files are gone" in client.get(page).content.decode()
