"""What a refused archive says to a person."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from projects_app.archive import ArchiveError

WORDS: dict[str, str | Promise] = {
    "no_archive": gettext_lazy("The file is no archive. Send a zip, tar or tar.gz."),
    "broken_archive": gettext_lazy("The archive is damaged. Pack it again."),
    "encrypted": gettext_lazy("The archive is encrypted. Pack it without a password."),
    "archive_too_large": gettext_lazy("Unpacked, the archive is too large. Split it."),
    "file_too_large": gettext_lazy("A file in the archive is too large."),
    "too_many_entries": gettext_lazy("The archive holds too many files. Split it."),
    "ratio": gettext_lazy("The archive unpacks to far more than its size, as an attack would; it was refused."),
    "name_twice": gettext_lazy("A name is in the archive twice. Pack it again."),
    "no_plain_file": gettext_lazy("The archive holds links or devices. Pack plain files only."),
    "unsafe_name": gettext_lazy("The archive holds a name that points out of it, or is not usable. Pack it again."),
    "not_written": gettext_lazy("The archive could not be unpacked. Is the disk full?"),
}


def explained(error: ArchiveError) -> str:
    """What to do, then what was found."""
    found = str(error).rstrip(".")
    known = WORDS.get(error.code)
    return _("%(sentence)s (%(found)s)") % {"sentence": known, "found": found} if known else found
