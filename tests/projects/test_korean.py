"""Korean particles after a word that is known only when the sentence is filled in."""

from __future__ import annotations

import pytest
from django.utils import translation

from projects_app.korean import fluent, particles


@pytest.mark.parametrize(
    ("both", "chosen"),
    [
        ("학습률은(는)", "학습률은"),
        ("뒤집기은(는)", "뒤집기는"),
        ("“밸브”이(가)", "“밸브”가"),
        ("“부품”이(가)", "“부품”이"),
        ("서울(으)로", "서울로"),
        ("부산(으)로", "부산으로"),
        ("대구(으)로", "대구로"),
        ("이름(이)라는", "이름이라는"),
        ("나무(이)라는", "나무라는"),
        ("3을(를)", "3을"),
        ("2을(를)", "2를"),
        ("0.01(으)로", "0.01로"),
        ("10(으)로", "10으로"),
        ("95%과(와)", "95%와"),
        ("CL은(는)", "CL은"),
        ("OD은(는)", "OD는"),
        ("lr을(를)", "lr을"),
        ("x이(가)", "x가"),
        ("3.2 MB을(를)", "3.2 MB를"),
        ("epochs이(가)", "epochs가"),
        ("learning_rate은(는)", "learning_rate는"),
        ("training은(는)", "training은"),
        ("model(으)로", "model로"),
        ("name(으)로", "name으로"),
        ("파일(3 MB)을(를)", "파일(3 MB)을"),
        ("Flip은(는)", "Flip은(는)"),
        ("漢字을(를)", "漢字을(를)"),
        ("은(는)", "은(는)"),
        ("“a”과(와) “b”을(를)", "“a”와 “b”를"),
        ("크기는(은) 같음(동일)", "크기는 같음(동일)"),
    ],
)
def test_the_particle_follows_how_the_word_is_read(both, chosen):
    assert particles(both) == chosen


def test_other_languages_are_left_alone():
    with translation.override("en"):
        assert fluent("학습률은(는)") == "학습률은(는)"
    with translation.override("ko"):
        assert fluent("학습률은(는)") == "학습률은"
