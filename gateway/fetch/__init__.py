"""GIFs that lie elsewhere: **an address** -> the public internet -> **bytes**, whatever they are for.

Nothing is imported here, so that `gateway.fetch.settings` can be had without the HTTP client.
"""
