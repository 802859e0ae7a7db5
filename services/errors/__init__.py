"""Every error a user of GIF Analyzer can meet, in one catalogue.

    AnalyzerError
    ├── GifError            the bytes are not a GIF that can be shown
    │   ├── NotAGif         NOT_A_GIF
    │   ├── CorruptGif      CORRUPT_GIF
    │   └── GifTooLarge     GIF_TOO_LARGE
    ├── UnreadableFile      UNREADABLE_FILE
    ├── InvalidArgument     INVALID_ARGUMENT
    ├── InvalidClip         INVALID_CLIP
    ├── InvalidSetting      INVALID_SETTING
    │   └── UnknownSetting      UNKNOWN_SETTING
    ├── ModelError          MODEL_ERROR
    ├── ModelNotFound       MODEL_NOT_FOUND
    ├── CannotServe         CANNOT_SERVE
    ├── RequestError        a request by HTTP cannot be answered as it is
    │   ├── UnknownPath         UNKNOWN_PATH
    │   ├── MethodNotAllowed    METHOD_NOT_ALLOWED
    │   ├── InvalidRequest      INVALID_REQUEST
    │   ├── UnsupportedMedia    UNSUPPORTED_MEDIA
    │   ├── RequestTooLarge     REQUEST_TOO_LARGE
    │   ├── RequestTooSlow      REQUEST_TOO_SLOW
    │   └── Unauthorized        UNAUTHORIZED
    ├── FetchError          an address gave no GIF
    │   ├── InvalidAddress      INVALID_ADDRESS
    │   ├── AddressRefused      ADDRESS_REFUSED
    │   ├── FetchFailed         FETCH_FAILED
    │   └── FetchTimeout        FETCH_TIMEOUT
    └── ServiceError        a service that was asked gave no answer
        ├── Overloaded          OVERLOADED
        ├── DeadlineExceeded    DEADLINE_EXCEEDED
        ├── ServiceUnavailable  SERVICE_UNAVAILABLE
        ├── MessageTooLarge     MESSAGE_TOO_LARGE
        └── InternalError       INTERNAL_ERROR

Each class carries its reason, its gRPC status code and its HTTP status; the doors (gRPC, HTTP, command
line) read them from here and keep no table of their own. The codes are plain names and numbers: nothing
here knows a wire.
"""

from __future__ import annotations

from services.errors.base import DOMAIN, AnalyzerError, catalogue
from services.errors.fetch import AddressRefused, FetchError, FetchFailed, FetchTimeout, InvalidAddress
from services.errors.gif import CorruptGif, GifError, GifTooLarge, NotAGif
from services.errors.model import ModelError, ModelNotFound
from services.errors.request import (
    InvalidRequest,
    MethodNotAllowed,
    RequestError,
    RequestTooLarge,
    RequestTooSlow,
    Unauthorized,
    UnknownPath,
    UnsupportedMedia,
)
from services.errors.service import (
    CannotServe,
    DeadlineExceeded,
    InternalError,
    MessageTooLarge,
    Overloaded,
    ServiceError,
    ServiceUnavailable,
)
from services.errors.value import (
    InvalidArgument,
    InvalidClip,
    InvalidSetting,
    UnknownSetting,
    UnreadableFile,
)

__all__ = [
    "DOMAIN",
    "AddressRefused",
    "AnalyzerError",
    "CannotServe",
    "CorruptGif",
    "DeadlineExceeded",
    "FetchError",
    "FetchFailed",
    "FetchTimeout",
    "GifError",
    "GifTooLarge",
    "InternalError",
    "InvalidAddress",
    "InvalidArgument",
    "InvalidClip",
    "InvalidRequest",
    "InvalidSetting",
    "MessageTooLarge",
    "MethodNotAllowed",
    "ModelError",
    "ModelNotFound",
    "NotAGif",
    "Overloaded",
    "RequestError",
    "RequestTooLarge",
    "RequestTooSlow",
    "ServiceError",
    "ServiceUnavailable",
    "Unauthorized",
    "UnknownPath",
    "UnknownSetting",
    "UnreadableFile",
    "UnsupportedMedia",
    "catalogue",
]
