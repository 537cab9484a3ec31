"""What the Hub requires of cards, as far as it can be checked offline with huggingface_hub and datasets."""

from __future__ import annotations

from typing import Any

import yaml
from datasets.utils.metadata import known_task_ids
from huggingface_hub import DatasetCard, ModelCard, metadata_eval_result
from huggingface_hub.repocard_data import ModelCardData, eval_results_to_model_index, model_index_to_eval_results

from sensorlm_hf.data.licenses import HUB_LICENSES


def header(text: str) -> dict[str, Any]:
    """The YAML header, which must not repeat a key."""

    class Strict(yaml.SafeLoader):
        pass

    def mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
        pairs = [(loader.construct_object(key, deep=True), value) for key, value in node.value]
        keys = [key for key, _ in pairs]
        assert len(keys) == len(set(keys)), keys
        return {key: loader.construct_object(value, deep=True) for key, value in pairs}

    Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    assert text.startswith("---\n")
    found = yaml.load(text.split("\n---\n")[0].removeprefix("---\n"), Loader=Strict)
    assert isinstance(found, dict)
    return found


def check_model_card(text: str, *, licensed: bool = True) -> ModelCard:
    """Checks the metadata of a model card, and that huggingface_hub keeps them when it writes the card again."""
    found = header(text)
    card = ModelCard(text)  # raises if results or metadata are invalid
    again = ModelCard(str(card))
    assert again.data.to_dict() == card.data.to_dict()
    assert again.data.eval_results == card.data.eval_results
    # `to_dict` drops an empty list of results, which the trainer writes.
    assert card.data.to_dict() == {name: value for name, value in found.items() if value is not None}
    assert ModelCardData(**yaml.safe_load(card.data.to_yaml())).to_dict() == card.data.to_dict()
    assert card.data.library_name == "transformers"
    assert card.data.pipeline_tag in known_task_ids
    assert card.data.language == "en"
    assert {"sensorlm", "wearables", "time-series"} <= set(card.data.tags)
    assert len(card.data.tags) == len(set(card.data.tags))
    assert (card.data.license in HUB_LICENSES) if licensed else card.data.license is None
    for example in card.data.get("widget") or []:
        check_widget(example)
    if card.data.eval_results:
        check_results(found["model-index"])
    return card


def check_results(index: list[dict[str, Any]]) -> None:
    """The results are what huggingface_hub itself would write for them."""
    name, results = model_index_to_eval_results(index)
    assert eval_results_to_model_index(name, results) == index
    same = ("task", "dataset")
    for result in results:
        assert isinstance(result.metric_value, float)
        (own,) = metadata_eval_result(
            model_pretty_name=name,
            task_pretty_name=result.task_name,
            task_id=result.task_type,
            metrics_pretty_name=result.metric_name,
            metrics_id=result.metric_type,
            metrics_value=result.metric_value,
            dataset_pretty_name=result.dataset_name,
            dataset_id=result.dataset_type,
            dataset_config=result.dataset_config,
            dataset_split=result.dataset_split,
        )["model-index"]
        (entry,) = own["results"]
        (place,) = (place for place in index[0]["results"] if all(place[name] == entry[name] for name in same))
        (metric,) = entry["metrics"]
        assert metric.pop("verified") is False  # what the Hub assumes without
        assert metric in place["metrics"]


def check_widget(example: dict[str, Any]) -> None:
    """An example of the zero-shot widget that contains its output."""
    assert isinstance(example["text"], str)
    assert isinstance(example["example_title"], str)
    labels = example["candidate_labels"].split(", ")
    assert [entry["label"] for entry in example["output"]] == labels
    scores = [entry["score"] for entry in example["output"]]
    assert scores == sorted(scores, reverse=True)
    assert abs(sum(scores) - 1) < 1e-3


def check_dataset_card(text: str) -> DatasetCard:
    """Checks the metadata of a dataset card, and that huggingface_hub keeps them when it writes the card again."""
    found = header(text)
    card = DatasetCard(text)
    assert DatasetCard(str(card)).data.to_dict() == card.data.to_dict() == found
    assert set(card.data.task_categories) <= set(known_task_ids)
    assert card.data.license in HUB_LICENSES
    assert card.data.language == "en"
    assert len(card.data.size_categories) == 1
    assert card.data.configs[0]["data_files"]
    return card
