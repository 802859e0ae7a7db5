from __future__ import annotations

import inspect

import pytest

from services import errors
from services.errors import AnalyzerError, GifTooLarge, catalogue


def test_every_reason_is_unique_and_in_the_module_docstring() -> None:
    classes = [kind for kind in vars(errors).values() if inspect.isclass(kind) and "reason" in vars(kind)]

    assert sorted(kind.reason for kind in classes) == sorted(catalogue())
    for kind in classes:
        assert f"{kind.__name__} " in (errors.__doc__ or "")
        assert kind.reason in (errors.__doc__ or "")


@pytest.mark.parametrize("kind", catalogue().values(), ids=catalogue())
def test_every_error_has_its_codes(kind: type[AnalyzerError]) -> None:
    assert kind.reason.isupper()
    assert kind.grpc_code.isupper()
    assert 400 <= kind.http_status <= 599


def test_an_error_can_be_restored_from_its_message_and_details() -> None:
    error = GifTooLarge("length", allowed=10, found=20, unit="bytes")

    restored = GifTooLarge.restore(error.message, error.details)

    assert type(restored) is GifTooLarge
    assert (str(restored), restored.details) == (str(error), error.details)


def test_a_limit_says_at_least_if_counting_stopped() -> None:
    error = GifTooLarge("length", allowed=1000, found=1001, unit="bytes", at_least=True)

    assert str(error) == "file too large: length is limited to 1,000 bytes, this one has at least 1,001"
