"""Everything a user meets: the command line, REST, the web page, AWS Lambda."""
