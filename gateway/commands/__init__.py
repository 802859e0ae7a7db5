"""The commands of `gif-analyzer` and what they print: **options** -> work elsewhere -> **lines of text**."""
