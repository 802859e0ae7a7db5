"""The names in a query: **a request** -> nothing, or an error that names the nearest right one."""

from __future__ import annotations

import difflib

from fastapi import Request

from services.errors import InvalidRequest

_MOST = 80  # characters of a name that are repeated


async def check_parameters(request: Request) -> None:
    """Refuse a parameter that the path does not know: misspelt, it would silently do nothing.

    Raises:
        InvalidRequest: names it and the nearest right one.
    """
    known = sorted(parameter.alias for parameter in request.scope["route"].dependant.query_params)
    for name in request.query_params:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            what = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known) or 'none'}"
            raise InvalidRequest(f"unknown parameter {name[:_MOST]!r}{what}")
