"""A manifest's folder and its project in Label Studio: what tests of sync share."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any

from ml_backend.settings import Settings
from ml_backend.studio import Studio
from sdk_scripts.sync import SyncOutcome, sync

CONFIG = """<View>
  <Text name="review" value="$text"/>
  <Choices name="verdict" toName="review"><Choice value="ham"/><Choice value="spam"/></Choices>
  <Rating name="stars" toName="review" maxRating="5"/>
</View>"""

GUIDELINES = """# What *spam* is

A "quoted" word, an ampersand & a tag <script>alert(1)</script>, `code < "x"`, caf\u00e9, &copy; and \\*.

3. third
4. fourth

| n | said |
|--:|:----:|
| 1 | ~~no~~ [link](https://example.com/?a=1&b=2 "a title") |

```python
if a < b and c > "d":
    pass
```
> quoted
"""

EVERYTHING = """
title: Reviews of {name}
description: What people write.
color: "#3366cc"
guidelines: guidelines.md
show_instruction: true
show_skip_button: false
enable_empty_annotation: false
show_annotation_history: true
show_collab_predictions: true
evaluate_predictions_automatically: false
reveal_preannotations_interactively: true
annotator_evaluation_enabled: false
skip_queue: REQUEUE_FOR_ME
sampling: uncertainty
overlap: {{maximum_annotations: 3, cohort_percentage: 60, show_first: true}}
views:
  - title: Least certain first
    order_by: predictions_score
    filters:
      - {{column: total_predictions, operator: greater, value: 0}}
      - {{column: data.price, operator: less, value: 9.5}}
  - title: Skipped or new
    match: any
    layout: grid
    order_by: -created_at
    filters:
      - {{column: cancelled_annotations, operator: greater, value: 0}}
      - {{column: created_at, operator: in, value: {{min: "2026-01-01T00:00:00Z", max: "2027-01-01T00:00:00Z"}}}}
      - {{column: draft_exists, operator: equal, value: true}}
      - {{column: predictions_model_versions, operator: contains, value: [a]}}
      - {{column: data.text, operator: contains, value: "é <b>"}}
    hidden_columns: [annotations_ids, data.tiebreak_key]
tasks:
  - {{file: rows.jsonl, key: id, fields: {{body: text, price: price, tags: tags}}, meta: [seller]}}
"""
if os.environ.get("CONTRACT_STUDIO", "1.23") < "1.23":  # see matrix.py
    EVERYTHING = EVERYTHING.replace("annotator_evaluation_enabled: false\n", "")


ROWS = [
    {"id": 1, "body": "good", "price": 9.5, "tags": ["a", {"b": None}], "seller": {"name": "s"}},
    {"id": 2, "body": "", "price": 10, "tags": [], "seller": None},
    {"id": "x/ü", "body": "=1+1 <b>{{7*7}}</b> ${HOME}", "price": -1, "tags": "", "seller": 3},
]


class Project:
    """A manifest's folder with a name of its own, and its project in Label Studio."""

    def __init__(self, folder: Path, studio: Studio, settings: Settings) -> None:
        self.folder, self.studio, self.settings = folder, studio, settings
        self.name = f"p{uuid.uuid4().hex[:10]}"
        self.write(GUIDELINES, "guidelines.md")
        self.write(CONFIG, "config.xml")

    def write(self, content: str, file: str) -> None:
        (self.folder / file).write_text(content, "utf-8")

    def manifest(self, yaml: str = "title: Some reviews\n") -> None:
        self.write(f"name: {self.name}\n" + yaml, "project.yaml")

    def sync(self, **options: Any) -> SyncOutcome:
        return sync([self.folder], self.settings, **options)

    def apply(self, **options: Any) -> SyncOutcome:
        """Apply, and see that a second plan is empty."""
        outcome = self.sync(apply=True, **options)
        assert outcome.applied
        assert not self.sync().changes
        return outcome

    @property
    def id(self) -> int:
        return self.sync().projects[self.name]
