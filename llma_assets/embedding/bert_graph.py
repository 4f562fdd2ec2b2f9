"""A BERT encoder with mean pooling as an ONNX graph, written from its config and weights.

The graph takes token ids of shape (1 or more, tokens), all of one length, and gives the mean of the
last hidden states, shape (…, hidden). Rows of one length need no padding, so there is no mask.
Its operators are those that onnxruntime would fuse the textbook form into (`com.microsoft` is its
own operator set); writing them at once saves the optimizer, and a stored graph, altogether.

Source of the form: Devlin et al. 2019, "BERT", with post-layer normalisation and exact GELU.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from llma_assets.errors import InputRejected

INPUT = "ids"
OUTPUT = "mean"
_MICROSOFT = "com.microsoft"
_OPSET = 18  # ReduceMean with axes as an input; every onnxruntime since 1.14 knows it
_IR_VERSION = 9  # what that opset was published with: onnx's own newest may be ahead of onnxruntime's
# Smaller tensors travel inside the graph: shape arithmetic needs their values when it is loaded.
_EXTERNAL_FROM_BYTES = 1024


@dataclass(frozen=True, slots=True)
class BertShape:
    """The numbers of a BERT `config.json` that decide the graph."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    positions: int
    vocabulary: int
    epsilon: float

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "BertShape":
        """Read a `config.json`.

        Raises:
            InputRejected: it is not a BERT of the form that this module writes.
        """
        expected = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}
        for key, value in expected.items():
            if config.get(key, value if key == "position_embedding_type" else None) != value:
                raise InputRejected(
                    f"the model's config.json has {key}={config.get(key)!r}; only {value!r} is supported"
                )
        try:
            shape = cls(
                hidden=int(config["hidden_size"]),
                intermediate=int(config["intermediate_size"]),
                layers=int(config["num_hidden_layers"]),
                heads=int(config["num_attention_heads"]),
                positions=int(config["max_position_embeddings"]),
                vocabulary=int(config["vocab_size"]),
                epsilon=float(config["layer_norm_eps"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputRejected(f"the model's config.json lacks a usable {error}") from None
        if shape.heads < 1 or shape.hidden % shape.heads:
            raise InputRejected(f"the model's {shape.hidden} dimensions cannot be split among {shape.heads} heads")
        return shape


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph without its large tensors, and these by name: the session is given both."""

    model: bytes
    weights: dict[str, np.ndarray]


def build_graph(shape: BertShape, tensors: Mapping[str, np.ndarray]) -> Graph:
    """Write the graph of a BERT encoder with mean pooling.

    Args:
        shape: from the model's config.
        tensors: the model's weights, by the names that PyTorch's BertModel gives them.

    Raises:
        InputRejected: a tensor is missing or has another shape than the config says.
    """
    return _Writer(shape, tensors).write()


@dataclass(slots=True)
class _Writer:
    shape: BertShape
    tensors: Mapping[str, np.ndarray]
    nodes: list[Any] = field(default_factory=list)
    constants: dict[str, np.ndarray] = field(default_factory=dict)

    def write(self) -> Graph:
        from onnx import TensorProto, helper

        hidden = self._embeddings()
        for number in range(self.shape.layers):
            hidden = self._layer(f"encoder.layer.{number}", hidden)
        self._node("ReduceMean", [hidden, self._constant("axis", np.array([1]))], OUTPUT, keepdims=0)
        external = {name: a for name, a in self.constants.items() if a.nbytes >= _EXTERNAL_FROM_BYTES}
        graph = helper.make_graph(
            self.nodes,
            "bert",
            [helper.make_tensor_value_info(INPUT, TensorProto.INT64, ["texts", "tokens"])],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["texts", self.shape.hidden])],
            [_initializer(name, a, name in external) for name, a in self.constants.items()],
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_MICROSOFT, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="llma_assets")
        return Graph(model.SerializeToString(), external)

    def _embeddings(self) -> str:
        """Word, position and (always the first) token type, summed and normalised."""
        s, prefix = self.shape, "embeddings"
        words = self._tensor(f"{prefix}.word_embeddings.weight", (s.vocabulary, s.hidden))
        kinds = self._tensor(f"{prefix}.token_type_embeddings.weight", (None, s.hidden))
        places = self._tensor(f"{prefix}.position_embeddings.weight", (s.positions, s.hidden)) + kinds[0]
        self._node("Gather", [self._constant("words", words), INPUT], "word")
        self._node("Shape", [INPUT], "length", start=1, end=2)
        self._node(
            "Slice", [self._constant("places", places), self._constant("zero", np.array([0])), "length"], "place"
        )
        summed = self._node("Add", ["word", "place"], "embedded")
        norm = self._norm(f"{prefix}.LayerNorm")
        return self._node("LayerNormalization", [summed, *norm], "embeddings.out", epsilon=s.epsilon)

    def _layer(self, prefix: str, hidden: str) -> str:
        """Self-attention and feed-forward, each added to its input and normalised."""
        s = self.shape
        parts = [
            self._linear(f"{prefix}.attention.self.{part}", s.hidden, s.hidden) for part in ("query", "key", "value")
        ]
        attended = self._node(
            "Attention",
            [
                hidden,
                self._constant(f"{prefix}.qkv.weight", np.concatenate([weight for weight, _ in parts], axis=1)),
                self._constant(f"{prefix}.qkv.bias", np.concatenate([bias for _, bias in parts])),
            ],
            f"{prefix}.attended",
            domain=_MICROSOFT,
            num_heads=s.heads,
        )
        hidden = self._add_and_norm(f"{prefix}.attention.output", attended, hidden, s.hidden)
        product, bias = self._product(f"{prefix}.intermediate.dense", hidden, s.hidden, s.intermediate)
        activated = self._node("BiasGelu", [product, bias], f"{prefix}.activated", domain=_MICROSOFT)
        return self._add_and_norm(f"{prefix}.output", activated, hidden, s.intermediate)

    def _add_and_norm(self, prefix: str, value: str, residual: str, width: int) -> str:
        product, bias = self._product(f"{prefix}.dense", value, width, self.shape.hidden)
        shifted = self._node("Add", [product, bias], f"{prefix}.shifted")
        summed = self._node("Add", [shifted, residual], f"{prefix}.summed")
        # SkipLayerNormalization does all three, and takes 8 % of the whole longer from 60 tokens on.
        norm = self._norm(f"{prefix}.LayerNorm")
        return self._node("LayerNormalization", [summed, *norm], f"{prefix}.out", epsilon=self.shape.epsilon)

    def _product(self, name: str, value: str, width_in: int, width_out: int) -> tuple[str, str]:
        """Names of value × weight, and of the bias: the next operator adds that one."""
        weight, bias = self._linear(name, width_in, width_out)
        product = self._node("MatMul", [value, self._constant(f"{name}.weight", weight)], f"{name}.product")
        return product, self._constant(f"{name}.bias", bias)

    def _linear(self, name: str, width_in: int, width_out: int) -> tuple[np.ndarray, np.ndarray]:
        weight = self._tensor(f"{name}.weight", (width_out, width_in))
        return weight.T, self._tensor(f"{name}.bias", (width_out,))

    def _norm(self, name: str) -> list[str]:
        width = (self.shape.hidden,)
        return [self._constant(f"{name}.{part}", self._tensor(f"{name}.{part}", width)) for part in ("weight", "bias")]

    def _tensor(self, name: str, shape: tuple[int | None, ...]) -> np.ndarray:
        tensor = self.tensors.get(name)
        if tensor is None:
            raise InputRejected(f"the model's weights hold no tensor {name!r}: not a BERT encoder")
        fits = len(tensor.shape) == len(shape) and all(w in (None, g) for w, g in zip(shape, tensor.shape, strict=True))
        if not fits or 0 in tensor.shape:
            raise InputRejected(f"the model's tensor {name!r} has shape {tensor.shape}; its config.json says {shape}")
        return tensor.astype(np.float32, copy=False)

    def _constant(self, name: str, value: np.ndarray) -> str:
        self.constants[name] = np.ascontiguousarray(value)
        return name

    def _node(self, operator: str, inputs: list[str], output: str, domain: str = "", **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, domain=domain, **attributes))
        return output


def _initializer(name: str, value: np.ndarray, external: bool) -> Any:
    from onnx import TensorProto, helper, numpy_helper

    if not external:
        return numpy_helper.from_array(value, name)
    kind = helper.np_dtype_to_tensor_dtype(value.dtype)
    tensor = TensorProto(name=name, dims=value.shape, data_type=kind, data_location=TensorProto.EXTERNAL)
    # No such file exists: the session is handed the values, and would refuse to load without them.
    for key, entry in {"location": "given-at-load", "offset": "0", "length": str(value.nbytes)}.items():
        tensor.external_data.add(key=key, value=entry)
    return tensor
