"""Facts about tasks, and policies, for routing to decide on."""

from __future__ import annotations

from hypothesis import strategies as st

from ml_backend.labeling.arms import ARMS
from ml_backend.labeling.thresholds import Threshold
from ml_backend.policy import Accept, Expert, Policy, Tier
from sdk_scripts.route_decisions import Judged

share = st.floats(0, 1)
severity = st.sampled_from([0.0, 0.5, 1.0, 3.0, 5.0, 10.0])
accepts = st.builds(
    Accept,
    tiers=st.lists(st.builds(Tier, severity=severity, error=st.sampled_from([0.01, 0.05])), min_size=1, max_size=3).map(
        lambda tiers: tuple({it.severity: it for it in tiers}.values())
    ),
    people_from=st.none() | severity,
)
experts = st.builds(
    Expert,
    severity_from=st.none() | severity,
    models_differ=st.none() | share,
    instruction_like=st.booleans(),
)
policies = st.builds(Policy, accept=st.none() | accepts, expert=st.none() | experts)
thresholds = st.dictionaries(
    st.tuples(severity, st.sampled_from(["local", "joint"])),
    st.none() | st.builds(lambda it: Threshold(it, 0.5, 100, 0, 0.01), share),
)
judged = st.builds(
    Judged,
    task=st.integers(1, 10**6),
    arm=st.sampled_from(ARMS),
    by=st.sampled_from(["local", "joint"]),
    confidence=st.none() | share,
    severity=severity,
    severe=st.sampled_from(["", "verdict"]),
    differ=share,
    differing=st.sampled_from(["", "verdict"]),
    instruction=st.sampled_from(["", "the text asks for a label"]),
)
