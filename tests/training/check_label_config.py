"""Hold tasks to their labelling interface with label-studio-sdk: check_label_config.py FOLDER.

Run by the Python of .venv/review. It fails with the reason; nothing is printed when all is well.
"""

import json
import sys
from pathlib import Path

from label_studio_sdk.label_interface import LabelInterface

folder = Path(sys.argv[1])
interface = LabelInterface((folder / "config.xml").read_text("utf-8"))
interface.validate()
tasks = json.loads((folder / "tasks.json").read_text("utf-8"))
assert tasks
for task in tasks:
    assert all(shown.value_name in task["data"] for shown in interface.objects)
    problems = [
        why for each in task["predictions"] for why in interface.validate_prediction(each, return_errors=True)
    ]
    assert not problems, problems
