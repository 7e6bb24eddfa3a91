"""English in the source, Korean complete: nothing missing, nothing fuzzy, every placeholder kept."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import polib
import pytest

from tests.needs import need

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = ROOT / "locale" / "ko" / "LC_MESSAGES" / "django.po"
PLACEHOLDER = re.compile(r"%\(\w+\)[sdf]|%[sd]|\{\w+\}")


@pytest.fixture(scope="module")
def korean() -> polib.POFile:
    return polib.pofile(str(CATALOGUE))


def test_no_text_is_missing_or_fuzzy(korean):
    assert [entry.msgid for entry in korean.untranslated_entries()] == []
    assert [entry.msgid for entry in korean.fuzzy_entries()] == []


def test_the_catalogue_holds_every_text_of_the_source(korean, tmp_path):
    need(shutil.which("xgettext"), "xgettext (Debian: gettext)")
    copy = tmp_path / "source"
    ignored = shutil.ignore_patterns(
        ".venv", ".git", "var", "node_modules", "tests", "static", "__pycache__", ".*cache"
    )
    shutil.copytree(ROOT, copy, ignore=ignored)
    subprocess.run(
        [sys.executable, "manage.py", "makemessages", "-l", "ko", "--no-obsolete", "--no-wrap"],
        cwd=copy, check=True, capture_output=True,
    )  # fmt: skip
    fresh = polib.pofile(str(copy / "locale" / "ko" / "LC_MESSAGES" / "django.po"))
    known = {(entry.msgctxt, entry.msgid) for entry in korean}
    missing = [entry.msgid for entry in fresh if (entry.msgctxt, entry.msgid) not in known]
    assert missing == [], "run `make messages` and translate what is new"


def test_every_placeholder_is_kept(korean):
    for entry in korean:
        texts = [entry.msgstr] if not entry.msgid_plural else list(entry.msgstr_plural.values())
        wanted = set(PLACEHOLDER.findall(entry.msgid_plural or entry.msgid))
        for text in texts:
            found = set(PLACEHOLDER.findall(text))
            assert found <= wanted | set(PLACEHOLDER.findall(entry.msgid)), entry.msgid
            assert wanted <= found or entry.msgid_plural, entry.msgid


def test_the_compiled_catalogue_is_up_to_date(korean):
    compiled = polib.mofile(str(CATALOGUE.with_suffix(".mo")))
    assert texts(compiled) == texts(korean)


def texts(catalogue) -> dict:
    """What it says, plural forms too."""
    return {
        (entry.msgctxt, entry.msgid): entry.msgstr or {int(n): text for n, text in entry.msgstr_plural.items()}
        for entry in catalogue
        if entry.msgid
    }


@pytest.mark.django_db
def test_the_login_page_speaks_korean_to_a_korean_browser(client):
    page = client.get("/login/", headers={"accept-language": "ko"}).content.decode()
    assert 'lang="ko"' in page
    assert re.search("[가-힣]{2,}", page)
