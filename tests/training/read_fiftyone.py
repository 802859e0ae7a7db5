"""Read a folder with FiftyOne's own importer, and print its samples as JSON: read_fiftyone.py FOLDER.

Run by the Python of .venv/review. The importer makes samples in memory: no database is needed for them.
"""

import json
import sys

from fiftyone.utils.data.importers import LegacyFiftyOneDatasetImporter

with LegacyFiftyOneDatasetImporter(sys.argv[1]) as importer:
    found = [
        {
            "filepath": sample.filepath,
            "truth": sample.ground_truth.label,
            "predicted": sample.prediction.label,
            "confidence": sample.prediction.confidence,
            "sha256": sample.sha256,
            "tags": list(sample.tags),
        }
        for sample in importer
    ]
    sys.stdout.write(json.dumps({"info": importer.get_dataset_info(), "samples": found}))
