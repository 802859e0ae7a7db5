"""The answers and errors of the REST API as its OpenAPI document describes them, with examples."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

from gateway.rest.observer import REQUEST_ID
from gateway.rest.problem import MEDIA_TYPE, problem_json
from gateway.rest.upload import EXPECTED, RAW
from services.errors import (
    AddressRefused,
    AnalyzerError,
    CorruptGif,
    DeadlineExceeded,
    FetchFailed,
    FetchTimeout,
    GifTooLarge,
    InternalError,
    InvalidAddress,
    InvalidArgument,
    InvalidRequest,
    LibraryError,
    MessageTooLarge,
    ModelError,
    NotAGif,
    NotFetchable,
    Overloaded,
    RequestTooLarge,
    RequestTooSlow,
    ServiceUnavailable,
    Unauthorized,
    UnsupportedMedia,
)
from services.inference import Level
from services.inference.library.search import MATCHES, NEIGHBOURS
from services.inference.prediction import MOST_SHOWS

API_KEY = "X-API-Key"  # header with a key, instead of `Authorization: Bearer`
KEY_ADVICE = f"send a key as `Authorization: Bearer KEY` or `{API_KEY}: KEY`"
# Instants and lengths, in milliseconds: JSON numbers below 2^53, which every language reads exactly.
Milliseconds = Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})]
Count = Annotated[int, Field(ge=0, json_schema_extra={"format": "int32"})]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$", examples=["0" * 64])]
Probability = Annotated[float, Field(ge=0, le=1 + 1e-5, examples=[0.944])]
Title = Annotated[str, Field(examples=["Big Buck Bunny"])]


class ShowProbability(BaseModel):
    """How probable a show is."""

    show: Title
    probability: Probability


class Verdict(BaseModel):
    """How much of an answer can be trusted."""

    level: Annotated[
        Level,
        Field(
            description="`show`: one show; `one_of`: two or three shows, among which the right one is;"
            " `kind`: no show, but the kind of picture; `unknown`: nothing"
        ),
    ]
    names: Annotated[list[Title], Field(max_length=MOST_SHOWS, description="the shows, or the kind")]
    text: Annotated[str, Field(description="for people", examples=["Big Buck Bunny"])]


class FrameVote(BaseModel):
    """What one frame says by itself."""

    offset_ms: Annotated[Milliseconds, Field(description="from the start of the GIF", examples=[150])]
    show: Title
    probability: Probability


class Model(BaseModel):
    """Which model answered."""

    name: Annotated[str, Field(examples=["gif-shows"])]
    version: Annotated[str, Field(examples=["2026.11.24"])]
    training_data_sha256: Annotated[Sha256, Field(description="of the training data")]
    licence: Annotated[str, Field(description="of its weights and its data", examples=["Apache-2.0"])]


class TimeSpan(BaseModel):
    """A part of some footage, from its first frame to its last."""

    start_ms: Annotated[Milliseconds, Field(examples=[150])]
    end_ms: Annotated[Milliseconds, Field(examples=[2850])]


class Match(BaseModel):
    """A clip of the library that shows the same footage."""

    show: Title
    name: Annotated[str, Field(description="of the clip in the library", examples=["meadow-2.gif"])]
    similarity: Annotated[
        float, Field(ge=0.5, le=1, description="share of equal features of the frames", examples=[0.9712])
    ]
    frame_count: Annotated[Count, Field(ge=1, le=10, description="pairs of frames that agree", examples=[9])]
    query: Annotated[TimeSpan, Field(description="in the GIF")]
    known: Annotated[TimeSpan, Field(description="in the known footage")]
    mirrored: Annotated[bool, Field(description="whether one is the mirror image of the other")]


class Neighbour(BaseModel):
    """A clip of the library that looks similar."""

    show: Title
    name: Annotated[str, Field(description="of the clip in the library", examples=["brook-1.gif"])]
    similarity: Annotated[
        float, Field(ge=-1, le=1, description="cosine of the embeddings", examples=[0.8304])
    ]


Picture = Annotated[
    str, Field(json_schema_extra={"contentEncoding": "base64", "contentMediaType": "image/jpeg"})
]


class Identification(BaseModel):
    """The answer for one GIF: the message gif_analyzer.v1.Identification as JSON."""

    source: Annotated[str, Field(description="address or file name, as given", examples=["meadow.gif"])]
    format: Annotated[
        str, Field(description="what the file is: gif, webp, png, apng, jpeg, mp4 or webm", examples=["gif"])
    ]
    shows: Annotated[list[ShowProbability], Field(description="most probable first")]
    known: Annotated[bool, Field(description="if false, `shows` are the nearest guesses")]
    verdict: Verdict
    votes: Annotated[
        list[FrameVote],
        Field(
            min_length=1,
            max_length=10,
            description="of each frame looked at: all that differ, or fewer if they decided; a still has one",
        ),
    ]
    model: Model
    matches: Annotated[
        list[Match],
        Field(max_length=MATCHES, description="same footage, best first; none without a library"),
    ]
    neighbours: Annotated[
        list[Neighbour],
        Field(
            max_length=NEIGHBOURS, description="clips that look similar, best first; none without a library"
        ),
    ]
    pictures: Annotated[
        list[Picture],
        Field(description="JPEG of the frame of each of `votes`, in the shape of the GIF, where asked for"),
    ]


class LibraryInfo(BaseModel):
    """The library of known clips."""

    clip_count: Annotated[Count, Field(examples=[120])]
    shows: Annotated[list[Title], Field(description="all of the library, in the order of their first clips")]
    sha256: Annotated[Sha256, Field(description="changes whenever the library does")]


class ModelAnswer(BaseModel):
    """The model and the library, and what they know: the message gif_analyzer.v1.GetModelResponse as JSON."""

    model: Model
    shows: Annotated[list[Title], Field(description="that the model knows, in the order of its outputs")]
    unknown_threshold: Annotated[float, Field(description="a GIF with less familiarity is unknown")]
    embedding_size: Annotated[Count, Field(ge=1, description="length of one embedding", examples=[320])]
    library: Annotated[
        LibraryInfo | None,
        Field(
            description="null without one",
            examples=[{"clip_count": 120, "shows": ["Big Buck Bunny"], "sha256": "0" * 64}],
        ),
    ]


class ShowsAnswer(BaseModel):
    """The shows that can be named."""

    shows: list[Title]


class LibraryShow(BaseModel):
    """How many clips the library has of a show."""

    show: Title
    clip_count: Annotated[Count, Field(ge=1, examples=[12])]


class LibraryAnswer(BaseModel):
    """The library of known clips."""

    clip_count: Annotated[Count, Field(description="of all shows; 0 without a library", examples=[12])]
    shows: Annotated[list[LibraryShow], Field(description="in the order in which they were added first")]
    writable: Annotated[bool, Field(description="whether GIFs can be taught")]
    thumbnails: Annotated[bool, Field(description="whether there are thumbnails of some clips")]
    keeps_thumbnails: Annotated[bool, Field(description="whether one is kept of each GIF that is taught")]


class TaughtAnswer(BaseModel):
    """A clip that was put into the library, or removed from it."""

    name: Annotated[str, Field(description="of the GIF in the library", examples=["meadow.gif"])]
    show: Title
    clip_count: Annotated[Count, Field(description="how many the library has of this show now", examples=[1])]


class FeedbackAnswer(BaseModel):
    """What feedback this server takes."""

    open: Annotated[bool, Field(description="whether feedback is taken")]
    keeps_gifs: Annotated[bool, Field(description="whether GIFs are kept for training, with consent")]


class FeedbackTaken(BaseModel):
    """A feedback that was written down."""

    answer: Annotated[str, Field(description="id of the answer", examples=["0123456789abcdef"])]
    kept_gif: Annotated[bool, Field(description="whether the GIF was kept for training")]


class Health(BaseModel):
    """How the gateway is."""

    status: Annotated[str, Field(examples=["ready"])]


class Problem(BaseModel):
    """An error, RFC 9457."""

    type: str
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: Annotated[str, Field(description="the same as `message`, as RFC 9457 names it")]
    reason: Annotated[str, Field(description="for programs; stable across versions")]
    message: Annotated[str, Field(description="for people")]
    details: Annotated[dict[str, str], Field(description="the values in the message, by name")]
    request_id: Annotated[str, Field(description=f"as in `{REQUEST_ID}`")]


# One error of each kind that a request can get. Their texts are the examples of the document.
OF_NAMES = InvalidRequest("unknown parameter 'topk'; did you mean top_k?")
OF_KEYS = (Unauthorized(KEY_ADVICE),)
OF_ANY = (OF_NAMES, *OF_KEYS, InternalError())
OF_BODIES = (
    InvalidRequest("its multipart body has no part `file`"),
    UnsupportedMedia("text/plain", expected=EXPECTED),
    RequestTooLarge(allowed=26_000_000),
    RequestTooSlow("its body took longer than 300 s"),
)
OF_SERVICES = (
    ServiceUnavailable("localhost:50051", "connection refused"),
    DeadlineExceeded("localhost:50051", timeout_s=30),
    InternalError(),
)
OF_GIFS = (
    NotAGif("a PDF document"),
    CorruptGif("not one frame is whole"),
    GifTooLarge("animation", allowed=5_000, found=20_000, unit="frames"),
    MessageTooLarge("localhost:50051", "it accepts 26 MB"),
    InvalidAddress("it begins with neither http:// nor https://"),
    AddressRefused("10.0.0.1", "it is not on the public internet (private)"),
    NotFetchable("media.giphy.com", "it answered 404 Not Found"),
    FetchFailed("media.giphy.com", "it answered 503 Service Unavailable"),
    FetchTimeout("media.giphy.com", timeout_s=20),
    ModelError("model.onnx", "it answered 3 numbers that are not finite"),
    Overloaded(limit=64, retry_after_s=1),
    *OF_SERVICES,
)
OF_IDENTIFY = (InvalidArgument("top_k", expected="at least 1", found="'0'"), *OF_GIFS)
OF_LIBRARY = (LibraryError("my.library", "it cannot be written: no space left on device"),)
KEYS = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "as `Authorization: Bearer KEY`"},
    "header": {"type": "apiKey", "in": "header", "name": API_KEY, "description": f"as `{API_KEY}: KEY`"},
}
TAGS = [
    {"name": "identify", "description": "Name the show of a GIF."},
    {"name": "model", "description": "The model that answers, and the shows that it knows."},
    {"name": "library", "description": "The library of known clips."},
    {"name": "feedback", "description": "What users say of answers."},
    {"name": "health", "description": "Whether the server runs, and whether it can answer."},
]
_TEXT = {"schema": {"type": "string"}}
IF_NONE_MATCH: dict[str, Any] = {
    "parameters": [
        {
            "name": "If-None-Match",
            "in": "header",
            "required": False,
            "description": "An `ETag` of an earlier answer: the same answer is then an empty 304.",
            **_TEXT,
        }
    ]
}
_HEADERS: dict[str, dict[str, Any]] = {
    "ETag": {"description": "Names this answer, for If-None-Match.", "required": True, **_TEXT},
    REQUEST_ID: {
        "description": "The id of the request: the client's own, or a new one. The log has it.",
        "required": True,
        **_TEXT,
    },
    "Retry-After": {
        "description": "After how many seconds to try again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
    },
    "WWW-Authenticate": {"description": "The scheme of the key.", "required": True, **_TEXT},
}


def header(*names: str) -> dict[str, Any]:
    """Return these headers of a response, by reference to their description."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


_OF_STATUS = {"429": "Retry-After", "401": "WWW-Authenticate"}
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {
        "description": "The answer is the one whose ETag was sent as If-None-Match.",
        "headers": header("ETag"),
    }
}
WITH_ETAG: dict[int | str, dict[str, Any]] = {200: {"headers": header("ETag")}}


def problems(*errors: AnalyzerError) -> dict[int | str, dict[str, Any]]:
    """Return the documented responses for errors: by status, with an example for each reason."""
    found: dict[int | str, dict[str, Any]] = {}
    for error in sorted(errors, key=lambda error: error.http_status):
        response = found.setdefault(
            error.http_status,
            {"model": Problem, "description": "", "content": {MEDIA_TYPE: {"examples": {}}}},
        )
        response["content"][MEDIA_TYPE]["examples"][error.reason] = {
            "value": problem_json(error, "0123456789abcdef0123456789abcdef")
        }
        response["description"] = ", ".join(response["content"][MEDIA_TYPE]["examples"])
    return found


def gif_body() -> dict[str, Any]:
    """Return the three forms of a request's body."""
    binary = {"type": "string", "format": "binary"}
    return {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "additionalProperties": False,
                    "properties": {"file": binary},
                }
            },
            **{media_type: {"schema": binary} for media_type in RAW},
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["url"],
                    "additionalProperties": False,
                    "properties": {"url": {"type": "string", "format": "uri"}},
                },
                "example": {"url": "https://media.giphy.com/media/yAqdjThdDEMF2/giphy.gif"},
            },
        },
    }


def complete(document: dict[str, Any], *, keyed: bool) -> None:
    """Add to FastAPI's document what FastAPI does not know, and remove what is not true.

    `keyed` says whether a key must be sent; else it may be.
    """
    components = document["components"]
    components["securitySchemes"] = KEYS
    components["headers"] = _HEADERS
    for unused in ("HTTPValidationError", "ValidationError"):  # FastAPI's own errors, which are never sent
        components["schemas"].pop(unused, None)
    for operations in document["paths"].values():
        for operation in operations.values():
            responses = operation["responses"]
            _only_problem_json(responses)
            if "401" in responses:
                operation["security"] = [{name: []} for name in KEYS] + ([] if keyed else [{}])
            for status, response in responses.items():
                names = [REQUEST_ID, *([_OF_STATUS[status]] if status in _OF_STATUS else [])]
                response.setdefault("headers", {}).update(header(*names))


def _only_problem_json(responses: dict[str, Any]) -> None:
    """Remove FastAPI's own 422, and plain JSON where errors are problem+json."""
    if MEDIA_TYPE not in responses.get("422", {}).get("content", {MEDIA_TYPE: {}}):
        del responses["422"]
    for status, response in responses.items():
        if status.startswith(("4", "5")):
            content = response["content"]
            schema = content.pop("application/json", {}).get("schema")
            if schema:
                content[MEDIA_TYPE]["schema"] = schema
