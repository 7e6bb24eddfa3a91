"""`docs/seed-coverage.md` maps every sentence of the owner's page to a screen and to tests: all of them are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from django.urls import resolve

REPOSITORY = Path(__file__).resolve().parents[1]
TABLE = REPOSITORY / "docs" / "seed-coverage.md"
SENTENCES = {  # how many the page has, by its sections
    "개요": 1, "기능": 4, "모델 가져오기": 3, "모델 학습": 21, "모델 상세 정보": 11, "모델 검증": 10,
}  # fmt: skip
ROW = re.compile(r"\| (\d+) \| (.+) \| (.+) \| (.+) \|")


def rows() -> list[tuple[str, int, str, str, list[str]]]:
    """Section, number, sentence, screen, tests."""
    found, section = [], ""
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        elif match := ROW.fullmatch(line):
            number, sentence, screen, tests = match.groups()
            found.append((section, int(number), sentence, screen, re.findall(r"`([^`]+)`", tests)))
    return found


def functions(file: Path) -> set[str]:
    return {node.name for node in ast.parse(file.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)}


def test_no_sentence_is_left_out():
    counted: dict[str, int] = {}
    for section, _number, _sentence, _screen, _tests in rows():
        counted[section] = counted.get(section, 0) + 1
    assert counted == SENTENCES
    assert [row[1] for row in rows()] == list(range(1, sum(SENTENCES.values()) + 1))
    assert all(re.search("[가-힣]", row[2]) for row in rows())


def test_every_sentence_has_tests_that_exist_one_of_them_in_a_browser():
    for _section, number, _sentence, _screen, tests in rows():
        assert any(name.startswith("tests/browser/") for name in tests), number
        for name in tests:
            file, _colons, function = name.partition("::")
            assert function in functions(REPOSITORY / file), (number, name)


def test_every_sentence_has_a_screen_that_exists():
    for _section, number, _sentence, screen, _tests in rows():
        addresses = [
            one for one in re.findall(r"`([^`]+)`", screen) if re.fullmatch(r"(models|validations|datasets)/.*", one)
        ]
        assert addresses, number
        for address in addresses:
            assert resolve(f"/p/valves/{address}").url_name, (number, address)


def test_every_test_of_the_walk_is_in_the_table():
    named = {test.partition("::")[2] for row in rows() for test in row[4]}
    walk = functions(REPOSITORY / "tests" / "browser" / "test_seed_walk.py")
    assert {one for one in walk if one.startswith("test_")} <= named
