"""REST and the web page: **an HTTP request** -> a GIF -> the pipeline, in threads -> **an HTTP answer**."""
