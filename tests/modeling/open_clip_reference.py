"""open_clip's CoCa as a reference: importing it, building a small model and copying its weights into ours.

open_clip imports torchvision for image transforms and a batch norm that CoCa's text side and the losses do not use. If
torchvision is not installed, stub modules make the import succeed. It is not required because a torchvision that was
not built for the installed torch breaks transformers' own imports.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import pytest
import torch
from torch import nn

from sensorlm_hf.modeling.layers_sensorlm import LAYER_NORM_EPS

_STAND_INS = (
    "torchvision",
    "torchvision.transforms",
    "torchvision.transforms.functional",
    "torchvision.ops",
    "torchvision.ops.misc",
)


def find_open_clip() -> Any:
    """Returns the module `open_clip`, or `None` if it is not installed."""
    try:
        import torchvision  # noqa: F401

        missing: tuple[str, ...] = ()
    except ImportError:
        missing = _STAND_INS
    for name in missing:
        module = ModuleType(name)
        module.__getattr__ = lambda attribute: MagicMock(name=attribute)  # type: ignore[method-assign]
        module.__path__ = []
        sys.modules[name] = module
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)
    try:
        return importlib.import_module("open_clip")
    except ModuleNotFoundError:
        return None
    finally:
        for name in missing:
            del sys.modules[name]


def import_open_clip() -> Any:
    """Returns the module `open_clip`, or skips the calling test."""
    module = find_open_clip()
    if module is None:
        pytest.skip("needs open_clip: pip install --no-deps open_clip_torch ftfy wcwidth")
    return module


class SensorAsVisual(nn.Module):
    """Our sensor tower in place of open_clip's image tower, pooled for the decoder by open_clip's own pooler."""

    def __init__(self, tower: nn.Module, pooler: nn.Module) -> None:
        super().__init__()
        self.tower, self.attn_pool = tower, pooler

    def forward(self, days: tuple[torch.Tensor, torch.Tensor] | torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns the contrastive embedding `(B, D)` and the tokens for the decoder `(B, queries, D)`."""
        output = self.tower(days)
        return output.pooler_output, self.attn_pool(output.last_hidden_state)


def reference_coca(open_clip: Any, config: Any, tower: nn.Module) -> nn.Module:
    """An open_clip CoCa with the shape of a SensorLM `coca` configuration whose towers are equally wide."""
    from open_clip.transformer import AttentionalPooler

    text = config.text_config
    width = text.hidden_size
    shared = {
        "width": width,
        "heads": text.num_attention_heads,
        "mlp_ratio": text.intermediate_size / width,
        "context_length": text.max_position_embeddings,
        "vocab_size": text.vocab_size,
    }
    model = open_clip.CoCa(
        embed_dim=width,
        multimodal_cfg={**shared, "layers": config.num_decoder_layers},
        text_cfg={**shared, "layers": text.num_hidden_layers, "embed_cls": True, "output_tokens": True},
        vision_cfg={"image_size": 4, "patch_size": 4, "width": 32, "layers": 1, "head_width": 32},
        pad_id=text.pad_token_id,
    )
    # By default open_clip masks the padding one position too early, to match checkpoints trained that way.
    model.text.correct_cls_mask = True
    pooler = AttentionalPooler(width, width, text.num_attention_heads, config.num_caption_queries)
    model.visual = SensorAsVisual(tower, pooler)
    nn.init.normal_(model.text_decoder.text_projection, std=width**-0.5)
    for module in model.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = LAYER_NORM_EPS
    return model


def _block(source: str, target: str, attention: str) -> dict[str, str]:
    names = {"ln_1": "layer_norm1", "ln_2": "layer_norm2", "attn": attention, "mlp.c_fc": "mlp.fc1"}
    names["mlp.c_proj"] = "mlp.fc2"
    if attention == "cross_attn":
        names.update({"ln_1": "layer_norm_q", "ln_1_kv": "layer_norm_kv"})
    return {f"{source}.{theirs}": f"{target}.{ours}" for theirs, ours in names.items()}


def translate(tensors: dict[str, torch.Tensor], config: Any) -> dict[str, torch.Tensor]:
    """Renames open_clip's weights, or their gradients, to our names; the shared sensor tower is omitted."""
    blocks: dict[str, str] = {}
    for index in range(config.text_config.num_hidden_layers):
        blocks |= _block(f"text.transformer.resblocks.{index}", f"text_model.encoder.layers.{index}", "self_attn")
    for index in range(config.num_decoder_layers):
        blocks |= _block(f"text_decoder.resblocks.{index}", f"decoder.layers.{index}", "self_attn")
        blocks |= _block(f"text_decoder.cross_attn.{index}", f"decoder.cross_layers.{index}", "cross_attn")
    blocks |= {
        "text.ln_final": "text_model.final_layer_norm",
        "text_decoder.ln_final": "decoder.final_layer_norm",
        "text.token_embedding": "text_model.embeddings.token_embedding",
        "visual.attn_pool.ln_q": "decoder.pooler.layer_norm_q",
        "visual.attn_pool.ln_k": "decoder.pooler.layer_norm_k",
        "visual.attn_pool.attn": "decoder.pooler.attention",
    }
    positions = config.text_config.max_position_embeddings
    result: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        if name.startswith("visual.tower."):
            continue
        if name == "text.positional_embedding":
            result["text_model.embeddings.position_embedding.weight"] = tensor[:positions]
        elif name == "text.cls_emb":
            result["text_model.embeddings.cls_embedding"] = tensor
        elif name == "text.text_projection":
            result["text_model.head.weight"] = tensor.T
        elif name == "text_decoder.text_projection":
            result["decoder.lm_head.weight"] = tensor.T
        elif name == "visual.attn_pool.query":
            result["decoder.pooler.query"] = tensor[None]
        elif name == "logit_scale":
            result["logit_scale"] = tensor
        else:
            source = next(s for s in sorted(blocks, key=len, reverse=True) if name.startswith(f"{s}."))
            rest = name[len(source) + 1 :]
            if rest.startswith("in_proj_"):
                for part, piece in zip("qkv", tensor.chunk(3), strict=True):
                    result[f"{blocks[source]}.{part}_proj.{rest.removeprefix('in_proj_')}"] = piece
            else:
                result[f"{blocks[source]}.{rest}"] = tensor
    return result


def copy_weights(reference: nn.Module, model: nn.Module) -> None:
    """Copies open_clip's weights into our model, whose sensor tower the reference uses.

    open_clip adds a class vector and a position; only their sum matters, which is what we store.
    """
    weights = translate(dict(reference.named_parameters()), model.config)
    last = model.config.text_config.max_position_embeddings
    weights["text_model.embeddings.cls_embedding"] = reference.text.cls_emb + reference.text.positional_embedding[last]
    with torch.no_grad():
        weights["text_model.head.bias"] = torch.zeros_like(model.base_model.text_model.head.bias)  # not in open_clip
        named = {name.removeprefix("sensorlm."): parameter for name, parameter in model.named_parameters()}
        own = {name: parameter for name, parameter in named.items() if not name.startswith("sensor_model.")}
        if set(own) != set(weights):
            raise AssertionError(f"weights without a counterpart: {sorted(set(own) ^ set(weights))}")
        for name, parameter in own.items():
            parameter.copy_(weights[name])
