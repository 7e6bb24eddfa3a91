"""The owner's own page, in Korean and sentence by sentence. `docs/seed-coverage.md` says which test shows which."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests import fake_kernels
from tests.browser.conftest import PASSWORD, answered, is_bad, wait_for
from tests.browser.test_journeys import choose
from tests.models.test_model_import import packed

pytestmark = pytest.mark.browser

OTHER = "other-od"  # a second kernel: it takes several devices and lets settings vary
MADE = """
import json, pathlib
from jobs import following
from kernels_app.models import KernelSwitch
from models_app.models import Preset
from models_app.orders import TrainOrder
from projects_app.models import AnnotationType, Membership, ModelType, Project, User
from tests import fake_kernels, parts
project = Project.objects.create(code="walk", name="밸브 검사")
kim = User.objects.create_user("kim", password={password!r}, language="ko")
Membership.objects.create(project=project, user=kim, role="manager")
sets = parts.import_parts(project, kim, pathlib.Path({folder!r}), "OD", name="밸브")
kernel = fake_kernels.register("OD")
more = dict(supported_gpu_count={{"type": "integer", "minimum": 1, "maximum": 4}},
    batchable_params={{"type": "object", "properties": {{"lr": True}}}})
other = fake_kernels.register("OD", name={other!r}, is_on=False, **more)
KernelSwitch.objects.create(kernel=other, project=project, is_on=True)
[model_type] = ModelType.objects.filter(project=project)
second = ModelType.objects.create(project=project, code="OD_GOOD", name="양품", training_type="OD")
second.learn(AnnotationType.objects.get(project=project, code="GOOD"))
for name in (kernel.name, other.name):
    Preset.objects.create(project=project, kernel_name=name, model_type=second, params=fake_kernels.params(rows=7))
found = dict(type=model_type.code, kernel=kernel.pk, other=other.pk, train=sets["train"].pk, val=sets["val"].pk)
for name, behaviour in (("기본 모델", "good"), ("실패한 모델", "exit3")):
    order = TrainOrder(project, model_type, kernel, [sets["train"]], [sets["val"]], name=name,
                       description="첫 번째 모델", params=fake_kernels.params(behaviour=behaviour, rows=5))
    model = order.start(kim)
    following.run_here(model.job)
    found[behaviour] = model.pk
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def walk(portal, tmp_path_factory) -> dict[str, Any]:
    """A project of its own with two datasets, two kernels and two model types, a trained model and one that failed."""
    source = str(tmp_path_factory.mktemp("walk"))
    made: dict[str, Any] = json.loads(
        portal.python(MADE.format(password=PASSWORD, folder=source, other=OTHER)).splitlines()[-1]
    )
    return made


@pytest.fixture(scope="module")
def page(chromium, portal, walk) -> Iterator[Any]:
    """One Korean page for all of it; nothing may be said on its console."""
    context = chromium.new_context(base_url=portal.url, locale="ko-KR", accept_downloads=True)
    context.set_default_timeout(20_000)
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(message.text) if is_bad(message) else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto("/login/")
    page.locator("[name=username]").fill("kim")
    page.locator("[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="로그인").click()
    page.wait_for_url("**/p/walk/**")
    yield page
    context.close()
    assert not said, "the browser's console"


def at(path: str) -> str:
    return f"/p/walk/{path}"


def block(page, title: str) -> Any:
    """The card of that title."""
    return page.locator("section.card", has=page.get_by_role("heading", name=title, exact=True))


def succeeded(page) -> None:
    wait_for("the end of the job", lambda: "성공" in block(page, "학습 상태").inner_text())


def test_the_page_of_models_leads_to_all_functions(page, walk):
    page.goto(at("models/"))
    assert page.get_by_role("heading", name="모델", exact=True).is_visible()
    assert page.locator("main").get_by_role("link", name="모델 가져오기").is_visible()
    assert page.locator("main").get_by_role("link", name="모델 학습").is_visible()
    page.get_by_role("link", name="기본 모델").click()
    for name in ("검증", "추가 학습", "재학습"):
        assert page.locator(".page-actions").get_by_role("link", name=name).is_visible()


def test_a_model_is_imported(page, walk):
    page.goto(at("models/"))
    page.get_by_role("link", name="모델 가져오기").click()
    settings = {"training_type": "OD", "model_type": walk["type"], "training_params": fake_kernels.params()}
    archive = packed({"save/checkpoint.pth": b"weights"}, "w:gz")
    page.get_by_label("모델 파일").set_input_files({"name": "밸브.tar.gz", "mimeType": "", "buffer": archive})
    page.get_by_label("설정 파일(model.json)").set_input_files(
        {"name": "model.json", "mimeType": "application/json", "buffer": json.dumps(settings).encode()}
    )
    page.get_by_role("button", name="업로드하고 확인").click()

    kernel = page.get_by_role("group", name="학습 커널")
    filled_in = kernel.locator(".pick-card-body .pick-title")
    assert filled_in.inner_text().split()[0] in ("fake-od", OTHER)
    [other] = {"fake-od", OTHER} - {filled_in.inner_text().split()[0]}
    kernel.get_by_text("학습 커널 변경").click()
    assert "OD" in kernel.locator(".pick-others").inner_text()
    kernel.locator(".pick-option", has_text=other).locator("input").check()
    page.locator("#import-form .pick-card-body .pick-title", has_text=other).wait_for()
    page.get_by_label("이름", exact=True).fill("가져온 모델")
    page.get_by_role("button", name="모델 가져오기").click()
    page.get_by_role("link", name=re.compile("가져온 모델")).first.wait_for()

    def is_there() -> bool:
        page.goto(at("models/?q=가져온"))
        return page.locator("table").get_by_text("성공").count() > 0

    wait_for("the imported model", is_there)
    page.get_by_role("link", name="가져온 모델", exact=True).click()
    assert other in block(page, "학습 커널").inner_text()
    assert page.get_by_role("link", name="검증", exact=True).first.is_visible()


def test_choosing_a_model_type_brings_its_usual_settings(page, walk):
    page.goto(at("models/train/"))
    rows, codes = page.locator("[name='params.rows']"), page.locator("#id_model_type option").all_inner_texts()
    for code, usual in (("OD_GOOD ", "7"), (walk["type"], "3"), ("OD_GOOD ", "7")):  # a preset, the schema's defaults
        with answered(page, "**/train/form/"):
            page.get_by_label("모델 타입").select_option(index=[text.startswith(code) for text in codes].index(True))
        wait_for("the usual settings of that type", lambda usual=usual: rows.input_value() == usual)


def test_a_training_is_filled_in_and_started(page, walk):
    page.goto(at(f"models/{walk['good']}/"))
    page.get_by_role("link", name="추가 학습").click()
    base = page.locator("#base-card")
    assert "기본 모델" in base.inner_text()
    assert walk["type"] in base.inner_text()

    kernel = page.get_by_role("group", name=re.compile("^학습 커널"))
    assert "fake-od" in kernel.locator(".pick-card-body").inner_text()
    devices = page.get_by_label(re.compile("사용할 GPU 수"))
    assert (devices.get_attribute("readonly"), devices.input_value()) == ("", "1")
    assert "1개로 고정" in page.locator("#hint-devices").inner_text()
    kernel.get_by_text("학습 커널 선택").click()
    assert "fake-cl" in kernel.locator(".pick-others").inner_text(), "another annotation type: named with the reason"
    assert kernel.locator(".pick-others input").count() == 0

    rows = page.locator("[name='params.rows']")
    with answered(page, "**/train/form/"):
        page.locator("#id_kernel .pick-option", has_text=OTHER).locator("input").check()
    hint = page.locator("#hint-devices")
    wait_for("its range of devices", lambda: re.match(r"1~\d개를 선택|1개로 고정", hint.inner_text()))

    choose(page, "train", "밸브-train")
    choose(page, "validation", "밸브-val")
    for name in ("학습 데이터셋", "검증 데이터셋"):
        assert page.get_by_role("group", name=name).get_by_text("밸브-train").first.is_visible()
    name = page.get_by_label("이름", exact=True)
    assert name.input_value(), "one is proposed"
    assert "학습의 목적" in page.locator("#hint-name").inner_text()
    name.fill("추가로 학습한 모델")
    page.get_by_label("설명").fill("밸브를 더 배운다")
    page.locator("summary", has=page.get_by_role("heading", name="배치 학습")).click()
    assert page.get_by_role("group", name="학습률").is_visible()

    assert page.get_by_role("heading", name="하이퍼 파라미터").is_visible()
    error = page.locator("[id='error-params.rows']")
    rows.fill("")
    error.get_by_text("필수").wait_for()
    rows.fill("많이")
    error.get_by_text("많이").wait_for()
    page.get_by_text("스키마", exact=True).click()
    assert '"training_params"' in page.locator(".param-schema pre").inner_text()
    rows.fill("4")
    page.locator(".ready").wait_for()
    page.get_by_label("추가 설정(선택)").set_input_files(
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": "밸브".encode()}
    )
    page.get_by_role("button", name="학습 시작").click()
    page.wait_for_url(re.compile(r"/models/\d+/$"))
    succeeded(page)
    seen = page.request.get(f"{page.url}files/seen.json").json()
    assert seen["etc"] == {"notes.txt": "밸브"}
    assert seen["config"]["etc_path"]
    assert seen["settings"]["training_params"]["rows"] == 4
    assert "checkpoint" in str(seen["base"]) or "save" in seen["base"]
    assert "기본 모델" in block(page, "기본 정보").inner_text()


def test_a_model_shows_everything_about_itself(page, walk):
    page.goto(at(f"models/{walk['good']}/"))
    about = block(page, "기본 정보").inner_text()
    assert walk["type"] in about
    assert "첫 번째 모델" in about
    assert "성공" in block(page, "학습 상태").inner_text()
    assert "fake-od@1" in block(page, "학습 커널").inner_text()
    data = block(page, "데이터")
    assert data.locator("dt", has_text="학습 데이터셋").locator("+ dd").inner_text() == "밸브-train"
    assert data.locator("dt", has_text="검증 데이터셋").locator("+ dd").inner_text() == "밸브-val"
    settings = block(page, "설정")
    assert "rows" in settings.inner_text()
    with page.expect_download() as download:
        settings.get_by_role("link", name="설정 다운로드").click()
    assert json.loads(download.value.path().read_text())["training_params"]["rows"] == 5
    graphs = page.locator("#job-graphs")
    assert graphs.get_by_role("heading", name="학습 그래프").is_visible()
    graphs.locator("canvas").nth(1).wait_for()
    assert {"loss", "accuracy"} <= set(graphs.locator(".chart-card h3").all_inner_texts()), "several metrics"


def test_a_model_is_activated_and_deactivated(page, walk):
    page.goto(at(f"models/{walk['good']}/"))
    use = block(page, "추론 설정")
    assert "비활성 상태입니다." in use.inner_text()
    use.get_by_role("link", name="모델 활성화").click()
    page.get_by_label("이유").fill("현장 적용")
    page.get_by_role("button", name=re.compile("활성화")).click()
    page.wait_for_url(f"**{at('models/')}{walk['good']}/")
    assert "현장 적용" in use.inner_text()
    use.get_by_role("link", name="모델 비활성화").click()
    page.get_by_label("이유").fill("교체")
    page.get_by_role("button", name="모델 비활성화").click()
    use.get_by_text("비활성 상태입니다.").wait_for()
    assert "교체" in use.inner_text()


def test_only_a_model_whose_training_succeeded_is_validated(page, walk):
    page.goto(at(f"models/{walk['exit3']}/"))
    button = page.locator(".page-actions").get_by_text("검증", exact=True)
    assert button.get_attribute("aria-disabled") == "true"
    assert "학습이 성공한 모델만" in str(button.get_attribute("title"))
    page.goto(at(f"validations/start/{walk['exit3']}/"))
    assert "학습이 성공한 모델만" in page.get_by_role("alert").inner_text()
    assert page.get_by_role("button", name="검증 시작").is_disabled()


def started(page, walk, operation: str, kernel: str, score: str = "") -> None:
    """From the page of the model to the page of its validation, through the form."""
    page.goto(at(f"models/{walk['good']}/"))
    page.locator(".page-actions").get_by_role("link", name="검증", exact=True).click()
    page.wait_for_url("**/validations/start/**")
    page.locator(".pick-option", has_text=kernel).locator("input").check()
    page.get_by_role("group", name="동작 타입").get_by_label(operation).check()
    if score:
        page.get_by_label("라벨로 남길 최소 점수").fill(score)
    page.get_by_role("button", name="검증 시작").click()
    page.wait_for_url(re.compile(r"/validations/\d+/$"))


def test_a_validation_is_started_with_another_kernel_and_compares(page, walk):
    page.goto(at(f"validations/start/{walk['good']}/"))
    about = block(page, "검증 모델 정보").inner_text()
    assert "기본 모델" in about
    assert walk["type"] in about
    first = page.locator(".pick-option").first
    assert "이 모델을 학습한 커널" in first.inner_text()
    assert first.locator("input").is_checked()
    sets = page.get_by_role("group", name="데이터셋")
    assert sets.get_by_role("checkbox", name=re.compile("밸브-val")).is_checked()
    assert sets.get_by_role("checkbox").count() == 2
    started(page, walk, "검증: 라벨과 추론 결과 비교", OTHER)
    page.locator(".figures").wait_for()
    assert page.get_by_role("heading", name="혼동 행렬").is_visible()
    assert page.locator("#images .tile").count() == 4
    about = block(page, "기본 정보").inner_text()
    assert OTHER in about
    assert "fake-od" in about, "the kernel that trained it"


def test_an_inference_labels_a_dataset(page, walk):
    started(page, walk, "추론: 모델이 라벨 생성", "fake-od", "0.5")
    page.get_by_role("link", name="라벨 검토").wait_for()
    page.get_by_role("link", name="결과 데이터셋").click()
    labels = block(page, "라벨").locator("tbody tr")
    assert sum(int(row.locator("td").nth(2).inner_text()) for row in labels.all()) == 3, "on all images but the last"
