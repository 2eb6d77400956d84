"""A training with the Trainer of `transformers` as its users write it; its own callback logs to MLflow.

    python transformers_training.py FOLDER

Runs in the environment of `make test-torch`. The model is made from a configuration, so nothing is fetched. Prints the
history of the trainer, and the seconds of the training without and with logging, as JSON.
"""

import json
import sys
import time
import warnings

import torch
import transformers

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()


class Sentences(torch.utils.data.Dataset):  # type: ignore[misc]
    """32 sentences of 8 words; the label is whether the first word is one of the first half."""

    def __init__(self) -> None:
        self.words = torch.randint(2, 50, (32, 8), generator=torch.Generator().manual_seed(2))

    def __len__(self) -> int:
        return len(self.words)

    def __getitem__(self, row: int) -> dict[str, torch.Tensor]:
        return {"input_ids": self.words[row], "labels": (self.words[row, 0] < 26).long()}


def trained(folder: str, report_to: str) -> tuple[list[dict[str, float]], float]:
    """The history of a training, and the seconds it took."""
    transformers.set_seed(1)
    config = transformers.BertConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=16,
    )
    settings = transformers.TrainingArguments(
        output_dir=folder,
        report_to=report_to,
        run_name="tiny",
        max_steps=6,
        logging_steps=2,
        save_steps=6,
        per_device_train_batch_size=8,
        use_cpu=True,
        disable_tqdm=True,
    )
    model = transformers.BertForSequenceClassification(config)
    trainer = transformers.Trainer(model=model, args=settings, train_dataset=Sentences())
    begun = time.perf_counter()
    trainer.train()
    return trainer.state.log_history, time.perf_counter() - begun


def main(folder: str) -> None:
    _, without = trained(f"{folder}/without", "none")
    history, logged = trained(f"{folder}/logged", "mlflow")
    print(json.dumps({"history": history, "seconds": [without, logged]}))


main(*sys.argv[1:])
