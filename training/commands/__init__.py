"""The commands of `gif-train`, one in a file: **options** -> work elsewhere -> **one answer**."""
