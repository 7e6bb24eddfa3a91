"""What the readers may say has words for people."""

import re
from pathlib import Path

import pytest

from datasets_app import problems

ROOT = Path(problems.__file__).parent
CALLS = re.compile(
    r"""(?:BadShape|BadPicture|_problem)\(\s*"(\w+)"|[pP]roblem\([^,"]*,\s*"(\w+)"|"""
    r""""(\w+)" if [\w.]*candidates else "(\w+)\""""
)


def test_every_problem_that_the_code_names_has_a_sentence():
    used = {
        code: path.name
        for path in [*ROOT.glob("*.py"), *ROOT.glob("formats/*.py")]
        for found in CALLS.findall(path.read_text())
        for code in filter(None, found)
    }
    assert len(used) > 40
    assert {code: file for code, file in used.items() if code not in problems.PROBLEMS} == {}


@pytest.mark.parametrize("code", sorted(problems.PROBLEMS))
def test_a_sentence_ends_as_one(code):
    assert problems.sentence(code).endswith(".")
