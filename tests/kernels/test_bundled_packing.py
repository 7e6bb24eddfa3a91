"""The bundled kernels as packages: complete, the same everywhere, and with a schema that keeps its promises."""

import ast
import sys
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from kernels_app.bundled import packing

from .makers import schema

pytestmark = pytest.mark.parametrize("name", packing.BUNDLED)


def test_a_package_holds_the_program_the_schema_and_what_they_import(name):
    files = packing.package_files(name)
    assert {"train.py", "model_schema.json", "kernel.toml", "kernels_app/contract/config.py"} <= set(files)
    assert "kernels_app/bundled/common/start.py" in files
    assert list(files) == sorted(files)
    assert not [path for path in files if "__pycache__" in path or path.endswith(".pyc")]


def test_every_module_a_package_imports_of_its_own_is_in_it(name):
    files = packing.package_files(name)
    for path, content in files.items():
        for module in _imported(path, content):
            place = module.replace(".", "/")
            if module.startswith("kernels_app"):
                assert f"{place}.py" in files or f"{place}/__init__.py" in files, f"{path} imports {module}"
            assert not module.startswith(("django", "jobs", "models_app", "trainportal")), f"{path} imports {module}"


def test_the_first_words_come_before_the_heavy_imports(name):
    source = packing.package_files(name)["train.py"].decode()
    assert source.index("RUN = announce(__file__)") < source.index("import torch")
    light = ("start.py", "stop.py", "__init__.py")
    for path, content in packing.package_files(name).items():
        if "contract/" in path or ("common/" in path and path.endswith(light)):
            assert {module.split(".")[0] for module in _imported(path, content)} <= {
                *sys.stdlib_module_names,
                "kernels_app",
            }


def test_the_digest_tells_packages_apart(name):
    files = packing.package_files(name)
    assert packing.digest(files) == packing.digest(dict(reversed(files.items())))
    assert packing.digest(files) != packing.digest(files | {"train.py": b""})
    moved = {("x" + path if path == "train.py" else path): content for path, content in files.items()}
    assert packing.digest(files) != packing.digest(moved)


def test_a_written_package_reads_back(name, tmp_path):
    files = packing.package_files(name)
    packing.write_package(files, tmp_path / "kernel")
    found = {p.relative_to(tmp_path / "kernel").as_posix(): p for p in Path(tmp_path).rglob("*") if p.is_file()}
    assert {path: p.read_bytes() for path, p in found.items()} == files


def test_kernel_toml_names_it(name):
    about = tomllib.loads(packing.package_files(name)["kernel.toml"].decode())
    assert set(about) == {"name", "version", "description", "description_ko"}
    assert about["name"].startswith(name)


def test_the_schema_is_valid_and_its_defaults_satisfy_it(name):
    document = schema(name)
    Draft202012Validator.check_schema(document)
    params = document["properties"]["training_params"]
    defaults = {key: about["default"] for key, about in params["properties"].items()}
    model = {"training_type": name.upper(), "model_type": "PARTS", "training_params": defaults}
    Draft202012Validator(document).validate(model)
    assert not Draft202012Validator(document).is_valid(model | {"training_params": defaults | {"unknown": 1}})


def test_every_setting_is_explained_in_both_languages(name):
    for key, about in schema(name)["properties"]["training_params"]["properties"].items():
        texts = [
            about.get("title"),
            about.get("description"),
            about["x-ko"].get("title"),
            about["x-ko"].get("description"),
        ]
        assert all(texts), key
        is_word = about.get("x-unit", "").isalpha() and about["x-unit"] not in ("px", "MB")
        assert bool(about["x-ko"].get("unit")) == is_word, key


def test_every_choice_has_a_name(name):
    """Those of words, not of products, in Korean too."""
    for key, about in schema(name)["properties"]["training_params"]["properties"].items():
        assert "enum" not in about, key
        for choice in about.get("oneOf", []):
            assert choice["title"], key
            assert (
                key in ("architecture", "decoder", "detector")
                or choice["title"] == choice["const"]
                or choice.get("x-ko")
            )


def test_the_program_knows_the_settings_of_the_schema_and_no_others(name):
    tree = ast.parse(packing.package_files(name)["train.py"])
    settings = next(n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == "Settings")
    fields = {n.target.id for n in settings.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)}
    params = schema(name)["properties"]["training_params"]
    assert fields == set(params["properties"])
    assert set(schema(name)["properties"]["batchable_params"]["properties"]) <= fields
    assert set(params["required"]) <= fields


def test_one_metric_is_the_primary_one(name):
    assert [metric["goal"] for metric in schema(name)["x-metrics"] if metric.get("primary")] == ["max"]


def test_an_unknown_name_is_refused(name):
    with pytest.raises(KeyError, match="no bundled kernel"):
        packing.package_files(f"{name}/../{name}")


def _imported(path: str, content: bytes) -> list[str]:
    """Absolute names of the modules that a source file imports."""
    if not path.endswith(".py"):
        return []
    package = path.split("/")[:-1]
    found: list[str] = []
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.append(node.module or "")
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1]
            found.append(".".join([*start, node.module or ""]).rstrip("."))
    return found
