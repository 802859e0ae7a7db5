"""What both gRPC services share: messages, errors on the wire, a server that drains, a channel that retries.

Nothing is imported here, so that `services.rpc.settings` can be had without grpc.
"""

import os

# Read when grpc is first imported. Its core would write lines of its own among ours, which are JSON.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
