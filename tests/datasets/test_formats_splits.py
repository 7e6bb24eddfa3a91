import pytest

from datasets_app.formats.splits import read_splits, split_in
from datasets_app.records import FormatError


@pytest.fixture
def images(folder):
    for name in ("cat/a.png", "dog/b.png", "dog/불량.png"):
        folder.image(name)
    return folder


@pytest.mark.parametrize(
    "text",
    [
        "file,label,split\ncat/a.png,cat,train\ndog/b.png,dog,VALID\n불량.png,dog,Test\n",
        "\ufeffsubset;x;Filename\ntrain;1;a.png\nvalidation;2;b.png\ntest;3;불량.png\n",
        "path\tset\r\n\r\nC:\\data\\cat\\a.png\ttraining\r\ndog/b.jpg\tval\r\n불량\ttest\r\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_table_gives_each_image_its_split(images, text, encoding):
    path = images.text("split.csv", text.removeprefix("\ufeff").encode(encoding) if encoding != "utf-8" else text)
    splits = read_splits(path, images.source)
    assert splits.by_image == {"cat/a.png": "train", "dog/b.png": "val", "dog/불량.png": "test"}
    assert splits.problems == ()


def test_a_table_of_a_korean_excel_is_read(images):
    path = images.text("split.csv", "image,split\n불량.png,test\n".encode("cp949"))
    assert read_splits(path, images.source).by_image == {"dog/불량.png": "test"}


def test_what_a_row_gets_wrong_is_counted(images):
    rows = "file,split\ngone.png,train\na.png,holdout\nb.png,val\nb.png,test\n,\nx\n"
    splits = read_splits(images.text("split.csv", rows), images.source)
    assert splits.by_image == {"dog/b.png": "val"}
    assert [(problem.code, problem.detail) for problem in splits.problems] == [
        ("image_missing", "line 2: gone.png"),
        ("unknown_split", "line 3: 'holdout'"),
        ("two_splits", "line 5: b.png"),
        ("unknown_split", "line 7: ''"),
    ]


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "file,label\na.png,cat\n", "\n\n"])
def test_missing_columns_are_refused_with_what_was_expected(images, text):
    with pytest.raises(FormatError, match=r"split\.csv: expected a header with a file column \(file, filename"):
        read_splits(images.text("split.csv", text), images.source)


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"\x80\xff\xff", b'file,split\n"' + b"x" * 200_000])
def test_what_is_no_table_is_refused(images, data):
    with pytest.raises(FormatError) as refusal:
        read_splits(images.text("split.csv", data), images.source)
    assert refusal.value.code == "split_unreadable"


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("annotations/instances_train2017.json", "train"),
        ("valid/_annotations.coco.json", "val"),
        ("test.json", "test"),
        ("latest_results.json", ""),
        ("my test set/all.json", ""),
        ("train_and_test.json", ""),
    ],
)
def test_a_name_may_speak_of_a_split(path, split):
    assert split_in(path) == split
