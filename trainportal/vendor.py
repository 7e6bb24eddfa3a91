"""Copies what the browser needs from node_modules into static/vendor, with licences: `make vendor`."""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODULES = ROOT / "node_modules"
TARGET = ROOT / "static" / "vendor"

# package -> (folder below static/vendor, file taken, licence files: our name -> theirs)
PACKAGES: dict[str, tuple[str, str, dict[str, str]]] = {
    "@tabler/core": ("tabler", "dist/css/tabler.min.css", {}),
    "htmx.org": ("htmx", "dist/htmx.min.js", {"LICENSE": "htmx.org/LICENSE"}),
    "chart.js": (
        "chart",
        "dist/chart.umd.min.js",
        {"LICENSE": "chart.js/LICENSE.md", "LICENSE-kurkle-color": "@kurkle/color/LICENSE.md"},
    ),
    "chartjs-plugin-zoom": (  # drags with the mouse alone: without hammer.js, which it takes where it finds it
        "chart-zoom",
        "dist/chartjs-plugin-zoom.min.js",
        {"LICENSE": "chartjs-plugin-zoom/LICENSE.md"},
    ),
    "tus-js-client": (  # uploads in pieces
        "tus",
        "dist/tus.min.js",
        {
            "LICENSE": "tus-js-client/LICENSE",
            "LICENSE-js-base64": "js-base64/LICENSE.md",
            "LICENSE-url-parse": "url-parse/LICENSE",
            "LICENSE-querystringify": "querystringify/LICENSE",
            "LICENSE-requires-port": "requires-port/LICENSE",
            "LICENSE-buffer": "buffer/LICENSE",  # inside too; a dependency of ours for its licence alone
            "LICENSE-base64-js": "base64-js/LICENSE",
            "LICENSE-ieee754": "ieee754/LICENSE",
        },
    ),
}
# the package has no licence file, its banner names the licence and these holders (Bootstrap is inside)
TABLER_HOLDERS = (
    "Copyright (c) 2018-2026 The Tabler Authors\n"
    "Copyright (c) 2018-2026 codecalm.net Paweł Kuna\n"
    "Copyright (c) 2011-2026 The Bootstrap Authors"
)

# Tabler icon names (outline) that `{% icon %}` may use; tests/test_templatetags.py compares them with the templates
ICON_NAMES = """
activity adjustments alert-circle alert-triangle archive arrow-back-up arrow-bar-to-up arrow-left arrow-right ban bell
braces brain bulb chart-line check checklist chevron-down chevron-left chevron-right chevron-up circle-check circle-x
clock copy cpu database device-floppy dots download edit external-link eye file-text filter folder forms git-branch
git-compare help info-circle key keyboard language layers-intersect list-details list-search loader-2 login logout
mail maximize menu-2 moon package photo photo-down player-pause player-play player-stop plus refresh restore rocket
rotate-clockwise search selector send server settings snowflake stack-2 star sun tag target tool trash upload user
users webhook x zoom-in-area zoom-reset
"""
ICONS = ICON_NAMES.split()

SOURCE_MAP = re.compile(r"\n?(?://|/\*)# sourceMappingURL=\S+(?: \*/)?\s*$")
REMOTE = re.compile(r"@import|url\((?!\s*[\"']?(?:data:|#))", re.IGNORECASE)


def version(package: str) -> str:
    return str(json.loads((MODULES / package / "package.json").read_text("utf-8"))["version"])


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.rstrip() + "\n", encoding="utf-8")


def copy(package: str) -> None:
    """One package's file without its source map comment, and its licences."""
    folder, source, licences = PACKAGES[package]
    text = SOURCE_MAP.sub("", (MODULES / package / source).read_text("utf-8"))
    if source.endswith(".css") and REMOTE.search(text):
        sys.exit(f"{package}: {source} loads something from elsewhere")
    write(TARGET / folder / Path(source).name, text)
    for ours, theirs in licences.items():
        write(TARGET / folder / ours, (MODULES / theirs).read_text("utf-8"))


def tabler_licence() -> str:
    """The MIT text of the sister package with the holders that tabler.min.css names."""
    text = (MODULES / "@tabler/icons/LICENSE").read_text("utf-8")
    return re.sub(r"^Copyright.*$", TABLER_HOLDERS, text, count=1, flags=re.MULTILINE)


def symbol(name: str) -> str:
    """One icon as a symbol of the sprite; the frame that Tabler draws around each icon is left out."""
    svg = (MODULES / f"@tabler/icons/icons/outline/{name}.svg").read_text("utf-8")
    body = svg[svg.index(">", svg.index("<svg")) + 1 : svg.rindex("</svg>")]
    shapes = [line.strip() for line in body.splitlines() if line.strip() and "M0 0h24v24H0z" not in line]
    return f'<symbol id="{name}" viewBox="0 0 24 24">{"".join(shapes)}</symbol>'


def sprite() -> str:
    """All icons in one file; static/css/portal.css gives `.icon` its stroke, which a sprite's root cannot."""
    return "\n".join(['<svg xmlns="http://www.w3.org/2000/svg">', *map(symbol, sorted(ICONS)), "</svg>"])


def versions() -> str:
    rows = [f"| `{package}` | {version(package)} | `{folder}/` |" for package, (folder, _, _) in PACKAGES.items()]
    rows.append(f"| `@tabler/icons` | {version('@tabler/icons')} | `icons.svg` ({len(ICONS)} icons) |")
    head = "# Vendored for the browser\n\nWritten by `make vendor` from `package-lock.json`; do not edit by hand.\n"
    licences = (
        "Licences stand beside the files: MIT, but htmx, which is 0BSD, and js-base64 and ieee754 in tus, BSD-3-Clause."
    )
    return "\n".join([head, "| package | version | here |", "| --- | --- | --- |", *rows, "", licences])


def main() -> None:
    for package in PACKAGES:
        copy(package)
    write(TARGET / "tabler" / "LICENSE", tabler_licence())
    write(TARGET / "icons.svg", sprite())
    write(TARGET / "LICENSE-icons", (MODULES / "@tabler/icons/LICENSE").read_text("utf-8"))
    write(TARGET / "VERSIONS.md", versions())


if __name__ == "__main__":
    main()
