"""A BERT's weights -> an ONNX graph, in float32 or int8, from token ids to unit vectors.

Built from the weights rather than exported: torch's exporter leaves attention in pieces that ONNX Runtime cannot join.

In int8, weights are scaled a column and activations by constants found on sample texts (`ranges`): so a vector does not
depend on what else is in its batch. Weights take 64 of the 127 steps: with more, AVX2's 16-bit sums of products
overflow, and a machine with VNNI would compute other vectors. Inputs that come out of a layer norm have a few wide
channels; their width is moved into the weights (SmoothQuant, Xiao et al. 2023, equation 4, α = 0.5). Of what a GELU
lets through the upper half of the range holds almost nothing, and is cut off. All three were measured, each with the
others in place. Word embeddings are int8 with a scale a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ml_backend.encoders.folders import Bert

if TYPE_CHECKING:
    import onnx

Ranges = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""Name of a matrix -> the least and the greatest value of each channel (k,) of what it is applied to."""

OPSET, IR, MICROSOFT = 17, 9, "com.microsoft"
STEPS = 64
CUT = 0.5


def build(bert: Bert, ranges: Ranges | None = None, *, watched: bool = False) -> onnx.ModelProto:
    """int32 `input_ids`, `attention_mask` (n, tokens) -> `vectors` (n, width); int8 where there are `ranges`.

    `watched`: what each matrix is applied to is an output too, under the matrix's name. Raises KeyError or ValueError
    where the weights are not a BERT's.
    """
    return _Graph(bert, ranges, watched).model()


class _Graph:
    def __init__(self, bert: Bert, ranges: Ranges | None, watched: bool) -> None:
        from safetensors.numpy import load_file

        self.bert, self.ranges, self.watched = bert, ranges, watched
        self.weights = {
            name.removeprefix("bert.").removeprefix("roberta."): array.astype(np.float32)
            for name, array in load_file(bert.folder / "model.safetensors").items()
            if np.issubdtype(array.dtype, np.floating)
        }
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.watching: list[str] = []

    def model(self) -> onnx.ModelProto:
        from onnx import TensorProto, helper

        states = self._embed()
        layers = 1 + max(int(name.split(".")[2]) for name in self.weights if name.startswith("encoder.layer."))
        for layer in range(layers):
            states = self._layer(f"encoder.layer.{layer}.", states)
        mask = self._node("Cast", ["attention_mask"], to=TensorProto.FLOAT)
        axis = self._constant("axis", np.array([1], np.int64))
        total = self._node("MatMul", [self._node("Unsqueeze", [mask, axis]), states])  # the mean, but for its length
        self._node("LpNormalization", [self._node("Squeeze", [total, axis])], "vectors", axis=-1, p=2)

        inputs = [
            helper.make_tensor_value_info(name, TensorProto.INT32, ["n", "tokens"])
            for name in ("input_ids", "attention_mask")
        ]
        outputs = [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", self.bert.width])]
        outputs += [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in self.watching]
        graph = helper.make_graph(self.nodes, "encoder", inputs, outputs, self.constants)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR)

    def _embed(self) -> str:
        from onnx import TensorProto

        words = self.weights["embeddings.word_embeddings.weight"]
        if self.ranges is None:
            found = self._node("Gather", [self._constant("words", words), "input_ids"])
        else:
            scale = np.maximum(np.abs(words).max(axis=1, keepdims=True), 1e-8) / 127
            steps = self._node("Gather", [self._constant("words", np.rint(words / scale).astype(np.int8)), "input_ids"])
            sizes = self._node("Gather", [self._constant("sizes", scale), "input_ids"])
            found = self._node("Mul", [self._node("Cast", [steps], to=TensorProto.FLOAT), sizes])
        places = self.weights["embeddings.position_embeddings.weight"][self.bert.first_position :]
        places = places + self.weights["embeddings.token_type_embeddings.weight"][:1]
        start = self._constant("start", np.array([0], np.int64))
        length = self._node("Shape", ["input_ids"], start=1, end=2)
        place = self._node("Slice", [self._constant("places", places), start, length])
        return self._node(
            "LayerNormalization",
            [self._node("Add", [found, place]), *self._norm("embeddings.LayerNorm")],
            axis=-1,
            epsilon=self.bert.epsilon,
        )

    def _layer(self, layer: str, states: str) -> str:
        attended = self._attend(layer, states)
        mixed = self._apply(f"{layer}attention.output.dense", attended)
        states = self._add(f"{layer}attention.output", mixed, states)
        wide = self._apply(f"{layer}intermediate.dense", states, smooth=True)
        wide = self._node("BiasGelu", [wide, self._bias(f"{layer}intermediate.dense")], domain=MICROSOFT)
        return self._add(f"{layer}output", self._apply(f"{layer}output.dense", wide, cut=CUT), states)

    def _attend(self, layer: str, states: str) -> str:
        parts = [f"{layer}attention.self.{name}" for name in ("query", "key", "value")]
        name = f"{layer}attention.self"
        matrix = np.concatenate([self.weights[f"{part}.weight"].T for part in parts], axis=1)
        bias = self._constant(f"{name}.bias", np.concatenate([self.weights[f"{part}.bias"] for part in parts]))
        if self.ranges is None:
            self._watch(name, states)
            inputs = [states, self._constant(name, matrix), bias, "attention_mask"]
            return self._node("Attention", inputs, domain=MICROSOFT, num_heads=self.bert.heads)
        x, x_scale, x_zero, w, w_scale, w_zero = self._in_steps(name, states, matrix, smooth=True)
        inputs = [x, w, bias, x_scale, w_scale, "attention_mask", x_zero, w_zero]
        return self._node("QAttention", inputs, domain=MICROSOFT, num_heads=self.bert.heads)

    def _apply(self, name: str, states: str, *, smooth: bool = False, cut: float = 1.0) -> str:
        """`states` times the matrix, without its bias."""
        matrix = self.weights[f"{name}.weight"].T
        if self.ranges is None:
            self._watch(name, states)
            return self._node("MatMul", [states, self._constant(name, matrix)])
        x, x_scale, x_zero, w, w_scale, w_zero = self._in_steps(name, states, matrix, smooth=smooth, cut=cut)
        return self._node("MatMulIntegerToFloat", [x, w, x_scale, w_scale, x_zero, w_zero], domain=MICROSOFT)

    def _in_steps(self, name: str, states: str, matrix: np.ndarray, *, smooth: bool, cut: float = 1.0) -> list[str]:
        """`states` as uint8 and the matrix (k, m) as int8: each with its scale and its zero."""
        low, high = (self.ranges or {})[name]
        if smooth:
            widest = np.maximum(np.maximum(-low, high), 1e-6)
            share = np.sqrt(widest / np.maximum(np.abs(matrix).max(axis=1), 1e-6))
            share /= np.exp(np.log(share).mean())
            states = self._node("Mul", [states, self._constant(f"{name}.share", (1 / share).astype(np.float32))])
            low, high, matrix = low / share, high / share, matrix * share[:, None]
        bottom, top = min(0.0, float(low.min())), max(1e-6, float(high.max()) * cut)
        scale = (top - bottom) / 255
        columns = np.maximum(np.abs(matrix).max(axis=0), 1e-8) / STEPS
        x_scale = self._constant(f"{name}.x_scale", np.array(scale, np.float32))
        x_zero = self._constant(f"{name}.x_zero", np.array(round(-bottom / scale), np.uint8))
        return [
            self._node("QuantizeLinear", [states, x_scale, x_zero]),
            x_scale,
            x_zero,
            self._constant(name, np.rint(matrix / columns).astype(np.int8)),
            self._constant(f"{name}.w_scale", columns.astype(np.float32)),
            self._constant(f"{name}.w_zero", np.zeros(matrix.shape[1], np.int8)),
        ]

    def _add(self, name: str, change: str, states: str) -> str:
        inputs = [change, states, *self._norm(f"{name}.LayerNorm"), self._bias(f"{name}.dense")]
        return self._node("SkipLayerNormalization", inputs, domain=MICROSOFT, epsilon=self.bert.epsilon)

    def _norm(self, name: str) -> list[str]:
        return [self._constant(f"{name}.{part}", self.weights[f"{name}.{part}"]) for part in ("weight", "bias")]

    def _bias(self, name: str) -> str:
        return self._constant(f"{name}.bias", self.weights[f"{name}.bias"])

    def _watch(self, name: str, states: str) -> None:
        if self.watched:
            self.watching.append(self._node("Identity", [states], f"watched {name}"))

    def _constant(self, name: str, array: np.ndarray) -> str:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def _node(self, kind: str, inputs: list[str], output: str = "", domain: str = "", **attributes: Any) -> str:
        from onnx import helper

        output = output or f"{kind} {len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], domain=domain, **attributes))
        return output
