"""How sure a model is: by the probabilities of its tokens, and by asking it several times."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml_backend.labeling.config import parse
from ml_backend.large_model.reading import read
from ml_backend.large_model.schema import answer_schema
from ml_backend.large_model.self_consistency import vote
from ml_backend.large_model.token_confidence import Sureness, read_tokens, sureness
from tests.large_model_server import log_probabilities, tokens
from tests.unit.large_model.asking import MODERATION, VERDICT, questions

slow = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def choices(labels: Sequence[str]) -> str:
    inside = "".join(f'<Choice value="{label}"/>' for label in labels)
    return (
        '<View><Text name="text" value="$text"/><Choices name="first" toName="text"><Choice value="yes"/>'
        f'<Choice value="no"/></Choices><Choices name="verdict" toName="text">{inside}</Choices></View>'
    )


def found(said: str, logprobs: Any, xml: str = VERDICT.xml) -> dict[str, Sureness]:
    config = parse(xml)
    schema = answer_schema(config, config.answerable, {})
    [question] = questions(config, {"text": "words", "title": "words", "body": "cures it"})
    return sureness(said, read(said, config, schema, question), schema, read_tokens(logprobs, said))


def spelled(*ways: Mapping[str, float]) -> dict[str, Any]:
    """Log-probabilities of tokens of which each is the first key of its ways on."""
    content = []
    for way in ways:
        items = [{"token": token, "logprob": math.log(it)} for token, it in way.items()]
        content.append({**items[0], "top_logprobs": items})
    return {"content": content}


labels = st.lists(
    st.text("abc ", min_size=1, max_size=9).map(str.strip).filter(bool), min_size=2, max_size=8, unique=True
)


@slow
@given(labels, st.data())
def test_probabilities_of_labels_are_recovered_whatever_their_beginnings_share(
    names: list[str], data: st.DataObject
) -> None:
    weights = data.draw(st.lists(st.integers(1, 100), min_size=len(names) + 1, max_size=len(names) + 1))
    truth = {name: weight / sum(weights) for name, weight in zip([*names, None], weights, strict=True)}
    answer = data.draw(st.sampled_from(names))
    given = {"first": "yes", "verdict": answer}
    said = json.dumps(given)
    logprobs = {"content": log_probabilities(said, given, {"verdict": truth})}
    sure = found(said, logprobs, choices(names))["verdict"]
    assert sure.confidence == sure.probabilities[answer] == pytest.approx(truth[answer])
    assert sum(sure.probabilities.values()) == pytest.approx(1 - truth[None])
    for way in {_parting(name, answer) for name in names}:  # labels behind one token that was not followed share it
        together = [name for name in names if _parting(name, answer) == way]
        shares = [sure.probabilities[name] for name in together]
        assert shares == pytest.approx([sum(truth[name] for name in together) / len(together)] * len(together))


def _parting(name: str, answer: str) -> tuple[str, ...]:
    """The tokens of a label up to where they are no longer those of the answer."""
    both = list(zip(tokens(f'"{name}"}}'), tokens(f'"{answer}"}}'), strict=False))
    apart = next((place for place, (a, b) in enumerate(both) if a != b), len(both))
    return tuple(a for a, _ in both[: apart + 1])


@pytest.mark.parametrize(
    ("ways", "expected"),
    [
        # one token decides; a way that leads to no label is not counted
        ([{'"allow': 0.6, '"reject': 0.2, '"maybe': 0.2}, {'"': 1.0}], {"allow": 0.75, "reject": 0.25}),
        # a label that begins another: the longest token that begins it is its own
        ([{'"allow': 0.6, '"all': 0.3, '"reject': 0.1}, {'"': 1.0}], {"allow": 0.6, "all": 0.3, "reject": 0.1}),
        # shared beginning, decided by the second token
        (
            [{'"al': 0.8, '"reject': 0.2}, {"l": 0.25, "low": 0.75}, {'"': 1.0}],
            {"all": 0.2, "allow": 0.6, "reject": 0.2},
        ),
        # decided by the closing quote
        ([{'"all': 0.9, '"reject': 0.1}, {'"': 0.5, "ow": 0.5}], {"all": 0.45, "allow": 0.45, "reject": 0.1}),
        # a way not followed that leads to two labels is worth half for each
        ([{'"reject': 0.6, '"al': 0.4}, {'"': 1.0}], {"reject": 0.6, "all": 0.2, "allow": 0.2}),
        # spelled in shorter tokens than are usual: the longer one leads to the label, too
        (
            [{'"al': 0.5, '"allow': 0.3, '"reject': 0.2}, {"low": 0.75, "l": 0.25}, {'"': 1.0}],
            {"allow": 0.675, "reject": 0.2, "all": 0.125},
        ),
        (
            [{'"rej': 0.5, '"reject': 0.3, '"all': 0.2}, {"ect": 1.0}, {'"': 1.0}],
            {"reject": 0.8, "all": 0.1, "allow": 0.1},
        ),
        # a null that was close
        ([{'"reject': 0.7, "null": 0.3}, {'"': 1.0}], {"reject": 0.7}),
        # what is not listed may be a label, too
        ([{'"reject': 0.5, '"allow': 0.25}, {'"': 1.0}], {"reject": 0.5, "allow": 0.25}),
        # spelling after the decision does not count
        (
            [{'"re': 0.9, '"all': 0.1}, {"j": 0.5, "x": 0.5}, {"ect": 0.5, "y": 0.5}, {'"': 1.0}],
            {"reject": 0.9, "all": 0.05, "allow": 0.05},
        ),
    ],
)
def test_a_value_is_as_probable_as_the_tokens_that_decide_it(
    ways: list[dict[str, float]], expected: Mapping[str, float]
) -> None:
    value = "".join(next(iter(way)) for way in ways)
    sure = found(f'{{"verdict": {value}}}', spelled({'{"verdict": ': 1.0}, *ways, {"}": 1.0}))["verdict"]
    assert sure.probabilities == pytest.approx(expected)
    assert sure.confidence == pytest.approx(next(expected[label] for label in expected if f'"{label}"' == value))


def test_tokens_that_go_beyond_a_value_on_both_sides_are_understood() -> None:
    sure = found(
        '{"verdict":"all"}',
        spelled({'{"verdict': 1.0}, {'":"all': 0.75, '":"reject': 0.25, '": "': 0.0001}, {'"}': 1.0}),
    )
    assert sure["verdict"].probabilities == pytest.approx({"all": 0.75, "reject": 0.25}, rel=1e-3)


def test_without_other_ways_on_the_tokens_said_are_all_there_is() -> None:
    content = [
        {"token": token, "logprob": math.log(it)}
        for token, it in [('{"verdict": ', 1), ('"al', 0.5), ('l"', 0.8), ("}", 1)]
    ]
    sure = found('{"verdict": "all"}', {"content": content})["verdict"]
    assert sure == Sureness(pytest.approx(0.4), {"all": pytest.approx(0.4)})


def test_numbers_that_begin_alike_are_told_apart_by_what_follows() -> None:
    xml = '<View><Text name="text" value="$text"/><Rating name="stars" toName="text" maxRating="12"/></View>'
    ways = spelled({'{"stars": ': 1.0}, {"1": 0.8, "2": 0.2}, {"}": 0.5, "0": 0.3, "2": 0.2})
    sure = found('{"stars": 1}', ways, xml)["stars"]
    assert sure.probabilities == pytest.approx({"1": 0.4, "10": 0.24, "12": 0.16, "2": 0.2})
    assert sure.confidence == pytest.approx(0.4)


def test_a_longer_number_is_another_number() -> None:
    xml = '<View><Text name="text" value="$text"/><Rating name="stars" toName="text" maxRating="12"/></View>'
    sure = found('{"stars": 1}', spelled({'{"stars": ': 1.0}, {"1": 0.6, "10": 0.4}, {"}": 1.0}), xml)["stars"]
    assert sure.probabilities == pytest.approx({"1": 0.6, "10": 0.4})


def test_a_list_is_as_probable_as_each_of_its_places_and_its_end() -> None:
    xml = MODERATION.xml
    said = '{"tags": ["price", "contact"]}'
    ways = spelled(
        {'{"tags": [': 1.0}, {'"price': 0.9, '"brand': 0.1}, {'",': 0.8, '"]': 0.2}, {" ": 1.0},
        {'"contact': 0.75, '"brand': 0.25}, {'"': 1.0}, {"]": 0.5, ",": 0.5}, {"}": 1.0},
    )  # fmt: skip
    sure = found(said, ways, xml)["tags"]
    assert sure.confidence == pytest.approx(0.9 * 0.75 * 0.5)
    assert sure.probabilities == pytest.approx({"price": 0.9, "contact": 0.75, "brand": 0.25})


def test_what_has_no_labels_is_as_probable_as_all_its_tokens() -> None:
    ways = spelled(
        {'{"price": ': 1.0},
        {"12": 0.8, "13": 0.2},
        {".5": 0.5, ".4": 0.5},
        {', "why": "': 1.0},
        {"so": 0.25},
        {'"}': 1.0},
    )
    sure = found('{"price": 12.5, "why": "so"}', ways, MODERATION.xml)
    assert sure["price"] == Sureness(pytest.approx(0.4), {})
    assert sure["why"] == Sureness(pytest.approx(0.25), {})


def test_characters_that_span_tokens_are_read_by_their_bytes() -> None:
    xml = (
        '<View><Text name="text" value="$text"/><Choices name="verdict" toName="text"><Choice value="漢"/>'
        '<Choice value="汉"/></Choices></View>'
    )
    a, b = '"漢'.encode(), '"汉'.encode()
    halves = [(a[:2], 1.0, [(a[:2], 1.0)]), (a[2:], 0.7, [(a[2:], 0.7), (b[2:], 0.3)])]
    content = [{"token": '{"verdict": ', "logprob": 0.0, "top_logprobs": []}]
    for said, share, ways in halves:
        listed = [{"token": "\ufffd", "bytes": list(way), "logprob": math.log(it)} for way, it in ways]
        content.append({"token": "\ufffd", "bytes": list(said), "logprob": math.log(share), "top_logprobs": listed})
    content.append({"token": '"}', "logprob": 0.0})
    sure = found('{"verdict": "漢"}', {"content": content}, xml)["verdict"]
    assert sure.probabilities == pytest.approx({"漢": 0.7, "汉": 0.3})


@pytest.mark.parametrize(
    "logprobs",
    [
        None,
        [],
        {"content": None},
        {"content": [{"token": "other", "logprob": -1.0}]},
        {"content": [{"token": '{"verdict": "all"}', "logprob": "much"}]},
        {"content": [{"token": '{"verdict": "all"}'}]},
        {"content": ["token"]},
        {"content": [{"token": '{"verdict": "all"}', "logprob": float("nan")}]},
        {"content": [{"token": "x", "bytes": [300], "logprob": 0.0}]},
    ],
)
def test_log_probabilities_that_are_not_as_they_should_be_are_none(logprobs: Any) -> None:
    assert found('{"verdict": "all"}', logprobs) == {}


def votes(names: Sequence[str | None]) -> list[tuple[str, ...] | None]:
    return [None if it is None else (it,) for it in names]


@pytest.mark.parametrize(
    ("given", "answer", "confidence", "probabilities"),
    [
        (["allow"], "allow", 2 / 3, {"allow": 2 / 3}),
        (["allow"] * 3, "allow", 4 / 5, {"allow": 4 / 5}),
        (["allow", "reject", "reject"], "reject", 3 / 6, {"allow": 2 / 6, "reject": 3 / 6}),
        (["allow", "reject"], "allow", 2 / 5, {"allow": 2 / 5, "reject": 2 / 5}),
        (["allow", None, "allow"], "allow", 3 / 6, {"allow": 3 / 6}),
    ],
)
def test_an_answer_is_as_sure_as_its_share_of_the_votes(
    given: list[str | None], answer: str, confidence: float, probabilities: Mapping[str, float]
) -> None:
    opinion = vote(VERDICT["verdict"], votes(given))
    assert opinion is not None
    assert opinion.answer == (answer,)
    assert opinion.confidence == pytest.approx(confidence)
    assert opinion.probabilities == pytest.approx(probabilities)


@pytest.mark.parametrize("given", [[], [None], [None, None, "allow"], [None, "allow"]])
def test_who_abstains_most_often_has_no_opinion(given: list[str | None]) -> None:
    assert vote(VERDICT["verdict"], votes(given)) is None


@given(st.lists(st.sampled_from(["allow", "all", "reject", None]), min_size=1, max_size=20))
def test_shares_never_sum_to_more_than_one_and_more_votes_are_surer(given: list[str | None]) -> None:
    opinion = vote(VERDICT["verdict"], votes(given))
    if opinion is not None:
        assert sum(opinion.probabilities.values()) < 1
        assert opinion.confidence == max(opinion.probabilities.values())
    unanimous = [vote(VERDICT["verdict"], votes(["allow"] * count)) for count in range(1, 6)]
    assert all(less.confidence < more.confidence for less, more in pairwise(filter(None, unanimous)))


def test_votes_on_several_labels_count_each_label() -> None:
    opinion = vote(MODERATION["tags"], [("price", "brand"), ("price",), ("price", "brand")])
    assert opinion is not None
    assert opinion.answer == ("price", "brand")
    assert opinion.confidence == pytest.approx(3 / 6)
    assert opinion.probabilities == pytest.approx({"price": 5 / 6, "brand": 3 / 6})
