"""A fake kernel, for demos and for trying out an installation: its settings say how a training goes."""

from __future__ import annotations

import json
from typing import Any

from kernels_app.kit import writing

BEHAVIOURS = {  # how a training goes, as `template/fake.py` has it
    "good": "ends well",
    "slow": "never ends by itself; saves and ends when it is stopped",
    "ignores_term": "hears nothing when it is stopped",
    "hangs": "writes nothing and waits",
    "nothing": "ends at once and leaves nothing",
    "exit3": "ends with exit code 3",
    "error": "says an error in its own words (message)",
    "traceback": "dies of an exception",
    "killed": "is killed by a signal",
    "recovers": "is killed, and ends well where it goes on",
    "done_then_crash": "crashes after its results are there",
    "no_checkpoint": "leaves no checkpoint",
    "bad_lines": "writes garbage among its status and its rows",
    "prints": "prints message and ends with exit code 1",
}
MEANINGS = "; ".join(f"{name}: {what}" for name, what in BEHAVIOURS.items())
PROPERTIES: dict[str, dict[str, Any]] = {
    "behaviour": {
        "title": "Behaviour", "type": "string", "enum": list(BEHAVIOURS), "default": "good",
        "description": f"How the training goes. {MEANINGS}.",
        "x-ko": {
            "title": "동작", "description": "학습이 어떻게 진행될지 정합니다. 오류, 멈춤, 강제 종료 등을 흉내 냅니다.",
        },
    },
    "rows": {
        "title": "Rows", "description": "Steps of the training, a row of its graphs each.", "type": "integer",
        "minimum": 1, "maximum": 1_000_000, "default": 60,
        "x-ko": {"title": "행 수", "description": "학습 단계 수입니다. 단계마다 그래프에 한 행을 씁니다."},
    },
    "pause": {
        "title": "Pause", "description": "How long a step takes.", "type": "number", "minimum": 0, "maximum": 60,
        "default": 0.5, "x-unit": "s", "x-ko": {"title": "간격", "description": "한 단계에 걸리는 시간입니다."},
    },
    "curve": {
        "title": "Curve", "description": "What the loss looks like.", "type": "string",
        "enum": ["falling", "noisy", "overfitting", "diverging", "flat"], "default": "noisy",
        "x-ko": {"title": "곡선", "description": "손실 그래프의 모양입니다."},
    },
    "judging": {
        "title": "Judging", "description": "How a validation goes.", "type": "string",
        "enum": ["good", "exit3", "error", "bad_lines", "no_detections"], "default": "good", "x-advanced": True,
        "x-ko": {"title": "검증 동작", "description": "검증이 어떻게 진행될지 정합니다."},
    },
    "wrong": {
        "title": "Wrong answers", "description": "Images that a validation judges wrongly.", "type": "integer",
        "minimum": 0, "default": 1, "x-advanced": True,
        "x-ko": {"title": "오답 수", "description": "검증에서 틀리게 판정할 이미지 수입니다."},
    },
    "message": {
        "title": "Message", "description": "What it says where it fails.", "type": "string", "maxLength": 500,
        "x-advanced": True, "x-ko": {"title": "메시지", "description": "실패할 때 알릴 말입니다."},
    },
}  # fmt: skip


def files(name: str, training_type: str) -> dict[str, bytes]:
    """Every file of it by its path in the package."""
    about = {"name": name, "version": "1", "description": "Learns nothing: its settings say how a training goes."}
    about["description_ko"] = "아무것도 배우지 않습니다. 설정에 따라 학습이 진행되는 모습만 흉내 냅니다."
    toml = "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in about.items())
    toml += "\n[doctor]\nparams = { rows = 12, pause = 0.05 }\n"
    texts = {"train.py": (writing.TEMPLATE / "fake.py").read_text(encoding="utf-8"), "kernel.toml": toml}
    texts |= {
        f"contract/{path.name}": path.read_text(encoding="utf-8") for path in sorted(writing.CONTRACT.glob("*.py"))
    }
    texts = {place: writing.stand_alone(text) for place, text in texts.items()}
    texts["model_schema.json"] = json.dumps(_schema(training_type), ensure_ascii=False, indent=2) + "\n"
    return {place: text.encode() for place, text in sorted(texts.items())}


def _schema(training_type: str) -> dict[str, Any]:
    params = {
        "type": "object", "additionalProperties": False, "required": ["behaviour", "rows", "pause", "curve"],
        "properties": PROPERTIES,
    }  # fmt: skip
    metrics: list[dict[str, Any]] = [
        {"file": "accuracy.csv", "column": "accuracy", "goal": "max", "primary": True},
        {"file": "loss.csv", "column": "val_loss", "goal": "min"},
    ]
    return writing.schema_of(training_type, params, {"rows": True, "pause": True, "curve": True}, metrics)
