"""Builds the zip that AWS Lambda runs, from pinned wheels, this project and a model."""

from delivery.bundle.build import UNZIPPED_LIMIT, ZIPPED_LIMIT, Bundle, build_bundle
from delivery.bundle.python import Target

__all__ = ["UNZIPPED_LIMIT", "ZIPPED_LIMIT", "Bundle", "Target", "build_bundle"]
