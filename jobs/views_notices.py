"""Notifications: by which ways one hears of a project, and what was sent."""

from __future__ import annotations

from typing import cast

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from jobs import notices, said, webhooks
from jobs.outbox import Channel, Delivery, Events, Sending, Subscription, new_nonce
from projects_app.access import project_view
from projects_app.models import Project, User

MOST = 10  # of one person in one project
LOGGED = 50
SHOW_ONCE = "webhook_secret"  # in the session: whose secret the next page shows


class NoticeForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Subscription
        fields = ["channel", "url", "events", "only_mine"]
        widgets = {"url": forms.URLInput(attrs={"placeholder": "https://"})}
        help_texts = {"url": gettext_lazy("Of a webhook: where the portal posts to.")}

    def clean(self) -> dict[str, object]:
        found = super().clean() or self.cleaned_data
        if found.get("channel") != Channel.WEBHOOK:
            found["url"] = ""
        elif not self.errors.get("url"):
            try:
                webhooks.check(str(found.get("url") or ""))
            except webhooks.Refused as error:
                self.add_error("url", said.here(error.args[0]))
        return found


class ChangeForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Subscription
        fields = ["events", "only_mine", "is_on"]


class EmailForm(forms.Form):
    email = forms.EmailField(label=gettext_lazy("Your e-mail address"), max_length=254)


@require_GET
@project_view()
def notices_page(request: HttpRequest, project: Project) -> HttpResponse:
    return _page(request, project)


@require_POST
@project_view()
def notice_add(request: HttpRequest, project: Project) -> HttpResponse:
    """A webhook's secret is shown on the next page, and never again."""
    mine = _mine(request, project)
    one = Subscription(project=project, user=cast(User, request.user))
    form = NoticeForm(request.POST, instance=one)
    if mine.count() >= MOST:
        form.add_error(None, _("You have %(n)d of them here already. Delete one first.") % {"n": MOST})
    if not form.is_valid():
        return _page(request, project, form=form)
    form.save()
    if one.channel == Channel.WEBHOOK:
        request.session[SHOW_ONCE] = one.pk
    messages.success(request, _("It is set up. Send a test to see that it arrives."))
    return _back(project)


@require_POST
@project_view()
def notice_change(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    form = ChangeForm(request.POST, instance=_one(request, project, pk))
    if not form.is_valid():
        messages.error(request, _("There is no such choice. Nothing was changed."))
        return _back(project)
    form.save()
    messages.success(request, _("Saved."))
    return _back(project)


@require_POST
@project_view()
def notice_remove(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    _one(request, project, pk).delete()
    messages.success(request, _("It is deleted, and so is its log."))
    return _back(project)


@require_POST
@project_view()
def notice_secret(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Another secret; the one before is worth nothing from now on."""
    one = _one(request, project, pk)
    if one.channel == Channel.WEBHOOK:
        one.nonce = new_nonce()
        one.save(update_fields=["nonce"])
        request.session[SHOW_ONCE] = one.pk
    return _back(project)


@require_POST
@project_view()
def notice_test(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Send a message now, and say what came of it."""
    delivery = notices.test(_one(request, project, pk))
    if delivery.state == Sending.DELIVERED:
        messages.success(request, _("The test was delivered."))
    else:
        text = _("The test was not delivered. %(why)s")
        messages.error(request, text % {"why": said.here(delivery.said_error)})
    return _back(project)


@require_POST
@project_view()
def notice_email(request: HttpRequest, project: Project) -> HttpResponse:
    form = EmailForm(request.POST)
    if not form.is_valid():
        return _page(request, project, email_form=form)
    User.objects.filter(pk=cast(User, request.user).pk).update(email=form.cleaned_data["email"])
    messages.success(request, _("Your e-mail address is saved."))
    return _back(project)


def _page(
    request: HttpRequest, project: Project, form: NoticeForm | None = None, email_form: EmailForm | None = None
) -> HttpResponse:
    user = cast(User, request.user)
    mine = list(_mine(request, project))
    shown = request.session.pop(SHOW_ONCE, None) if request.method == "GET" else None
    fresh = next((one for one in mine if one.pk == shown), None)
    has_mail = notices.has_mail()
    usual = {"channel": Channel.EMAIL if has_mail else Channel.WEBHOOK}
    context = {
        "section": "projects",
        "mine": mine,
        "fresh": fresh,
        "secret": webhooks.secret_of(fresh) if fresh else "",
        "form": form or NoticeForm(initial=usual),
        "email_form": email_form or EmailForm(initial={"email": user.email}),
        "has_mail": has_mail,
        "events": Events.choices,
        "deliveries": Delivery.objects.filter(subscription__in=mine).select_related("subscription", "job__project")[
            :LOGGED
        ],
    }
    answer = render(request, "jobs/notices.html", context, status=422 if form or email_form else 200)
    if fresh:
        answer["Cache-Control"] = "no-store"
    return answer


def _mine(request: HttpRequest, project: Project) -> QuerySet[Subscription]:
    return Subscription.objects.filter(project=project, user=cast(User, request.user))


def _one(request: HttpRequest, project: Project, pk: int) -> Subscription:
    return get_object_or_404(_mine(request, project).select_related("user", "project"), pk=pk)


def _back(project: Project) -> HttpResponse:
    return redirect("jobs:notices", project.code)
