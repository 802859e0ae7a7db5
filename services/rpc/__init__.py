"""What both gRPC services share: messages, errors on the wire, the server, the client and the command line.

Nothing is imported here, so that `services.rpc.settings` can be imported without grpc.
"""

import os

# grpc reads this when it is first imported. Otherwise its core would write its own lines into our JSON log.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
