"""Launch configurations and example scripts: they parse and refer to existing names."""

from __future__ import annotations

import ast
import py_compile
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from sensorlm_hf.cli import build_parser
from sensorlm_hf.modeling import SensorLMConfig, SensorLMForConditionalGeneration
from sensorlm_hf.training import SensorLMTrainingArguments

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / "configs" / "accelerate").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_accelerate_loads_configuration(path: Path) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(path))
    assert str(config.mixed_precision) == "bf16"
    assert config.num_processes == (1 if path.stem == "single_gpu" else 8)


def test_accelerate_builds_zero2_plugin_from_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Follows `accelerate launch` up to DeepSpeed itself, which needs GPUs."""
    from accelerate import DeepSpeedPlugin
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser
    from accelerate.utils.launch import prepare_deepspeed_cmd_env

    path = ROOT / "configs" / "accelerate" / "zero2.yaml"
    arguments = launch_command_parser().parse_args(["--config_file", str(path), "script.py"])
    arguments, defaults, _ = _validate_launch_command(arguments)
    assert arguments.use_deepspeed
    assert defaults is not None
    arguments.deepspeed_fields_from_accelerate_config = ",".join(defaults.deepspeed_config)
    _, environment = prepare_deepspeed_cmd_env(arguments)
    for name, value in environment.items():
        if name.startswith("ACCELERATE_"):
            monkeypatch.setenv(name, value)
    plugin = DeepSpeedPlugin()
    config = plugin.hf_ds_config.config
    assert config["zero_optimization"]["stage"] == plugin.zero_stage == 2
    assert config["zero_optimization"]["offload_optimizer"] == {"device": "none", "nvme_path": None}
    assert (plugin.gradient_clipping, config["gradient_clipping"]) == (1.0, 1.0)
    assert config["gradient_accumulation_steps"] == 1
    assert environment["ACCELERATE_MIXED_PRECISION"] == "bf16"


def test_configurations_cover_every_strategy() -> None:
    assert [path.stem for path in CONFIGS] == ["ddp", "fsdp2", "single_gpu", "zero2"]


def test_fsdp_configuration_lists_all_layers() -> None:
    fsdp = yaml.safe_load((ROOT / "configs" / "accelerate" / "fsdp2.yaml").read_text())["fsdp_config"]
    names = fsdp["fsdp_transformer_layer_cls_to_wrap"].split(",")
    model = SensorLMForConditionalGeneration(SensorLMConfig.from_size("coca", "tiny", vocab_size=99))
    kinds = {type(module).__name__ for module in model.modules() if type(module).__name__.endswith("Layer")}
    assert set(names) == kinds
    assert fsdp["fsdp_version"] == 2


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_examples_compile_and_import_optional_libraries_late(path: Path, tmp_path: Path) -> None:
    py_compile.compile(str(path), cfile=str(tmp_path / "compiled"), doraise=True)
    top = [node for node in ast.parse(path.read_text()).body if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in top if isinstance(node, ast.ImportFrom)}
    assert not {name for name in names if name.split(".")[0] in ("ray", "open_clip", "wandb", "trackio", "deepspeed")}


def test_slurm_script_is_valid_and_uses_existing_arguments() -> None:
    path = ROOT / "examples" / "slurm" / "train.sbatch"
    bash = shutil.which("bash")
    if bash is not None:
        subprocess.run([bash, "-n", str(path)], check=True)
    words = [word.strip('"') for word in path.read_text().split("sensorlm_hf.cli ")[1].split("\n\n")[0].split()]
    words = ["x" if word.startswith("$") else word for word in words if word != "\\"]
    known, rest = build_parser().parse_known_args(words)
    assert known.streaming
    assert known.resume
    assert known.batch_size == 64
    names = {word[2:] for word in rest if word.startswith("--")}
    assert names
    assert names <= set(SensorLMTrainingArguments.__dataclass_fields__)


def test_missing_ray_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util
    import sys

    spec = importlib.util.spec_from_file_location("ray_train_example", ROOT / "examples" / "ray_train.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "ray.train", None)
    with pytest.raises(ImportError, match=r"pip install 'ray\[train\]'"):
        module.main(["--output_dir", "x", "--data", "y"])
