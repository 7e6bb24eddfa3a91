"""Korean particles after a word that is known only when a sentence is filled in.

A translation spells both forms: "%(name)s은(는)", "%(size)s(으)로". `fluent` keeps the one that follows the word as it
is read aloud; where that cannot be told, both stay.
"""

from __future__ import annotations

import re

from django.utils.translation import get_language

# after a final consonant, after a vowel
PAIRS = {"은(는)": "은는", "는(은)": "은는", "이(가)": "이가", "가(이)": "이가", "을(를)": "을를", "를(을)": "을를",
         "과(와)": "과와", "와(과)": "과와"}  # fmt: skip
PARTICLE = re.compile(rf"(?:{'|'.join(map(re.escape, PAIRS))})|\((?:으|이)\)(?=[가-힣])")
CLOSING = "”’\"'`»」』›>]"  # nobody reads them
BRACKETS = re.compile(r"\s*\([^()]*\)$")  # a particle goes with the word before them

NONE, RIEUL, OTHER = "", "ㄹ", "ㅇ"  # how a word ends: with a vowel, with ㄹ, with another consonant
DIGITS = dict(zip("0123456789", (OTHER, RIEUL, NONE, OTHER, NONE, NONE, OTHER, RIEUL, RIEUL, NONE), strict=True))
LETTERS = dict.fromkeys("abcdefghijkopqstuvwxyz", NONE) | dict.fromkeys("lr", RIEUL) | dict.fromkeys("mn", OTHER)
SIGNS = {"%": NONE, "°": NONE, "+": NONE}  # 퍼센트, 도, 플러스
SPELLED = 4  # an abbreviation of so many capitals is read letter by letter
WORD_ENDS = (  # of an English word: the first that fits; what fits none may be read either way
    (re.compile(r"(?:l|le)$"), RIEUL),  # model, scale
    (re.compile(r"(?:[mn]e?|ng)$"), OTHER),  # name, column, training
    (re.compile(r"(?:[aiouywrsdfxzvjq]|(?<!p)e|(?<!oc)h)$"), NONE),  # rate, epochs, batch; not type, epoch
)


def fluent(text: str) -> str:
    """The text with one form of each particle, where the language of the request is Korean."""
    return particles(text) if (get_language() or "").startswith("ko") and "(" in text else text


def particles(text: str) -> str:
    """The same, whatever the language."""
    done, at = "", 0
    for found in PARTICLE.finditer(text):
        done += text[at : found.start()]
        done += _chosen(found.group(), ending(done))
        at = found.end()
    return done + text[at:]


def ending(text: str) -> str | None:
    """How the last word is read: NONE, RIEUL or OTHER; None where nobody can tell."""
    text = BRACKETS.sub("", text.rstrip(CLOSING)).rstrip(CLOSING)
    last = text[-1:]
    if "가" <= last <= "힣":
        return (NONE, RIEUL)[final == 8] if (final := (ord(last) - ord("가")) % 28) in (0, 8) else OTHER
    if last in DIGITS:
        return DIGITS[last]
    if word := re.search(r"[A-Za-z]+$", text):
        return _of_latin(word.group())
    return SIGNS.get(last)


def _of_latin(word: str) -> str | None:
    lower = word.lower()
    is_short = word.isupper() and len(word) <= SPELLED
    if is_short or len(word) == 1 or not set(lower) & set("aeiouy"):
        return LETTERS[lower[-1]]
    return next((end for pattern, end in WORD_ENDS if pattern.search(lower)), None)


def _chosen(both: str, end: str | None) -> str:
    if end is None:
        return both
    if both in PAIRS:
        return PAIRS[both][end == NONE]
    letter = both[1]  # "(으)로": not after ㄹ either; "(이)라"
    return "" if end == NONE or (letter == "으" and end == RIEUL) else letter
