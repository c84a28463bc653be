"""Small torch modules as a user's own file would hold them; only import tests load it."""

import torch
from torch import nn


class Cnn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.drop = nn.Dropout(0.5, inplace=True)
        self.last = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        flow = torch.relu(self.norm(self.conv(x))).mean((2, 3))
        return self.last(self.drop(flow))


class Text(nn.Module):
    """One transformer layer, and the mean of what the mask lets through."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.last = nn.Linear(16, 3)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        flow = self.layers(self.embedding(input_ids), src_key_padding_mask=attention_mask == 0)
        mask = attention_mask.unsqueeze(-1).float()
        return self.last((flow * mask).sum(1) / mask.sum(1))


class Audio(nn.Module):
    """A convolution over a waveform; gives probabilities."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 8, 16, 4)
        self.last = nn.Linear(8, 3)

    def forward(self, wave: torch.Tensor) -> torch.Tensor:
        return self.last(torch.relu(self.conv(wave.unsqueeze(1))).mean(2)).softmax(-1)


class Answer:
    """What a Hugging Face model returns."""

    def __init__(self, logits: torch.Tensor) -> None:
        self.logits = logits


class TextForSequenceClassification(nn.Module):
    main_input_name = "input_ids"

    def __init__(self) -> None:
        super().__init__()
        self.text = Text()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Answer:
        return Answer(self.text(input_ids, attention_mask))


def seeded_cnn() -> nn.Module:
    torch.manual_seed(0)
    return Cnn()


def broken() -> nn.Module:
    raise RuntimeError("no weights here")


def no_module() -> int:
    return 3


def answers_by_batch() -> nn.Module:
    """What one sample is depends on the others: no encoder."""

    class Centred(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(64, 8)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            flow = self.layer(image.float().flatten(1) / 255)
            return flow - flow.mean(0)

    return Centred()


class Pixels(nn.Module):
    """Reads images as the transform makes them; gives embeddings, not classes."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 8)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if image.dtype != torch.uint8:
            raise TypeError(f"uint8 wanted, {image.dtype} given")
        return self.layer(image.float().flatten(1) / 255)


class Steps(nn.Module):
    """An embedding a step of a sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 8)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        del attention_mask
        return self.embedding(input_ids)
