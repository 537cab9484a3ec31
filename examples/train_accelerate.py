"""Train a SensorLM in a plain Accelerate loop, with the losses, data and checkpoints of the Trainer.

    python examples/train_accelerate.py --output_dir my-sensorlm --data simulated:200
    torchrun --nproc_per_node 2 examples/train_accelerate.py --output_dir my-sensorlm --data simulated:200
    accelerate launch --config_file configs/accelerate/fsdp2.yaml examples/train_accelerate.py --output_dir my-sensorlm

A starting point for loops of your own: everything that must be right over several processes comes from the package.
The loss curve is that of `sensorlm-hf train` with the same arguments and seed, on any number of processes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader

from sensorlm_hf.training import (
    GlobalLosses,
    PersonSampler,
    PretrainOptions,
    RsqrtSchedule,
    TrainingParts,
    last_whole_checkpoint,
    losses_by,
    parameter_groups,
    prepare,
    put_in_place,
    ready_for_fsdp2,
    save_model,
    scalars_again,
)


def main(argv: list[str] | None = None) -> list[float]:
    """Trains; returns the loss of each step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--data", default="simulated:200")
    parser.add_argument("--objective", default="siglip", choices=("clip", "siglip", "cap", "coca"))
    parser.add_argument("--size", default="tiny")
    parser.add_argument("--batch_size", type=int, default=64, help="Days of one process.")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--learning_rate", type=float, default=5e-4)
    parser.add_argument("--max_text_length", type=int, default=256)
    parser.add_argument("--vocab_size", type=int, default=4096)
    parser.add_argument("--mixed_precision", default="no", choices=("no", "bf16"))
    parser.add_argument("--save_steps", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cpu", action="store_true")
    options = parser.parse_args(argv)

    accelerator = Accelerator(mixed_precision=options.mixed_precision, cpu=options.cpu)
    checkpoint = last_whole_checkpoint(options.output_dir)
    parts = prepare(
        PretrainOptions(
            objective=options.objective,
            size=options.size,
            data=options.data,
            max_text_length=options.max_text_length,
            vocab_size=options.vocab_size,
        ),
        options.output_dir,
        seed=options.seed,
        rank=accelerator.process_index,
        world_size=accelerator.num_processes,
        resume=checkpoint is not None,
        main_process_first=accelerator.main_process_first,
    )
    sampler = PersonSampler(parts.train.people(), options.batch_size * accelerator.num_processes, options.seed)
    loader = DataLoader(parts.train, batch_size=options.batch_size, sampler=sampler, collate_fn=parts.collator)
    optimizer = torch.optim.AdamW(
        parameter_groups(parts.model.named_parameters(), weight_decay=1e-4),
        lr=options.learning_rate,
        betas=(0.9, 0.999),
        fused=True,
    )
    ready_for_fsdp2(parts.model, accelerator)
    model, optimizer, loader = accelerator.prepare(parts.model, optimizer, loader)
    steps = len(loader) * options.epochs
    schedule = RsqrtSchedule(steps, warmup_steps=-(-steps // 5), cooldown_steps=steps // 5)
    # Not prepared by Accelerate, which would step it once for each process.
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer.optimizer, schedule)
    accelerator.register_for_checkpointing(scheduler)
    done = 0
    if checkpoint is not None:
        accelerator.load_state(str(checkpoint))
        done = json.loads((checkpoint / "trainer_state.json").read_text())["global_step"]

    losses, step = [], 0
    for epoch in range(options.epochs):
        sampler.set_epoch(epoch)
        for batch in loader:
            step += 1
            if step <= done:
                continue
            model.train()
            with losses_by(GlobalLosses(), model):
                loss = model(**batch).loss
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
            # Each process returns its share; their mean is the loss of the global batch.
            losses.append(accelerator.reduce(loss.detach(), "mean").item())
            accelerator.print(f"step {step} of {steps}: loss {losses[-1]:.4f}", file=sys.stderr)
            if step % options.save_steps == 0:
                save_checkpoint(accelerator, model, parts, options.output_dir, step)
    state = accelerator.get_state_dict(model)
    if accelerator.is_main_process:
        save_model(parts.model, parts.processor, options.output_dir, state_dict=scalars_again(state))
    accelerator.end_training()
    return losses


def save_checkpoint(accelerator: Any, model: Any, parts: TrainingParts, folder: Path, step: int) -> None:
    """Writes a checkpoint under another name and renames it, so that it is whole or not there.

    It is a model folder too: `from_pretrained` loads model and processor from it.
    """
    partial = folder / ".partial-checkpoint"
    if accelerator.is_main_process:
        shutil.rmtree(partial, ignore_errors=True)
    accelerator.wait_for_everyone()
    accelerator.save_state(str(partial))
    state = accelerator.get_state_dict(model)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        save_model(parts.model, parts.processor, partial, state_dict=scalars_again(state))
        (partial / "trainer_state.json").write_text(json.dumps({"global_step": step}))
        put_in_place(partial, folder / f"checkpoint-{step}")
    accelerator.wait_for_everyone()


if __name__ == "__main__":
    main()
