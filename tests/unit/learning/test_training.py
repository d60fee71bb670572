from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from ml_backend.encoder import Encoder
from ml_backend.examples import examples_of
from ml_backend.labeling.config import parse
from ml_backend.labeling.errors import NotEnoughLabels
from ml_backend.labeling.results import Task
from ml_backend.model_registry import ModelRegistry
from ml_backend.training import out_of_fold, train
from tests.unit.learning.reviews import SENTIMENT, choice, labelled, reviews, stars, task

PROJECT = "1.1795381865"


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    return ModelRegistry(str(tmp_path / "models"))


def relabelled(tasks: list[Task], label: str) -> list[Task]:
    return [task(it.id, it.data, [choice("sentiment", label)]) for it in tasks]


def test_the_first_version_answers_at_once(encoder: Encoder, registry: ModelRegistry) -> None:
    outcome = train(PROJECT, SENTIMENT, labelled(40), encoder, registry)
    assert outcome.promoted
    assert outcome.labels == 40
    assert outcome.version == registry.live(PROJECT)
    assert outcome.metrics["sentiment"]["accuracy"] > 0.8
    (info,) = registry.versions(PROJECT)
    assert (info.version, info.encoder, info.config_fingerprint) == (outcome.version, encoder.id, SENTIMENT.fingerprint)
    assert info.version.startswith("few-shot-40-")


def test_the_same_labels_lead_to_the_same_version(encoder: Encoder, registry: ModelRegistry) -> None:
    first = train(PROJECT, SENTIMENT, labelled(40), encoder, registry)
    again = train(PROJECT, SENTIMENT, labelled(40)[::-1], encoder, registry)
    assert again == first
    assert len(registry.versions(PROJECT)) == 1


def test_a_training_cut_short_before_its_promotion_is_completed_by_the_next(
    encoder: Encoder, registry: ModelRegistry
) -> None:
    saved = train(PROJECT, SENTIMENT, labelled(40), encoder, registry, promote=False)
    assert not saved.promoted
    assert registry.live(PROJECT) is None
    done = train(PROJECT, SENTIMENT, labelled(40), encoder, registry)
    assert (done.version, done.promoted, registry.live(PROJECT)) == (saved.version, True, saved.version)


def test_more_labels_replace_the_live_version(encoder: Encoder, registry: ModelRegistry) -> None:
    first = train(PROJECT, SENTIMENT, labelled(30), encoder, registry)
    second = train(PROJECT, SENTIMENT, labelled(80), encoder, registry)
    assert second.promoted
    assert registry.live(PROJECT) == second.version != first.version
    assert "new to the live version" in second.reason


def test_a_version_that_is_worse_is_kept_but_does_not_answer(encoder: Encoder, registry: ModelRegistry) -> None:
    good = train(PROJECT, SENTIMENT, labelled(80), encoder, registry)
    new = labelled(140)[80:]
    spoilt = [*relabelled(labelled(40), "positive"), *relabelled(labelled(80)[40:], "negative"), *new[:24]]
    worse = train(PROJECT, SENTIMENT, spoilt, encoder, registry)
    assert not worse.promoted
    assert "worse than the live version" in worse.reason
    assert registry.live(PROJECT) == good.version
    assert {info.version for info in registry.versions(PROJECT)} == {good.version, worse.version}


def test_a_changed_config_lets_the_new_version_answer(encoder: Encoder, registry: ModelRegistry) -> None:
    train(PROJECT, SENTIMENT, labelled(80), encoder, registry)
    config = parse(SENTIMENT.xml.replace("</Choices>", '<Choice value="Mixed" alias="mixed"/></Choices>'))
    outcome = train(PROJECT, config, labelled(30), encoder, registry)
    assert outcome.promoted
    assert "config changed" in outcome.reason


def test_a_version_that_was_rolled_back_does_not_come_back_by_itself(encoder: Encoder, registry: ModelRegistry) -> None:
    first = train(PROJECT, SENTIMENT, labelled(30), encoder, registry)
    train(PROJECT, SENTIMENT, labelled(60), encoder, registry)
    registry.rollback(PROJECT)
    again = train(PROJECT, SENTIMENT, labelled(60), encoder, registry)
    assert not again.promoted
    assert "rolled back" in again.reason
    assert registry.live(PROJECT) == first.version


def test_a_damaged_version_is_trained_anew(encoder: Encoder, registry: ModelRegistry, tmp_path: Path) -> None:
    first = train(PROJECT, SENTIMENT, labelled(30), encoder, registry)
    (tmp_path / "models" / PROJECT / first.version / "arrays.safetensors").write_bytes(b"torn")
    again = train(PROJECT, SENTIMENT, labelled(30), encoder, registry)
    assert again.promoted
    assert registry.load(PROJECT, again.version).heads


def test_too_few_labels_are_said_with_numbers_for_each_control(encoder: Encoder, registry: ModelRegistry) -> None:
    config = parse(SENTIMENT.xml.replace("</View>", '<Rating name="rating" toName="text"/></View>'))
    tasks = [*labelled(3), task(9, {"text": "Fine."}, [stars("rating", 3)])]
    with pytest.raises(NotEnoughLabels, match=r"'sentiment' has 3 .*'rating' has 1 "):
        train(PROJECT, config, tasks, encoder, registry)
    assert registry.versions(PROJECT) == []


def test_a_project_that_asks_for_nothing_learnable_says_so(encoder: Encoder, registry: ModelRegistry) -> None:
    config = parse(
        '<View><Image name="i" value="$image"/><RectangleLabels name="b" toName="i"><Label value="x"/>'
        "</RectangleLabels></View>"
    )
    with pytest.raises(NotEnoughLabels, match="nothing that can be learned"):
        train(PROJECT, config, [], encoder, registry)


def test_a_control_with_too_few_labels_does_not_hold_up_the_others(encoder: Encoder, registry: ModelRegistry) -> None:
    config = parse(SENTIMENT.xml.replace("</View>", '<Rating name="rating" toName="text"/></View>'))
    outcome = train(PROJECT, config, labelled(30), encoder, registry)
    assert set(outcome.metrics) == {"sentiment"}


def test_tasks_without_text_or_answer_teach_nothing(encoder: Encoder, registry: ModelRegistry) -> None:
    empty = [
        task(900 + i, {"text": text}, [choice("sentiment", "positive")]) for i, text in enumerate(["", "  ", None])
    ]
    skipped = [task(950, {"text": "Skipped."}, [choice("sentiment", "negative")], was_cancelled=True)]
    unlabelled = [task(960, {"text": "Nobody looked."})]
    outcome = train(PROJECT, SENTIMENT, [*labelled(30), *empty, *skipped, *unlabelled], encoder, registry)
    assert outcome.labels == 30


def test_the_majority_of_annotators_is_learned_and_weighs_by_how_sure_it_is(encoder: Encoder) -> None:
    yes, no = [choice("sentiment", "positive")], [choice("sentiment", "negative")]
    tasks = [
        task(1, {"text": "a"}, yes, yes, yes),
        task(2, {"text": "b"}, no, yes, no),
        task(3, {"text": "c"}, yes, no),
    ]
    known = examples_of(SENTIMENT, tasks, encoder)["sentiment"]
    assert known.tasks == (1, 2, 3)
    assert known.answers[:2] == (("positive",), ("negative",))
    agreed, outvoted, tied = known.weights.tolist()
    assert 1 >= agreed > outvoted > tied > 0
    assert tied <= 0.5


def test_ground_truth_outvotes_everybody(encoder: Encoder) -> None:
    yes, no = [choice("sentiment", "positive")], [choice("sentiment", "negative")]
    voted, judged = task(1, {"text": "a"}, yes, yes), task(1, {"text": "a"}, no, ground_truth=True)
    expert = replace(judged.annotations[0], annotator="expert@example.com")
    known = examples_of(SENTIMENT, [replace(voted, annotations=(*voted.annotations, expert))], encoder)["sentiment"]
    assert known.answers == (("negative",),)
    assert known.weights.tolist() == [1.0]


def test_what_a_review_decided_outvotes_ground_truth_and_is_certain(encoder: Encoder) -> None:
    yes, no = [choice("sentiment", "positive")], [choice("sentiment", "negative")]
    final = [{**no[0], "meta": {"tiebreak": {"review": "7/8/9"}}}]
    known = examples_of(SENTIMENT, [task(1, {"text": "a"}, yes, yes, final, ground_truth=True)], encoder)["sentiment"]
    assert known.answers == (("negative",),)
    assert known.weights.tolist() == [1.0]


def test_imported_annotations_that_all_claim_to_be_ground_truth_are_votes(encoder: Encoder) -> None:
    yes, no = [choice("sentiment", "positive")], [choice("sentiment", "negative")]
    known = examples_of(SENTIMENT, [task(1, {"text": "a"}, yes, no, yes, ground_truth=True)], encoder)["sentiment"]
    assert known.answers == (("positive",),)
    assert known.weights[0] < 1


def test_out_of_fold_opinions_cover_the_labelled_tasks(encoder: Encoder) -> None:
    tasks = [*labelled(40), task(99, {"text": "Nobody looked."})]
    found = out_of_fold(SENTIMENT, tasks, encoder)
    assert set(found) == {"sentiment"}
    assert set(found["sentiment"]) == set(range(1, 41))
    label = {i: answer for i, (_, answer) in enumerate(reviews(40), 1)}
    right = [opinion.answer == (label[id],) for id, opinion in found["sentiment"].items()]
    assert sum(right) > 32


def test_many_texts_are_judged_by_what_a_sample_of_them_teaches(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml_backend.training.MOST_HELD_OUT", 60)
    known = labelled(200)
    twins = [task(1000 + it.id, it.data, [choice("sentiment", "negative")]) for it in known[:20]]
    found = out_of_fold(SENTIMENT, [*known, *twins], encoder)["sentiment"]
    assert set(found) == {it.id for it in (*known, *twins)}
    right = [found[it.id].answer == (label,) for it, (_, label) in zip(known, reviews(200), strict=True)]
    assert sum(right) > 170
    assert all(found[1000 + it.id].answer == found[it.id].answer for it in known[:20])


def test_out_of_fold_opinions_need_labels(encoder: Encoder) -> None:
    with pytest.raises(NotEnoughLabels):
        out_of_fold(SENTIMENT, labelled(3), encoder)


def test_a_training_that_lost_its_lease_stores_its_version_and_promotes_nothing(
    registry: ModelRegistry, encoder: Encoder
) -> None:
    outcome = train(PROJECT, SENTIMENT, labelled(40), encoder, registry, promote=lambda: False)
    assert not outcome.promoted
    assert "cut off" in outcome.reason
    assert registry.live(PROJECT) is None
    assert train(PROJECT, SENTIMENT, labelled(40), encoder, registry, promote=lambda: True).promoted
