"""What the training form is chosen from, in a browser: kernels, hundreds of datasets, base models, extra files."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.conftest import answered, at, wait_until

pytestmark = pytest.mark.browser

CROWD = 400
CODE = """
import json
from datasets_app.models import Dataset, Image, Annotation
from projects_app.models import AnnotationType, Membership, ModelType, Project, User
project = Project.objects.create(code="crowd", name="Crowd")
Membership.objects.create(project=project, user=User.objects.get(username="bob"), role="manager")
question = AnnotationType.objects.create(project=project, training_type="CL", code="Q", name="Q")
answer = question.categories.create(code="GOOD", name="Good", position=0)
ModelType.objects.create(project=project, code="CL_CROWD", name="CL_CROWD", training_type="CL").learn(question)
blob = Image.objects.first().blob
for n in range({count}):
    name = (f"{{n:03}} " + "밸브 균열 검사 라인 전면 " * 10)[:114].strip() + f"-{{n:03}}x"
    one = Dataset.objects.create(project=project, name=name)
    images = Image.objects.bulk_create(
        Image(dataset=one, name=f"{{i}}.png", position=i, blob=blob, width=40, height=30) for i in range(3))
    if n % 40:
        Annotation.objects.bulk_create(Annotation(image=i, annotation_type=question, category=answer) for i in images)
print(json.dumps(project.pk))
"""
CHECK, FORM = "**/train/check/", "**/train/form/"


@pytest.fixture(scope="session")
def crowd(portal) -> str:
    """The form's address in a project of 400 datasets with names of 120 characters; every fortieth has no label."""
    json.loads(portal.python(CODE.format(count=CROWD)).splitlines()[-1])
    return "/p/crowd/models/train/"


@pytest.fixture
def many(open_page, crowd):
    def show(**options: Any):
        page = open_page(**options)
        page.goto(crowd)
        return page

    return show


@pytest.fixture
def form(open_page, portal):
    page = open_page()
    page.goto(at(f"models/train/?base={portal.seeded['CL']['model']}"))
    return page


def shown(page, name: str = "train") -> int:
    return page.locator(f"#id_{name} .choice:visible").count()


# --- datasets --------------------------------------------------------------------------------------------------------


def test_a_search_finds_by_all_words_says_how_many_and_is_neither_sent_nor_checked(many):
    page = many()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
    search = page.get_by_role("searchbox", name="Search: Training datasets")
    search.press_sequentially("균열 12x", delay=10)
    assert shown(page) == 4  # 012x, 112x, 212x, 312x
    assert page.locator("#id_train [data-picker-found]").inner_text() == "Found: 4"
    search.press("Enter")
    page.wait_for_timeout(700)  # longer than the form waits before it checks
    assert not asked
    assert page.url.endswith("/train/")
    search.press("Escape")
    assert search.input_value() == ""
    assert shown(page) == CROWD - CROWD // 40


def test_a_search_opens_the_fold_where_only_there_something_is_found(many):
    page = many()
    fold = page.locator("#id_train details.picker-others")
    assert "10 datasets have no label" in fold.inner_text()
    page.locator("#search-train").fill("040x")
    assert shown(page) == 1
    assert fold.locator(".choice:visible").inner_text().endswith("0 of 3 labelled")
    page.locator("#search-train").fill("nothing is called so")
    page.locator("#id_train").get_by_text("No dataset has such a name.").wait_for()
    page.locator("#id_train").get_by_role("button", name="Clear the search").click()
    assert shown(page) > 100


def test_a_search_takes_hangul_that_a_mac_took_apart(many):
    page = many()
    page.locator("#search-train").fill("\u1107\u1162\u11af\u1107\u1173 001x")
    assert shown(page) == 1


def test_all_that_is_shown_is_chosen_with_one_check_and_chips_take_back(many):
    page = many()
    page.locator("#search-train").fill("균열 12x")
    with answered(page, CHECK):
        page.locator("#id_train").get_by_role("button", name="All shown").click()
    total = page.locator("#id_train [data-picker-sum]")
    assert total.inner_text() == "4 chosen, 12 labelled"
    chips = page.locator("#id_train [data-unpick]")
    assert chips.count() == 4
    with answered(page, CHECK):
        chips.nth(1).click()
    assert total.inner_text() == "3 chosen, 9 labelled"
    assert page.evaluate("'unpick' in document.activeElement.dataset"), "focus goes to the next chip"
    page.locator("#search-train").fill("")
    with answered(page, CHECK):
        page.locator("#id_train").get_by_role("button", name="Clear all").click()
    assert total.inner_text() == "None chosen"
    assert page.locator("[name=train]:checked").count() == 0


def test_choosing_moves_nothing_under_the_pointer(many):
    page = many()
    second = page.locator("[name=train]").nth(1)
    page.locator("#id_train").scroll_into_view_if_needed()
    page.locator("[name=train]").first.hover()
    before = second.bounding_box()
    page.locator("[name=train]").first.check()
    assert second.bounding_box() == before


def test_pictures_load_as_they_come_into_sight(many):
    page = many()
    page.locator("#id_train img").first.scroll_into_view_if_needed()
    wait_until(page, "() => document.querySelector('#id_train img').naturalWidth > 0")
    loaded = page.evaluate("() => [...document.querySelectorAll('#id_train img')].filter((one) => one.complete).length")
    assert loaded < 600, "of 1200"


@pytest.mark.parametrize("width", [1440, pytest.param(1024, marks=pytest.mark.long), 390])
def test_four_hundred_long_names_fit_the_window_and_are_filtered_at_once(many, width):
    page = many(viewport={"width": width, "height": 900})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    boxes = [page.locator(f"#id_{name}").bounding_box() for name in ("train", "validation")]
    assert (boxes[0]["y"] == boxes[1]["y"]) == (width == 1440), "beside each other where there is room"
    took = page.evaluate("""() => {
        const search = document.getElementById("search-train");
        const before = performance.now();
        search.value = "12x";
        search.dispatchEvent(new Event("input", { bubbles: true }));
        document.body.offsetHeight;
        return performance.now() - before;
    }""")
    assert took < 500, "milliseconds"


# --- kernel and base model -------------------------------------------------------------------------------------------


def test_a_kernel_is_chosen_with_the_arrow_keys_and_focus_fold_and_search_stay(form):
    form.locator("details.pick-fold > summary").click()
    first = form.locator("[name=kernel]:checked")
    card = form.locator("#id_kernel .pick-card-body .pick-title")
    before, named = first.get_attribute("value"), card.inner_text()
    first.focus()
    with answered(form, FORM):
        form.keyboard.press("ArrowDown")
    wait_until(form, f"() => document.querySelector('[name=kernel]:checked').value !== '{before}'")
    wait_until(form, "() => document.activeElement.name === 'kernel' && document.activeElement.checked")
    assert form.locator("details.pick-fold").get_attribute("open") is not None
    assert card.inner_text() != named


def test_the_form_that_comes_anew_does_not_move_the_page(many):
    page = many(viewport={"width": 1024, "height": 600})
    page.locator("details.pick-fold > summary").click()
    page.locator("#search-train").fill("균열 12x")
    page.locator("[name=kernel]").nth(1).scroll_into_view_if_needed()
    before = page.evaluate("scrollY")
    with answered(page, FORM):
        page.locator("[name=kernel]:not(:checked)").first.check()
    wait_until(page, "() => document.querySelector('[data-picker-found]').textContent === 'Found: 4'")
    assert abs(page.evaluate("scrollY") - before) < 150
    assert page.locator("#search-train").input_value() == "균열 12x"
    assert shown(page) == 4


def test_a_base_model_has_a_card_that_says_what_it_knows(form, portal):
    card = form.locator("#base-card")
    assert "seeded CL" in card.inner_text()
    assert "Knows already" in card.inner_text()
    assert card.get_by_role("link").get_attribute("href").endswith(f"/models/{portal.seeded['CL']['model']}/")
    with answered(form, FORM):
        form.locator("#id_base_model").select_option("")
    card.wait_for(state="detached")


# --- extra files -----------------------------------------------------------------------------------------------------


def picked(page) -> list[str]:
    return page.evaluate("() => [...document.getElementById('id_etc').files].map((file) => file.name)")


def file(name: str, size: int = 3) -> dict[str, Any]:
    return {"name": name, "mimeType": "text/plain", "buffer": b"x" * size}


def test_files_add_up_are_listed_with_their_size_and_can_be_taken_out(form):
    form.locator("#id_etc").set_input_files([file("a.txt"), file("b.txt", 2048)])
    form.locator("#id_etc").set_input_files([file("b.txt", 1024), file("분류.csv")])
    assert picked(form) == ["a.txt", "b.txt", "분류.csv"]
    rows = form.locator("[data-extra-list] li")
    assert [text.split("\n")[-1].strip() for text in rows.all_inner_texts()] == ["3 bytes", "1 kB", "3 bytes"]
    assert form.locator("[data-extra-sum]").inner_text().startswith("1 kB of at most")
    form.get_by_role("button", name="Remove a.txt").click()
    assert picked(form) == ["b.txt", "분류.csv"]
    assert form.evaluate("document.activeElement.ariaLabel") == "Remove b.txt"


def test_files_outlive_another_kernel(form):
    form.locator("#id_etc").set_input_files([file("kept.txt")])
    form.locator("details.pick-fold > summary").click()
    with answered(form, FORM):
        form.locator("[name=kernel]:not(:checked)").first.check()
    wait_until(form, "() => document.querySelector('.pick-fold[open]')")
    assert picked(form) == ["kept.txt"]
    assert "kept.txt" in form.locator("[data-extra-list]").inner_text()


def test_too_much_is_said_at_once_and_not_sent(form):
    form.evaluate("() => { document.querySelector('[data-extra-files]').dataset.limit = 10; }")
    form.locator("#id_etc").set_input_files([file("a.txt", 6), file("b.txt", 6)])
    form.get_by_text("12 bytes: more than the").wait_for()
    before = form.url
    form.get_by_role("button", name="Start training").click()
    form.wait_for_timeout(300)
    assert form.url == before
    assert form.evaluate("document.activeElement.ariaLabel") == "Remove a.txt"
    form.keyboard.press("Enter")
    assert form.get_by_text("6 bytes of at most").is_visible()


# --- without scripts -------------------------------------------------------------------------------------------------


def test_without_scripts_kernel_and_datasets_are_chosen_and_lost_files_are_named(open_page, portal):
    page = open_page(java_script_enabled=False)
    page.goto(at(f"models/train/?model_type={portal.seeded['CL']['type']}"))
    page.locator("details.pick-fold > summary").click()
    page.locator(".pick-option", has_text="fake-cl").locator("input").check()
    page.get_by_role("button", name="Show the settings of this choice").click()
    page.locator("#id_kernel .pick-card-body", has_text="fake-cl").wait_for()
    page.locator("[name='params.rows']").wait_for()
    assert not page.locator("[data-picker-search]:visible").count()
    page.locator("#id_etc").set_input_files([file("mask.png")])
    page.get_by_role("button", name="Check", exact=True).click()
    page.get_by_text("Choose these files again").wait_for()
    assert "mask.png" in page.locator(".alert", has_text="Choose these files again").inner_text()
