"""Where servers may listen: **how many** -> **ports of this machine that nobody listens on now**."""

from __future__ import annotations

import contextlib
import socket


def free_ports(count: int) -> list[int]:
    """Ports on 127.0.0.1, no two the same; all are held until the last is found, then free."""
    with contextlib.ExitStack() as held:
        servers = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]
