"""The page of a report: any score, every cell with its images, words that say what to do, one image at full size."""

from __future__ import annotations

import io
import re
import zipfile

import pytest
from django.http import QueryDict
from django.urls import reverse

from datasets_app.models import Dataset
from kernels_app.contract.results import write_summary
from models_app.models import FoundObject, Operation, TruthObject, Validation
from models_app.reports import advice, choosing
from models_app.reports.choosing import Choice
from models_app.reports.counts import NOTHING, Matrix
from models_app.reports.found import matrix_at
from tests.models import answers

pytestmark = pytest.mark.django_db


@pytest.fixture
def boxes(make_shop) -> Validation:
    """A validation of a detector that is often, but not always, right."""
    shop = make_shop("OD", each=6)
    validation, folder = answers.prepared(shop, shop.ready())
    answers.boxes(folder, seed=4, min_score=0.3)
    return answers.finished(validation)


@pytest.fixture
def get(boxes, client_of, bob):
    client = client_of(bob)

    def get(query: str = "", name: str = "detail", *args):
        return client.get(f"{reverse(f'validations:{name}', args=['valves', boxes.pk, *args])}?{query}")

    return get


def text(answer) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


def in_memory(validation: Validation, least: float) -> Matrix:
    rows = [list(kind.objects.filter(validation=validation)) for kind in (TruthObject, FoundObject)]
    return matrix_at(validation.model.classes, *rows, least)


# --- any score -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("least", [0.0, 0.25, 0.3, 0.5, 0.77, 1.0])
def test_the_database_counts_as_the_report_did(boxes, least):
    assert +choosing.matrix(boxes, Choice(least=least)).cells == +in_memory(boxes, least).cells


@pytest.mark.parametrize("least", [0.0, 0.3, 0.6])
def test_every_cell_leads_to_as_many_objects_as_it_says(boxes, least):
    for (truth, predicted), n in in_memory(boxes, least).cells.items():
        found, missed = choosing.objects(boxes, Choice(least=least, truth=truth, predicted=predicted))
        assert found.count() + missed.count() == n, (truth, predicted)


def test_true_and_false_positives_and_negatives_are_as_many_as_the_matrix_says(boxes):
    matrix = in_memory(boxes, 0.4)
    counts = {}
    for show in ("tp", "fp", "fn"):
        found, missed = choosing.objects(boxes, Choice(least=0.4, show=show))
        counts[show] = found.count() + missed.count()
    assert counts == {
        "tp": matrix.right, "fp": matrix.predictions - matrix.right, "fn": matrix.objects - matrix.right,
    }  # fmt: skip


def test_images_come_with_most_errors_first_at_every_score(boxes):
    for least in (0.3, 0.7):
        errors = []
        for image in choosing.images(boxes, Choice(least=least)):
            found = FoundObject.objects.filter(validation=boxes, image=image, score__gte=least, is_right=False).count()
            there = TruthObject.objects.filter(validation=boxes, image=image)
            errors.append(found + there.exclude(found_score__gte=least).count())
        assert len(errors) == 12
        assert errors == sorted(errors, reverse=True)


def test_images_are_narrowed_by_class_outcome_and_score(boxes):
    def images(**chosen) -> set[int]:
        return set(choosing.images(boxes, Choice(least=0.3) if not chosen else Choice(**({"least": 0.3} | chosen))))

    every, wrong, right = images(), images(show="wrong"), images(show="right")
    assert wrong | right == every
    assert not wrong & right
    of_class = set(
        FoundObject.objects.filter(validation=boxes, label="BAD", score__gte=0.3).values_list("image", flat=True)
    )
    missed = set(
        TruthObject.objects.filter(validation=boxes, label="BAD")
        .exclude(found_score__gte=0.3)
        .values_list("image", flat=True)
    )
    assert images(label="BAD") == of_class | missed
    narrow = set(
        FoundObject.objects.filter(validation=boxes, score__gte=0.5, score__lt=0.6).values_list("image", flat=True)
    )
    assert images(least=0.5, below=0.6) == narrow
    assert images(label="NO_SUCH_CLASS") == set()


def test_nonsense_in_the_address_asks_for_nothing(boxes):
    for query in ("score=x&below=nan&show=magic", "score=&below=&page=-1"):
        assert choosing.of(QueryDict(query), boxes) == Choice(least=0.3)
    assert choosing.of(QueryDict("score=7&below=-3"), boxes) == Choice(least=1.0, below=0.0)


# --- the page --------------------------------------------------------------------------------------------------------


def test_the_page_tells_its_figures_at_the_score_of_the_address(get, boxes):
    for query, least in (("", 0.3), ("score=0.6", 0.6)):
        matrix, shown = in_memory(boxes, least), text(get(query))
        assert f"it finds {matrix.right} of 12 objects" in shown
        assert f"n = {matrix.predictions} finds" in shown


def test_cells_are_links_that_keep_the_score(get, boxes):
    shown = text(get("score=0.6&as=percent"))
    (truth, predicted), _n = next(iter(in_memory(boxes, 0.6).cells.items()))
    wanted = f"score=0.6&amp;as=percent&amp;truth={truth}&amp;predicted={predicted.replace('~', '%7E')}#images"
    assert wanted in shown or wanted.replace("%7E", "~") in shown


def test_a_cell_shows_its_images_and_says_which_it_is(get, boxes):
    (truth, predicted), n = next(one for one in in_memory(boxes, 0.3).cells.items() if NOTHING in one[0])
    answer = get(f"truth={truth}&predicted={predicted}")
    assert 0 < answer.context["page"].paginator.count <= n
    assert "Back to the matrix" in text(answer)
    assert "nothing" in text(answer)


def test_the_diagonal_can_be_hidden_and_counts_be_percents(get):
    table = get("diagonal=hidden&as=percent").context["report"].table
    assert all(cell.count == 0 for row in table.rows for cell in row.cells if cell.is_right)
    assert table.as_percent
    whole = get().context["report"].table
    assert [row.truth for row in whole.rows] == whole.columns == ["GOOD", "BAD", NOTHING]
    assert all(sum(cell.count for cell in row.cells) == row.total for row in whole.rows)


def test_objects_are_cut_out_of_their_images_wrong_ones_first(get):
    answer = get("view=crops")
    outcomes = [crop.outcome for crop in answer.context["crops"]]
    order = ["fp", "fn", "tp"]
    assert outcomes == sorted(outcomes, key=order.index)
    assert set(outcomes) == set(order)
    assert {crop.outcome for crop in get("view=crops&show=fn").context["crops"]} == {"fn"}


def test_a_kernel_that_says_something_else_is_marked(get, boxes):
    boxes.summary = {
        "mAP50": 0.123,
        "mAP": boxes.figures["mAP"] + 0.0001,
        "TP": boxes.figures["TP"] + 3,
        "min_score": 0.3,
    }
    boxes.save()
    answer = get()
    assert [name for name, _own, _kernels in answer.context["differing"]] == ["mAP50", "TP"]
    assert "the kernel says 0.123" in text(answer)


def test_the_arrows_go_through_the_images_of_a_cell(get, boxes):
    bucket = choosing.images(boxes, Choice(least=0.3, show="fp"))
    assert len(bucket) > 2
    answer = get("show=fp", "image", bucket[1])
    assert (answer.context["previous"], answer.context["next"], answer.context["number"]) == (bucket[0], bucket[2], 2)
    assert f"images/{bucket[2]}/?show=fp" in text(answer)


def test_one_image_lists_its_objects_errors_first(get, boxes):
    worst = choosing.images(boxes, Choice(least=0.3))[0]
    card = get("", "image", worst).context["card"]
    outcomes = [line.outcome for line in card.lines]
    assert outcomes[0] in ("fp", "fn")
    assert outcomes == sorted(outcomes, key=lambda one: one == "tp")
    assert card.fn + sum(shape.outcome == "tp" for shape in card.truth) == len(card.truth)
    sure = get("score=1", "image", worst).context["card"]
    assert not sure.found
    assert {shape.outcome for shape in sure.truth} == {"fn"}


def test_a_table_has_a_page_of_its_own(get, boxes):
    rows = "\n".join(f"row {n},{n}" for n in range(700))
    (boxes.folder / "by_size.csv").write_text(f"name,value\n{rows}\n")
    answer = get("page=2", "table", "by_size.csv")
    assert (len(answer.context["table"]["rows"]), answer.context["page"].paginator.count) == (200, 700)
    assert "row 699" in text(answer)
    assert "All rows" in text(get())
    for name in ("nothing.csv", "summary.txt"):
        assert get("", "table", name).status_code == 404


def test_all_results_come_as_one_archive(get, boxes, home):
    (home / "secret_key").write_text("secret")
    (boxes.folder / "link").symlink_to(home / "secret_key")
    answer = get("", "archive")
    archive = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
    assert archive.testzip() is None
    names = archive.namelist()
    assert f"validation-{boxes.pk}/summary.csv" in names
    assert sum(name.endswith(".json") for name in names) == 12
    assert not any("link" in name for name in names)
    assert archive.read(f"validation-{boxes.pk}/summary.csv") == (boxes.folder / "summary.csv").read_bytes()


# --- what it says in words -------------------------------------------------------------------------------------------


def words(validation: Validation, matrix: Matrix | None = None) -> list[str]:
    choice = Choice(least=choosing.usual_score(validation))
    return [one.text for one in advice.advice(validation, matrix or choosing.matrix(validation, choice), choice)]


def matrix_of(**cells: int) -> Matrix:
    made = Matrix(["A", "B"])
    for name, n in cells.items():
        made.add(*name.replace("none", NOTHING).split("_"), n)
    return made


def test_few_samples_are_remarked(shop):
    said = words(shop.validated(shop.ready()))
    assert any("Only 4 samples were judged" in one for one in said)


def test_data_that_were_learnt_from_are_loud(shop):
    validation = shop.validated(shop.ready(), datasets=[shop.train])
    assert words(validation)[0].startswith("The model has learnt from parts-train")
    assert not any("learnt" in one for one in words(shop.validated(shop.ready())))


def test_what_is_confused_missed_or_false_is_named_with_its_images(boxes):
    matrix = matrix_of(A_A=50, A_B=20, A_none=30, B_B=60, none_B=40)
    found = {one.text: one.query for one in advice.advice(boxes, matrix, Choice(least=0.3))}
    said = {text.partition(".")[0]: query for text, query in found.items()}
    assert said["A is taken for B 20 times out of 100"] == {"truth": "A", "predicted": "B"}
    assert said["A is missed 50 times out of 100"] == {"show": "fn", "label": "A"}
    assert said["60 of 120 finds of B are none"] == {"show": "fp", "label": "B"}
    assert "B is missed" not in " ".join(said)


def test_a_score_that_would_serve_better_is_offered(boxes):
    best = boxes.figures["best_score"]
    poor = Choice(least=1.0)
    found = [one for one in advice.advice(boxes, choosing.matrix(boxes, poor), poor) if "score" in one.query]
    assert [one.query for one in found] == [{"score": f"{best:.4f}"}]
    there = in_memory(boxes, best)
    assert f"{there.right} of 12 found, {there.predictions - there.right} false alarms" in found[0].text


def test_answers_that_lack_or_contradict_the_label_are_remarked(shop):
    validation, folder = answers.prepared(shop, shop.ready())
    rows = answers.categories(folder)
    path = folder / "out/detections.csv"
    header, first, *rest = path.read_text().splitlines()
    name, y, *others = first.split(",")
    assert int(y) == rows[0].truth
    path.write_text("\n".join([header, ",".join([name, str(1 - int(y)), *others]), *rest[:-1]]) + "\n")
    validation = answers.finished(validation)
    said = " ".join(words(validation))
    assert "The kernel said nothing about 1 image" in said
    assert "1 row of detections.csv has another truth than the label (line 2). The label counts." in said
    changed = validation.predictions.get(image__name=name.rpartition(f"/images/{shop.val.pk}/")[2])
    assert changed.truth == shop.model_type.class_codes()[int(y)]


def test_images_without_an_answer_count_as_missed(make_shop):
    shop = make_shop("OD", name="boxes")
    validation, folder = answers.prepared(shop, shop.ready())
    made = answers.boxes(folder, seed=2)
    (folder / f"out/annotations/{made[0].image_id}.json").unlink()
    write_summary(folder / "out", [("GT", 4)])
    validation = answers.finished(validation)
    assert validation.figures["unanswered"] == {
        "count": 1,
        "names": [validation.predictions.get(image=made[0].image_id).image.name],
    }
    assert TruthObject.objects.get(validation=validation, image=made[0].image_id).found_score is None
    assert "What is on it counts as missed." in " ".join(words(validation))


@pytest.mark.parametrize(("right", "n", "expected"), [(0, 0, (0, 1)), (50, 100, (0.404, 0.596)), (10, 10, (0.722, 1))])
def test_the_interval_is_wilsons(right, n, expected):
    assert advice.interval(right, n) == pytest.approx(expected, abs=1e-3)


# --- regions ---------------------------------------------------------------------------------------------------------


def test_regions_are_narrowed_by_cell_and_label(make_shop, client_of):
    shop = make_shop("RC", name="regions")
    validation = shop.validated(shop.ready(wrong=1))
    [label] = validation.model.classes
    cells = {(t, p): n for t, p, n in validation.figures["matrix"]["cells"]}
    for (truth, predicted), n in cells.items():
        found, missed = choosing.objects(validation, Choice(truth=truth, predicted=predicted, label=label))
        assert (found.count(), missed.count()) == (n, 0)
    answer = client_of(shop.user).get(f"{validation.get_absolute_url()}?show=wrong")
    assert answer.context["page"].paginator.count == 1
    assert "1 of 1 wrong" in text(answer)
    assert "It judges 3 of 4 regions right." in text(answer)
    image = client_of(shop.user).get(
        reverse("validations:image", args=["valves", validation.pk, answer.context["page"][0]])
    )
    assert f"{label}: true" in text(image)
    assert "really false" in text(image)


# --- inference, preprocessing, and nothing ---------------------------------------------------------------------------


def test_an_inference_says_what_it_labelled_and_leads_to_its_review(make_shop, client_of):
    shop = make_shop("OD", name="boxes")
    validation = shop.validated(shop.ready(), operation=Operation.INFERENCE)
    shown = text(client_of(shop.user).get(validation.get_absolute_url()))
    assert "It gave 3 labels to 4 images." in shown
    assert reverse("datasets:review", args=["valves", validation.result_id]) in shown
    assert 'id="matrix"' not in shown
    assert "Truth" not in shown.partition('id="images"')[2].partition("Basic information")[0]


def test_a_report_without_figures_still_opens(boxes, get):
    Validation.objects.filter(pk=boxes.pk).update(figures={}, summary={})
    assert get().status_code == 200
    assert get("view=crops&score=0.7").status_code == 200


# --- deleted ---------------------------------------------------------------------------------------------------------


def test_deleting_frees_every_row_and_the_dataset_where_that_is_asked(boxes, client_of, bob):
    result = boxes.result_id
    client_of(bob).post(reverse("validations:delete", args=["valves", boxes.pk]), {"result": "1"})
    assert not FoundObject.objects.exists()
    assert not TruthObject.objects.exists()
    assert not Dataset.objects.filter(pk=result).exists()


def test_the_dataset_stays_where_it_is_not_asked_or_is_in_use(shop, client_of):
    client = client_of(shop.user)
    kept = shop.validated(shop.ready(), operation=Operation.INFERENCE)
    client.post(reverse("validations:delete", args=["valves", kept.pk]))
    assert Dataset.objects.filter(pk=kept.result_id).exists()
    used = shop.validated(shop.ready(), operation=Operation.INFERENCE)
    model = shop.ready(train=[used.result])
    answer = client.post(reverse("validations:delete", args=["valves", used.pk]), {"result": "1"}, follow=True)
    assert f"stays, because it was used by: model “{model.name}”" in text(answer)
    assert Dataset.objects.filter(pk=used.result_id).exists()
    assert not Validation.objects.filter(pk=used.pk).exists()
