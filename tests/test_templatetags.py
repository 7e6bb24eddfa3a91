"""What the tags and filters of trainportal/templatetags/portal.py show, and that the templates use them rightly."""

import datetime as dt
import math
import re
from pathlib import Path

import pytest
from django import forms
from django.conf import settings
from django.core.paginator import Paginator
from django.template import Context, Template, engines
from django.test import RequestFactory
from django.utils import timezone, translation

from trainportal import vendor
from trainportal.templatetags import portal

TEMPLATES = sorted((settings.BASE_DIR / "templates").rglob("*.html"))
MINUTE, HOUR, DAY = 60, 3600, 86400


def render(source: str, **context: object) -> str:
    return Template(source).render(Context(context))


def before(seconds: float) -> dt.datetime:
    return timezone.now() - dt.timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "—"),
        ("", "—"),
        (math.nan, "—"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (0, "0"),
        (0.0, "0"),
        (0.9231234567, "0.923"),
        (12.34, "12.3"),
        (999.6, "1,000"),
        (1234.5, "1,230"),
        (-1234.5, "-1,230"),
        (0.000012, "1.2e-05"),
        (0.01, "0.01"),
        (12345, "12,345"),
        (True, "True"),
        ("0.5", "0.5"),
        ("auto", "auto"),
    ],
)
def test_a_measured_number_has_three_digits_and_a_count_is_exact(value, text):
    assert portal.num3(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "—"),
        (0, "0 s"),
        (0.3, "under 1 s"),
        (48, "48 s"),
        (59.7, "1 min"),
        (185, "3 min 5 s"),
        (3600, "1 h"),
        (4321, "1 h 12 min"),
        (3 * DAY + 4 * HOUR + 5, "3 d 4 h"),
        (dt.timedelta(minutes=2), "2 min"),
        (-5, "0 s"),
        (math.inf, "—"),
    ],
)
def test_a_duration_says_its_two_largest_units(seconds, text):
    with translation.override("en"):
        assert portal.duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (5, "just now"),
        (-5, "just now"),
        (3 * MINUTE + 5, "3 min ago"),
        (2 * HOUR + 5, "2 h ago"),
        (6 * DAY + 5, "6 d ago"),
        (-2 * HOUR - 5, "in 2 h"),
    ],
)
def test_a_moment_is_told_relative_to_now(seconds, text):
    with translation.override("en"):
        assert portal.ago(before(seconds)) == text


def test_a_moment_long_ago_is_a_date():
    assert portal.ago(dt.datetime(2020, 2, 3, tzinfo=dt.UTC)) == "Feb. 3, 2020"


def test_a_time_has_its_exact_moment_on_hover():
    moment = dt.datetime(2020, 2, 3, 4, 5, 6, tzinfo=dt.UTC)
    html = render("{% when moment %}", moment=moment)
    assert 'datetime="2020-02-03T04:05:06+00:00"' in html
    assert 'title="Feb. 3, 2020, 4:05 a.m. UTC"' in html
    assert render("{% when moment %}", moment=None) == "—"


def test_the_words_of_time_go_to_the_script_with_a_place_for_the_number():
    html = render("<body{% time_words %}>")
    assert 'data-past-min="{n} min ago"' in html
    assert 'data-future-day="in {n} d"' in html


def test_json_keeps_korean_and_is_escaped():
    assert render("{{ value|jsonpretty }}", value={"이름": "<b>"}) == (
        "{\n  &quot;이름&quot;: &quot;&lt;b&gt;&quot;\n}"
    )


@pytest.mark.parametrize("state", [*portal.LOOKS, "attention", "SOMETHING_NEW"])
def test_a_state_is_never_told_by_colour_alone(state):
    html = render('{% include "_state_badge.html" %}', state=state)
    look = portal.state_look(state)
    assert f'#{look.icon}"' in html
    assert str(look.word) in html


def test_progress_shows_only_while_running():
    source = '{% include "_state_badge.html" with state=state progress=37.4 %}'
    assert "37 %" in render(source, state="RUNNING")
    assert 'value="37.4"' in render(source, state="RUNNING")
    assert "%" not in render(source, state="SUCCEEDED")


def test_an_unknown_progress_is_indeterminate():
    assert "value=" not in render('{% include "_progress.html" with percent=None text="Counting" %}')


class SampleForm(forms.Form):
    name = forms.CharField(help_text="Unique.")
    kind = forms.ChoiceField(choices=[("a", "A"), ("b", "B")], widget=forms.RadioSelect, required=False)
    fast = forms.BooleanField(required=False)
    size = forms.ChoiceField(choices=[("s", "S")], required=False)


def test_a_form_names_each_error_at_its_field_and_in_the_summary():
    html = render('{% include "_form.html" %}', form=SampleForm({"kind": "z"}))
    assert html.count("This field is required.") == 2
    assert 'href="#id_name"' in html
    assert 'id="id_name_error"' in html
    assert 'aria-describedby="id_name_helptext id_name_error"' in html
    assert 'class="form-control is-invalid"' in html
    assert html.count('type="radio"') == 2
    assert 'class="form-select"' in html
    assert html.count('class="form-check-input"') == 3


def test_pages_keep_the_rest_of_the_query():
    request = RequestFactory().get("/models/", {"q": "밸브", "page": "2"})
    page = Paginator(range(400), 20).get_page(2)
    template = engines["django"].get_template("_pagination.html")
    html = template.render({"page": page}, request)
    assert "21–40 of 400" in html
    assert "page=3" in html
    assert html.count("q=%EB%B0%B8%EB%B8%8C") >= 5
    assert "size=100" in html


def test_a_sorted_column_offers_the_other_direction():
    request = RequestFactory().get("/models/", {"sort": "name", "page": "3"})
    template = engines["django"].get_template("_sort_header.html")
    html = template.render({"key": "name", "label": "Name", "sort": "name"}, request)
    assert 'aria-sort="ascending"' in html
    assert 'href="?sort=-name"' in html


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_obeys_the_content_security_policy(path: Path):
    source = path.read_text(encoding="utf-8")
    assert not re.search(r"\sstyle=|\son[a-z]+=|<style|hx-on|javascript:", source)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", source))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_uses_only_icons_that_are_vendored(path: Path):
    source = path.read_text(encoding="utf-8")
    used = re.findall(r"""(?:{% icon |picture=|button_icon=|icon=|icon\|default:)["']([\w-]+)""", source)
    assert set(used) <= set(vendor.ICONS)


def test_every_state_and_every_listed_icon_is_in_the_sprite():
    sprite = (settings.BASE_DIR / "static/vendor/icons.svg").read_text(encoding="utf-8")
    assert {look.icon for look in portal.LOOKS.values()} <= set(vendor.ICONS)
    assert set(re.findall(r'<symbol id="([\w-]+)"', sprite)) == set(vendor.ICONS)


def test_vendored_files_name_no_source_map_and_load_nothing_from_elsewhere():
    for path in (settings.BASE_DIR / "static/vendor").rglob("*.min.*"):
        text = path.read_text(encoding="utf-8")
        assert "sourceMappingURL" not in text
        assert path.suffix != ".css" or not vendor.REMOTE.search(text)
