"""What a manifest governs in Label Studio, one file each: how it is found again, compared and changed.

Planning is pure: it sees Label Studio's JSON as it was read, and adds changes, notes and refusals to a draft.
"""
