"""The contract as code: what one side writes the other reads, and what is wrong is named with file, line and reason."""

import json
from dataclasses import replace

import pytest

from kernels_app.contract import ContractError, data, metrics, results, status
from kernels_app.contract.config import TrainingConfig, config_path
from kernels_app.contract.settings import ModelSettings

KEY = "key-of-this-run"


@pytest.fixture
def config(tmp_path) -> TrainingConfig:
    return TrainingConfig(
        project_key=KEY, model_id="7", operation="training", dataset_path="/d", temp_path="/t", etc_path="/e",
        model_write_path=str(tmp_path / "model"), training_config_file="/m.json",
        status_file=str(tmp_path / "status.jsonl"),
    )  # fmt: skip


# training.json, model.json


def test_training_json_reads_back(tmp_path, config):
    config.write(tmp_path / "training.json")
    assert TrainingConfig.read(tmp_path / "training.json") == config
    assert json.loads((tmp_path / "training.json").read_text())["vlad_training_config_version"] == 1.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"surprise": 1}, "unknown key 'surprise'"),
        ({"operation": "baking"}, "operation: must be one of"),
        ({"training_config_version": 2.0}, "training_config_version"),
        ({"gpu_count": "2"}, "gpu_count must be int"),
        ({"gpu_count": True}, "gpu_count must be int"),
        ({"resume": 1}, "resume must be bool"),
        ({"temp_path": None}, "temp_path must be str"),
    ],
)
def test_a_wrong_training_json_is_refused_by_name(tmp_path, config, change, words):
    config.write(tmp_path / "training.json")
    found = json.loads((tmp_path / "training.json").read_text()) | change
    (tmp_path / "training.json").write_text(json.dumps(found))
    with pytest.raises(ContractError, match=words):
        TrainingConfig.read(tmp_path / "training.json")


def test_a_missing_field_is_named(tmp_path, config):
    config.write(tmp_path / "training.json")
    found = json.loads((tmp_path / "training.json").read_text())
    del found["etc_path"]
    (tmp_path / "training.json").write_text(json.dumps(found))
    with pytest.raises(ContractError, match="etc_path is missing"):
        TrainingConfig.read(tmp_path / "training.json")


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"a": NaN}', "[" * 100_000, "\ud800".encode("utf-8", "surrogatepass")]
)
def test_no_json_object_is_a_contract_error(tmp_path, text):
    path = tmp_path / "training.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ContractError, match=r"training\.json"):
        TrainingConfig.read(path)


def test_the_config_is_found_by_argument_environment_or_place(monkeypatch):
    monkeypatch.delenv("TRAINING_CONFIG", raising=False)
    monkeypatch.setattr("sys.argv", ["train.py"])
    assert str(config_path()) == "/training.json"
    monkeypatch.setenv("TRAINING_CONFIG", "/run/training.json")
    assert str(config_path()) == "/run/training.json"
    monkeypatch.setattr("sys.argv", ["train.py", "/given.json"])
    assert str(config_path()) == "/given.json"


def test_model_json_reads_back_and_knows_its_keys(tmp_path):
    settings = ModelSettings("OD", "OD_VALVE", {"epochs": 3, "note": "밸브"}, ["_A.png"])
    settings.write(tmp_path / "model.json")
    assert ModelSettings.read(tmp_path / "model.json") == settings
    assert "trainable_image_type" not in replace(settings, trainable_image_type=[]).as_json()
    with pytest.raises(ContractError, match="unknown key 'x'"):
        ModelSettings.from_json(settings.as_json() | {"x": 1})
    with pytest.raises(ContractError, match="training_params is missing"):
        ModelSettings.from_json({"training_type": "OD", "model_type": "A"})
    with pytest.raises(ContractError, match="training_type: must be one of"):
        ModelSettings("XX", "A")


# the data set


def test_cl_samples_read_back_with_spaces_in_paths(tmp_path):
    samples = [data.ClSample("/a b/c  d.png", "OK"), data.ClSample("/한글.png", "NG")]
    data.write_cl(tmp_path, "train", samples)
    assert data.read_cl(tmp_path, "train") == samples


def test_rc_samples_read_back(tmp_path):
    samples = [
        data.RcSample("/a b.png", "SCRATCH", True, 1, 2.5, 30, 40),
        data.RcSample("/c.png", "DENT", False, 0, 0, 9, 9),
    ]
    data.write_rc(tmp_path, "validation", samples)
    assert data.read_rc(tmp_path, "validation") == samples
    asked = [replace(sample, verdict=None) for sample in samples]
    data.write_files(tmp_path, asked)
    assert data.read_files_rc(tmp_path) == asked


def test_large_coordinates_keep_their_pixels(tmp_path):
    samples = [data.RcSample("/a.png", "DENT", True, 1234567.5, 100001.25, 30, 40)]
    data.write_rc(tmp_path, "train", samples)
    assert data.read_rc(tmp_path, "train") == samples


def test_a_bad_line_is_named(tmp_path):
    path = data.split_file(tmp_path, "train")
    path.parent.mkdir()
    path.write_text("/a.png OK\n/b.png\n")
    with pytest.raises(ContractError, match=r"train\.txt: line 2: .*'/b\.png'"):
        data.read_cl(tmp_path, "train")
    path.write_text("/a.png DENT true 1 2 3 4\n\n/b.png DENT maybe 1 2 3 4\n")
    with pytest.raises(ContractError, match=r"train\.txt: line 3"):
        data.read_rc(tmp_path, "train")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ContractError, match=r"label\.txt: cannot be read"):
        data.read_labels(tmp_path)


def test_shapes_read_back(tmp_path):
    shapes = (
        data.Shape("CRACK", "rectangle", ((1, 2), (30, 40))),
        data.Shape("CRACK", "polygon", ((1, 2), (3, 4), (5, 6)), isgenerated=True, score=0.25),
        data.Shape("ROI", "rectangle", ((0, 0), (9, 9)), isroi=True),
    )
    sample = data.ShapeSample("/a.png", "17", 640, 480, shapes)
    data.write_shapes(tmp_path / "train", sample)
    data.write_shapes(tmp_path / "train", data.ShapeSample("/b.png", "18", 64, 48))
    assert data.read_split_shapes(tmp_path, "train") == [sample, data.ShapeSample("/b.png", "18", 64, 48)]


def test_samples_stand_in_the_order_of_their_ids_however_many_digits_they_have(tmp_path):
    for number in ("10", "9", "100"):
        data.write_shapes(tmp_path / "train", data.ShapeSample(f"/{number}.png", number, 64, 48))
    assert [sample.image_id for sample in data.read_split_shapes(tmp_path, "train")] == ["9", "10", "100"]


@pytest.mark.parametrize(
    "shape",
    [
        7,
        {"label": "A"},
        {"label": "A", "points": [[1, 2], [3]]},
        {"label": "A", "points": [[1, 2], ["x", 3]], "shape_type": "rectangle"},
        {"label": "A", "points": [[1, 2]], "shape_type": "rectangle"},
        {"label": "A", "points": [[1, 2], [3, 4]], "shape_type": "polygon"},
    ],
)
def test_a_bad_shape_is_named(tmp_path, shape):
    good = {"label": "A", "points": [[1, 2], [3, 4]], "shape_type": "rectangle"}
    (tmp_path / "5.json").write_text(json.dumps({"shapes": [good, shape]}))
    with pytest.raises(ContractError, match=r"5\.json: shape 1"):
        data.read_shapes(tmp_path / "5.json")


@pytest.mark.parametrize("size", [{"imageWidth": "wide"}, {"imageHeight": [1]}, {"imageWidth": 1e999}])
def test_a_bad_size_is_a_contract_error(tmp_path, size):
    (tmp_path / "5.json").write_text(json.dumps({"shapes": []} | size).replace("Infinity", "1e999"))
    with pytest.raises(ContractError, match=r"5\.json"):
        data.read_shapes(tmp_path / "5.json")


# status


def test_status_messages_are_understood(config):
    writer = status.StatusWriter(config)
    writer.progress(12.345, step=3)
    writer.progress(1e9)
    writer.error("그림을 읽을 수 없습니다.")
    writer.done()
    lines = (config.output.parent / "status.jsonl").read_bytes().splitlines()
    assert [status.parse(line, KEY) for line in lines] == [
        status.StatusMessage("ing", 12.35, 3),
        status.StatusMessage("ing", 100.0),
        status.StatusMessage("error", message="그림을 읽을 수 없습니다."),
        status.StatusMessage("done"),
    ]
    assert json.loads(lines[0])["cmd"] == "training_status"


def test_other_operations_speak_of_validation(config):
    status.StatusWriter(replace(config, operation="inference", validation_id="3")).done()
    found = json.loads((config.output.parent / "status.jsonl").read_text())
    assert (found["cmd"], found["status"], found["validation_id"]) == ("validation_status", "validation_done", "3")


HOSTILE = [
    b"",
    b"\xff\xfe",
    b"null",
    b"[]",
    b'"training_done"',
    b'{"status": "training_done"}',
    b'{"status": "training_done", "project_key": "of another run"}',
    b'{"status": "training_ready", "project_key": "key-of-this-run"}',
    b'{"status": ["training_done"], "project_key": "key-of-this-run"}',
    b'{"status": "training_done", "project_key": "key-of-this-run"',
    b"[" * 60_000,
    b'{"status": "training_ing", "project_key": "key-of-this-run", "percentage": ' + b"9" * 5_000 + b"}",
    b'{"status": "training_done", "project_key": "key-of-this-run", "x": "' + b"a" * 70_000 + b'"}',
]


@pytest.mark.parametrize("line", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_line_is_no_message(line):
    assert status.parse(line, KEY) is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"percentage": "40"}, (40.0, None)),
        ({"percentage": "40 %"}, (None, None)),
        ({"percentage": True}, (None, None)),
        ({"percentage": -5, "step": -1}, (0.0, None)),
        ({"percentage": 500, "step": 2.0}, (100.0, 2)),
        ({"percentage": "nan", "step": 1e300}, (None, None)),
        ({"percentage": {}, "step": []}, (None, None)),
    ],
)
def test_odd_numbers_are_tamed(given, expected):
    line = json.dumps({"status": "training_ing", "project_key": KEY} | given).encode()
    found = status.parse(line, KEY)
    assert found is not None
    assert (found.percentage, found.step) == expected


def test_an_error_message_is_shortened(config):
    status.StatusWriter(config).error("x" * 10_000)
    line = (config.output.parent / "status.jsonl").read_bytes().strip()
    found = status.parse(line, KEY)
    assert found is not None
    assert len(found.message) == 4096


# metrics


def test_metrics_rows_read_back_with_gaps(tmp_path):
    writer = metrics.MetricsWriter(tmp_path, "loss", ["step", "train_loss", "val_loss"])
    writer.row({"step": 1, "train_loss": 0.5})
    metrics.MetricsWriter(tmp_path, "loss", ["step", "train_loss", "val_loss"]).row(
        {"step": 2, "val_loss": float("nan")}
    )
    header, *rows = (tmp_path / "loss.csv").read_text().splitlines()
    assert metrics.parse_header(header) == ["step", "train_loss", "val_loss"]
    assert [metrics.parse_row(row, 3) for row in rows] == [(1.0, [0.5, None]), (2.0, [None, None])]


def test_a_metrics_file_that_a_kill_left_empty_gets_its_header(tmp_path):
    (tmp_path / "loss.csv").touch()
    metrics.MetricsWriter(tmp_path, "loss", ["step", "loss"]).row({"step": 1, "loss": 0.5})
    assert (tmp_path / "loss.csv").read_text() == "step,loss\n1,0.5\n"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("1, 0.5 ,2", (1.0, [0.5, 2.0])),
        ("1,,inf", (1.0, [None, None])),
        ("1,2", (1.0, [2.0, None])),
        ("1,2,3,4", None),
        ("1", None),
        ("", None),
        ("epoch,loss,x", None),
        ("nan,1,2", None),
        ("1,two,3", None),
    ],
)
def test_a_line_is_a_row_or_none(line, expected):
    assert metrics.parse_row(line, 3) == expected


def test_a_header_is_tamed():
    assert metrics.parse_header("epoch, loss,") == ["epoch", "loss", "column 2"]
    assert len(metrics.parse_header(",".join(f"c{n}" for n in range(1000)))) == 1 + metrics.SERIES_LIMIT


@pytest.mark.parametrize("parse", [metrics.parse_header, lambda line: metrics.parse_row(line, 3)])
def test_a_monstrous_line_is_no_crash(parse):
    parse("1," + "9" * 200_000)
    parse('1,"' + "x" * 200_000)
    parse("1,\x00,2")


def test_cut_back_drops_what_came_later_and_what_was_torn(tmp_path):
    (tmp_path / "loss.csv").write_text("step,loss\n1,0.5\n2,0.4\n3,0.3\nnan,1\n2,0.")
    (tmp_path / "accuracy.csv").write_text("step,accuracy\n2,0.4\n")
    before = (tmp_path / "accuracy.csv").stat().st_ino
    metrics.cut_back(tmp_path, 2)
    assert (tmp_path / "loss.csv").read_text() == "step,loss\n1,0.5\n2,0.4\n"
    assert (tmp_path / "accuracy.csv").stat().st_ino == before
    metrics.cut_back(tmp_path / "nowhere", 2)


# results


def test_summary_reads_back_and_under_its_old_name(tmp_path):
    results.write_summary(tmp_path, [("mAP50", 0.5), ("note", "a, b")])
    assert results.read_summary(tmp_path) == {"mAP50": 0.5, "note": "a, b"}
    (tmp_path / "summary.csv").rename(tmp_path / "summay.csv")
    assert results.read_summary(tmp_path)["mAP50"] == 0.5
    assert results.read_summary(tmp_path / "nowhere") == {}


def test_detections_read_back(tmp_path):
    rows = [results.Detection("/a, b.png", 1, 0, (0.75, 0.25)), results.Detection("/c.png", None, 1, (0.0, 1.0))]
    results.write_detections(tmp_path, rows, classes=2)
    assert results.read_detections(tmp_path / "detections.csv", classes=2, has_box=False) == (rows, [])
    boxed = [replace(row, box=(1.0, 2.0, 3.5, 4.0)) for row in rows]
    results.write_detections(tmp_path, boxed, classes=2)
    assert results.read_detections(tmp_path / "detections.csv", classes=2, has_box=True) == (boxed, [])


def test_faulty_detections_are_named_and_the_rest_is_kept(tmp_path):
    text = (
        "filename,y,y_pred,p0,p1\n/a.png,1,0,0.9,0.1\n/b.png,5,0,0.9,0.1\n/c.png,,,1\n/d.png,0,x,1,0\n/e.png,,1,0,1\n"
    )
    (tmp_path / "detections.csv").write_text(text)
    found, faults = results.read_detections(tmp_path / "detections.csv", classes=2, has_box=False)
    assert [d.filename for d in found] == ["/a.png", "/e.png"]
    assert [fault.reason.split(":")[0] for fault in faults] == ["line 3", "line 4", "line 5"]


def test_faulty_annotations_are_named_and_the_rest_is_kept(tmp_path):
    data.write_shapes(tmp_path / "annotations", data.ShapeSample("/a.png", "1", 9, 9))
    (tmp_path / "annotations/2.json").write_text("{")
    found, faults = results.read_annotations(tmp_path)
    assert [sample.image_id for sample in found] == ["1"]
    assert [fault.file for fault in faults] == ["2.json"]


def test_confusion_is_a_table_with_names(tmp_path):
    results.write_confusion(tmp_path, ["OK", "NG"], [[3, 1], [0, 4]])
    assert results.read_table(tmp_path / "confusion.csv") == [["0", "1", "name"], ["3", "1", "OK"], ["0", "4", "NG"]]


def test_tables_come_in_the_order_of_the_page(tmp_path):
    for name in ("a.csv", "confusion.csv", "summary.csv", "detections.csv"):
        (tmp_path / name).write_text("x\n")
    assert [path.name for path in results.report_tables(tmp_path)] == [
        "summary.csv", "confusion.csv", "a.csv", "detections.csv",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("operation", "training_type", "owed"),
    [
        ("training", "CL", ["save/checkpoint.pth"]),
        ("validation", "CL", ["detections.csv", "confusion.csv"]),
        ("inference", "RC", ["detections.csv"]),
        ("validation", "OD", ["annotations", "summary.csv"]),
        ("inference", "SEG", ["annotations"]),
        ("preprocessing", "CL", ["files.txt"]),
    ],
)
def test_what_an_operation_owes(tmp_path, operation, training_type, owed):
    assert results.missing(tmp_path, operation, training_type) == owed
    for name in owed:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if name == "annotations" else path.write_text("x\n")
    assert results.missing(tmp_path, operation, training_type) == []


@pytest.mark.parametrize("name", ["detections.csv", "summary.csv", "files.txt"])
def test_a_file_that_is_said_to_have_gigabytes_is_refused_and_not_read(tmp_path, name):
    """None of them was ever written, so no quota knows of them."""
    with (tmp_path / name).open("wb") as file:
        file.truncate(200 * 1024**3)
    readers = {
        "detections.csv": lambda: results.read_detections(tmp_path / name, classes=2, has_box=False),
        "summary.csv": lambda: results.read_summary(tmp_path),
        "files.txt": lambda: results.read_produced(tmp_path),
    }
    with pytest.raises(ContractError, match=f"{name}: too large to be read"):
        readers[name]()


def test_a_table_with_an_endless_line_is_refused(tmp_path):
    (tmp_path / "loss.csv").write_text("a,b\n" + "1" * (results.LINE_LIMIT + 5))
    with pytest.raises(ContractError, match="a line of more than"):
        results.read_table(tmp_path / "loss.csv")
