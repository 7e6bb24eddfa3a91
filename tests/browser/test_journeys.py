"""The main job in a real browser: images in, a model trained while its graph grows, validated, its report read."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from tests.browser.conftest import answered, at, pack, wait_for
from tests.needs import real_data

pytestmark = pytest.mark.browser

POINTS = """() => [...document.querySelectorAll("#job-graphs canvas")].map(
    (canvas) => Math.max(0, ...Chart.getChart(canvas).data.datasets.map((dataset) => dataset.all.length)))"""


def import_on_the_page(page, name: str, archive: Path, split: Path | None = None) -> None:
    """Upload, look at the preview, import, and wait until the datasets are there."""
    page.goto(at("datasets/"))
    page.get_by_role("link", name="Import dataset").first.click()
    page.get_by_label("Name").fill(name)
    page.locator("input[name=images]").set_input_files(archive)
    if split:
        page.locator("details.folded summary").first.click()
        page.locator("input[name=split_file]").set_input_files(split)
    page.get_by_role("button", name="Upload and look").click()
    page.wait_for_url("**/datasets/import/**")
    page.get_by_role("heading", name=f"Import “{name}”").wait_for()
    page.get_by_role("button", name="Import", exact=True).click()
    page.wait_for_url(re.compile(r"/(jobs|datasets)/"))

    def is_there() -> bool:
        page.goto(at(f"datasets/?q={name}"))
        return page.get_by_role("link", name=re.compile(f"^{name}")).count() > 0

    wait_for(f"the dataset {name}", is_there, 120, 0.5)


def choose(page, field: str, dataset: str) -> None:
    page.locator(f"label.choice:has(input[name={field}])", has_text=re.compile(rf"^\s*{dataset}\s")).locator(
        "input"
    ).check()


def pick(page, field: str, words: str) -> None:
    """Choose the option of a select that has these words in it."""
    option = page.locator(f"{field} option", has_text=words).first
    page.locator(field).select_option(option.get_attribute("value"))


def choose_kernel(page, words: str) -> None:
    page.locator("details.pick-fold > summary").click()
    page.locator(".pick-option", has_text=words).locator("input").check()


def state(page) -> str:
    return page.locator("#job-status .card-header").inner_text()


def validate(page) -> None:
    """From the page of a finished model to the report of its validation."""
    page.get_by_role("link", name="Validate").first.click()
    page.get_by_role("button", name="Start validation").click()
    page.wait_for_url(re.compile(r"/validations/\d+/$"))


def figure(page, name: str) -> float:
    shown = page.locator(".figures > div", has=page.locator(".figure-name", has_text=re.compile(f"^{name}$")))
    return float(shown.locator(".figure-value").inner_text())


def three_classes(data: Path, folder: Path) -> tuple[Path, Path]:
    """An archive of three of the seven classes, to save time, and the split file of these."""
    for name in ("normal", "open", "short"):
        shutil.copytree(data / name, folder / "three" / name)
    header, *lines = (data / "split.csv").read_text().splitlines()
    kept = [line for line in lines if any(f"{name}/" in line for name in ("normal", "open", "short"))]
    (folder / "split.csv").write_text("\n".join([header, *kept]) + "\n")
    return pack(folder / "three", folder / "pcb.zip"), folder / "split.csv"


@pytest.mark.kernel
def test_real_images_become_a_model_while_its_graph_grows(open_page, tmp_path):
    archive, split = three_classes(real_data("quickstart/cl_pcb"), tmp_path)
    page = open_page()
    import_on_the_page(page, "pcb", archive, split)

    page.goto(at("models/"))
    page.get_by_role("link", name="Train model").first.click()
    if "pcb" not in page.locator("#id_model_type option:checked").inner_text():
        with answered(page, "**/train/form/"):
            pick(page, "#id_model_type", "pcb")
    if "efficientnet" not in page.locator("#id_kernel .pick-card-body").inner_text():
        with answered(page, "**/train/form/"):
            choose_kernel(page, "efficientnet")
    page.locator("[name='params.epochs']").wait_for()
    choose(page, "train", "pcb-train")
    choose(page, "validation", "pcb-val")
    for name, value in {"epochs": "3", "image_size": "64"}.items():
        page.locator(f"[name='params.{name}']").fill(value)
    page.get_by_label("Name", exact=True).fill("pcb in the browser")
    page.locator(".ready", has_text=re.compile("Everything is in order|It can start. Read")).wait_for()
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url(re.compile(r"/models/\d+/$"))

    page.locator("#job-graphs canvas").first.wait_for(timeout=90_000)
    seen: list[int] = []

    def grew() -> bool:
        if "Running" in state(page):
            seen.append(max(page.evaluate(POINTS), default=0))
        return len(set(seen)) >= 2 or "Succeeded" in state(page)

    wait_for("the graph to grow", grew, 150, 0.2)
    assert len(set(seen)) >= 2, f"the graph did not grow while it ran: {seen}"
    assert seen == sorted(seen)
    assert page.locator(".chart-legend button").count() >= 2
    wait_for("the end of the training", lambda: "Succeeded" in state(page), 180)
    validate(page)
    page.locator(".figures").wait_for(timeout=90_000)
    assert figure(page, "accuracy") > 0.5
    page.get_by_role("heading", name="confusion.csv").wait_for()
    assert page.locator("svg.picture").count() > 10


def draw_classes(folder: Path) -> Path:
    """A folder a class, in train and val."""
    for split, count in (("train", 4), ("val", 2)):
        for number in range(count):
            for code, colour in (("good", "green"), ("bad", "red")):
                path = folder / split / code / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                image = Image.new("RGB", (64, 48), (90, 90, 100 + number))
                ImageDraw.Draw(image).rectangle((5 + 5 * number, 8, 30 + 5 * number, 40), fill=colour)
                image.save(path)
    return folder


def test_the_whole_way_without_scripts(open_page, tmp_path):
    page = open_page(java_script_enabled=False)
    import_on_the_page(page, "plain", pack(draw_classes(tmp_path / "classes"), tmp_path / "plain.zip"))

    page.goto(at("models/train/"))
    pick(page, "#id_model_type", "plain")
    page.get_by_role("button", name="Show the settings of this choice").click()
    choose_kernel(page, "fake-cl")
    page.get_by_role("button", name="Show the settings of this choice").click()
    choose(page, "train", "plain-train")
    choose(page, "validation", "plain-val")
    page.locator("[name='params.rows']").fill("many")
    page.get_by_label("Name", exact=True).fill("without scripts")
    page.get_by_role("button", name="Check").click()
    assert "must be a whole number; you gave “many”" in page.locator("[id='error-params.rows']").inner_text()
    page.locator("[name='params.rows']").fill("5")
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url(re.compile(r"/models/\d+/$"))

    def ended() -> bool:
        page.reload()
        return "Succeeded" in state(page)

    wait_for("the end of the training", ended)
    assert "val_loss" in page.locator("[data-chart-fallback]").inner_text()
    validate(page)
    wait_for("the end of the validation", ended)
    assert figure(page, "accuracy") == 0.75
    assert page.get_by_role("heading", name="confusion.csv").is_visible()


def test_a_running_training_is_cancelled_from_its_page(open_page, portal):
    page = open_page()
    page.goto(at(f"models/train/?retrain={portal.seeded['CL']['model']}&name=to+be+cancelled"))
    page.locator("[name='params.behaviour']").select_option("slow")
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url(re.compile(r"/models/\d+/$"))
    page.locator("#job-graphs canvas").first.wait_for(timeout=60_000)
    first = max(page.evaluate(POINTS))
    wait_for("more points", lambda: max(page.evaluate(POINTS)) > first)
    page.get_by_role("button", name="Cancel training").click()
    dialog = page.locator("dialog[open]")
    assert "What it has saved up to now is kept." in dialog.inner_text()
    dialog.get_by_role("button", name="Cancel training").click()
    wait_for("the end", lambda: "Cancelled" in state(page))
    assert page.get_by_role("link", name="Additional training").is_visible()
