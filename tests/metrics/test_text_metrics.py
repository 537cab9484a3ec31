"""METEOR and BERTScore, by hand and compared with nltk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from sensorlm_hf.metrics import bert_scores, caption_scores, meteor_scores
from sensorlm_hf.metrics.captioning import _NoWordNet


def test_meteor_by_hand() -> None:
    # All four words match in one chunk: F 1, penalty 0.5 (1 / 4)^3.
    result = meteor_scores(["she ran ten miles"], ["She ran ten miles."])
    assert result["meteor"] == pytest.approx(1 - 0.5 / 64)


def test_meteor_stems_without_wordnet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sensorlm_hf.metrics.captioning._wordnet", lambda: (_NoWordNet(), "exact, stem"))
    result = meteor_scores(["walked home"], ["walking home"])
    assert result["meteor"] == pytest.approx(1 - 0.5 / 8)
    assert result["meteor_stages"] == "exact, stem"
    assert meteor_scores(["automobile"], ["car"])["meteor"] == 0


def test_meteor_requires_one_reference_each() -> None:
    with pytest.raises(ValueError, match="got 1 and 0"):
        meteor_scores(["a"], [])


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    words = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "run", "nap", "walk", "fast", "slow"]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    BertModel(config).save_pretrained(folder)
    return folder


def test_bertscore_by_hand(encoder: Path) -> None:
    predictions, references = ["run fast", "nap"], ["walk slow fast", "nap"]
    result = bert_scores(predictions, references, encoder, batch_size=2)
    assert result["per_caption"][1] == pytest.approx(1, abs=1e-5)
    model = BertModel.from_pretrained(encoder).eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(encoder)

    def states(text: str) -> torch.Tensor:
        with torch.no_grad():
            hidden = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0, 1:-1]
        return hidden / hidden.norm(dim=1, keepdim=True)

    cosine = (states("run fast") @ states("walk slow fast").T).tolist()
    precision = sum(max(row) for row in cosine) / 2
    recall = sum(max(row[j] for row in cosine) for j in range(3)) / 3
    assert result["per_caption"][0] == pytest.approx(2 * precision * recall / (precision + recall), abs=1e-5)


def test_caption_scores_include_bertscore_with_model(encoder: Path) -> None:
    scores = caption_scores(["run fast", "nap"], ["run slow", "nap"], meteor=True, bertscore_model=encoder)
    assert set(scores) == {"bleu4", "rougeL", "cider", "meteor", "meteor_stages", "bertscore"}


def test_bertscore_invalid_input_raises(encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="text encoder"):
        bert_scores(["run"], ["run"], tmp_path / "none")
    with pytest.raises(ValueError, match="no token"):
        bert_scores([""], ["run"], encoder)
    with pytest.raises(ValueError, match="got 1 and 2"):
        bert_scores(["run"], ["run", "nap"], encoder)
