"""Train a SensorLM model in a plain Accelerate loop, with the losses, data and checkpoints of the Trainer.

    python examples/train_accelerate.py --output_dir my-sensorlm --data simulated:200
    torchrun --nproc_per_node 2 examples/train_accelerate.py --output_dir my-sensorlm --data simulated:200
    accelerate launch --config_file configs/accelerate/fsdp2.yaml examples/train_accelerate.py --output_dir my-sensorlm

A starting point for custom loops: everything that must be consistent across processes comes from the package. The
loss curve equals that of `sensorlm-hf train` with the same arguments and seed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader

from sensorlm_hf.training import (
    GlobalLosses,
    PersonSampler,
    PretrainOptions,
    RsqrtSchedule,
    clamp_logit_scale,
    compute_losses,
    last_complete_checkpoint,
    load_checkpoint,
    model_writer,
    parameter_groups,
    prepare,
    prepare_for_fsdp2,
    save_checkpoint,
)


def main(argv: list[str] | None = None) -> list[float]:
    """Trains; returns the loss of each step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--data", default="simulated:200")
    parser.add_argument("--objective", default="siglip")
    parser.add_argument("--batch_size", type=int, default=64, help="Batch size per process.")
    more = {"size": "tiny", "max_text_length": 256, "vocab_size": 4096, "mixed_precision": "no", "learning_rate": 5e-4}
    for name, value in {**more, "epochs": 3, "save_steps": 500, "seed": 0}.items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    parser.add_argument("--cpu", action="store_true")
    options = parser.parse_args(argv)

    accelerator = Accelerator(mixed_precision=options.mixed_precision, cpu=options.cpu)
    checkpoint = last_complete_checkpoint(options.output_dir)
    shared = ("objective", "size", "data", "max_text_length", "vocab_size")
    parts = prepare(
        PretrainOptions(**{name: getattr(options, name) for name in shared}),
        options.output_dir,
        seed=options.seed,
        rank=accelerator.process_index,
        world_size=accelerator.num_processes,
        resume=checkpoint is not None,
        main_process_first=accelerator.main_process_first,
    )
    sampler = PersonSampler(parts.train.people(), options.batch_size * accelerator.num_processes, options.seed)
    loader = DataLoader(parts.train, batch_size=options.batch_size, sampler=sampler, collate_fn=parts.collator)
    groups = parameter_groups(parts.model.named_parameters(), weight_decay=1e-4)
    optimizer = torch.optim.AdamW(groups, lr=options.learning_rate, betas=(0.9, 0.999), fused=True)
    prepare_for_fsdp2(parts.model, accelerator)
    model, optimizer, loader = accelerator.prepare(parts.model, optimizer, loader)
    steps = len(loader) * options.epochs
    schedule = RsqrtSchedule(steps, warmup_steps=-(-steps // 5), cooldown_steps=steps // 5)
    # Not prepared by Accelerate, which would step it once per process.
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer.optimizer, schedule)
    accelerator.register_for_checkpointing(scheduler)
    done = load_checkpoint(accelerator, checkpoint) if checkpoint else 0

    losses = []
    for epoch in range(options.epochs):
        sampler.set_epoch(epoch)
        for step, batch in enumerate(loader, start=epoch * len(loader) + 1):
            if step <= done:
                continue
            model.train()
            loss = compute_losses(model, batch, GlobalLosses()).loss
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            clamp_logit_scale(model)
            scheduler.step()
            optimizer.zero_grad()
            losses.append(accelerator.reduce(loss.detach(), "mean").item())  # the loss of the global batch
            accelerator.print(f"step {step} of {steps}: loss {losses[-1]:.4f}", file=sys.stderr)
            if step % options.save_steps == 0:
                save_checkpoint(accelerator, options.output_dir, step, model_writer(accelerator, model, parts))
    model_writer(accelerator, model, parts)(options.output_dir)
    accelerator.end_training()
    return losses


if __name__ == "__main__":
    main()
