"""Batch: **a folder, a manifest, a bucket of GIFs** -> workers on Daft -> **one Parquet file**."""
