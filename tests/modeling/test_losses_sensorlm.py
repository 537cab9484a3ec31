from __future__ import annotations

import math

import pytest
import torch

from sensorlm_hf.modeling import (
    caption_loss,
    clip_loss,
    contrastive_cross_entropy,
    positive_pairs,
    siglip_loss,
    statement_sigmoid_loss,
    statement_softmax_loss,
)


def unit_rows(rows: int, width: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(rows, width, dtype=torch.float64, generator=generator), dim=1)


SENSOR, TEXT = unit_rows(5, 7, 0), unit_rows(5, 7, 1)
GROUPS = torch.tensor([3, 1, 3, 2, 3])


def clip_oracle(sensor, text, scale, positive) -> float:
    """CLIP loss in both directions, one row at a time, in Python floats."""
    n = len(sensor)
    similarity = [
        [scale * sum(a * b for a, b in zip(s, t, strict=True)) for t in text.tolist()] for s in sensor.tolist()
    ]
    total = 0.0
    for i in range(n):
        for get, is_positive in (
            (lambda j, i=i: similarity[i][j], lambda j, i=i: positive(i, j)),
            (lambda j, i=i: similarity[j][i], lambda j, i=i: positive(j, i)),
        ):
            log_sum = math.log(sum(math.exp(get(j)) for j in range(n)))
            right = [j for j in range(n) if is_positive(j)]
            total += -sum(get(j) - log_sum for j in right) / len(right) / n / 2
    return total


def siglip_oracle(sensor, text, scale, bias, positive) -> float:
    total = 0.0
    for i, s in enumerate(sensor.tolist()):
        for j, t in enumerate(text.tolist()):
            z = 1 if positive(i, j) else -1
            logit = scale * sum(a * b for a, b in zip(s, t, strict=True)) + bias
            total += math.log1p(math.exp(-z * logit))
    return total / len(sensor)


def diagonal(i, j):
    return i == j


def grouped(i, j):
    return bool(GROUPS[i] == GROUPS[j])


@pytest.mark.parametrize(("positive", "matrix"), [(diagonal, None), (grouped, positive_pairs(GROUPS))])
def test_clip_loss_matches_loop(positive, matrix):
    loss = clip_loss(SENSOR, TEXT, torch.tensor(3.0, dtype=torch.float64), matrix)
    assert loss.item() == pytest.approx(clip_oracle(SENSOR, TEXT, 3.0, positive), abs=1e-12)


@pytest.mark.parametrize(("positive", "matrix"), [(diagonal, None), (grouped, positive_pairs(GROUPS))])
def test_siglip_loss_matches_loop(positive, matrix):
    scale, bias = torch.tensor(10.0, dtype=torch.float64), torch.tensor(-4.0, dtype=torch.float64)
    loss = siglip_loss(SENSOR, TEXT, scale, bias, matrix)
    assert loss.item() == pytest.approx(siglip_oracle(SENSOR, TEXT, 10.0, -4.0, positive), abs=1e-12)


def test_loss_values_by_hand():
    # Two orthogonal pairs: the similarities are the identity, so each row is log(1 + exp(-t)).
    eye, t = torch.eye(2, dtype=torch.float64), torch.tensor(2.0, dtype=torch.float64)
    assert clip_loss(eye, eye, t).item() == pytest.approx(math.log(1 + math.exp(-2)))
    # Sigmoid: -log sigmoid(2 - 1) for the positive and -log sigmoid(-(0 - 1)) for the negative.
    loss = siglip_loss(eye, eye, t, torch.tensor(-1.0, dtype=torch.float64))
    assert loss.item() == pytest.approx(2 * math.log(1 + math.exp(-1)))


def test_group_ids_define_positives():
    assert positive_pairs(torch.tensor([5, 6, 5])).tolist() == [
        [True, False, True],
        [False, True, False],
        [True, False, True],
    ]
    # Two local recordings, whose own texts are columns 1 and 2 of four; the last text has the group of the first.
    wide = positive_pairs(torch.tensor([8, 9]), torch.tensor([4, 8, 9, 8]), offset=1)
    assert wide.tolist() == [[False, True, False, True], [False, False, True, False]]


def test_own_text_is_always_positive():
    assert positive_pairs(torch.tensor([1, 2]), torch.tensor([7, 7])).tolist() == [[True, False], [False, True]]


def test_distinct_groups_give_diagonal_positives():
    matrix = positive_pairs(torch.arange(5))
    scale, bias = torch.tensor(5.0, dtype=torch.float64), torch.tensor(-5.0, dtype=torch.float64)
    assert clip_loss(SENSOR, TEXT, scale, matrix).item() == pytest.approx(
        clip_loss(SENSOR, TEXT, scale).item(), abs=1e-12
    )
    assert torch.equal(siglip_loss(SENSOR, TEXT, scale, bias, matrix), siglip_loss(SENSOR, TEXT, scale, bias))


def test_offset_gives_local_part_of_global_loss():
    logits = 3.0 * SENSOR @ TEXT.T
    parts = [contrastive_cross_entropy(logits[:2]), contrastive_cross_entropy(logits[2:], offset=2)]
    whole = contrastive_cross_entropy(logits)
    assert (2 * parts[0] + 3 * parts[1]).item() / 5 == pytest.approx(whole.item(), abs=1e-12)


def test_siglip_loss_is_additive_over_text_chunks():
    scale, bias = torch.tensor(10.0, dtype=torch.float64), torch.tensor(-10.0, dtype=torch.float64)
    positives = torch.eye(5, dtype=torch.bool)
    chunks = [siglip_loss(SENSOR, TEXT[c], scale, bias, positives[:, c]) for c in (slice(0, 2), slice(2, 5))]
    assert sum(chunks).item() == pytest.approx(siglip_loss(SENSOR, TEXT, scale, bias).item(), abs=1e-12)


@pytest.mark.parametrize("matrix", [None, positive_pairs(GROUPS)])
def test_gradients_match_finite_differences(matrix):
    sensor, text = SENSOR.clone().requires_grad_(), TEXT.clone().requires_grad_()
    scale = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    bias = torch.tensor(-1.0, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda *a: clip_loss(*a, matrix), (sensor, text, scale))
    assert torch.autograd.gradcheck(lambda *a: siglip_loss(*a, matrix), (sensor, text, scale, bias))


def test_half_precision_embeddings_are_compared_in_float32():
    sensor, text = SENSOR.bfloat16(), TEXT.bfloat16()
    loss = clip_loss(sensor, text, torch.tensor(14.0))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(
        clip_loss(sensor.double(), text.double(), torch.tensor(14.0).double()).item(), abs=1e-5
    )


def test_large_logits_stay_finite():
    eye = torch.eye(3)
    assert torch.isfinite(clip_loss(eye, eye.flip(0), torch.tensor(1e4)))
    assert torch.isfinite(siglip_loss(eye, eye.flip(0), torch.tensor(1e4), torch.tensor(-10.0)))


def test_caption_loss_matches_loop():
    generator = torch.Generator().manual_seed(4)
    logits = torch.randn(2, 3, 5, dtype=torch.float64, generator=generator)
    targets = torch.tensor([[1, -100, 4], [0, 0, -100]])
    terms = []
    for row in range(2):
        for step in range(3):
            if targets[row, step] >= 0:
                scores = logits[row, step].tolist()
                terms.append(math.log(sum(map(math.exp, scores))) - scores[int(targets[row, step])])
    assert len(terms) == 4
    assert caption_loss(logits, targets).item() == pytest.approx(sum(terms) / 4, abs=1e-12)


def test_caption_loss_without_tokens_is_zero_and_has_a_gradient():
    logits = torch.randn(2, 3, 5, requires_grad=True)
    loss = caption_loss(logits, torch.full((2, 3), -100))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad.abs().sum() == 0
    assert caption_loss(logits[:0], torch.zeros(0, 3, dtype=torch.long)).item() == 0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: siglip_loss(SENSOR, TEXT[:3], torch.ones(()), torch.ones(())), "5 recordings and 3 texts"),
        (
            lambda: siglip_loss(SENSOR, TEXT, torch.ones(()), torch.ones(()), torch.ones(5, 4, dtype=torch.bool)),
            r"\(5, 5\).*\(5, 4\)",
        ),
        (lambda: contrastive_cross_entropy(torch.zeros(3, 2)), r"\(3, 2\)"),
        (lambda: contrastive_cross_entropy(torch.zeros(2, 3), torch.ones(2, 2, dtype=torch.bool)), r"\(2, 3\)"),
        (lambda: positive_pairs(torch.zeros(2, 2, dtype=torch.long)), "vectors"),
        (lambda: positive_pairs(torch.zeros(3, dtype=torch.long), torch.zeros(2, dtype=torch.long)), "do not fit"),
    ],
)
def test_invalid_shapes_raise(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# Statements


TRUTH = torch.tensor([[1, 0, -1, 1], [0, 0, 1, 1], [-1, 1, -1, 1], [1, 0, 0, 1], [0, -1, 1, -1]])
STATEMENTS = unit_rows(4, 7, 2)


def statement_softmax_oracle(scale: float) -> float:
    logits = [[scale * float(s @ t) for t in STATEMENTS] for s in SENSOR]
    table = [list(map(int, row)) for row in TRUTH.tolist()]
    directions = []
    for rows, values in (
        (logits, table),
        ([list(c) for c in zip(*logits, strict=True)], [list(c) for c in zip(*table, strict=True)]),
    ):
        losses = []
        for row, value in zip(rows, values, strict=True):
            true = [x for x, v in zip(row, value, strict=True) if v == 1]
            decided = [x for x, v in zip(row, value, strict=True) if v >= 0]
            if true and len(true) < len(decided):
                log_sum = math.log(sum(math.exp(x) for x in decided))
                losses.append(-sum(x - log_sum for x in true) / len(true))
        directions.append(sum(losses) / len(losses))
    return sum(directions) / 2


def statement_sigmoid_oracle(scale: float, bias: float) -> float:
    losses = []
    for i, s in enumerate(SENSOR):
        for j, t in enumerate(STATEMENTS):
            value = int(TRUTH[i, j])
            if value >= 0:
                z = 1 if value else -1
                losses.append(math.log1p(math.exp(-z * (scale * float(s @ t) + bias))))
    return sum(losses) / len(losses)


def test_statement_losses_match_loops():
    scale, bias = torch.tensor(3.0, dtype=torch.float64), torch.tensor(-0.5, dtype=torch.float64)
    softmax = statement_softmax_loss(SENSOR, STATEMENTS, TRUTH, scale)
    assert softmax.item() == pytest.approx(statement_softmax_oracle(3.0), abs=1e-12)
    sigmoid = statement_sigmoid_loss(SENSOR, STATEMENTS, TRUTH, scale, bias)
    assert sigmoid.item() == pytest.approx(statement_sigmoid_oracle(3.0, -0.5), abs=1e-12)


def test_statement_softmax_of_identity_is_clip_loss():
    scale = torch.tensor(3.0, dtype=torch.float64)
    torch.testing.assert_close(
        statement_softmax_loss(SENSOR, TEXT, torch.eye(5).long(), scale), clip_loss(SENSOR, TEXT, scale)
    )


@pytest.mark.parametrize("value", [-1, 0, 1])
def test_statements_without_contrast_have_no_softmax_loss(value):
    truth = torch.full((5, 4), value)
    scale = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    loss = statement_softmax_loss(SENSOR, STATEMENTS, truth, scale)
    loss.backward()
    assert loss.item() == 0
    assert scale.grad == 0
    sigmoid = statement_sigmoid_loss(SENSOR, STATEMENTS, truth, scale.detach(), scale.detach())
    assert (sigmoid.item() == 0) is (value == -1)


def test_truth_of_another_shape_raises():
    scale = torch.tensor(1.0)
    with pytest.raises(ValueError, match=r"\(5, 4\), got \(4, 5\)"):
        statement_softmax_loss(SENSOR, STATEMENTS, TRUTH.T, scale)
    with pytest.raises(ValueError, match=r"\(5, 4\), got \(4, 5\)"):
        statement_sigmoid_loss(SENSOR, STATEMENTS, TRUTH.T, scale, scale)
