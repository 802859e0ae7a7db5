"""What every request at /v1 must fulfil: known parameters, and a key if the settings have keys."""

from __future__ import annotations

import difflib
import hmac

from fastapi import Depends, Request

from gateway.rest.schemas import API_KEY, KEY_ADVICE
from services.errors import InvalidRequest, Unauthorized

MAX_NAME = 80  # characters of an unknown parameter that the error repeats


async def _check_key(request: Request) -> None:
    keys = request.app.state.settings.api_keys
    if not keys:
        return
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    sent = request.headers.get(API_KEY) or (token.strip() if scheme.lower() == "bearer" else "")
    if not sent:
        raise Unauthorized(KEY_ADVICE)
    # Every key is compared, each in constant time, so that the time taken tells nothing about them.
    matches = [hmac.compare_digest(sent.encode(), key.encode()) for key in keys]
    if not any(matches):
        raise Unauthorized("this key is not known here")


async def _check_parameters(request: Request) -> None:
    """Refuse an unknown parameter, which would silently do nothing, and one that is given twice."""
    known = sorted(parameter.alias for parameter in request.scope["route"].dependant.query_params)
    given = [name for name, _ in request.query_params.multi_items()]
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            what = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known) or 'none'}"
            raise InvalidRequest(f"unknown parameter {name[:MAX_NAME]!r}{what}")
        if given.count(name) > 1:
            raise InvalidRequest(f"the parameter {name} is given more than once")


AUTHORIZED = [Depends(_check_key), Depends(_check_parameters)]
