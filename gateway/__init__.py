"""Everything a user meets: the command line, REST, the web page, AWS Lambda, batch.

Its rooms: `commands` is for people at a terminal, `rest` answers by HTTP, `batch` answers millions of GIFs,
`fetch` gets GIFs by their address. What lies beside them belongs to all, `pipeline` above all. import-linter
holds who may know whom.
"""
