"""The REST API and the web page: HTTP requests in, the shows of GIFs or errors out."""
