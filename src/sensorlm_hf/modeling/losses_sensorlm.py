"""Losses of SensorLM as pure functions: no model, no state, no communication between processes.

Rows are sensor recordings and columns are texts throughout. A distributed loss gathers embeddings first and passes the
positives of its rows and columns, which need not be square.
"""

from typing import Optional

import torch
from torch import nn


def _wide(tensor: torch.Tensor) -> torch.Tensor:
    """Returns half-precision tensors as float32, others unchanged."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def _cosines(sensor_embeds: torch.Tensor, text_embeds: torch.Tensor) -> torch.Tensor:
    """Returns all products of two sets of embeddings, in float32 at least, under autocast too."""
    with torch.autocast(sensor_embeds.device.type, enabled=False):
        return _wide(sensor_embeds) @ _wide(text_embeds).T


def positive_pairs(
    sensor_groups: torch.Tensor, text_groups: Optional[torch.Tensor] = None, *, offset: int = 0
) -> torch.Tensor:
    """Marks the pairs of recordings and texts that belong together.

    Args:
        sensor_groups: `(N,)` integers: the group of the text that belongs to each recording.
        text_groups: `(M,)` integers: the group of each text. Defaults to `sensor_groups`.
        offset: Column of the text that belongs to the first recording, which is positive whatever the groups say.

    Returns:
        `(N, M)` bool, True where the groups are equal.

    Raises:
        ValueError: If the groups are not vectors, or the texts end before the recordings' own ones do.
    """
    text_groups = sensor_groups if text_groups is None else text_groups
    if sensor_groups.ndim != 1 or text_groups.ndim != 1:
        raise ValueError(
            "Groups must be vectors with one integer for each row, got shapes"
            f" {tuple(sensor_groups.shape)} and {tuple(text_groups.shape)}."
        )
    if offset < 0 or offset + len(sensor_groups) > len(text_groups):
        raise ValueError(
            f"{len(sensor_groups)} recordings from column {offset} on do not fit into {len(text_groups)} texts."
        )
    positives = sensor_groups[:, None] == text_groups[None, :]
    rows = torch.arange(len(sensor_groups), device=positives.device)
    positives[rows, rows + offset] = True
    return positives


def contrastive_cross_entropy(
    logits: torch.Tensor, positives: Optional[torch.Tensor] = None, *, offset: int = 0
) -> torch.Tensor:
    r"""Cross-entropy of each row of similarities against its positives; one direction of the CLIP loss.

    $$ -\frac{1}{N} \sum_i \frac{1}{|P_i|} \sum_{j \in P_i} \log \mathrm{softmax}_j(\mathrm{logits}_i) $$

    Args:
        logits: `(N, M)` scaled similarities.
        positives: `(N, M)` bool, with at least one True in each row. By default row `i` has the one positive
            `i + offset`.
        offset: Column of the first row's positive; used without `positives`.

    Returns:
        The mean over rows, a scalar.

    Raises:
        ValueError: If the shapes do not fit.
    """
    logits = _wide(logits)
    if positives is None:
        if offset < 0 or offset + logits.shape[0] > logits.shape[1]:
            raise ValueError(
                f"Similarities of shape {tuple(logits.shape)} have no positive for every row from column {offset} on."
            )
        targets = torch.arange(logits.shape[0], device=logits.device) + offset
        return nn.functional.cross_entropy(logits, targets)
    if positives.shape != logits.shape:
        raise ValueError(
            f"`positives` must have the logits' shape {tuple(logits.shape)}, got {tuple(positives.shape)}."
        )
    weights = positives.to(logits.dtype)
    weights = weights / weights.sum(dim=1, keepdim=True)
    return -(weights * logits.log_softmax(dim=1)).sum(dim=1).mean()


def clip_loss(
    sensor_embeds: torch.Tensor,
    text_embeds: torch.Tensor,
    logit_scale: torch.Tensor,
    positives: Optional[torch.Tensor] = None,
) -> torch.Tensor:
    r"""Symmetric InfoNCE (Radford et al., 2021): the mean of both directions of [`contrastive_cross_entropy`].

    Args:
        sensor_embeds: `(N, D)` rows of length 1.
        text_embeds: `(N, D)` rows of length 1; row `i` belongs to recording `i`.
        logit_scale: Factor on the similarities (not its logarithm), a scalar.
        positives: `(N, N)` bool for texts that several recordings share: the target of a row is then uniform over its
            positives. By default the diagonal.

    Returns:
        The loss, a scalar.
    """
    logits = _wide(logit_scale) * _cosines(sensor_embeds, text_embeds)
    columns = None if positives is None else positives.T
    return (contrastive_cross_entropy(logits, positives) + contrastive_cross_entropy(logits.T, columns)) / 2


def siglip_loss(
    sensor_embeds: torch.Tensor,
    text_embeds: torch.Tensor,
    logit_scale: torch.Tensor,
    logit_bias: torch.Tensor,
    positives: Optional[torch.Tensor] = None,
) -> torch.Tensor:
    r"""Sigmoid loss (Zhai et al., 2023): a binary classification of every pair.

    $$ -\frac{1}{N} \sum_i \sum_j \log \sigma(z_{ij} (t \langle s_i, c_j \rangle + b)), $$

    with $z_{ij} = 1$ for positives and -1 otherwise. It is a sum over columns, so chunks of texts can be added up.

    Args:
        sensor_embeds: `(N, D)` rows of length 1.
        text_embeds: `(M, D)` rows of length 1.
        logit_scale: t, the factor on the similarities (not its logarithm), a scalar.
        logit_bias: b, a scalar.
        positives: `(N, M)` bool, all False for a chunk of negatives. By default the diagonal; then `N` must equal `M`.

    Returns:
        The mean over recordings of the sum over texts, a scalar.

    Raises:
        ValueError: If `positives` is missing for a chunk that is not square, or has another shape.
    """
    logits = _wide(logit_scale) * _cosines(sensor_embeds, text_embeds) + _wide(logit_bias)
    if positives is None:
        if logits.shape[0] != logits.shape[1]:
            raise ValueError(
                f"{logits.shape[0]} recordings and {logits.shape[1]} texts have no diagonal: give `positives`."
            )
        positives = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    elif positives.shape != logits.shape:
        raise ValueError(f"`positives` must have shape {tuple(logits.shape)}, got {tuple(positives.shape)}.")
    signs = positives.to(logits.dtype) * 2 - 1
    return -nn.functional.logsigmoid(signs * logits).sum(dim=1).mean()


def statement_softmax_loss(
    sensor_embeds: torch.Tensor, statement_embeds: torch.Tensor, truth: torch.Tensor, logit_scale: torch.Tensor
) -> torch.Tensor:
    r"""Softmax loss of recordings against statements that may be true of any number of them.

    Undecided pairs are left out. Each statement is compared with the recordings of which it is known to be true or
    false: the target is uniform over the former. Each recording is compared with its statements in the same way, and
    the loss is the mean of both directions. Rows and columns without a true pair, or without a false one, do not count.
    With a truth matrix that is the identity it is [`clip_loss`].

    Args:
        sensor_embeds: `(N, D)` rows of length 1.
        statement_embeds: `(S, D)` rows of length 1.
        truth: `(N, S)` integers: 1 where a statement is true, 0 where it is false, -1 where that is undecided.
        logit_scale: Factor on the similarities (not its logarithm), a scalar.

    Returns:
        The loss, a scalar; 0 if nothing counts.

    Raises:
        ValueError: If `truth` has another shape.
    """
    _check_truth(sensor_embeds, statement_embeds, truth)
    logits = _wide(logit_scale) * _cosines(sensor_embeds, statement_embeds)
    losses = []
    for scores, values in ((logits, truth), (logits.T, truth.T)):
        true = values == 1
        counts = true.any(dim=1) & (values == 0).any(dim=1)
        scores = scores.masked_fill(values < 0, torch.finfo(scores.dtype).min).log_softmax(dim=1)
        weights = true.to(scores.dtype)
        weights = weights / weights.sum(dim=1, keepdim=True).clamp(min=1)
        rows = -(weights * scores).sum(dim=1)
        losses.append((rows * counts).sum() / counts.sum().clamp(min=1))
    return (losses[0] + losses[1]) / 2


def statement_sigmoid_loss(
    sensor_embeds: torch.Tensor,
    statement_embeds: torch.Tensor,
    truth: torch.Tensor,
    logit_scale: torch.Tensor,
    logit_bias: torch.Tensor,
) -> torch.Tensor:
    r"""Sigmoid loss of recordings against statements: a binary classification of every decided pair.

    Minimised, $\sigma(t \langle s_i, c_j \rangle + b)$ is the probability that statement $j$ is true of recording $i$.

    Args:
        sensor_embeds: `(N, D)` rows of length 1.
        statement_embeds: `(S, D)` rows of length 1.
        truth: `(N, S)` integers: 1 where a statement is true, 0 where it is false, -1 where that is undecided.
        logit_scale: t, the factor on the similarities (not its logarithm), a scalar.
        logit_bias: b, a scalar.

    Returns:
        The mean over decided pairs, a scalar; 0 if there are none.

    Raises:
        ValueError: If `truth` has another shape.
    """
    _check_truth(sensor_embeds, statement_embeds, truth)
    logits = _wide(logit_scale) * _cosines(sensor_embeds, statement_embeds) + _wide(logit_bias)
    decided = truth >= 0
    targets = (truth == 1).to(logits.dtype)
    losses = nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return (losses * decided).sum() / decided.sum().clamp(min=1)


def _check_truth(sensor_embeds: torch.Tensor, statement_embeds: torch.Tensor, truth: torch.Tensor) -> None:
    expected = (len(sensor_embeds), len(statement_embeds))
    if truth.shape != expected:
        raise ValueError(
            f"The truth of statements must have shape (recordings, statements), here {expected}, got"
            f" {tuple(truth.shape)}."
        )


def default_labels(input_ids: torch.Tensor, attention_mask: Optional[torch.Tensor] = None) -> torch.Tensor:
    """Returns the caption labels of texts, `(B, L)`: the tokens, -100 for padding.

    Args:
        input_ids: `(B, L)` token ids.
        attention_mask: `(B, L)`, 0 for padding.
    """
    return input_ids if attention_mask is None else input_ids.masked_fill(attention_mask == 0, -100)


def caption_targets(
    input_ids: torch.Tensor, attention_mask: Optional[torch.Tensor] = None, labels: Optional[torch.Tensor] = None
) -> torch.Tensor:
    """Returns the token to predict at each position but the last.

    Args:
        input_ids: `(B, L)` token ids.
        attention_mask: `(B, L)`, 0 for padding.
        labels: `(B, L)`, -100 for tokens that do not count; by default the [`default_labels`].

    Returns:
        `(B, L - 1)` token ids, -100 where there is nothing to predict.

    Raises:
        ValueError: If the labels have another shape than the tokens.
    """
    if labels is None:
        labels = default_labels(input_ids, attention_mask)
    elif labels.shape != input_ids.shape:
        raise ValueError(
            f"`labels` must have the shape of `input_ids`, {tuple(input_ids.shape)}, got {tuple(labels.shape)}."
        )
    targets = labels[:, 1:]
    if attention_mask is not None:
        # With padding on the left the first token follows a padded position, which must not predict it.
        targets = targets.masked_fill(attention_mask[:, :-1] == 0, -100)
    return targets


def caption_loss(
    logits: torch.Tensor,
    targets: torch.Tensor,
    ignore_index: int = -100,
    total: Optional[torch.Tensor] = None,
) -> torch.Tensor:
    """Mean negative log-likelihood of caption tokens, in float32 at least.

    Args:
        logits: `(..., V)` scores of the next token.
        targets: `(...)` token ids, already shifted; positions that hold `ignore_index` do not count.
        ignore_index: Marks targets that do not count.
        total: Number of tokens to divide by, when the other tokens of the batch are scored elsewhere. By default those
            that count here.

    Returns:
        The mean over the tokens that count, a scalar; 0 where there are none.
    """
    logits, targets = logits.reshape(-1, logits.shape[-1]), targets.reshape(-1)
    summed = nn.functional.cross_entropy(_wide(logits), targets, ignore_index=ignore_index, reduction="sum")
    total = (targets != ignore_index).sum() if total is None else total
    return summed / total.clamp(min=1)


__all__ = [
    "caption_loss",
    "caption_targets",
    "clip_loss",
    "contrastive_cross_entropy",
    "default_labels",
    "positive_pairs",
    "siglip_loss",
    "statement_sigmoid_loss",
    "statement_softmax_loss",
]
