"""Nothing that was typed into the training page is lost: by its address, as a draft, over a login, over a new token."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.http import QueryDict
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from models_app import drafts
from models_app.models import TrainDraft, TrainedModel
from projects_app.models import KeptPost
from tests.models.conftest import text

pytestmark = pytest.mark.django_db

TYPED = {"params.lr": "0.125", "params.rows": "", "description": "밸브", "name": "mine"}


def test_the_address_follows_what_was_typed_and_brings_it_back(page, shop):
    checked = page.typing("params.lr", **TYPED)
    address = checked["HX-Replace-Url"]
    assert urlsplit(address).path == page.url()
    shown = page.client.get(address)
    form = shown.context["form"]
    assert {field.name: field.text for field in form.params}["lr"] == "0.125"
    assert {field.name: field.text for field in form.params}["rows"] == ""
    assert (form.data["name"], form.data["description"]) == ("mine", "밸브")
    assert form.chosen_train == {shop.train.pk}
    before = {name: checked.context["form"].data.getlist(name) for name in form.data if name.startswith("params.")}
    assert before == {name: form.data.getlist(name) for name in before}, "exactly, what was emptied too"


def test_an_address_leaves_out_settings_that_nobody_changed(page, shop):
    fresh = page.client.get(page.url(), {"kernel": shop.kernel.pk}).context["form"].data
    texts = {name: fresh[name] for name in fresh if name.startswith("params.")}
    assert "params." not in page.typing("name", **texts)["HX-Replace-Url"]


def test_an_address_that_would_be_too_long_leads_to_the_draft(page):
    address = page.typing("description", description="x" * 7000)["HX-Replace-Url"]
    assert address.endswith("?draft=1")
    assert page.client.get(address).context["form"].data["description"] == "x" * 7000


def test_a_draft_is_kept_while_typing_and_offered_on_the_next_visit(page, shop):
    page.typing("params.lr", **TYPED)
    assert "You left a training unfinished:" in text(page.client.get(page.url()))
    again = page.client.get(page.url(), {"draft": "1"})
    assert again.context["form"].data["description"] == "밸브"
    assert again.context["form"].settings.values["lr"] == 0.125
    page.client.post(page.url(), {"act": "discard"})
    assert not TrainDraft.objects.exists()


def test_a_draft_is_its_users_own_and_goes_with_the_start(page, shop, client_of, admin_user):
    page.typing("params.lr", **TYPED)
    assert "You left a training unfinished:" not in text(client_of(admin_user).get(page.url()))
    page.post()
    assert TrainedModel.objects.exists()
    assert not TrainDraft.objects.exists()


def test_a_check_that_comes_after_the_start_brings_no_draft_back(page):
    page.typing("params.lr", form_id="first", **TYPED)
    assert TrainDraft.objects.exists()
    assert page.post(form_id="first").status_code == 302
    page.typing("params.lr", form_id="first", **TYPED)
    page.post("train_form", form_id="first", start=None, **TYPED)
    assert not TrainDraft.objects.exists()
    page.typing("params.lr", form_id="second", **TYPED)
    assert TrainDraft.objects.exists(), "of a form that was opened since"


def test_a_check_that_began_before_the_start_knows_of_it_at_its_end(page, shop):
    page.typing("params.lr", form_id="first", **TYPED)
    key = page.client.session.session_key
    check = RequestFactory().post(page.url("train_check"))
    check.user, check.session = shop.user, SessionStore(key)
    assert check.session.keys()  # it was read here, before the start
    page.post(form_id="first")
    drafts.keep(check, shop.project, QueryDict("form_id=first&name=late"))
    assert not TrainDraft.objects.exists()


def test_who_goes_back_and_types_on_is_kept_again(page, monkeypatch):
    page.post(form_id="first")
    monkeypatch.setattr(drafts, "LATE", 0)
    page.typing("params.lr", form_id="first", **TYPED)
    assert TrainDraft.objects.exists()


def test_a_form_has_an_id_of_its_own_that_stays_with_it_and_goes_into_no_address(page):
    first, second = (page.client.get(page.url()).context["form"].data["form_id"] for _ in range(2))
    assert first != second
    again = page.post("train_form", form_id=first, start=None)
    assert f'name="form_id" value="{first}"' in text(again)
    assert "form_id" not in page.typing("name", form_id=first)["HX-Replace-Url"]
    assert "form_id" not in TrainDraft.objects.get().data


def test_what_was_posted_after_the_session_had_ended_waits_behind_the_login(page, shop):
    shop.user.set_password("secret")
    shop.user.save()
    client = Client()
    answer = client.post(page.url(), page.data(asked_by=shop.user.pk, **TYPED))
    assert answer.status_code == 302
    login = answer["Location"]
    answer = client.post(login, {"username": shop.user.username, "password": "secret"})
    shown = client.get(answer["Location"])
    assert "nothing was started yet" in text(shown)
    assert shown.context["form"].data["description"] == "밸브"
    assert shown.context["form"].settings.values["lr"] == 0.125
    assert not TrainedModel.objects.exists()
    assert "nothing was started yet" not in text(client.get(page.url()))
    assert "_session_expiry" not in client.session, "the login lasts as long as any other"


def test_what_one_user_posted_is_not_shown_to_the_next_who_logs_in(page, shop, admin_user):
    client = Client()
    client.post(page.url(), page.data(asked_by=shop.user.pk, **TYPED))
    client.force_login(admin_user)
    assert client.get(page.url()).context["form"].data.get("description", "") == ""


def test_of_what_anybody_may_post_only_the_newest_are_kept_and_none_that_is_large(page, shop, monkeypatch):
    monkeypatch.setattr(KeptPost, "MOST", 3)
    for n in range(5):
        Client().post(page.url(), page.data(name=f"post {n}"))
    Client().post(page.url(), page.data(description="x" * KeptPost.LONGEST))
    assert [QueryDict(post.data)["name"] for post in KeptPost.objects.all()] == ["post 4", "post 3", "post 2"]
    assert not Session.objects.exclude(pk=page.client.session.session_key).exists(), "nor a session for each of them"


def test_what_waited_for_a_day_is_gone(page, shop):
    client = Client()
    client.post(page.url(), page.data(asked_by=shop.user.pk, **TYPED))
    KeptPost.objects.update(created_at=timezone.now() - KeptPost.AGE)
    client.force_login(shop.user)
    assert client.get(page.url()).context["form"].data.get("description", "") == ""
    Client().post(page.url(), page.data())
    assert KeptPost.objects.count() == 1


def test_a_kept_post_is_shown_once_and_only_at_its_own_address(page, shop):
    client = Client()
    client.post(page.url(), page.data(asked_by=shop.user.pk, **TYPED))
    key = client.cookies["kept_training"].value
    assert client.cookies["kept_training"]["httponly"]
    assert KeptPost.take(key, page.url("train_check")) == ""
    assert KeptPost.take(key + "x", page.url()) == ""
    assert QueryDict(KeptPost.take(key, page.url()))["description"] == "밸브"
    assert KeptPost.take(key, page.url()) == ""


def test_a_form_in_another_charset_is_refused(page):
    answer = page.client.post(page.url(), b"name=x", content_type="application/x-www-form-urlencoded; charset=idna")
    assert answer.status_code == 400


def test_a_form_from_before_another_login_gets_a_new_token_and_keeps_what_was_typed(page, shop):
    client = Client(enforce_csrf_checks=True)
    client.force_login(shop.user)
    client.cookies["csrftoken"] = "x" * 32
    answer = client.post(page.url(), page.data(**TYPED) | {"csrfmiddlewaretoken": "y" * 64})
    assert answer.status_code == 403
    assert "press the button again" in text(answer)
    assert answer.context["form"].data["description"] == "밸브"
    assert not TrainedModel.objects.exists()
    check = client.post(
        page.url("train_check"), page.data() | {"csrfmiddlewaretoken": "y" * 64}, headers={"HX-Request": "true"}
    )
    assert check.status_code == 403
    assert json.loads(check["HX-Trigger"])["new-token"]["token"]


def test_a_wrong_token_elsewhere_is_refused_as_ever(shop):
    client = Client(enforce_csrf_checks=True)
    client.force_login(shop.user)
    assert client.post(reverse("projects:settings", args=[shop.project.code]), {}).status_code in (403, 405)
