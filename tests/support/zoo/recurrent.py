"""Recurrent networks: the layers of torch, as they are and as papers start them, and by hand."""

import torch
from torch import Tensor, nn

from zoo.case import Cage
from zoo.data import classified, cross_entropy, regressed, spoken, squared

RECURRENT = Cage("recurrent")
SERIES = classified(8, 10, 6)


class Last(nn.Module):
    """A recurrent body and a head on its last step."""

    def __init__(self, body: nn.RNNBase, outputs: int = 10) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Linear(body.hidden_size * (1 + body.bidirectional), outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x)[0][:, -1])


@RECURRENT.healthy(SERIES, cross_entropy)
def rnn() -> nn.Module:
    return Last(nn.RNN(6, 32, batch_first=True))


@RECURRENT.healthy(SERIES, cross_entropy)
def lstm() -> nn.Module:
    return Last(nn.LSTM(6, 32, batch_first=True))


@RECURRENT.healthy(SERIES, cross_entropy)
def gru() -> nn.Module:
    return Last(nn.GRU(6, 32, batch_first=True))


@RECURRENT.healthy(SERIES, cross_entropy)
def lstm_two_layers_both_ways() -> nn.Module:
    return Last(nn.LSTM(6, 32, num_layers=2, bidirectional=True, dropout=0.1, batch_first=True))


@RECURRENT.healthy(regressed(8, 24, 1), squared)
def forecast() -> nn.Module:
    return Last(nn.LSTM(1, 64, batch_first=True), 1)


@RECURRENT.healthy(SERIES, cross_entropy, "identity recurrence with relu (Le et al. 2015)")
def irnn() -> nn.Module:
    model = Last(nn.RNN(6, 32, nonlinearity="relu", batch_first=True))
    with torch.no_grad():
        model.body.weight_hh_l0.copy_(torch.eye(32))
        nn.init.normal_(model.body.weight_ih_l0, std=0.01)
        model.body.bias_ih_l0.zero_()
        model.body.bias_hh_l0.zero_()
    return model


@RECURRENT.healthy(SERIES, cross_entropy)
def lstm_keras_style() -> nn.Module:
    """Orthogonal recurrence in each gate, Xavier inputs, forget gates open."""
    model = Last(nn.LSTM(6, 32, batch_first=True))
    for name, weight in model.body.named_parameters():
        if "weight_ih" in name:
            for gate in weight.data.chunk(4):
                nn.init.xavier_uniform_(gate)
        elif "weight_hh" in name:
            for gate in weight.data.chunk(4):
                nn.init.orthogonal_(gate)
        else:
            nn.init.zeros_(weight)
            if "bias_ih" in name:
                weight.data[32:64].fill_(1.0)
    return model


@RECURRENT.healthy(SERIES, cross_entropy)
def gru_orthogonal() -> nn.Module:
    model = Last(nn.GRU(6, 32, batch_first=True))
    for gate in model.body.weight_hh_l0.data.chunk(3):
        nn.init.orthogonal_(gate)
    return model


@RECURRENT.healthy(SERIES, cross_entropy)
def rnn_orthogonal_tanh() -> nn.Module:
    model = Last(nn.RNN(6, 32, batch_first=True))
    nn.init.orthogonal_(model.body.weight_hh_l0)
    nn.init.xavier_uniform_(model.body.weight_ih_l0)
    return model


class CellByHand(nn.Module):
    def __init__(self, words: int = 50, width: int = 32) -> None:
        super().__init__()
        self.table = nn.Embedding(words, width)
        self.cell = nn.LSTMCell(width, width)
        self.head = nn.Linear(width, words)
        self.start = nn.Parameter(torch.zeros(2, width))

    def forward(self, x: Tensor) -> Tensor:
        hidden, memory = (part.expand(len(x), -1) for part in self.start)
        outputs = list[Tensor]()
        for token in self.table(x).unbind(1):
            hidden, memory = self.cell(token, (hidden, memory))
            outputs.append(hidden)
        return self.head(torch.stack(outputs, 1))


RECURRENT.add("lstm_cell_by_hand", CellByHand, spoken(), cross_entropy, "the first state is zero")


class GruByHand(nn.Module):
    def __init__(self, inputs: int = 6, width: int = 24) -> None:
        super().__init__()
        self.update = nn.Linear(inputs + width, width)
        self.reset = nn.Linear(inputs + width, width)
        self.fresh = nn.Linear(inputs + width, width)
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        state = x.new_zeros(len(x), self.head.in_features)
        for step in x.unbind(1):
            both = torch.cat([step, state], -1)
            update, reset = self.update(both).sigmoid(), self.reset(both).sigmoid()
            fresh = self.fresh(torch.cat([step, reset * state], -1)).tanh()
            state = (1 - update) * state + update * fresh
        return self.head(state)


RECURRENT.add("gru_by_hand", GruByHand, SERIES, cross_entropy)


class LanguageModel(nn.Module):
    """Two layers, the head tied to the table: the word-level model of the torch examples."""

    def __init__(self, words: int = 50, width: int = 32) -> None:
        super().__init__()
        self.table = nn.Embedding(words, width)
        self.body = nn.LSTM(width, width, num_layers=2, batch_first=True)
        self.head = nn.Linear(width, words)
        self.head.weight = self.table.weight
        nn.init.uniform_(self.table.weight, -0.1, 0.1)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(self.table(x))[0])


RECURRENT.add("language_model_tied", LanguageModel, spoken(), cross_entropy, "tied on purpose")


class Translator(nn.Module):
    """Encoder, decoder, additive attention."""

    def __init__(self, words: int = 40, width: int = 32) -> None:
        super().__init__()
        self.source, self.target = nn.Embedding(words, width), nn.Embedding(words, width)
        self.encoder = nn.GRU(width, width, batch_first=True)
        self.decoder = nn.GRU(width, width, batch_first=True)
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.score = nn.Linear(width, 1, bias=False)
        self.head = nn.Linear(2 * width, words)

    def forward(self, x: Tensor) -> Tensor:
        memory, state = self.encoder(self.source(x))
        hidden, _ = self.decoder(self.target(x), state)
        mixed = (self.query(hidden)[:, :, None] + self.key(memory)[:, None]).tanh()
        weights = self.score(mixed).squeeze(-1).softmax(-1)
        return self.head(torch.cat([hidden, weights @ memory], -1))


RECURRENT.add("translator", Translator, spoken(words=40), cross_entropy)
