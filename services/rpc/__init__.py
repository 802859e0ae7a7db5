"""What both gRPC services share: messages, errors on the wire, a server that drains, a channel that retries.

Empty, so that `services.rpc.settings` can be had without grpc.
"""
