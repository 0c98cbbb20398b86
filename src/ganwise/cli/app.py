"""The verbs. Each loads what it needs when it runs, so that help and advice start in a blink."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ganwise.types import Unusable

app = typer.Typer(
    name="ganwise",
    help="Find, train and prove the right GAN for your data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Data = Annotated[str, typer.Argument(help="digits, mnist-10k, ring, grid, spiral; a folder or zip of images; .npz, idx, .csv")]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="a run's directory, or that of a race: then its recommended run")]
Json = Annotated[bool, typer.Option("--json", help="print one JSON object and nothing else")]
Want = Annotated[
    list[str] | None, typer.Option(help="what matters, separated by commas: diversity, quality, stability, ...; may be repeated")
]
ApplicationFile = Annotated[Path | None, typer.Option(help="a TOML file that describes the application")]
Tune = Annotated[
    int | None, typer.Option(min=2, max=64, metavar="K", help="try K settings of each candidate first, in the same budget")
]
Seeds = Annotated[int | None, typer.Option(min=1, help="runs of each candidate; 3 by default")]
Size = Annotated[int | None, typer.Option(min=8, help="side that images are resized to")]
Strict = Annotated[bool, typer.Option("--strict", help="refuse data with corrupt files")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps")]
Out = Annotated[Path | None, typer.Option(help="directory for the results")]
SetPart = Annotated[list[str] | None, typer.Option("--set", help="change a part of the recipe, as in loss.margin=2")]
TensorBoard = Annotated[bool, typer.Option("--tensorboard", help="write TensorBoard's event files into each run's directory")]
BudgetText = Annotated[
    str | None, typer.Option("--budget", help="total: 3m (the default) or 2h of wall time, cpu:10m, images:2M, flops:1e15")
]


@app.callback(invoke_without_command=True)
def version(show: Annotated[bool, typer.Option("--version", help="print the version")] = False) -> None:
    if show:
        import ganwise

        print(ganwise.__version__)
        raise typer.Exit


@app.command()
def run(
    data: Data,
    want: Want = None,
    application: ApplicationFile = None,
    budget: BudgetText = None,
    seeds: Seeds = None,
    out: Out = None,
    size: Size = None,
    strict: Strict = False,
    device: Device = "auto",
    tune: Tune = None,
    json: Json = False,
) -> None:
    """The main job: audit the data, choose a short list, train it under one budget, measure, recommend."""
    given = locals()
    from ganwise.cli import job

    sys.exit(job.run(job.Asked(**given)))


@app.command()
def race(
    data: Data,
    recipes: Annotated[list[str] | None, typer.Argument(metavar="[[ALIAS=]RECIPE]...", help="default: the short list")] = None,
    budget: BudgetText = None,
    seeds: Seeds = None,
    out: Out = None,
    size: Size = None,
    strict: Strict = False,
    device: Device = "auto",
    engine: Annotated[str, typer.Option(help="local: this machine's cores and GPUs; ray: those of a Ray cluster")] = "local",
    address: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="of a Ray cluster; default: one on this machine")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="go on with the race in --out, with more recipes, --seeds or --budget if you like")
    ] = False,
    record: Annotated[str | None, typer.Option(metavar="URL", help="keep the record in this database, not in --out")] = None,
    tensorboard: TensorBoard = False,
    tune: Tune = None,
    json: Json = False,
) -> None:
    """Train recipes under one equal budget and rank them on the test part."""
    given = locals()
    from ganwise.cli import job

    sys.exit(job.run(job.Asked(**given)))


@app.command()
def audit(data: Data, size: Size = None, strict: Strict = False, json: Json = False) -> None:
    """What the data is, and what is wrong with it."""
    from ganwise.audit import audit_source
    from ganwise.cli import show

    seen = audit_source(data, size=size, strict=strict)
    show.result(seen._asdict(), json, lambda: show.audit(seen))


@app.command()
def select(
    words: Annotated[list[str] | None, typer.Argument(metavar="[DATA]", help="as for audit; or describe it by flags")] = None,
    want: Want = None,
    limit: Annotated[int, typer.Option(min=1, help="length of the short list")] = 8,
    size: Size = None,
    application: ApplicationFile = None,
    ask: Annotated[bool, typer.Option("--ask", help="answer questions instead, one at a time")] = False,
    image: Annotated[str | None, typer.Option(help="height x width x channels, as in 32x32x3")] = None,
    columns: Annotated[int | None, typer.Option(help="numbers in a row of a table")] = None,
    n: Annotated[int | None, typer.Option("--n", help="samples")] = None,
    classes: Annotated[int | None, typer.Option(help="kinds of things among them")] = None,
    labels: Annotated[str | None, typer.Option(help="none, few or all")] = None,
    labeled_share: Annotated[float | None, typer.Option(help="share of the samples with a label, 0 to 1")] = None,
    domain: Annotated[str | None, typer.Option(help="one or many kinds of things")] = None,
    aligned: Annotated[bool | None, typer.Option("--aligned/--not-aligned", help="the same place in each image")] = None,
    sparse: Annotated[bool | None, typer.Option("--sparse/--not-sparse", help="mostly plain background")] = None,
    discrete: Annotated[bool | None, typer.Option("--discrete/--not-discrete", help="columns of categories")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or mps: what it will be trained on")] = None,
    memory: Annotated[float | None, typer.Option(help="gigabytes on that device")] = None,
    time: Annotated[str | None, typer.Option(help="of computing for one GAN, as in 30m, 2h, 1d")] = None,
    private: Annotated[bool | None, typer.Option("--private/--not-private", help="nobody may learn who was in the data")] = None,
    without: Annotated[list[str] | None, typer.Option(metavar="RULE", help="switch a rule off; may be repeated")] = None,
    rules: Annotated[Path | None, typer.Option(metavar="FILE", help="rules of your own, as TOML")] = None,
    evidence: Annotated[
        list[str] | None, typer.Option(metavar="PATH", help="a race's folder or rows of your own; none: not even ours")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="points of each rule; name GANs after DATA for these alone")] = False,
    compare: Annotated[bool, typer.Option("--compare", help='what would be otherwise: --compare "labels=all" "n=500"')] = False,
    save: Annotated[Path | None, typer.Option(metavar="DIR", help="write the recipes of the short list there")] = None,
    json: Json = False,
) -> None:
    """The four questions answered for this data, the search space before and after, the short list with reasons."""
    given = locals()
    from ganwise.cli import choose

    choose.run(choose.asked(given))


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="a name of the catalog, or a recipe's JSON file")],
    data: Data,
    steps: Annotated[int, typer.Option(min=1, help="rounds of both players")] = 5000,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1)] = 0,
    out: Out = None,
    size: Size = None,
    strict: Strict = False,
    set_: SetPart = None,
    device: Device = "auto",
    precision: Annotated[str, typer.Option(help="auto (timed at start), fp32, bf16; with -nchw for the other layout")] = "auto",
    threads: Annotated[int, typer.Option(min=1, help="processor threads; results repeat only at the same number")] = 1,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="only operations that repeat to the bit, on a GPU too")
    ] = False,
    checkpoint_every: Annotated[
        int, typer.Option(min=0, help="steps between checkpoints, also written at Ctrl-C; 0: none")
    ] = 1000,
    resume: Annotated[
        bool, typer.Option("--resume", help="go on with the run in --out from its newest whole checkpoint")
    ] = False,
    tensorboard: TensorBoard = False,
    json: Json = False,
) -> None:
    """Train one recipe, keep its best checkpoint, score it."""
    from ganwise.cli import single

    settings = single.Settings(steps, seed, device, precision, threads, deterministic, checkpoint_every, resume, tensorboard)
    sys.exit(single.train(recipe, data, out, size, strict, set_ or [], settings, json))


@app.command()
def evaluate(
    run: RunPath,
    n: Annotated[int | None, typer.Option("-n", min=64, help="test samples, against as many fakes")] = None,
    features: Annotated[
        str, typer.Option(help="efficientnet, identity, inception:PATH (a file that you have); default: the data's own")
    ] = "",
    protocol: Annotated[
        str, typer.Option(help="how a published table measures: mimicry, studiogan, clean-fid, ... (docs/extractors.md)")
    ] = "ganwise",
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Score a run's model on the test part, with intervals and yardsticks; or as a published table does."""
    from ganwise.cli import single

    single.evaluate(run, n, device, features, protocol, json)


@app.command()
def doctor(
    path: Annotated[
        Path | None, typer.Argument(metavar="PATH", help="a run's directory, or anybody's log: CSV, TensorBoard, text, ...")
    ] = None,
    loss: Annotated[str, typer.Option(help="the loss where the log does not say it: hinge, bce, wgan, lsgan, ...")] = "",
    map_: Annotated[list[str] | None, typer.Option("--map", help="columns, as in loss_d=D_loss,step=iter")] = None,
    heal: Annotated[bool, typer.Option("--heal", help="go on from the last healthy checkpoint with the remedy")] = False,
    steps: Annotated[int | None, typer.Option(min=1, help="with --heal: steps to train, else up to where the run ended")] = None,
    out: Annotated[Path | None, typer.Option(help="with --heal and --demo: the directory of what they make")] = None,
    page: Annotated[Path | None, typer.Option(help="the page (HTML); of a run of ours else doctor.html in it")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="watch a GAN collapse on digits and be healed, without a PATH")] = False,
    seed: Annotated[int, typer.Option(min=0, help="with --demo")] = 0,
    json: Json = False,
) -> None:
    """Diagnose a run, yours or anybody's: is it healthy, and if not, what to change. Exit status 1 for a failing one."""
    from ganwise.cli import clinic

    if demo:
        sys.exit(clinic.demo(out, seed, json))
    if path is None:
        raise Unusable("doctor: expected PATH, a run's directory or a log, or --demo")
    if heal:
        sys.exit(clinic.heal(path, steps, out, json))
    sys.exit(clinic.doctor(path, loss, map_ or [], page, json))


@app.command()
def sample(
    run: RunPath,
    n: Annotated[int, typer.Option("-n", min=1, help="how many")] = 64,
    out: Annotated[Path, typer.Option(help="samples.npz for arrays, or a .png for a grid")] = Path("samples.png"),
    seed: Annotated[int, typer.Option(min=0)] = 0,
    label: Annotated[str | None, typer.Option(help="a class by its name or number, of a model that was told classes")] = None,
    device: Device = "cpu",
    json: Json = False,
) -> None:
    """Draw samples from a run's model; a grid of a model that was told classes has a row for each."""
    from ganwise.cli import single

    single.sample(run, n, out, seed, label, device, json)


@app.command()
def export(
    run: RunPath,
    format: Annotated[str, typer.Option(help="safetensors or onnx")] = "safetensors",
    out: Annotated[Path | None, typer.Option(help="folder for safetensors, file for onnx")] = None,
    json: Json = False,
) -> None:
    """Hand a run's generator over as a model folder, or as ONNX with its outputs compared first."""
    from ganwise.cli import single

    single.export(run, format, out, json)


@app.command()
def catalog(
    what: Annotated[str, typer.Argument(metavar="[AXIS|NAME|table]", help="an axis, a name on any of them, or: table N")] = "",
    number: Annotated[str, typer.Argument(metavar="[N]", help="of the framework's tables, 1 to 7")] = "",
    json: Json = False,
) -> None:
    """Everything that ganwise knows: the axes, the named GANs with their figures and references, the framework's tables."""
    from ganwise.cli import browse

    browse.catalog(what, number, json)


@app.command()
def reproduce(
    experiment: Annotated[str, typer.Argument(metavar="[EXPERIMENT]", help="default: list them all, ours beside published")] = "",
    data: Annotated[str | None, typer.Option(help="the data set, for an experiment on data that are not built in")] = None,
    out: Out = None,
    scale: Annotated[str, typer.Option(help="sample (seconds), here (two cores), paper (as published)")] = "here",
    only: Annotated[list[str] | None, typer.Option(help="one part of the experiment, such as seed-0; may be repeated")] = None,
    device: Device = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16")] = "auto",
    threads: Annotated[int, typer.Option(min=1, help="processor threads")] = 1,
    json: Json = False,
) -> None:
    """The papers' experiments: ours beside the published figures; run one, and go on with it after a break."""
    from ganwise.cli import papers

    if not experiment:
        return papers.listing(json)
    sys.exit(papers.reproduce(experiment, data, out, scale, only or [], device, precision, threads, json))


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="the directory of a run or race")],
    json: Json = False,
) -> None:
    """Write the report of a race again, as one HTML file."""
    from ganwise.cli import show
    from ganwise.report import write

    written = str(write(folder))
    show.result({"report": written}, json, lambda: print(written))


@app.command()
def record(
    where: Annotated[str, typer.Argument(metavar="DIR", help="a race's or run's directory, or postgresql://user@host/database")],
    rebuild: Annotated[bool, typer.Option("--rebuild", help="make the record again from the run directories")] = False,
    at: Annotated[str, typer.Option("--record", metavar="URL", help="the race's record on a PostgreSQL server")] = "",
    json: Json = False,
) -> None:
    """List the runs of a race: how far each came, what it scored, what it cost."""
    from ganwise.cli import record as body

    body.run(where, at, rebuild, json)


@app.command()
def bench(
    device: Device = "auto",
    seconds: Annotated[float, typer.Option(help="time to measure in, about")] = 30.0,
    json: Json = False,
) -> None:
    """Time training on this machine; select then says how long each candidate takes here."""
    from ganwise.cli import bench as body

    body.run(device, seconds, json)


@app.command()
def cite(run: RunPath, json: Json = False) -> None:
    """The papers that a run's recipe rests on, as BibTeX."""
    from ganwise.cli import browse

    browse.cite(run, json)


def launched(command: list[str] | None = None) -> str:
    """The command line that repeats this call."""
    import shlex

    return shlex.join(["ganwise", *(command or sys.argv[1:])])
