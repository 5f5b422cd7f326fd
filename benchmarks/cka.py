"""Speed, memory and accuracy of CKA against other PyTorch packages, as ratios within one run.

    pip install pytorch-cka==1.1.3 torch-cka==0.21
    python benchmarks/cka.py

One job: two networks, all block outputs, 256 images in batches of 64. `replay` feeds recorded activations, so that
only CKA is paid for; `end to end` includes the forward passes and is set against a floor, both forward passes plus the
Gram products. Truth is the formula of Song et al. (2012) in float64, pair by pair. CPU time of one thread, the smallest
of `REPEATS` interleaved runs; memory is the peak above the process's size before. Writes results/benchmarks/cka.json.
"""

import contextlib
import io
import json
import os
import platform
import subprocess
import sys
import time
import warnings
from pathlib import Path

import timm
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from seelike.cka import sweep
from seelike.project import ROOT

REPEATS, BATCH, IMAGES, SIDE = 5, 64, 256, 96
sys.path = [p for p in sys.path if p != os.path.dirname(os.path.abspath(__file__))]  # a peer is called cka, like this file
RESNET = [f"layer{s}.{b}" for s in range(1, 5) for b in range(2)]
VIT = [f"blocks.{i}" for i in range(12)]


class Replay(nn.Module):
    """Plays back recorded activations: its named children return them, batch after batch."""

    def __init__(self, recorded):
        super().__init__()
        self.recorded, self.turn = recorded, 0
        for name in recorded:
            self.add_module(name.replace(".", "_"), nn.Identity())

    def forward(self, x):
        for name, batches in self.recorded.items():
            getattr(self, name.replace(".", "_"))(batches[self.turn % len(batches)])
        self.turn += 1
        return x.mean()


def job():
    torch.manual_seed(0)
    resnet = timm.create_model("resnet18", num_classes=10).eval()
    vit = timm.create_model("vit_tiny_patch16_224", img_size=SIDE, num_classes=10).eval()
    loader = DataLoader(TensorDataset(torch.randn(IMAGES, 3, SIDE, SIDE), torch.zeros(IMAGES)), batch_size=BATCH)
    return resnet, vit, loader


def record(model, layers, loader):
    from seelike.capture import capture

    kept = {name: [] for name in layers}
    with torch.no_grad(), capture(model, layers) as found:
        for x, _ in loader:
            model(x)
            for name in layers:
                kept[name].append(found[name])
    return kept


def seelike(a, b, layers_a, layers_b, loader):
    return torch.tensor(sweep({"a": a, "b": b}, loader, {"a": layers_a, "b": layers_b}).compute().to_numpy())[
        : len(layers_a), len(layers_a) :
    ]


def pytorch_cka(a, b, layers_a, layers_b, loader):
    from cka import compute_cka

    return compute_cka(a, b, loader, layers=layers_a, model2_layers=layers_b, device="cpu")[0]


def torch_cka(a, b, layers_a, layers_b, loader):
    from torch_cka import CKA as Peer

    with torch.no_grad():
        peer = Peer(a, b, "a", "b", model1_layers=layers_a, model2_layers=layers_b, device="cpu")
        peer.compare(loader)
    return peer.export()["CKA"]


def brute_force(a, b, layers_a, layers_b, loader):
    """Float64, every pair from scratch."""
    total = torch.zeros(3, len(layers_a), len(layers_b), dtype=torch.float64)
    one, other = record(a, layers_a, loader), record(b, layers_b, loader)
    for i, p in enumerate(layers_a):
        for j, q in enumerate(layers_b):
            for x, y in zip(one[p], other[q], strict=True):
                k, l = (v.flatten(1).double() @ v.flatten(1).double().T for v in (x - x.mean(0), y - y.mean(0)))
                total[:, i, j] += torch.stack([song(k, l), song(k, k), song(l, l)])
    return total[0] / (total[1] * total[2]).sqrt()


def song(k, l):
    n = len(k)
    k, l = k - k.diag().diag(), l - l.diag().diag()
    return ((k * l).sum() + k.sum() * l.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * k.sum(0) @ l.sum(1)) / (n * (n - 3))


PACKAGES = {"seelike": seelike, "pytorch-cka": pytorch_cka, "torch-cka": torch_cka, "float64, pair by pair": brute_force}


def quietly(f, *args):
    """CPU seconds of a call and what it returned, without its progress bars."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        started = time.process_time()
        out = f(*args)
        return time.process_time() - started, out


def replay():
    """Time and error on the same recorded activations."""
    resnet, vit, loader = job()
    kept = record(resnet, RESNET, loader), record(vit, VIT, loader)
    layers = [[n.replace(".", "_") for n in names] for names in (RESNET, VIT)]
    seconds, values = {n: [] for n in PACKAGES}, {}
    for _ in range(REPEATS):
        for name, f in PACKAGES.items():
            models = [Replay(k) for k in kept]
            spent, values[name] = quietly(f, *models, *layers, loader)
            seconds[name].append(spent)
    truth, ours = values["float64, pair by pair"], min(seconds["seelike"])
    rows = []
    for name in PACKAGES:
        error = (values[name].double() - truth).abs().max().item()
        rows.append({"package": name, "time / seelike": round(min(seconds[name]) / ours, 2), "largest error": float(f"{error:.1e}")})
    return rows


def offset_errors():
    """The same with all features shifted by 100 times their spread."""
    torch.manual_seed(0)
    x = torch.randn(IMAGES, 200)
    y = x @ torch.randn(200, 200) / 14 + 0.5 * torch.randn(IMAGES, 200)
    loader = DataLoader(TensorDataset(x, torch.zeros(IMAGES)), batch_size=BATCH)
    kept = {"x": list((x + 100).split(BATCH))}, {"y": list((y + 100).split(BATCH))}
    truth = brute_force(Replay(kept[0]), Replay(kept[1]), ["x"], ["y"], loader).item()
    found = {}
    for name, f in PACKAGES.items():
        try:
            found[name] = round(quietly(f, Replay(kept[0]), Replay(kept[1]), ["x"], ["y"], loader)[1].item(), 4)
        except Exception as error:
            found[name] = f"{type(error).__name__}: {error}"
    return {"truth": round(truth, 4)} | found


def forward_and_products():
    """CPU seconds of the floor: forwards timed alone, products timed alone."""
    resnet, vit, loader = job()
    kept = list(record(resnet, RESNET, loader).values()) + list(record(vit, VIT, loader).values())
    flat = [x.flatten(1) for batches in kept for x in batches]

    def forwards():
        with torch.no_grad():
            for x, _ in loader:
                resnet(x), vit(x)

    return [quietly(forwards)[0] + quietly(lambda: [x @ x.T for x in flat])[0] for _ in range(REPEATS)]


def end_to_end():
    """Whole runs against the floor."""
    resnet, vit, loader = job()
    base = min(forward_and_products())
    rows = []
    for name, f in PACKAGES.items():
        if f is brute_force:
            continue
        spent = min(quietly(f, resnet, vit, RESNET, VIT, loader)[0] for _ in range(3))
        rows.append({"package": name, "time / floor": round(spent / base, 2)})
    return rows


def resident(field):
    """A memory field of this process, in KiB."""
    return next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))


def peak(name):
    """Peak memory of one end-to-end run in a process of its own, MiB above the size before it."""
    asked = subprocess.run([sys.executable, __file__, "--peak", name], capture_output=True, text=True, check=True, cwd=ROOT)
    return float(asked.stdout.split()[-1])


def main():
    torch.set_num_threads(1)
    if sys.argv[1:2] == ["--peak"]:
        resnet, vit, loader = job()
        Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak starts from here
        before = resident("VmRSS")
        quietly(PACKAGES[sys.argv[2]], resnet, vit, RESNET, VIT, loader)
        print((resident("VmHWM") - before) / 1024)
        return
    rows, whole = replay(), {row["package"]: row for row in end_to_end()}
    for row in rows:
        row |= {"end to end / floor": whole.get(row["package"], {}).get("time / floor"), "peak MiB": round(peak(row["package"]))}
    out = {"replay": rows, "offset": offset_errors(), "machine": platform.processor() or platform.machine(), "torch": torch.__version__}
    path = ROOT / "results" / "benchmarks" / "cka.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".writing").write_text(json.dumps(out, indent=1) + "\n")
    os.replace(path.with_suffix(".writing"), path)
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
