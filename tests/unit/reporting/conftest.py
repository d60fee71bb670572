from __future__ import annotations

import pytest

from ml_backend.report_history import ReportHistory
from ml_backend.settings import Settings, load_settings
from sdk_scripts.report import MadeReport, make_report
from sdk_scripts.report.collect import collect
from sdk_scripts.report.kept import Before
from sdk_scripts.report.model import Report
from tests.unit.reporting.made import KEY, dataset
from tests.unit.sync.conftest import folder, manifest

__all__ = ["folder", "manifest"]


@pytest.fixture
def history(settings: Settings) -> ReportHistory:
    return ReportHistory(settings, KEY)


@pytest.fixture(scope="package")
def own(tmp_path_factory: pytest.TempPathFactory, converted_encoders: str) -> Settings:
    """Of a home that no test writes to."""
    return load_settings(home=tmp_path_factory.mktemp("own"), converted_encoders=converted_encoders)


@pytest.fixture(scope="package")
def core(own: Settings) -> Report:
    """Of `dataset()`."""
    return collect(dataset(), own)


@pytest.fixture(scope="package")
def first(own: Settings) -> MadeReport:
    """The first report of `dataset()`."""
    return make_report(dataset(), own, Before())
