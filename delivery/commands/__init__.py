"""The commands of `gif-deliver`, one in a file: **options** -> work elsewhere -> **one answer**."""
