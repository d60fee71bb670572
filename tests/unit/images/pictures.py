"""Pictures drawn in code, an image encoder with random weights, and servers that images come from."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

COLOURS = """<View><Image name="image" value="$image"/><Choices name="colour" toName="image">
  <Choice value="red"/><Choice value="blue"/></Choices></View>"""


def square(colour: str | tuple[int, int, int], size: tuple[int, int] = (60, 48), format: str = "PNG") -> bytes:
    return _file(Image.new("RGB", size, colour), format)


def written(text: str) -> bytes:
    """A picture of these words, in black on white."""
    import matplotlib

    font = ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), 40)
    image = Image.new("RGB", (600, 120), "white")
    ImageDraw.Draw(image).text((20, 30), text, font=font, fill="black")
    return _file(image, "PNG")


def uri(content: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def _file(image: Image.Image, format: str) -> bytes:
    file = BytesIO()
    image.save(file, format)
    return file.getvalue()


def tiny_clip(folder: Path) -> Path:
    """A sentence-transformers folder of CLIP's architecture with random weights: plain colours lie apart in it."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules.transformer import Transformer
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPProcessor, CLIPTokenizerFast

    raw = folder / "raw"
    raw.mkdir(parents=True)
    letters = [chr(code) for code in range(33, 127)]
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    (raw / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (raw / "merges.txt").write_text("#version: 0.2\n")
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    ends = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    config = CLIPConfig(
        text_config={**small, **ends, "vocab_size": len(words), "max_position_embeddings": 64},
        vision_config={**small, "image_size": 32, "patch_size": 8},
        projection_dim=16,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        CLIPModel(config).save_pretrained(raw)
    processor = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    CLIPProcessor(processor, CLIPTokenizerFast.from_pretrained(str(raw), model_max_length=64)).save_pretrained(raw)
    SentenceTransformer(modules=[Transformer(str(raw))]).save(str(folder / "tiny-clip"), create_model_card=False)
    return folder / "tiny-clip"


@dataclass
class Asked:
    """What a server was asked for."""

    url: str
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


Answer = Callable[[str], tuple[int, dict[str, str], bytes]]
"""Path -> status, headers, body."""


@contextmanager
def server(answer: Answer) -> Iterator[Asked]:
    asked = Asked("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.paths.append(self.path)
            asked.headers.append({name.lower(): value for name, value in self.headers.items()})
            status, headers, body = answer(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:  # the client had enough
                return

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        asked.url = f"http://127.0.0.1:{listening.server_address[1]}"
        try:
            yield asked
        finally:
            listening.shutdown()
            thread.join()
