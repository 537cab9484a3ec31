"""Pretrain on a Ray cluster with Ray Train.

    pip install "ray[train]"
    python examples/ray_train.py --data /data/days --output_dir /runs/sensorlm --workers 16 --gpus_per_worker 1

The output folder must be on a file system that all nodes share. If a worker dies, the group is restarted and resumes
from the last complete checkpoint.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def train_worker(config: dict[str, Any]) -> None:
    """Trains on one worker, in the process group set up by Ray."""
    from sensorlm_hf.training import PretrainOptions, SensorLMTrainingArguments, pretrain

    options = PretrainOptions(objective=config["objective"], size=config["size"], data=config["data"])
    arguments = SensorLMTrainingArguments(
        output_dir=config["output_dir"],
        per_device_train_batch_size=config["batch_size"],
        per_device_eval_batch_size=config["batch_size"],
        max_steps=config["max_steps"],
        eval_strategy="steps",
        eval_steps=config["save_steps"],
        save_steps=config["save_steps"],
        save_total_limit=2,
        use_cpu=config["gpus_per_worker"] == 0,
        disable_tqdm=True,
        seed=config["seed"],
    )
    metrics = pretrain(options, arguments, resume=True)
    report(metrics)


def report(metrics: dict[str, Any]) -> None:
    """Reports the metrics of the run to Ray."""
    from ray import train

    train.report({name: value for name, value in metrics.items() if isinstance(value, (int, float))})


def main(argv: list[str] | None = None) -> Any:
    """Starts the workers and returns the result of Ray Train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--objective", default="siglip", choices=("clip", "siglip", "cap", "coca"))
    parser.add_argument("--size", default="base")
    parser.add_argument("--batch_size", type=int, default=64, help="Batch size per worker.")
    parser.add_argument("--max_steps", type=int, default=50_000)
    parser.add_argument("--save_steps", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--gpus_per_worker", type=int, default=1)
    parser.add_argument("--failures", type=int, default=3, help="Maximum number of restarts.")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    try:
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer
    except ImportError as error:
        raise ImportError(f"This example needs Ray Train: pip install 'ray[train]' ({error}).") from error
    output = Path(options.output_dir).resolve()
    trainer = TorchTrainer(
        train_worker,
        train_loop_config={**vars(options), "output_dir": str(output)},
        scaling_config=ScalingConfig(num_workers=options.workers, use_gpu=options.gpus_per_worker > 0),
        torch_config=TorchConfig(backend="nccl" if options.gpus_per_worker else "gloo"),
        run_config=RunConfig(
            name=f"{output.name}-ray",
            storage_path=str(output.parent),
            failure_config=FailureConfig(max_failures=options.failures),
        ),
    )
    return trainer.fit()


if __name__ == "__main__":
    main()
