"""A zip that AWS Lambda runs: **pinned wheels, this project, a model** -> pruned, compiled -> **one file**.

wheels -> source -> prune -> compile -> archive; `build` knows the order.
"""

from delivery.bundle.build import Bundle, build_bundle
from delivery.bundle.sizes import UNZIPPED_LIMIT, ZIPPED_LIMIT
from delivery.bundle.target import Target

__all__ = ["UNZIPPED_LIMIT", "ZIPPED_LIMIT", "Bundle", "Target", "build_bundle"]
