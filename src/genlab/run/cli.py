"""The command ``genlab``: help without heavy imports, then one verb each through Hydra.

Exit codes: 0 done; 1 a run failed; 2 the command or config is wrong; 130 interrupted.
"""

import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

from genlab import __version__
from genlab.checks import nearest_hint
from genlab.run.config_files import config_dir, experiments, groups, studies


class Verb(NamedTuple):
    """What the help says of a verb: a line, the usual overrides, and commands to try."""

    summary: str
    overrides: dict[str, str]
    examples: list[str]


_RUN = {"run=FOLDER": "the run's folder", "checkpoint=best": "or last, or epoch_0025 and the like"}

VERBS = {
    "train": Verb(
        "train a model, or go on with a run that was stopped",
        {
            "experiment=NAME": "what to train (below)",
            "study=NAME": "a sweep with its question, figures and claims; with budget=smoke, quick or full,",
            "  -m study=NAME": "dry_run=true (only lists its runs), fail_fast=N, judge=FOLDER; again: goes on",
            "run_dir=FOLDER": "the run's folder, exactly; the same folder again goes on where it stopped",
            "seed=0": "every random number comes from it",
            "trainer.max_steps=N": "iterations, met exactly; trainer.max_epochs=N: passes over the data",
            "trainer.devices=N": "processes that train together, each on data of its own",
            "data.corpus=NAME": "python_docs or tiny_shakespeare; data.text=FILE for any text",
            "data.dataset=NAME": "MNIST, FashionMNIST, KMNIST, QMNIST, EMNIST, or digits, which needs no download",
            "model.hidden_size=N": "and every other field that --cfg job shows",
            "optimizer=NAME": "with optimizer.lr=1e-3",
            "logger=NAME": "csv always; tensorboard or wandb beside it",
        },
        [
            "genlab train experiment=char_rnn",
            "genlab train experiment=char_rnn data.corpus=tiny_shakespeare model.hidden_size=512",
            "genlab train -m experiment=char_rnn model.hidden_size=100,256 data.seq_len=20,30",
            "genlab train experiment=dcgan trainer.max_epochs=25 model.dropout=0.2",
            "genlab train experiment=char_rnn --cfg job",
            "genlab train -m study=rnn_capacity budget=quick",
            "genlab train -m study=rnn_lr budget=quick hydra/launcher=joblib hydra.launcher.n_jobs=2",
        ],
    ),
    "search": Verb(
        "let Optuna look for the best values within a study's ranges; the same command goes on",
        {
            "study=NAME": "a study whose file has ranges to search",
            "trials=20": "runs in all; hopeless ones are ended early",
            "budget=quick": "how long a trial trains, as in the study",
            "seed=0": "of the sampler",
            "objective=NAME": "a quantity of the study; left out: what its runs monitor on held-out data",
            "  objective=fid": "of a GAN, which monitors nothing: a search looks at test images then, and its figures",
            "": "must not be reported as test figures",
            "KEY=VALUE": "any field of the runs",
        },
        [
            "genlab search study=rnn_lr trials=30",
            "genlab search study=vae_latent trials=20 trainer.precision=bf16-mixed",
        ],
    ),
    "evaluate": Verb(
        "judge a trained model; writes evaluation/*.json into its run folder",
        {
            **_RUN,
            "only=[NAME]": "some of the run's evaluators",
            "judge=FOLDER": "the classifier's run that judges generated images; else one nearby is taken",
            "logger=wandb": "or tensorboard: show the results there too, with figures and samples",
        },
        [
            "genlab evaluate run=runs/char_rnn/2026-01-31_12-00-00",
            "genlab evaluate run=runs/demo/dcgan judge=runs/demo/classifier only=[fid_mnist_cnn,recall]",
            "genlab evaluate run=runs/demo/dcgan checkpoint=epoch_0002",
        ],
    ),
    "sample": Verb(
        "draw from a trained model: texts, or pictures; writes into samples/ of its run folder",
        {
            **_RUN,
            "count=N": "texts or images",
            "temperature=0.8": "of a text; or a list: one file of all",
            "length=1000": "characters",
            "prompt='Once '": "text to go on from",
            "top_k=0 top_p=1.0": "draw from the likeliest only",
            "kind=grid": "of picture; or walk, labelled, manifold, scatter, reconstructions, mistakes, or [a list]",
            "interpolation=spherical": "of a walk; with points, steps, from_images=true",
            "judge=FOLDER": "the classifier's run that labels images",
            "output=FILE": "instead of samples/",
        },
        [
            "genlab sample run=runs/demo/char_rnn temperature=0.8 length=1000",
            "genlab sample run=runs/demo/char_rnn temperature=[0.4,0.6,0.8,1.0,1.2,1.4] length=500",
            "genlab sample run=runs/demo/dcgan kind=walk points=10 steps=100",
            "genlab sample run=runs/demo/vae kind=labelled judge=runs/demo/classifier",
        ],
    ),
    "compare": Verb(
        "put runs side by side: realism, variety, smoothness, likelihood",
        {"runs=[A,B]": "their folders; evaluated with one judge", "output=FILE.md": "the table as Markdown"},
        ["genlab compare runs=[runs/demo/dcgan,runs/demo/vae]"],
    ),
    "studies": Verb(
        "decide all claims from what studies found, and write a page for each study",
        {
            "budget=quick": "whose runs are read",
            "output=FOLDER": "for <study>.md, figures, claims.md and claims.json; else verdicts are printed alone",
            "only=[NAME]": "pages of some studies",
        },
        ["genlab studies", "genlab studies budget=quick output=docs/studies"],
    ),
    "report": Verb(
        "write one self-contained HTML page from run folders",
        {"runs=FOLDER": "a run, a folder of runs, a glob, or a list", "output=report.html": "the page"},
        ["genlab report runs=runs/demo output=runs/demo/report.html"],
    ),
    "dashboard": Verb(
        "W&B reports as code: show them, or make them; and a study as a sweep for W&B's agents",
        {
            "study=NAME": "the report of a study; budget=quick: of its runs at that budget alone",
            "panels=NAME": "the report of a model; with neither, all of both",
            "create=true": "make them in W&B, which needs an account; those that are there are brought up to date",
            "entity=NAME": "whose they are; project=NAME: in which project",
            "sweep=FILE.yaml": "instead, what `wandb sweep` takes: the study's grid",
        },
        [
            "genlab dashboard",
            "genlab dashboard study=rnn_capacity create=true",
            "genlab dashboard study=rnn_capacity budget=quick sweep=rnn_capacity.yaml",
        ],
    ),
    "fetch": Verb(
        "download data, verified by checksum",
        {
            "corpus=NAME": "tiny_shakespeare, alone; without either name both it and MNIST",
            "dataset=NAME": "MNIST, FashionMNIST, KMNIST, QMNIST or EMNIST, alone",
            "root=FOLDER": "default: GENLAB_DATA, or data",
        },
        ["genlab fetch", "genlab fetch corpus=tiny_shakespeare", "genlab fetch dataset=FashionMNIST root=data"],
    ),
    "doctor": Verb(
        "say what this machine has: versions, processor, data, W&B, and what to fix",
        {"root=FOLDER": "where data is looked for"},
        ["genlab doctor"],
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        _show(overview())
        return 0
    if words[0] == "--version":
        print(f"genlab {__version__}")
        return 0
    if words[0] in ("-sc", "--shell-completion"):
        return _complete(words)
    verb, rest = words[0], words[1:]
    if verb not in VERBS:
        hint = nearest_hint(verb, VERBS) or f"; the verbs are {', '.join(VERBS)}"
        print(f"genlab: no verb {verb!r}{hint}", file=sys.stderr)
        return 2
    if "-h" in rest or "--help" in rest:
        _show(help_of(verb))
        return 0
    from genlab.run.hydra_app import run_verb

    return run_verb(verb, rest)


def _show(text: str) -> None:
    """Print it; whoever reads may stop before its end, as ``| head`` does."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is left to be flushed at the end


def overview() -> str:
    """The text of ``genlab --help``."""
    verbs = _table({verb: VERBS[verb].summary for verb in VERBS})
    return (
        f"genlab {__version__}: small generative models, trained, swept and judged by numbers\n\n"
        f"usage: genlab VERB [KEY=VALUE ...]     (genlab VERB --help says more)\n\n"
        f"verbs\n{verbs}\n\nexperiments (genlab train experiment=NAME)\n{_table(experiments())}\n\n"
        f"studies (genlab train -m study=NAME budget=quick)\n{_table(studies())}\n\n"
        'Tab completion: eval "$(genlab -sc install=bash)"\n'
        "Environment: GENLAB_DATA (where data lies), GENLAB_RUNS (where runs go; default: runs), WANDB_*"
    )


def help_of(verb: str) -> str:
    """The text of ``genlab VERB --help``."""
    entry = VERBS[verb]
    parts = [
        f"genlab {verb}: {entry.summary}",
        f"usage: genlab {verb} [KEY=VALUE ...]",
        f"overrides\n{_table(entry.overrides)}",
    ]
    if verb == "train":
        parts.append(f"experiments\n{_table(experiments())}")
        parts.append(f"studies\n{_table(studies())}")
        parts.append(f"groups\n{_table({group: ', '.join(names) for group, names in groups().items()})}")
    parts.append("examples\n" + "\n".join(f"  {example}" for example in entry.examples))
    parts.append(_SEARCH_END.format(config_dir() / "study") if verb == "search" else _END.format(config_dir() / verb))
    return "\n\n".join(parts)


_END = """
Hydra's own flags work too: --cfg job shows the config, -m sweeps over a,b,c, --hydra-help lists the rest.
HYDRA_FULL_ERROR=1 shows the traceback of an error. The config is written in
{}.yaml
""".strip()
_SEARCH_END = """
Fields are those of genlab train. HYDRA_FULL_ERROR=1 shows the traceback of an error. The ranges are written in
{}
""".strip()


def _table(rows: dict[str, str]) -> str:
    width = max(map(len, rows), default=0)
    return "\n".join(f"  {name:<{width}}  {text}".rstrip() for name, text in rows.items())


_COMPLETION = """
_genlab_complete() {
    COMPREPLY=($(COMP_LINE="${COMP_LINE}" COMP_POINT="${COMP_POINT}" genlab -sc query=bash 2>/dev/null))
    compopt -o nospace 2>/dev/null
}
COMP_WORDBREAKS=${COMP_WORDBREAKS//=}
complete -F _genlab_complete genlab
"""


def _complete(words: Sequence[str]) -> int:
    """Bash completion: ``-sc install=bash`` prints the function, which asks ``-sc query=bash`` at each tab."""
    if words[1:] == ["install=bash"]:
        print(_COMPLETION)
        return 0
    if words[1:] != ["query=bash"]:
        print("genlab: -sc takes install=bash", file=sys.stderr)
        return 2
    typed = os.environ.get("COMP_LINE", "").split(" ")[1:]
    if len(typed) < 2:
        print("\n".join(verb for verb in VERBS if verb.startswith(typed[0] if typed else "")))
    elif typed[0] in VERBS:
        from genlab.run.hydra_app import complete

        complete(typed[0], " ".join(typed[1:]))
    return 0
