"""Two processes around the plain models: DDP, FSDP2, `accelerate` and transformers' own `Trainer`.

Everything is computed in float64 with the rows of the parity benchmark, so that a process and several can be compared.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState, PartialState
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler
from transformers import BertConfig, Trainer, TrainingArguments

from sensorlm_hf.modeling import SensorLMConfig, SensorLMForConditionalGeneration
from sensorlm_hf.training import restore_scalars, use_global_losses

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from distributed_parity import gradients, micro_batches, small_model, wrap

Batch = dict[str, torch.Tensor]
STATEMENTS = torch.tensor([[1, 7, 8, 2], [1, 9, 2, 0], [1, 5, 6, 2]])
STATEMENT_TRUTH = torch.tensor([[1, 0, 1], [0, 1, 0]] * 3 + [[1, -1, -1], [-1, 0, 0]] * 3)
"""The second process has fewer decided pairs than the first."""


def rows(count: int = 12) -> list[Batch]:
    """Single days with captions of different lengths."""
    whole = micro_batches()[0]
    return [{name: tensor[row] for name, tensor in whole.items()} for row in range(count)]


def stack(items: list[Batch]) -> Batch:
    return {name: torch.stack([item[name] for item in items]) for name in items[0]}


def with_labels(items: list[Batch]) -> Batch:
    batch = stack(items)
    return {**batch, "labels": batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)}


def model_with_statements() -> Any:
    """A `coca` model with a sentence encoder, hence with parameters that only statements use."""
    plain = small_model("coca")
    values = plain.config.to_dict()
    encoder = BertConfig(
        vocab_size=60, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    values["text_config"] |= {"language_model_config": encoder.to_dict(), "pooling": "cls"}
    torch.manual_seed(0)
    return SensorLMForConditionalGeneration(SensorLMConfig.from_dict(values)).double().train()


def updates(model: Any) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


# ---- Loops. On one process they see the same global batches.


def idle_parameters(wrapper: str | None, world: int = 2, rank: int = 0) -> dict[str, Any]:
    """Three steps, the last one with statements; without a wrapper in this process."""
    model = model_with_statements()
    use_global_losses(model)
    wrapped = model if wrapper is None else wrap(model, wrapper, world)
    optimizer = torch.optim.SGD(wrapped.parameters(), lr=0.1)
    whole = micro_batches()[0]
    part = slice(None) if wrapper is None else slice(rank * 6, rank * 6 + 6)
    result: dict[str, Any] = {}
    for step in range(3):
        batch = {name: tensor[part] for name, tensor in whole.items()}
        if step == 2:
            batch |= {"statement_ids": STATEMENTS, "statement_truth": STATEMENT_TRUTH[part]}
        wrapped(**batch).loss.backward()
        found = gradients(wrapped)
        result[f"without gradient in step {step}"] = sorted(set(updates(model)) - set(found))
        result[f"largest of statements in step {step}"] = max(
            [grad.abs().max().item() for name, grad in found.items() if "statement_logit" in name], default=None
        )
        optimizer.step()
        optimizer.zero_grad()
    state = {name: t.full_tensor() if hasattr(t, "full_tensor") else t for name, t in model.state_dict().items()}
    return {**result, "weights": restore_scalars(state)}


def padded_sampler(objective: str, world: int, rank: int = 0) -> dict[str, torch.Tensor]:
    """Seven days with `DistributedSampler`, which repeats the first one."""
    model = small_model(objective)
    use_global_losses(model)
    if world == 1:
        order = [0, 2, 4, 6, 1, 3, 5, 0]  # the shares of rank 0 and rank 1
        model(**stack([rows()[row] for row in order])).loss.backward()
        return gradients(model)
    sampler = DistributedSampler(rows(7), num_replicas=world, rank=rank, shuffle=False)  # type: ignore[arg-type]
    wrapped = DistributedDataParallel(model)
    for batch in DataLoader(rows(7), batch_size=4, sampler=sampler, collate_fn=stack):  # type: ignore[arg-type]
        wrapped(**batch).loss.backward()
    return gradients(model)


def accelerated(objective: str, world: int) -> dict[str, Any]:
    """Seven days an epoch in global batches of four, two accumulated; the last batch of one process is incomplete."""
    reset()
    # A single process gets the batches that two processes get together: accelerate repeats rows from the beginning.
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
    model = small_model(objective)
    use_global_losses(model)
    order = rows(7) if world > 1 else [rows()[row] for row in (0, 1, 2, 3, 4, 5, 6, 0)]
    loader = DataLoader(order, batch_size=4 // world, collate_fn=stack)  # type: ignore[arg-type]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    sizes = []
    for _ in range(2):
        for batch in loader:
            with accelerator.accumulate(model):
                accelerator.backward(model(**batch).loss)
                optimizer.step()
                optimizer.zero_grad()
            sizes.append(len(batch["input_ids"]))
    return {"sizes": sizes, "weights": updates(accelerator.unwrap_model(model))}


def trained(
    folder: str, world: int, objective: str = "coca", steps: int = 4, resume: str | None = None, **options: Any
) -> dict[str, Any]:
    """`Trainer` with global batches of four, two accumulated; saves after every second step."""
    reset()
    labels = options.pop("labels", False)
    values: dict[str, Any] = {
        "per_device_train_batch_size": 4 // world,
        "per_device_eval_batch_size": 4 // world,
        "gradient_accumulation_steps": 1,
        "max_steps": steps,
        "save_steps": 2,
        "eval_strategy": "steps",
        "eval_steps": 2,
        "logging_steps": 1,
        "learning_rate": 1e-3,
        "lr_scheduler_type": "constant",
        "remove_unused_columns": False,
        "use_cpu": True,
        "report_to": [],
        "disable_tqdm": True,
        "ddp_find_unused_parameters": False,
        "seed": 5,
        **options,
    }
    model = small_model(objective)
    use_global_losses(model)
    trainer = Trainer(
        model,
        TrainingArguments(folder, **values),
        data_collator=with_labels if labels else stack,
        train_dataset=rows(),  # type: ignore[arg-type]
        eval_dataset=rows(6),  # type: ignore[arg-type]
    )
    trainer.train(resume_from_checkpoint=resume)
    return {"weights": updates(model), "log": trainer.state.log_history}


def reset() -> None:
    """Forgets the state of accelerate that an earlier loop of this process has left."""
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()
    PartialState._reset_state()


def uneven(rank: int) -> dict[str, str]:
    """Batches of different sizes, and a batch on one process only in evaluation mode."""
    model = small_model("clip")
    use_global_losses(model)
    messages = {}
    try:
        model(**stack(rows(3 + rank)))
    except ValueError as error:
        messages["uneven"] = str(error)
    if rank == 0:
        with torch.no_grad():
            messages["alone"] = str(model.eval()(**stack(rows(3))).loss.item())
    return messages


def worker(rank: int, world: int, port: int, folder: str) -> None:
    """Runs everything on this process and writes `<rank>.pt`."""
    torch.set_num_threads(1)
    os.environ.update(
        MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(world)
    )
    dist.init_process_group("gloo", rank=rank, world_size=world)
    place = Path(folder)
    results: dict[str, Any] = {"uneven": uneven(rank)}
    for wrapper in ("ddp", "fsdp2"):
        results[f"idle {wrapper}"] = idle_parameters(wrapper, world, rank)
    for objective in ("clip", "cap", "coca"):
        results[f"sampler {objective}"] = padded_sampler(objective, world, rank)
    for objective in ("siglip", "coca"):
        results[f"accelerate {objective}"] = accelerated(objective, world)
        results[f"Trainer {objective}"] = trained(str(place / f"two {objective}"), world, objective)
    results["Trainer cap"] = trained(
        str(place / "two cap"), world, "cap", labels=True, per_device_train_batch_size=1, gradient_accumulation_steps=2
    )
    # A run of one process goes on with two.
    results["resumed"] = trained(str(place / "resumed"), world, "coca", resume=str(place / "one coca" / "checkpoint-2"))
    torch.save(results, place / f"{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()
