"""Characters that PostgreSQL does not take are refused in words, wherever they come from."""

from __future__ import annotations

import pytest
from django.http import QueryDict
from django.urls import reverse

from datasets_app.forms import changed_plan
from datasets_app.plan_checks import check
from datasets_app.plans import ImportRefused, LabelPlan, Plan
from projects_app.models import Membership, ModelType

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", ["models", "validations", "datasets", "kernels", "jobs"])
def test_an_address_with_a_nul_is_a_bad_request(project, alice, client_of, name):
    client = client_of(alice)
    page = reverse(f"{name}:list", args=[project.code])
    for address in (f"{page}?q=%00", f"{page}?q=a%00b&sort=%00", page.replace("valves", "val%00ves"), f"{page}%00"):
        answer = client.get(address)
        assert answer.status_code == 400, address
        assert "The server did not understand that" in answer.content.decode()
    assert client.get(f"{page}?q=%2500").status_code == 200


def test_an_address_with_a_nul_is_a_bad_request_for_strangers_too(client):
    assert client.get("/login/?next=%00").status_code == 400
    assert client.get("/p/%00/models/").status_code == 400


def test_forms_refuse_a_nul_beside_the_field(project, alice, client_of):
    client = client_of(alice)
    for name, data in (
        ("projects:member_add", {"username": "vera\0", "role": "viewer"}),
        ("projects:edit", {"name": "a\0b", "description": ""}),
    ):
        assert client.post(reverse(name, args=[project.code]), data).status_code == 422
    assert client.post("/login/", {"username": "a\0", "password": "b\0"}).status_code in (200, 302)
    assert Membership.objects.count() == 1


def test_what_is_typed_on_the_preview_is_refused_by_its_field(project):
    plan = Plan("mine", "OD", labels=(LabelPlan("dent", 1, "dent"),), model_type="OD_MINE")
    posted = QueryDict(mutable=True)
    posted.update({"name": "a\0", "becomes-0": "+", "code-0": "a\0", "model_type": "x\0"})
    changed = changed_plan(plan, posted)
    with pytest.raises(ImportRefused) as refused:
        check(project, changed, [""])
    assert [field for field, _sentence in refused.value.faults] == ["name", "code-0", "model_type"]
    assert not ModelType.objects.filter(code=changed.model_type).exists(), "the preview asks for it again"
