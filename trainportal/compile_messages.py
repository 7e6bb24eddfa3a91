"""Compiles the catalogues without gettext's own tools, so that a fresh machine needs none: `make messages`."""

from pathlib import Path

import polib

LOCALE = Path(__file__).resolve().parent.parent / "locale"

if __name__ == "__main__":
    for path in LOCALE.glob("*/LC_MESSAGES/django.po"):
        catalogue = polib.pofile(str(path))
        catalogue.save_as_mofile(str(path.with_suffix(".mo")))
        waiting = len(catalogue.untranslated_entries()) + len(catalogue.fuzzy_entries())
        print(f"{path.parent.parent.name}: {len(catalogue)} texts, {waiting} to translate")
