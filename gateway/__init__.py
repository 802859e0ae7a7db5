"""The user interfaces: command line (`commands`), REST and web page (`rest`), AWS Lambda, and `batch`.

`pipeline` joins the two services, and `fetch` gets GIFs from addresses. import-linter checks the imports.
"""
