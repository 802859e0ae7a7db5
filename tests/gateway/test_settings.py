from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from gateway.settings import Settings
from services.errors import InvalidSetting
from services.inference import default_model_path
from services.preprocess import Budget


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_env({}) == Settings(default_model_path(), 1, Budget())


def test_every_variable_reaches_its_setting() -> None:
    settings = Settings.from_env(
        {
            "GIF_ANALYZER_MODEL": "/models/mine.onnx",
            "GIF_ANALYZER_THREADS": "4",
            "GIF_ANALYZER_MAX_BYTES": "1_000",
            "GIF_ANALYZER_MAX_CANVAS_PIXELS": "2000",
            "GIF_ANALYZER_MAX_FRAMES": " 30 ",
            "GIF_ANALYZER_MAX_DECODED_PIXELS": "40000",
        }
    )

    assert settings == Settings(Path("/models/mine.onnx"), 4, Budget(1_000, 2_000, 30, 40_000))


def test_a_variable_set_to_nothing_leaves_the_default() -> None:
    assert Settings.from_env({"GIF_ANALYZER_MODEL": "", "GIF_ANALYZER_THREADS": " "}) == Settings()


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5", "1e6", "nan"])
@pytest.mark.parametrize("variable", ["GIF_ANALYZER_THREADS", "GIF_ANALYZER_MAX_BYTES"])
def test_a_bad_value_is_one_error_that_names_the_variable(variable: str, value: str) -> None:
    with pytest.raises(
        InvalidSetting, match=f"{variable} must be a whole number, at least 1, it is '{value}'"
    ):
        Settings.from_env({variable: value})


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().threads = 2  # type: ignore[misc]


def test_nothing_else_reads_the_environment() -> None:
    root = Path(__file__).parents[2]
    readers = {
        str(path.relative_to(root))
        for room in ("services", "gateway")
        for path in (root / room).rglob("*.py")
        if any(word in path.read_text("utf-8") for word in ("os.environ", "getenv", "import environ"))
    }

    assert readers == {"gateway/settings.py"}
