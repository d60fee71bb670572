"""What every section of project.yaml has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Unknown fields are refused, and what was read does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)
