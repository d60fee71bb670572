"""From Label Studio's JSON to what datasets, spaCy, pycocotools and a reader of BIO see."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from unit.analysis.exports import annotation, choice, dataset

from ml_backend.settings import Settings
from sdk_scripts.training_export.collect import Asked, collect
from sdk_scripts.training_export.rows import Wanted
from sdk_scripts.training_export.write import write
from tests.unit.training_export.made_exports import Load

XML = """<View>
  <Text name="text" value="$text"/><Image name="image" value="$image"/><Paragraphs name="talk" value="$talk"/>
  <Choices name="topic" toName="text"><Choice value="shoes"/><Choice value="bags"/></Choices>
  <Labels name="marks" toName="text"><Label value="claim"/><Label value="brand"/><Label value="noise"/></Labels>
  <ParagraphLabels name="said" toName="talk"><Label value="promise"/></ParagraphLabels>
  <RectangleLabels name="logos" toName="image"><Label value="logo"/></RectangleLabels>
</View>"""
MAPPING = """
topic: same
marks: {labels: {claim: Claim, brand: Brand}, drop: [noise]}
said: same
logos: same
"""
TEXT = "東京の Acme's 👩🏽 shoes"
TALK = [{"author": "a", "text": "Hello there"}, {"author": "b", "text": "it will come"}]


def region(control: str, to_name: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"from_name": control, "to_name": to_name, "type": kind, **more}


def answered(who: int, task: int) -> dict[str, Any]:
    box = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": ["logo"]}
    return annotation(
        task * 10 + who,
        who,
        choice("topic", "shoes"),
        region("marks", "text", "labels", value={"start": 4, "end": 8, "text": "Acme", "labels": ["brand"]}),
        region("marks", "text", "labels", value={"start": 0, "end": 2, "text": "東京", "labels": ["noise"]}),
        region("marks", "text", "labels", value={"start": 4, "end": 19, "labels": ["claim"]}),
        region(
            "said",
            "talk",
            "paragraphlabels",
            value={"start": "1", "end": "1", "startOffset": 3, "endOffset": 7, "paragraphlabels": ["promise"]},
        ),
        region("logos", "image", "rectanglelabels", value=box, original_width=1000, original_height=500),
    )


@pytest.fixture
def out(tmp_path: Path, settings: Settings) -> Path:
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(MAPPING)
    data = {"text": TEXT, "image": "/data/upload/1/a b.jpg", "talk": TALK}
    tasks = [{"id": n, "data": data, "annotations": [answered(who, n) for who in (1, 2)]} for n in (1, 2)]
    export = collect(dataset(tasks, XML), settings, Wanted(shares=(1, 0, 0)), Asked(mapping))
    write(export, tmp_path / "out", ["huggingface", "bio", "spacy", "coco"], settings)
    return tmp_path / "out"


def test_spans_come_through_as_bio_under_training_labels(out: Path) -> None:
    lines = (out / "bio/marks/train.conll").read_text().split("\n")[:8]
    assert lines == [
        "東\tO",
        "京\tO",
        "の\tO",
        "Acme\tB-Claim",
        "'\tI-Claim",
        "s\tI-Claim",
        "👩🏽\tI-Claim",
        "shoes\tI-Claim",
    ]
    said = (out / "bio/said/train.conll").read_text()
    assert said.startswith("Hello\tO\nthere\tO\nit\tO\nwill\tB-promise\ncome\tO\n\n")
    assert "| bio | a span that overlaps a longer one: left out | 2 |" in (out / "README.md").read_text()


def test_the_tasks_of_what_did_not_come_through_are_listed(out: Path) -> None:
    lost = json.loads((out / "export.json").read_text())["lost"]
    assert lost["bio"] == {"a span that overlaps a longer one: left out": [1, 2]}


def test_a_span_of_html_whose_place_is_not_known_is_counted(settings: Settings, tmp_path: Path) -> None:
    xml = """<View><HyperText name="page" value="$page"/>
      <HyperTextLabels name="marks" toName="page"><Label value="brand"/></HyperTextLabels></View>"""
    marks = [
        {"globalOffsets": {"start": start, "end": end}, "text": "Acme", "hypertextlabels": ["brand"]}
        | {"start": "/p[1]/text()[1]", "end": "/p[1]/text()[1]", "startOffset": start, "endOffset": end}
        for start, end in ((0, 4), (7, 11))
    ]
    given = annotation(1, 1, *(region("marks", "page", "hypertextlabels", value=it) for it in marks))
    export = collect(dataset([{"id": 5, "data": {"page": "<p>Acme bags</p>"}, "annotations": [given]}], xml), settings)
    found = write(export, tmp_path / "out", ["jsonl", "bio"], settings)
    counted = {"a span whose place in the text is not known: left out": 1}
    assert found.lost == {"jsonl": counted, "bio": counted}
    (tagged,) = (tmp_path / "out/bio/marks").glob("*.conll")
    assert tagged.read_text() == "Acme\tB-brand\nbags\tO\n\n"


def test_spans_come_through_to_spacy(out: Path) -> None:
    import spacy
    from spacy.training import Corpus

    first, _ = [it.reference for it in Corpus(out / "spacy/marks")(spacy.blank("en"))]
    assert first.text == TEXT
    assert [(it.text, it.label_) for it in first.spans["sc"]] == [("Acme", "Brand"), ("Acme's 👩🏽 shoes", "Claim")]
    assert [it.label_ for it in first.ents] == ["Claim"]
    topics = [it.reference.cats for it in Corpus(out / "spacy/topic")(spacy.blank("en"))]
    assert topics == [{"shoes": 1.0, "bags": 0.0}] * 2


def test_boxes_come_through_to_coco_in_pixels(out: Path) -> None:
    from pycocotools.coco import COCO

    coco = COCO(str(out / "coco/logos/train.json"))
    assert coco.loadImgs([1]) == [{"id": 1, "file_name": "/data/upload/1/a b.jpg", "width": 1000, "height": 500}]
    assert [it["bbox"] for it in coco.anns.values()] == [[100, 100, 300, 200]] * 2


def test_all_of_it_comes_through_to_datasets_by_the_data_card(out: Path, load: Load) -> None:
    loaded = load(out, "marks", split="train")
    names = loaded.features["spans"].feature["label"]
    assert [(it["text"], names.int2str(it["label"])) for it in loaded[0]["spans"]] == [
        ("Acme", "Brand"),
        ("Acme's 👩🏽 shoes", "Claim"),
    ]
    assert load(out, "said", split="train")[0]["spans"][0]["text"] == "will"
